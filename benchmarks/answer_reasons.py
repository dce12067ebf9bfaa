"""Why TRL trains an answer otherwise than finewright does: reasons, each a change of exactly one kind.

The fewest changes after which both sides are alike are the reasons of a difference; there is no catch-all."""

import re
from collections.abc import Callable
from itertools import combinations
from typing import NamedTuple

UNEXPLAINED = "UNEXPLAINED"
# A thought with its marks and what parts it from the answer, of Qwen, Gemma 4, gpt-oss and Muse.
THOUGHTS = re.compile(
    r"<think>(?P<a>.*?)</think>\n*"
    r"|<\|channel>thought\n(?P<b>.*?)<channel\|>"
    r"|<\|channel\|>analysis<\|message\|>(?P<c>.*?)<\|end\|>(?:<\|start\|>assistant)?"
    r"| to=self<\|message\|>(?P<d>.*?)<\|eom\|><\|start\|>assistant",
    re.DOTALL,
)
DAY = re.compile(r"\d{4}-\d\d-\d\d|\d\d \w{3} \d{4}")


class Learned(NamedTuple):
    """An answer as one side trains it: the text before it, what is learned, what follows unlearned."""

    context: str
    text: str
    tail: str = ""


class Pair(NamedTuple):
    """One answer by both sides, with our prompt's header, the thought it opens, and our last token."""

    ours: Learned
    trl: Learned
    header: str
    opened: str
    end: str

    @property
    def alike(self) -> bool:
        """Would both learn the same text after the same text?"""
        return self.ours[:2] == self.trl[:2]


def _header(pair: Pair) -> Pair:
    context, text, tail = pair.trl
    if not (text.startswith(pair.header) and pair.ours.context.startswith(context + pair.header)):
        return pair
    moved = Learned(context + pair.header, text.removeprefix(pair.header), tail)
    return pair._replace(trl=moved)


def _opening(pair: Pair) -> Pair:
    context, text, tail = pair.trl
    if not pair.opened or not text.startswith(pair.opened):
        return pair
    return pair._replace(trl=Learned(context + pair.opened, text.removeprefix(pair.opened), tail))


def _header_newline(pair: Pair) -> Pair:
    context, text, tail = pair.trl
    if not (pair.header.endswith("\n") and text.startswith("\n")):
        return pair
    return pair._replace(trl=Learned(context + "\n", text[1:], tail))


def _unasked_header(pair: Pair) -> Pair:
    header = pair.trl.context.removeprefix(pair.ours.context)
    if not header or header == pair.trl.context or not pair.ours.text.startswith(header):
        return pair
    text = pair.ours.text.removeprefix(header)
    return pair._replace(ours=Learned(pair.trl.context, text, pair.ours.tail))


def _never_opened(pair: Pair) -> Pair:
    """Our close of the thought that the prompt opens, out of what is learned."""
    context, text, tail = pair.ours
    closed = re.match(r"\s*</think>", text)
    if not pair.opened or not closed or not context.endswith(pair.opened):
        return pair
    rest = text[closed.end() :]
    left = next((r for r in (rest, rest.lstrip("\n")) if pair.trl.text.endswith(r)), rest)
    return pair._replace(ours=Learned(context.removesuffix(pair.opened), left, tail))


def _lost_thought(pair: Pair) -> Pair:
    context, text, tail = pair.ours
    thought, closed, rest = text.partition("</think>")
    if pair.opened and closed and thought.strip() and thought.strip() not in pair.trl.text:
        left = next((r for r in (rest, rest.lstrip("\n")) if pair.trl.text.endswith(r)), rest)
        ours = Learned(context.removesuffix(pair.opened), left, tail)
        return pair._replace(ours=ours)
    found = THOUGHTS.search(text)
    words = "".join(part or "" for part in found.groups()).strip() if found else ""
    if not found or not words or words in pair.trl.text:
        return pair
    left = text[: found.start()] + text[found.end() :]
    return pair._replace(ours=Learned(context, left, tail))


