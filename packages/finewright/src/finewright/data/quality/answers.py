"""Answers that say nothing or little, that decline, and that are code."""

from collections import defaultdict
from collections.abc import Sequence

from finewright.data.quality.figures import bar, bars
from finewright.guard.quality.code import MOSTLY_CODE, code_part
from finewright.guard.quality.refusals import refuses
from finewright.rows.texts import answer_text
from finewright.schema.quality import Figure
from finewright.schema.rows import Row

_VERY_SHORT = 3


def short_answers(rows: Sequence[Row]) -> Figure:
    """Answers of no character that is not space, of one, and of two. A call of a tool is an answer."""
    groups: dict[int, list[Row]] = defaultdict(list)
    answered = [row for row in rows if not row.is_prompt]
    for row in answered:
        length = len(answer_text(row).strip())
        if length < _VERY_SHORT and not (row.answer or {}).get("tool_calls"):
            groups[length].append(row)
    labels = {0: "empty", 1: "1 character", 2: "2 characters"}
    return Figure(
        name="short_answers",
        title="Empty and very short answers",
        about="Less than three characters, space at the ends aside; no text but a call of a tool is "
        "not empty.",
        kind="bars",
        rows=len(answered),
        bars=tuple(bar(labels[n], groups[n], is_notable=n == 0) for n in sorted(groups)),
    )


def refusal_share(rows: Sequence[Row]) -> Figure:
    """Answers that begin with a refusal, by its language."""
    groups: dict[str, list[Row]] = defaultdict(list)
    answered = [row for row in rows if not row.is_prompt]
    for row in answered:
        language = refuses(answer_text(row))
        if language:
            groups[language].append(row)
    return Figure(
        name="refusals",
        title="Answers that decline",
        about="By phrases in 15 languages at the beginning of the answer.",
        kind="bars",
        rows=len(answered),
        bars=bars(groups),
        summary={"share": sum(map(len, groups.values())) / len(answered)} if answered else {},
    )


def code_share(rows: Sequence[Row]) -> Figure:
    """Answers by how much of them is code: lines in fences, and lines that look like code."""
    groups: dict[str, list[Row]] = {"no code": [], "some code": [], "mostly code": []}
    answered = [row for row in rows if not row.is_prompt]
    for row in answered:
        share = code_part(answer_text(row))
        kind = "no code" if share == 0 else "some code" if share < MOSTLY_CODE else "mostly code"
        groups[kind].append(row)
    return Figure(
        name="code",
        title="Code in the answers",
        about="Lines in code fences, and lines that begin or end as code does; mostly: half of the "
        "characters. JSON counts as code.",
        kind="histogram",
        rows=len(answered),
        bars=tuple(bar(kind, found) for kind, found in groups.items()),
    )
