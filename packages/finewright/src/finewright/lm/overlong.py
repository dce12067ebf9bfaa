"""What becomes of rows that are longer than `train.max_length`, and what their owner must hear of it."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from finewright.schema.common import Problem
from finewright.schema.rows import Row

OverlongFate = Literal["refused", "nothing_left_to_learn", "overlong", "cut_answer", "cut_prompt"]

# From this share of the rows on, what was asked for by `train.on_overlong` is told as a warning.
MANY = 0.1

_SAYS: dict[OverlongFate, str] = {
    "refused": "have more than {most} tokens",
    "nothing_left_to_learn": "have nothing left to learn after {most} tokens, and are left out",
    "overlong": "have more than {most} tokens, and are left out",
    "cut_answer": "have more than {most} tokens, and lose the end of an answer: there the model does not"
    " learn to stop",
    "cut_prompt": "have more than {most} tokens, and lose the beginning of their prompt",
}


@dataclass(slots=True)
class OverlongRows:
    """The rows so far that have more than `most` tokens, by what becomes of them."""

    most: int
    longest: int = 0
    counts: Counter[OverlongFate] = field(default_factory=Counter)
    first: dict[OverlongFate, Row] = field(default_factory=dict)

    def add(self, row: Row, num_tokens: int, fate: OverlongFate) -> None:
        """One more such row."""
        self.longest = max(self.longest, num_tokens)
        self.counts[fate] += 1
        self.first.setdefault(fate, row)

    def problems(self, num_rows: int) -> list[Problem]:
        """For each fate how many of the rows meet it, and the first of them.

        An error where such rows may not be; a warning from a tenth of the rows on, and for every row that was
        to be cut and is lost."""
        return [self._problem(fate, num_rows) for fate in _SAYS if self.counts[fate]]

    def _problem(self, fate: OverlongFate, num_rows: int) -> Problem:
        first, count = self.first[fate], self.counts[fate]
        is_warning = fate == "nothing_left_to_learn" or count >= MANY * num_rows
        level: Literal["error", "warning", "info"] = "warning" if is_warning else "info"
        hint = f"set train.max_length to {self.longest}, or shorten the rows"
        if fate == "refused":
            level, hint = "error", f"{hint}, or set train.on_overlong to truncate or drop"
        share = f"{count} of {num_rows} rows ({100 * count / num_rows:.0f} %)"
        return Problem(
            level=level,
            file=first.file,
            row=first.row,
            message=f"{share} {_SAYS[fate].format(most=self.most)}; this one is the first",
            hint=hint,
        )
