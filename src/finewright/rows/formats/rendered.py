"""Text that a chat template wrote, taken apart into its turns again: the usual families, told by their marks.

ChatML (Qwen, SmolLM), Llama 3, Gemma, Zephyr and Phi, Guanaco's `### Human:`, Alpaca's without an input, and
Mistral's and Llama 2's `[INST]`. A text is a family's only if it is so from its beginning to its end."""

import re
from typing import NamedTuple

_ROLES = {"model": "assistant", "ipython": "tool", "Human": "user", "Assistant": "assistant"}
_FAMILIES = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"<\|im_start\|>(?P<role>\w+)\n(?P<said>.*?)(?:<\|im_end\|>\n?|\Z)",
        r"<\|start_header_id\|>(?P<role>\w+)<\|end_header_id\|>\n\n(?P<said>.*?)(?:<\|eot_id\|>|\Z)",
        r"<start_of_turn>(?P<role>\w+)\n(?P<said>.*?)(?:<end_of_turn>\n?|\Z)",
        r"<\|(?P<role>system|user|assistant)\|>\n(?P<said>.*?)(?:(?:<\|end\|>|</s>|<\|endoftext\|>)\n?|\Z)",
        r"### (?P<role>Human|Assistant): ?(?P<said>.*?)\s*(?=### (?:Human|Assistant):|\Z)",
        r"(?:Below is an instruction[^\n]*\n\n)?### Instruction:\n(?P<user>(?:(?!\n### ).)*?)\n\n"
        r"### Response:\n?(?P<assistant>(?:(?!\n### ).)*)\Z",
        r"(?:<s>)?\s*\[INST\]\s?(?P<user>.*?)\s?\[/INST\]\s?(?P<assistant>.*?)(?:</s>|\Z)",
    )
)
_BEGINS = re.compile(r"<s>|<\|begin_of_text\|>|<bos>|<\|startoftext\|>")
_ENDS = re.compile(r"(?:</s>|<\|endoftext\|>|<\|end_of_text\|>|<eos>)\s*\Z")


class RenderedTurn(NamedTuple):
    """Who speaks, and from where to where in the text."""

    role: str
    start: int
    end: int


def turns_in(text: str) -> list[RenderedTurn]:
    """The turns of the text; none where no family has written it from beginning to end, or nobody answers."""
    begin, end = bare(text)
    for family in _FAMILIES:
        found = _written_by(family, text, begin, end)
        if any(turn.role == "assistant" for turn in found):
            return [turn for turn in found if turn.start < turn.end or turn.role != "assistant"]
    return []


def _written_by(family: re.Pattern[str], text: str, begin: int, end: int) -> list[RenderedTurn]:
    """All turns, where the family has written the whole text."""
    found, at = [], begin
    while at < end and (match := family.match(text, at)):
        roles = ("user", "assistant") if "user" in match.groupdict() else ("said",)
        found += [_turn(match, role) for role in roles]
        at = match.end()
    return [] if text[at:end].strip() else found


def bare(text: str) -> tuple[int, int]:
    """Where the text begins after a mark of its beginning, and where it ends before one of its end."""
    begins, ends = _BEGINS.match(text), _ENDS.search(text)
    begin = begins.end() if begins else 0
    return begin, max(begin, ends.start()) if ends else len(text)


def _turn(match: re.Match[str], group: str) -> RenderedTurn:
    name = match["role"] if group == "said" else group
    return RenderedTurn(_ROLES.get(name, name), *match.span(group))
