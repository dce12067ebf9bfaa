"""`finewright data poison`: the one call that it is.

`data poison`: look for planted behaviour in rows, and part the suspicious rows from the rest."""

from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from finewright.data.base_surprisal import BaseSurprisal, OnProgress
from finewright.feature import Session
from finewright.features.data.rows import problems_of, usable_rows
from finewright.lm.embedders.meaning import meaning
from finewright.rows.containers.lines import jsonl_at
from finewright.rows.fates import ReadOptions, RowFate
from finewright.rows.identity import to_user_json
from finewright.schema.poison import PoisonReport, PoisonSpec
from finewright.workbench.outputs import check_outputs
from finewright_trust.options import PoisonOptions
from finewright_trust.search import search

_Json = dict[str, Any]  # Any: a line of JSON


def poison(options: PoisonOptions, session: Session) -> BaseModel:
    """Rows that may plant a behaviour."""
    from finewright.schema.poison import PoisonSpec
    from finewright.workbench.outputs import check_outputs

    def tell(done: int, total: int) -> None:
        session.on_event("weighing", {"done": done, "total": total})

    check_outputs([options.out, options.quarantine], [options.path])
    session.on_event("poison_search", {"model": options.base_model or "no model"})
    return scan(
        options.path,
        models=PoisonSpec(base_model=options.base_model, embedder=options.embedder),
        out_clean=options.out,
        out_quarantine=options.quarantine,
        options=options.read_options(),
        on_progress=tell,
    )


def scan(
    path: Path,
    *,
    models: PoisonSpec = PoisonSpec(),  # noqa: B008 - a model that nobody changes
    out_clean: Path | None = None,
    out_quarantine: Path | None = None,
    options: ReadOptions = ReadOptions(),  # noqa: B008 - a tuple that nobody changes
    on_progress: OnProgress = lambda done, total: None,
) -> PoisonReport:
    """What may have been planted in the rows. Of the `models` an empty `base_model`
    weighs nothing; with the embedder "none" wrong labels are told by words alone.

    `out_clean` gets the rows that were looked at and are not suspicious, as they stand in their file, or as
    they are read where a manifest states how; `out_quarantine` gets the suspicious, each as {"file", "row",
    "why", "data"}. Both are new files. Raises DataError when there is no usable row."""
    check_outputs([out_clean, out_quarantine], [path])
    fates: list[RowFate] = []
    keeps = out_clean is not None or out_quarantine is not None
    read = usable_rows(path, options, fates.append if keeps else lambda _: None)
    name, root = models.base_model, Path.cwd()
    surprisal = BaseSurprisal(name, root, on_progress) if name else None
    embed = meaning(models.embedder, root)
    found = search(read.rows, surprisal=surprisal, embed=embed, base_model=name)
    why = {(read.rows[i].file, read.rows[i].row): reason for i, reason in found.why.items()}
    used = [fate for fate in fates if fate.rows]
    if out_clean:
        _write(out_clean, _clean_lines(used, why, options))
    if out_quarantine:
        _write(out_quarantine, _quarantine_lines(used, why))
    return found.report.model_copy(
        update={
            "rows_in": read.tally.rows_in,
            "rows_dropped": dict(read.tally.dropped),
            "problems": (*problems_of(path, read.tally), *found.report.problems),
        }
    )


def _clean_lines(
    used: Iterable[RowFate], why: Container[tuple[str, int]], options: ReadOptions
) -> Iterator[_Json]:
    for fate in used:
        if (fate.file, fate.row) not in why:
            yield from _lines(fate, options)


def _lines(fate: RowFate, options: ReadOptions) -> Iterable[_Json]:
    if fate.options != options:
        # Out of its folder the row has no manifest that says what its keys mean.
        return map(to_user_json, fate.rows)
    return [fate.as_it_stands()["data"]]


def _quarantine_lines(
    used: Iterable[RowFate], why: Mapping[tuple[str, int], str]
) -> Iterator[_Json]:
    suspicious = (fate for fate in used if (fate.file, fate.row) in why)
    return (_set_aside(fate, why) for fate in suspicious)


def _set_aside(fate: RowFate, why: Mapping[tuple[str, int], str]) -> _Json:
    reason = why[fate.file, fate.row]
    return {"file": fate.file, "row": fate.row, "why": reason, **fate.as_it_stands()}


def _write(path: Path, lines: Iterable[_Json]) -> None:
    with jsonl_at(path) as write:
        for line in lines:
            write(line)
