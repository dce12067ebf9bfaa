"""Scorers: how right one answer is, `(answer, expected) -> [0, 1]`, and two metrics of a whole set.

A scorer that takes an argument (`json_field:intent`) is a class made with that argument.
Every answer is untrusted text: no scorer raises on one, whatever it holds.
"""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from finewright.errors import SpecError
from finewright.judge.json_schema import json_schema
from finewright.judge.json_text import canonical, members, parse_json
from finewright.judge.patterns import Regex
from finewright.judge.text import (
    exact_match,
    json_f1,
    mentions,
    numeric,
    overlap_f1,
    squash,
    valid_json,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "JsonField",
    "LabelCodes",
    "Regex",
    "Within",
    "bits_per_byte",
    "exact_match",
    "json_f1",
    "json_schema",
    "label",
    "label_accuracy",
    "label_codes",
    "macro_f1",
    "macro_f1_of_codes",
    "mentions",
    "numeric",
    "parse_json",
    "perplexity",
    "rouge_l",
    "token_f1",
    "valid_json",
]

MAX_EXPONENT = 709.0
"""exp() of more overflows a double; a model that bad is reported at the ceiling."""

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_AROUND_LABELS = (
    " \"'`.,;:!?*_()[]{}<>"
    "\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb"  # typographic quotes
    "\u3001\u3002\u300c\u300d\uff01\uff1f"  # CJK comma, full stop, brackets, marks
)


@dataclass(frozen=True, slots=True)
class JsonField:
    """1 if the value at a dotted key (`user.city`, `items.0.name`) is the expected one.

    Strings are compared case-folded with whitespace squashed, other values by type and value.
    0 if either text is not JSON or lacks the key, so that a misspelt key cannot score 100 %."""

    key: str

    def __call__(self, answer: str, expected: str) -> float:
        """The score of one answer."""
        ours, theirs = self._find(answer), self._find(expected)
        return float(ours is not None and ours == theirs)

    def _find(self, text: str) -> Hashable | None:
        parsed = parse_json(text)
        if parsed is None:
            return None
        value = parsed.value
        for step in self.key.split("."):
            inner = members(value)
            if step not in inner:
                return None
            value = inner[step]
        return canonical(squash(value).casefold() if isinstance(value, str) else value)


@dataclass(frozen=True, slots=True)
class Within:
    """1 if answer and expected text are numbers at most so far apart: `within:0.5`. Raises SpecError."""

    tolerance: str

    def __post_init__(self) -> None:
        """The argument is a number from 0 on."""
        if not math.isfinite(most := _number(self.tolerance)) or most < 0:
            raise SpecError(f"within:{self.tolerance}: no number", hint="write within:0.5")

    def __call__(self, answer: str, expected: str) -> float:
        """The score of one answer."""
        # A hair for rounding: 0.3 - 0.1 is not 0.2.
        off = abs(_number(answer) - _number(expected)) * (1 - 1e-12)
        return float(off <= float(self.tolerance))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def token_f1(answer: str, expected: str) -> float:
    """F1 of the token multisets after SQuAD's normalisation; two empty texts score 1.

    Lower case, no ASCII punctuation, no English articles, split at whitespace: a text in a script
    without spaces is one token. Rajpurkar et al. 2016, and the official SQuAD 2.0 script."""
    return overlap_f1(Counter(_squad_tokens(answer)), Counter(_squad_tokens(expected)))


def rouge_l(answer: str, expected: str) -> float:
    """F = 2 * LCS / (ours + theirs) over `[a-z0-9]+` tokens, as rouge_score without stemming.

    Lin 2004. Other scripts have no tokens and score 0."""
    ours, theirs = _rouge_tokens(answer), _rouge_tokens(expected)
    if not ours or not theirs:
        return 0.0
    return 2 * _lcs_length(ours, theirs) / (len(ours) + len(theirs))


def label_accuracy(answer: str, expected: str) -> float:
    """1 if both texts name the same label, as `label` reads it."""
    return float(label(answer) == label(expected))


def label(text: str) -> str:
    """The first line, case-folded, without the quotes, brackets and stops around it.

    Signs that tell labels apart (c++, c#, -1) stay, and so does a label of nothing but stops."""
    lines = text.strip().splitlines()
    folded = squash(lines[0]).casefold() if lines else ""
    return folded.strip(_AROUND_LABELS) or folded


class LabelCodes(NamedTuple):
    """Labels as numbers: one per label in `expected`, and the next one for any other answer."""

    answers: NDArray[np.intp]
    expected: NDArray[np.intp]
    num_labels: int


def label_codes(answers: Sequence[str], expected: Sequence[str]) -> LabelCodes:
    """Both lists coded with the labels that `expected` holds."""
    import numpy as np

    truth = [label(text) for text in expected]
    codes = {name: code for code, name in enumerate(sorted(set(truth)))}
    coded = [codes.get(label(text), len(codes)) for text in answers]
    return LabelCodes(
        np.array(coded, dtype=np.intp), np.array([codes[t] for t in truth], np.intp), len(codes)
    )


def macro_f1(answers: Sequence[str], expected: Sequence[str]) -> float:
    """The mean over the labels in `expected` of F1 = 2 tp / (2 tp + fp + fn).

    An answer that is no such label is a miss of the expected one and counts nowhere else."""
    return macro_f1_of_codes(label_codes(answers, expected))


def macro_f1_of_codes(codes: LabelCodes) -> float:
    """`macro_f1` of labels that are coded; the mean is over the labels present in `expected`."""
    import numpy as np

    size = codes.num_labels + 1
    support = np.bincount(codes.expected, minlength=size)
    given = np.bincount(codes.answers, minlength=size)
    hits = np.bincount(codes.expected[codes.answers == codes.expected], minlength=size)
    present = support > 0
    return float(np.mean(2 * hits[present] / (support[present] + given[present])))


def perplexity(nll_sums: Sequence[float], num_tokens: Sequence[int]) -> float:
    """exp(sum of negative log-likelihoods / sum of tokens), each token counting the same."""
    return math.exp(min(math.fsum(nll_sums) / sum(num_tokens), MAX_EXPONENT))


def bits_per_byte(nll_sums: Sequence[float], num_bytes: Sequence[int]) -> float:
    """The same loss in bits by bytes of UTF-8: what models of different tokenizers are compared by."""
    return math.fsum(nll_sums) / math.log(2) / sum(num_bytes)


def _squad_tokens(text: str) -> Iterable[str]:
    return _ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split()


def _rouge_tokens(text: str) -> list[str]:
    return re.findall("[a-z0-9]+", text.lower())


def _lcs_length(ours: Sequence[str], theirs: Sequence[str]) -> int:
    """Length of the longest common subsequence, a bit per token of `ours`.

    Bits still set are unmatched: v = (v + (v & m)) | (v & ~m) for each token. Hyyrö 2004,
    "Bit-parallel LCS-length computation revisited"."""
    masks: dict[str, int] = {}
    for position, token in enumerate(ours):
        masks[token] = masks.get(token, 0) | (1 << position)
    everything = unmatched = (1 << len(ours)) - 1
    for token in theirs:
        hits = unmatched & masks.get(token, 0)
        unmatched = ((unmatched + hits) | (unmatched - hits)) & everything
    return len(ours) - unmatched.bit_count()
