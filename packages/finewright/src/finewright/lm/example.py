"""A row as token ids, and what of it is learned. No tensors are here, so that counting needs no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple


class DocumentLayout(NamedTuple):
    """How raw text becomes rows: see windows.py. No separator: the tokenizer's end of sequence."""

    max_length: int = 1024
    attention: Literal["within", "across"] = "within"
    separator: str = ""


@dataclass(frozen=True, slots=True)
class EncodedRow:
    """One tokenised row. `trained[t]` says whether token t is learned (scored given those before it)."""

    input_ids: tuple[int, ...]
    trained: tuple[bool, ...]
    row_id: str = ""

    @property
    def num_tokens(self) -> int:
        """All tokens of the row."""
        return len(self.input_ids)

    @property
    def num_trained(self) -> int:
        """Tokens that carry loss; the first token has nothing before it and never does."""
        return sum(self.trained[1:])


@dataclass(frozen=True, slots=True)
class Example:
    """A row as a method takes it: its conversations as tokens, and what else the row says.

    One conversation, in several sequences where its answers are not asked for in one text; of a preference
    pair (`is_pair`) the chosen one, then the rejected one; of a prompt the prompt alone, in which nothing is
    learned, with its `messages` and `tools`. `label` and `columns` are the row's."""

    sequences: tuple[EncodedRow, ...]
    label: bool | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)
    messages: tuple[Mapping[str, Any], ...] = ()
    tools: tuple[Mapping[str, Any], ...] | None = None
    is_pair: bool = False

    @property
    def num_tokens(self) -> int:
        """All tokens of all conversations."""
        return sum(sequence.num_tokens for sequence in self.sequences)

    @property
    def num_trained(self) -> int:
        """Tokens that carry loss."""
        return sum(sequence.num_trained for sequence in self.sequences)


def length_of_shared(rows: Sequence[EncodedRow]) -> int:
    """Tokens at the start that all rows have alike and none learns, at least one of each left over."""
    if len(rows) < 2:  # noqa: PLR2004 - nobody to share with
        return 0
    limit = min(len(row.input_ids) for row in rows) - 1
    for t in range(limit):
        tokens = {row.input_ids[t] for row in rows}
        if len(tokens) > 1 or (t and any(row.trained[t] for row in rows)):
            return t
    return max(0, limit)
