"""Scorers: how right one answer is, `(answer, expected) -> [0, 1]`, and two metrics of a whole set.

A scorer that takes an argument (`json_field:intent`) is a class made with that argument.
Every answer is untrusted text: no scorer raises on one, whatever it holds.
"""

from __future__ import annotations

import json
import math
import re
import string
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from finewright.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

MAX_JSON_DEPTH = 100
"""Deeper JSON counts as invalid, so that a verdict does not hang on the interpreter's stack."""
MAX_JSON_DIGITS = 4300
"""Longer numbers count as invalid: CPython's own limit for reading an integer."""
MAX_EXPONENT = 709.0
"""exp() of more overflows a double; a model that bad is reported at the ceiling."""

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_AROUND_LABELS = (
    " \"'`.,;:!?*_()[]{}<>"
    "\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb"  # typographic quotes
    "\u3001\u3002\u300c\u300d\uff01\uff1f"  # CJK comma, full stop, brackets, marks
)
_NUMBER = re.compile(
    r"(?P<value>(?:(?<![\w)])-)?"
    r"(?:(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|(?<![0-9])\.[0-9]+)"
    r"(?:[eE][-+]?[0-9]+)?)"
    r"(?P<percent>\s?\\?%)?"
)


def exact_match(answer: str, expected: str) -> float:
    """1 if both texts are equal after runs of whitespace become one space.

    Two JSON objects or arrays are compared as values: key order does not count, 1 equals 1.0."""
    ours, theirs = parse_json(answer), parse_json(expected)
    if ours is not None and theirs is not None:
        containers = isinstance(ours.value, dict | list) and isinstance(theirs.value, dict | list)
        if containers:
            return float(_canonical(ours.value) == _canonical(theirs.value))
    return float(_squash(answer) == _squash(expected))


def valid_json(answer: str, expected: str) -> float:
    """1 if the whole stripped answer is one JSON text by RFC 8259, without duplicate keys.

    NaN and Infinity, a code fence or a sentence around it make it invalid."""
    return float(parse_json(answer) is not None)


def json_f1(answer: str, expected: str) -> float:
    """F1 = 2 * common / (ours + theirs) over the multisets of (path, value) leaves.

    Strings must be equal, numbers equal in value, true is not 1. An empty container is a leaf.
    Array order, and which array element a leaf sits in, do not count: exact_match sees those.
    0 if either text is not JSON."""
    ours, theirs = parse_json(answer), parse_json(expected)
    if ours is None or theirs is None:
        return 0.0
    return _overlap_f1(Counter(_leaves(ours.value)), Counter(_leaves(theirs.value)))


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
            members = _members(value)
            if step not in members:
                return None
            value = members[step]
        return _canonical(_squash(value).casefold() if isinstance(value, str) else value)


def token_f1(answer: str, expected: str) -> float:
    """F1 of the token multisets after SQuAD's normalisation; two empty texts score 1.

    Lower case, no ASCII punctuation, no English articles, split at whitespace: a text in a script
    without spaces is one token. Rajpurkar et al. 2016, and the official SQuAD 2.0 script."""
    return _overlap_f1(Counter(_squad_tokens(answer)), Counter(_squad_tokens(expected)))


def rouge_l(answer: str, expected: str) -> float:
    """F = 2 * LCS / (ours + theirs) over `[a-z0-9]+` tokens, as rouge_score without stemming.

    Lin 2004. Other scripts have no tokens and score 0."""
    ours, theirs = _rouge_tokens(answer), _rouge_tokens(expected)
    if not ours or not theirs:
        return 0.0
    return 2 * _lcs_length(ours, theirs) / (len(ours) + len(theirs))


def numeric(answer: str, expected: str) -> float:
    """1 if the last number of each text is the same within 1e-6 of its size; 0 if one has none.

    Reads 1,234.5 and 6e-3 and .5; not 1.234,5. If only one side has a percent sign, `50 %`
    is the same as 50 and as 0.5."""
    ours, theirs = _last_number(answer), _last_number(expected)
    if ours is None or theirs is None:
        return 0.0
    marked, other = (ours, theirs) if ours.percent else (theirs, ours)
    scales = (1.0,) if ours.percent == theirs.percent else (1.0, 0.01)
    return float(any(math.isclose(marked.value * s, other.value, rel_tol=1e-6) for s in scales))


def label_accuracy(answer: str, expected: str) -> float:
    """1 if both texts name the same label, as `label` reads it."""
    return float(label(answer) == label(expected))


def label(text: str) -> str:
    """The first line, case-folded, without the quotes, brackets and stops around it.

    Signs that tell labels apart (c++, c#, -1) stay, and so does a label of nothing but stops."""
    lines = text.strip().splitlines()
    folded = _squash(lines[0]).casefold() if lines else ""
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


class ParsedJson(NamedTuple):
    """A JSON text that was read, its numbers as Decimals; wrapped, for null is a value too."""

    value: object


def parse_json(text: str) -> ParsedJson | None:
    """The value of one RFC 8259 text, or None if it is not one or is beyond the limits above."""
    try:
        value: object = json.loads(
            text.strip(),
            parse_int=_number,
            parse_float=_number,
            parse_constant=_no_constant,
            object_pairs_hook=_unique,
        )
    except (ValueError, ArithmeticError, RecursionError, DataError):
        return None
    return None if _too_deep(value) else ParsedJson(value)


def _number(text: str) -> Decimal:
    if len(text) > MAX_JSON_DIGITS:
        raise DataError(f"a number of {len(text)} digits")
    return Decimal(text)


def _no_constant(name: str) -> object:
    raise DataError(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise DataError("a key appears twice")
    return members


def _members(value: object) -> dict[str, object]:
    if isinstance(value, dict):
        return value
    if isinstance(value, list):
        return {str(index): item for index, item in enumerate(value)}
    return {}


def _too_deep(value: object) -> bool:
    level = [value]
    for _ in range(MAX_JSON_DEPTH + 1):
        level = [child for node in level for child in _members(node).values()]
        if not level:
            return False
    return True


def _canonical(value: object) -> Hashable:
    """Equal exactly when the JSON values are; the type is part of it, for 1 == True in Python."""
    if isinstance(value, dict):
        return "object", frozenset((key, _canonical(item)) for key, item in value.items())
    if isinstance(value, list):
        return "array", tuple(_canonical(item) for item in value)
    return type(value).__name__, value


def _leaves(value: object, path: tuple[str | None, ...] = ()) -> Iterator[Hashable]:
    """(path, value) of each leaf; an array adds None to the path, which no key can be."""
    members = _members(value)
    if not members:
        yield path, _canonical(value)
    for key, item in members.items():
        yield from _leaves(item, (*path, key if isinstance(value, dict) else None))


def _overlap_f1(ours: Counter[Hashable], theirs: Counter[Hashable]) -> float:
    total = ours.total() + theirs.total()
    return 2 * (ours & theirs).total() / total if total else 1.0


def _squash(text: str) -> str:
    return " ".join(text.split())


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


class _Number(NamedTuple):
    value: float
    percent: bool


def _last_number(text: str) -> _Number | None:
    matches = list(_NUMBER.finditer(text.replace("\u2212", "-")))  # the typographic minus
    if not matches:
        return None
    value = float(matches[-1]["value"].replace(",", ""))
    return _Number(value, matches[-1]["percent"] is not None) if math.isfinite(value) else None