def _thought_as_text(pair: Pair) -> Pair:
    """The marked thought of a content, out of TRL's answer, where ours has it in the template's own place."""
    text = _without_thoughts(_without_thoughts(pair.trl.text, empty=True), empty=False)
    blind = pair._replace(trl=pair.trl._replace(text=text))
    changed = _lost_thought(blind)
    return pair if changed == blind or "<think>" not in pair.trl.text else changed


def _other_end(pair: Pair) -> Pair:
    text = pair.trl.text
    ends = re.search(r"<\|[a-z]+\|>$", text)
    if ends is None or text.endswith(pair.end):
        return pair
    return pair._replace(trl=pair.trl._replace(text=text[: ends.start()] + pair.end))


def _no_end(pair: Pair) -> Pair:
    """An end that the template writes behind the last answer alone."""
    if pair.trl.text + pair.end != pair.ours.text or pair.end in pair.trl.tail[: len(pair.end)]:
        return pair
    return pair._replace(trl=pair.trl._replace(text=pair.ours.text))


def _newline(pair: Pair) -> Pair:
    text = pair.trl.text
    return pair._replace(trl=pair.trl._replace(text=text.removesuffix("\n")))


def _end(pair: Pair) -> Pair:
    context, text, tail = pair.trl
    if not tail.startswith(pair.end):
        return pair
    return pair._replace(trl=Learned(context, text + pair.end, tail.removeprefix(pair.end)))


def _null(pair: Pair) -> Pair:
    changed = (re.sub(r"\n?None(?=\s*<tool_call>)", "", side) for side in pair.trl)
    return pair._replace(trl=Learned(*changed))


def _day(pair: Pair) -> Pair:
    days = DAY.findall(pair.ours.context)
    context = pair.trl.context
    for ours, theirs in zip(days, DAY.findall(context), strict=False):
        context = context.replace(theirs, ours, 1)
    return pair._replace(trl=pair.trl._replace(context=context))


def _without_thoughts(text: str, *, empty: bool) -> str:
    def left(found: re.Match[str]) -> str:
        is_empty = not "".join(part or "" for part in found.groups()).strip()
        return "" if is_empty == empty else found[0]

    return THOUGHTS.sub(left, text)


def _earlier(pair: Pair, *, empty: bool) -> Pair:
    """Earlier thoughts out of both contexts; the thought that our prompt opens is not closed there."""
    ours, trl = (_without_thoughts(side.context, empty=empty) for side in (pair.ours, pair.trl))
    return pair._replace(ours=pair.ours._replace(context=ours), trl=pair.trl._replace(context=trl))


def _empty_thought(pair: Pair) -> Pair:
    text = _without_thoughts(pair.trl.text, empty=True)
    return pair._replace(trl=pair.trl._replace(text=text))


REASONS: dict[str, Callable[[Pair], Pair]] = {
    "TRL names today's date": _day,
    "TRL writes None for a null content": _null,
    "TRL keeps earlier thoughts": lambda pair: _earlier(pair, empty=False),
    "TRL writes empty thoughts into earlier answers": lambda pair: _earlier(pair, empty=True),
    "TRL does not learn the end of turn": _end,
    "TRL learns another end of turn than ours": _other_end,
    "TRL learns no end behind an earlier answer": _no_end,
    "TRL learns the newline behind the end": _newline,
    "TRL learns the header": _header,
    "TRL learns the newline of the header": _header_newline,
    "ours learns the header, as the prompt does not give it": _unasked_header,
    "TRL learns the mark that opens a thought, which the prompt gives": _opening,
    "TRL learns an empty thought": _empty_thought,
    "TRL learns no end of the thought that the prompt opens": _never_opened,
    "TRL loses the thought": _lost_thought,
    "TRL learns the thought of a content as its text": _thought_as_text,
}


def reasons_of(pair: Pair) -> tuple[str, ...]:
    """The fewest reasons after which both sides are alike; UNEXPLAINED if there are none."""
    for count in range(len(REASONS) + 1):
        for names in combinations(REASONS, count):
            changed = pair
            for name in names:
                changed = REASONS[name](changed)
            if changed.alike:
                return names
    return (UNEXPLAINED,)
