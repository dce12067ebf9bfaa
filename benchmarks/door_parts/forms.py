"""Public data sets in the form that they are published in: read as they are, by a proposal that is followed,
or by one of the choices that the door names; else somebody has to write a script.

    python benchmarks/door.py --bars --part forms

A proposal is wrong where it alone is named and the first row says something else than the set's card means.
`public_forms.jsonl` has a few rows a form, with words of our own; keys, nesting, containers and kinds of
values are those of the sets' cards and files. They were written without a look at the code that proposes, and
looked at when it stood. What failed then was mended: the figures are those of a second sight."""

import gzip
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bars import Bar
from finewright.features.data.check import check
from finewright.features.data.rows import read_options
from finewright.features.data.show import show
from finewright.rows.fates import fates
from finewright.rows.tally import usable
from finewright.schema.rows import Row

_TYPES = ("messages", "prompt_completion", "preference")
# Of 32 public files 30 go without a script: who has such a file at hand is not to write a converter.
_WITHOUT_SCRIPT = 30 / 32


Said = Sequence[str]
"""A role, and what its turn has to hold: all of the texts of a question, the whole text of an answer."""


class PublicForm(NamedTuple):
    """A file's name and content: rows of JSON lines, one JSON document, or text as it stands.

    `meant` lists the readings of the first row that are right, none where nothing is to be proposed."""

    name: str
    file: str
    content: Any  # Any: free JSON, in all the forms that people publish
    meant: Sequence[Sequence[Said]]
    rejected: str = ""


class Outcome(NamedTuple):
    """How a form came in: `read`, `proposed`, `asked`, `script`, `wrong`; `left` where nothing is right."""

    form: PublicForm
    way: str
    told: str = ""


def bars(sets: Path) -> Iterator[Bar]:
    """The share that needs no script, and the wrong proposals."""
    lines = Path(__file__).with_name("public_forms.jsonl").read_text(encoding="utf-8").splitlines()
    outcomes = [outcome_of(PublicForm(**json.loads(line))) for line in lines]
    meant = [each for each in outcomes if each.form.meant]
    script = [each.form.name for each in meant if each.way in ("script", "wrong")]
    wrong = [each.form.name for each in outcomes if each.way == "wrong"]
    on = f"{len(meant)} forms" + "".join(f"; {name}" for name in script)
    yield Bar("public forms without a script", 1 - len(script) / len(meant), _WITHOUT_SCRIPT, on=on)
    on = f"{len(outcomes)} forms" + "".join(f"; {name}" for name in wrong)
    yield Bar("wrong proposals", len(wrong), 0, at_most=True, on=on)


def outcome_of(form: PublicForm) -> Outcome:
    """What the door makes of the form, its proposal or each of its choices followed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / form.file
        path.write_bytes(_packed(form))
        found = usable(fates(path, read_options()))
        if found.rows and _is_meant(found.rows[0], form):
            return Outcome(form, "read")
        if found.rows:
            # What is read as prompts alone may have its answer in a column, which is said.
            told = [p.hint for p in check(path).problems if "--column completion=" in p.hint]
            answers = [
                hint.partition("--column completion=")[2].split()[0].strip(",;") for hint in told
            ]
            rows = [_rows(path, {"completion": answer}) for answer in answers]
            is_right = any(each and _is_meant(each[0], form) for each in rows)
            if is_right:
                return Outcome(form, "proposed", "; ".join(told))
            # Prompts alone teach no answer: nothing wrong is trained, and somebody has to write the pairs.
            is_prompt = found.rows[0].messages[-1]["role"] == "user"
            return Outcome(form, "script" if is_prompt else "wrong", "; ".join(told))
        report = show(path)
        named = [report.proposal] if report.proposal else list(report.choices)
        followed = [(each.options, _rows(path, each.columns)) for each in named]
        followed += [] if named else [(f"--type {kind}", _rows(path, {}, kind)) for kind in _TYPES]
    right = [told for told, rows in followed if rows and _is_meant(rows[0], form)]
    if right:
        return Outcome(form, "proposed" if report.proposal else "asked", right[0])
    if report.proposal:
        return Outcome(form, "wrong", followed[0][0])
    return Outcome(form, "script" if form.meant else "left", "; ".join(t for t, _ in followed))


def _rows(path: Path, columns: Mapping[str, str] | None = None, kind: str = "auto") -> list[Row]:
    return usable(fates(path, read_options(kind, columns=columns))).rows  # type: ignore[arg-type]  # one of the types


def _is_meant(row: Row, form: PublicForm) -> bool:
    is_rejected = not form.rejected or (
        row.rejected is None or row.rejected[-1]["content"].strip() == form.rejected
    )
    return is_rejected and any(_says(row, reading) for reading in form.meant)


def _says(row: Row, reading: Sequence[Said]) -> bool:
    turns = [(m["role"], str(m["content"])) for m in row.messages]
    if [role for role, _ in turns] != [role for role, *_ in reading]:
        return False
    return all(
        text.strip() == parts[0].strip()
        if role == "assistant"
        else all(part.strip() in text for part in parts)
        for (role, text), (_, *parts) in zip(turns, reading, strict=True)
    )


def _packed(form: PublicForm) -> bytes:
    """The file's bytes: a list is a line a row where its name says so, else one document; text stays."""
    if isinstance(form.content, str):
        return form.content.encode()
    if ".jsonl" in form.file:
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in form.content)
    else:
        text = json.dumps(form.content, ensure_ascii=False)
    return gzip.compress(text.encode()) if form.file.endswith(".gz") else text.encode()
