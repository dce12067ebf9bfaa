"""The report of `data show` as text."""

import json
from collections.abc import Iterator

from finewright.render.reports import text_of
from finewright.render.text import table
from finewright.schema.formats import DataShowReport, FormatSeen, KeySeen, RowSeen

_LONGEST = 300
_PLACES = ("id", "file", "row")


@text_of.register
def _(report: DataShowReport) -> str:
    parts = ["\n".join(_head(report))]
    if report.formats:
        rows = [_format(seen) for seen in report.formats]
        parts.append(table(["format", "type", "rows", "first", "why"], rows))
    if report.proposal:
        parts.append("\n".join(_proposal(report)))
    if report.keys:
        rows = [_key(seen, report.rows) for seen in report.keys]
        parts.append(table(["key", "rows", "share", "values"], rows))
    parts += ["\n".join(_row(seen)) for seen in report.first]
    return "\n\n".join(parts)


def _head(report: DataShowReport) -> Iterator[str]:
    for problem in report.problems:
        yield f"{problem.level}: {problem.line()}"
    for file in report.files:
        yield f"{file.path}: {file.container}" if file.container else file.path
    unreadable = f", and {report.unreadable} that cannot be read" if report.unreadable else ""
    yield f"{report.path}: {report.rows} {'row' if report.rows == 1 else 'rows'}{unreadable}"


def _format(seen: FormatSeen) -> list[str]:
    return [seen.format, seen.type or "", str(seen.rows), str(seen.first_row), seen.why]


def _proposal(report: DataShowReport) -> Iterator[str]:
    if report.proposal:
        yield f"is it this? {report.proposal.why}; if so, say it here, or where a spec names the source:"
        yield f"  {report.proposal.options}"
        yield f"  {report.proposal.line}"


def _key(seen: KeySeen, num_rows: int) -> list[str]:
    kinds = ", ".join(
        kind if len(seen.values) == 1 else f"{count} {kind}" for kind, count in seen.values.items()
    )
    return [seen.key, str(seen.rows), f"{100 * seen.rows / num_rows:.0f} %", kinds]


def _row(seen: RowSeen) -> Iterator[str]:
    yield f"{seen.file}:{seen.row} ({seen.format}) becomes {'' if seen.becomes else 'no row'}".rstrip()
    for problem in seen.problems:
        yield f"  {problem.level}: {problem.line()}"
    for row in seen.becomes:
        yield from _conversation("", row["messages"])
        if row["rejected"] is not None:
            yield from _conversation("rejected ", row["rejected"])
        more = {
            key: value
            for key, value in row.items()
            if key not in (*_PLACES, "messages", "rejected") and value not in (None, {})
        }
        for key, value in more.items():
            yield f"  {key}: {_shown(value)}"


def _conversation(side: str, messages: list[dict[str, object]]) -> Iterator[str]:
    for message in messages:
        read_only = " (read only)" if message.get("weight") == 0 else ""
        calls = f" calls {_shown(message['tool_calls'])}" if message.get("tool_calls") else ""
        content = f" {_shown(message['content'])}" if message.get("content") else ""
        yield f"  {side}{message['role']}{read_only}:{content}{calls}"


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."
