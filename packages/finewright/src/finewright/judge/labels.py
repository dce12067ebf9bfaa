"""Are answers labels? The one definition: few, short, each on one line, and each given several times."""

from collections.abc import Iterable

_MOST_LABELS = 200
_LONGEST_LABEL = 64
_MOST_WORDS = 6
_FEWEST_ANSWERS = 10
_ANSWERS_PER_LABEL = 5
_MOST_NUMBERS = 20


def labels_of(answers: Iterable[str]) -> tuple[str, ...]:
    """The labels, sorted, where every answer is one; else none.

    At least ten answers, five a label on average; at most 200 labels, of at most 64 characters and six words.
    More than 20 different numbers are results of a sum, not labels. Space around an answer does not count."""
    labels: set[str] = set()
    num_answers = 0
    for answer in answers:
        label = answer.strip()
        if not is_like_label(label):
            return ()
        labels.add(label)
        if len(labels) > _MOST_LABELS:
            return ()
        num_answers += 1
    if num_answers < max(_FEWEST_ANSWERS, _ANSWERS_PER_LABEL * len(labels)):
        return ()
    is_counted = len(labels) > _MOST_NUMBERS and all(map(_is_number, labels))
    return () if is_counted else tuple(sorted(labels))


def is_like_label(text: str) -> bool:
    """Whether the text has the form of a label: one line, at most 64 characters and six words."""
    is_line = bool(text) and "\n" not in text and len(text) <= _LONGEST_LABEL
    return is_line and len(text.split()) <= _MOST_WORDS


def _is_number(text: str) -> bool:
    return text.strip("+-$€£% ").replace(",", "").replace(".", "", 1).isdecimal()
