"""Made questions with half of their words exchanged, so that they share less with their documents."""

import re
from collections.abc import Sequence
from random import Random

from finewright_rag.search.questions import Question

SHARE = 0.5
"""Of the longer words: coverage by words is then about that of questions that people ask in their own."""

_LONGER = re.compile(r"\w{4}")
_FEWEST = 4


def harder(questions: Sequence[Question], *, seed: int = 0) -> list[Question]:
    """The questions with about half of their longer words exchanged for words of the others.

    What is left of the subject stands among words that have nothing to do with it, as where someone does not
    know the documents' terms; a real paraphrase has words that mean the same instead, which helps vectors
    and which no rule can make. A question of fewer than four words, or without spaces, is left out."""
    pool = [word for q in questions for word in q.prompt.split() if _LONGER.search(word)]
    rng = Random(seed)  # noqa: S311 - no secret
    found = []
    for question in questions:
        words = question.prompt.split()
        if len(words) >= _FEWEST:
            changed = (_exchanged(word, pool, rng) for word in words)
            found.append(question._replace(prompt=" ".join(changed)))
    return found


def _exchanged(word: str, pool: Sequence[str], rng: Random) -> str:
    is_due = _LONGER.search(word) and rng.random() < SHARE
    return rng.choice(pool) if is_due else word
