"""What the data commands show: what was read, what became of the rows, and what was found in them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from finewright.report.blocks import Block, Page, Quote, Section, Table, Text, section
from finewright.report.cells import count_of, list_counts, share
from finewright.schema.data_check import DataCheckReport, DocumentsReport, ExamplesReport, FixReport
from finewright.schema.formats import DataShowReport, RowSeen

_SUBJECT = "data"
_NO_TEXT = "none gives text, so nothing was written"
_PLACES = ("id", "file", "row")
_MENDS = {
    "roles": "with a role's usual name",
    "null_content": "with empty text for the null content of a call",
    "arguments": "with arguments as JSON text",
    "weight": "with 0 or 1 for another weight",
    "empty_turns": "without empty last turns",
    "label": "with true or false for a label in quotes",
}
_LONGEST_VALUE = 300


def check_page(report: DataCheckReport) -> Page:
    """What becomes of the rows, and whether they can be used."""
    cut = f", {report.rows_truncated} truncated" if report.rows_truncated else ""
    num_dropped = sum(report.rows_dropped.values())
    reasons = list_counts(report.rows_dropped)
    dropped = f", {num_dropped} dropped ({reasons})" if num_dropped else ""
    verdict = "usable"
    if not report.passed:
        verdict = "not usable" + (" until the errors are fixed" if report.rows_kept else "")
    return Page(
        subject=_SUBJECT,
        title=count_of(report.rows_in, "row"),
        answer=f"{report.rows_kept} kept{_of_types(report)}{cut}{dropped}; {verdict}",
        about=_of_prompts(report),
        problems=report.problems,
    )


def _of_types(report: DataCheckReport) -> str:
    types = report.rows_by_type
    return f" ({next(iter(types)) if len(types) == 1 else list_counts(types)})" if types else ""


def _of_prompts(report: DataCheckReport) -> list[str]:
    num = report.rows_by_type.get("prompt_only", 0)
    what = f"{count_of(num, 'row')} of prompts alone: grpo and ppo train on them, sft learns nothing of them"
    return [what] if num else []


def fix_page(report: FixReport) -> Page:
    """What was mended and written, and what was not."""
    answer = "none can be used, so nothing was written"
    if report.out:
        answer = (
            f"{report.rows_written} written to {report.out}, {report.rows_mended} of them fixed"
        )
    rejected = _counts("rejected", report.rows_rejected)
    about = (
        _counts("rows", {_MENDS.get(name, name): n for name, n in report.mends.items()}),
        _counts("files", report.file_mends),
        f"{rejected}: {report.rejected}" if report.rejected else rejected,
    )
    return Page(
        subject=_SUBJECT,
        title=count_of(report.rows_in, "row"),
        answer=answer,
        about=[line for line in about if line],
        problems=report.problems,
    )


def _next_steps(out: str) -> list[str]:
    """Texts are no rows to train on: what leads to answers from them, and to rows."""
    index = f"next: finewright rag index {out} --out index.sqlite, to answer from them"
    rows = "rows to train on, of questions and that index: finewright data raft"
    return [f"{index}; {rows}"] if out else []


def documents_page(report: DocumentsReport) -> Page:
    """How many documents gave text."""
    dropped = list_counts(report.documents_dropped)
    written = f"{report.documents_written} written to {report.out}" if report.out else _NO_TEXT
    return Page(
        subject="documents",
        title=count_of(report.documents_in, "document"),
        answer=written + (f", left out: {dropped}" if dropped else ""),
        about=_next_steps(report.out),
        problems=report.problems,
    )


def examples_page(report: ExamplesReport) -> Page:
    """How many sections were written for tests."""
    left_out = f", {report.documents_dropped} left out" if report.documents_dropped else ""
    written = f"{count_of(report.examples_written, 'section')} written to {report.out}"
    return Page(
        subject="documents",
        title=f"{count_of(report.documents_in, 'document')}{left_out}",
        answer=written if report.out else _NO_TEXT,
        about=_next_steps(report.out),
        problems=report.problems,
    )


def show_page(report: DataShowReport) -> Page:
    """Containers and formats, the keys of the rows, and the first rows as they become."""
    unreadable = f", and {report.unreadable} that cannot be read" if report.unreadable else ""
    formats = [
        (seen.format, seen.type or "", str(seen.rows), str(seen.first_row), seen.why)
        for seen in report.formats
    ]
    keys = [
        (seen.key, str(seen.rows), share(seen.rows / report.rows), _kinds(seen.values))
        for seen in report.keys
    ]
    return Page(
        subject=_SUBJECT,
        title=report.path,
        answer=f"{count_of(report.rows, 'row')}{unreadable}",
        about=[f"{f.path}: {f.container}" if f.container else f.path for f in report.files],
        problems=report.problems,
        sections=[
            *section("", Table(("format", "type", "rows", "first", "why"), formats)),
            *section("", *_proposal(report)),
            *section("", Table(("key", "rows", "share", "values"), keys)),
            *(Section("", list(_show_row(seen))) for seen in _without_repeats(report.first)),
        ],
    )


def _without_repeats(first: Sequence[RowSeen]) -> Iterator[RowSeen]:
    """The rows, but for those that become nothing for the reason of one before."""
    reasons = set[tuple[str, ...]]()
    for seen in first:
        why = tuple(problem.message for problem in seen.problems)
        if seen.becomes or why not in reasons:
            yield seen
        reasons.add(why)


def _proposal(report: DataShowReport) -> Iterator[Block]:
    if found := report.proposal:
        yield Text(
            f"is it this? {found.why}; if so, say it here, or where a spec names the source:"
        )
        yield Text(f"{found.options}\n{found.line}", "code")
    if report.choices:
        yield Text(f"{report.question}? One of these:")
    for choice in report.choices:
        yield Text(f"{choice.options}\n{choice.line}", "code")


def _kinds(values: Mapping[str, int]) -> str:
    return ", ".join(
        kind if len(values) == 1 else f"{count} {kind}" for kind, count in values.items()
    )


def _show_row(seen: RowSeen) -> Iterator[Block]:
    where = f"{seen.file}:{seen.row} ({seen.format}) becomes"
    if not seen.becomes:
        yield Text(f"{where} no row")
    yield from seen.problems
    for row in seen.becomes:
        yield Quote(where, "\n".join(_describe_row(row)))


def _describe_row(row: Mapping[str, Any]) -> Iterator[str]:  # Any: free JSON
    yield from _conversation("", row["messages"])
    yield from _conversation("rejected ", row["rejected"] or [])
    for key, value in row.items():
        if key not in (*_PLACES, "messages", "rejected") and value not in (None, {}):
            yield f"{key}: {_short(value)}"


def _conversation(side: str, messages: list[dict[str, object]]) -> Iterator[str]:
    for message in messages:
        read_only = " (read only)" if message.get("weight") == 0 else ""
        calls = f" calls {_short(message['tool_calls'])}" if message.get("tool_calls") else ""
        content = f" {_short(message['content'])}" if message.get("content") else ""
        yield f"{side}{message['role']}{read_only}:{content}{calls}"


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]} ..."


def _counts(what: str, counts: Mapping[str, int]) -> str:
    parts = [f"{name.replace('_', ' ')} {count}" for name, count in counts.items()]
    return f"{what}: {', '.join(parts)}" if parts else ""
