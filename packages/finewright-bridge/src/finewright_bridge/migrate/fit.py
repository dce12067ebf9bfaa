"""Whether the base's chat template holds the rows: asked before anything is written, asked for or paid.

The folder of a migration: what is written there, and when that would cost the user a file."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from finewright.catalog.models import open_models
from finewright.data.odd_turns import odd_turns
from finewright.errors import DataError, FinewrightError
from finewright.lm import runtime
from finewright.lm.sources import list_packaged_here, locate
from finewright.schema.common import Problem, errors_of
from finewright.schema.load import LoadedSpec
from finewright.schema.rows import Message, Row
from finewright.store.stage import refuse
from finewright.train.prepared import prepare_rows
from finewright.train.rows import rows_for
from finewright.workbench.prepare import resolve_here

if TYPE_CHECKING:
    from finewright.lm.chat import Chat


TRAIN, SPEC, REPORT, PAGE = "train.jsonl", "spec.yaml", "report.json", "report.html"


GOLDEN, RECORD, LOG = "golden.jsonl", "golden.json", "asked.jsonl"


WRITTEN = (TRAIN, GOLDEN, RECORD, SPEC, REPORT, PAGE)
"""All that a migration writes into its folder, but for the log of what an endpoint said, which only grows."""


_HINT = "name another --folder"


def check_fit(loaded: LoadedSpec, rows: Sequence[Row], prompts: Sequence[Row]) -> None:
    """Raise DataError, in one line a base, where rows to train on or prompts to ask do not fit its template
    or `train.max_length`; the line counts them, names the first and a base that could.

    Fetches the base where it is not here yet."""
    runtime.require_runtime()
    from finewright.lm.load_chat import chat_of

    shaped = rows_for(loaded.spec.train.method, rows)
    refuse(shaped.problems)
    found = []
    for name in loaded.spec.base_models:
        base = locate(name, loaded.path.parent)
        spec, _ = resolve_here(loaded.spec.train, base)
        made = prepare_rows(base, spec, chat_of(base, loaded.spec), shaped)
        refuse(made.problems)
        refused = list(_find_refused(made.chat, prompts))
        number = made.encoded.counts.rows_dropped.get("error", 0) + len(refused)
        if number:
            errors = iter(errors_of(made.encoded.problems))
            first = next(errors, None) or refused[0]
            found.append(_describe_problem(name, first, number, (*rows, *prompts)))
    if found:
        raise DataError("\n".join(line for line, _ in found), hint=found[0][1])


def report_undeclared_calls(rows: Sequence[Row]) -> tuple[Problem, ...]:
    """Rows that call a tool which they do not declare: the model learns a name that no request offers."""
    found = [
        (row, turn.says)
        for row in rows
        if (turn := next((odd for odd in odd_turns(row) if odd.kind == "undeclared"), None))
    ]
    if not found:
        return ()
    first, name = found[0]
    message = f"{len(found)} of {len(rows)} rows call tools that they do not declare, this one first: {name}"
    hint = "add the tools to the rows' `tools`, as requests will have them"
    return (Problem(level="warning", file=first.file, row=first.row, message=message, hint=hint),)


def _find_refused(chat: "Chat", prompts: Sequence[Row]) -> Iterator[Problem]:
    for row in prompts:
        try:
            chat.whole_prompt(row.messages, row.tools)
        except DataError as error:
            yield Problem(level="error", file=row.file, row=row.row, message=str(error))


def _describe_problem(
    name: str, first: Problem, number: int, rows: Sequence[Row]
) -> tuple[str, str]:
    """The line, and how to mend it."""
    from finewright.lm.turns import OTHER_TEMPLATE

    line = (
        f"{name} cannot hold {number} of {len(rows)} rows and prompts, {first.file} row {first.row}"
        f" first: {first.message}"
    )
    if first.hint not in ("", OTHER_TEMPLATE):  # too long, which another base would not change
        return line, first.hint
    others = _others(name, rows)
    if others:
        return line, f"these hold them all: --base-model {others[0]}{_also(others[1:])}"
    if any(_uses_tools(row) for row in rows):
        known = [model for model in open_models().values() if model.holds_tools]
        names = [model.aliases[0] for model in known]
        return (
            line,
            f"templates of these have words for tools: --base-model {names[0]}{_also(names[1:])}",
        )
    return line, "take a base whose template has such turns with --base-model, or fix the rows"


def _also(names: Sequence[str]) -> str:
    return f" (or {', '.join(names)})" if names else ""


def _others(name: str, rows: Sequence[Row]) -> list[str]:
    """The packaged models on this machine whose template renders every row."""
    from finewright.lm.load_chat import load_chat

    return [
        other
        for other in list_packaged_here()
        if other != name and _holds(load_chat(locate(other, Path())), rows)
    ]


def _holds(chat: "Chat", rows: Sequence[Row]) -> bool:
    from finewright.lm.encode import encode_example

    try:
        for row in rows:
            encode_example(chat, row)
    except FinewrightError:
        return False
    return True


def _uses_tools(row: Row) -> bool:
    messages: Sequence[Message] = row.messages
    return bool(row.tools) or any(m["role"] == "tool" or m.get("tool_calls") for m in messages)


def check_free(folder: Path, inputs: Iterable[Path]) -> None:
    """Raise DataError if a migration into the folder would overwrite an input, or a file it did not write.

    What is there was written by a migration where a golden.json of one is beside it. Covered are names and
    links to the same file; not covered is a file of another program that took the place of one of ours."""
    read = {path.resolve() for path in inputs}
    for name in (*WRITTEN, LOG):
        path = folder / name
        if path.resolve() in read:
            raise DataError(
                f"{path}: is one of the input files and would be overwritten", hint=_HINT
            )
    if _is_ours(folder / RECORD):
        return
    for name in WRITTEN:
        if os.path.lexists(folder / name):
            raise DataError(
                f"{folder / name}: is there, was not written by this migration, and would be overwritten",
                hint=_HINT,
            )


def _is_ours(record: Path) -> bool:
    """Whether it looks like the record of frozen answers. A damaged one of ours is told when it is read."""
    try:
        found = json.loads(record.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and {"golden", "stated"} <= found.keys()
