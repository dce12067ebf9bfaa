"""What the rows of a set say, by their whole answers, and which of these are labels."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median

from finewright.guard.duplicates.words import shape_of
from finewright.judge.labels import is_like_label
from finewright_trust.misfits.find import MOST_IN_PART
from finewright_trust.misfits.labels import Taught, teach
from finewright_trust.poison.backdoors import Corpus
from finewright_trust.poison.coherence import Bags
from finewright_trust.poison.examples import num_words

_LABELLED = 0.85
_PLAIN = 0.95


@dataclass(frozen=True)
class Said:
    """The rows by their answers, and where the words of their prompts stand."""

    found: Corpus
    least_rows: int

    @cached_property
    def answers(self) -> list[str]:
        """The last answer of each row, in one case, with one space between words."""
        last = (self.found.examples[own[-1]].answer for own in self.found.answers_of)
        return [" ".join(answer.casefold().split()) for answer in last]

    @cached_property
    def by_answer(self) -> dict[str, list[int]]:
        """The rows with each answer."""
        groups: dict[str, list[int]] = defaultdict(list)
        for doc, answer in enumerate(self.answers):
            groups[answer].append(doc)
        return groups

    @cached_property
    def labels(self) -> frozenset[str]:
        """The answers that are labels, where nearly all rows have one; else none.

        Where nearly all labels are single words, a sentence that recurs is none."""
        short = {
            answer
            for answer, docs in self.by_answer.items()
            if len(docs) >= self.least_rows and is_like_label(answer)
        }
        if self._num_rows(short) < _LABELLED * len(self.answers):
            return frozenset()
        plain = {answer for answer in short if " " not in answer}
        is_plain = self._num_rows(plain) >= _PLAIN * self._num_rows(short)
        return frozenset(plain if is_plain else short)

    @cached_property
    def with_word(self) -> dict[str, set[int]]:
        """The rows whose prompt has each word."""
        found: dict[str, set[int]] = defaultdict(set)
        for doc in range(len(self.answers)):
            for word in self.found.prompts.words(doc):
                found[word].add(doc)
        return found

    @cached_property
    def prompt_shapes(self) -> list[frozenset[str]]:
        """The words of each row's prompt, numbers alike."""
        return _shapes(self.found.prompts, len(self.answers))

    @cached_property
    def answer_shapes(self) -> list[frozenset[str]]:
        """The words of each example's answer, numbers alike."""
        return _shapes(self.found.answers, len(self.found.examples))

    @cached_property
    def usual_words(self) -> frozenset[str]:
        """The words that most prompts have, as of a template."""
        most = len(self.answers) / 2
        return frozenset(word for word, docs in self.with_word.items() if len(docs) > most)

    @cached_property
    def num_own_words(self) -> float:
        """How many words a prompt has beside the usual ones: the median."""
        own = (self.found.prompts.words(doc) - self.usual_words for doc in range(len(self.answers)))
        return median(map(num_words, own)) if self.answers else 0.0

    @cached_property
    def num_answered(self) -> float:
        """How many words an answer has: the median."""
        every = (self.found.answers.words(i) for i in range(len(self.found.examples)))
        return median(map(num_words, every)) if self.answers else 0.0

    @cached_property
    def triggers_of(self) -> dict[int, list[int]]:
        """The numbers of the possible triggers of each row's prompt."""
        found: dict[int, list[int]] = defaultdict(list)
        for number, trigger in enumerate(self.found.triggers):
            for doc in trigger.docs.tolist():
                found[doc].append(number)
        return found

    @cached_property
    def labelled(self) -> list[int]:
        """The rows whose answer is a label."""
        return [doc for doc, answer in enumerate(self.answers) if answer in self.labels]

    @cached_property
    def taught(self) -> Taught | None:
        """What the labelled rows teach by their words; None of more than 2,000 rows, or of one label."""
        if len(self.labelled) > MOST_IN_PART or len(self.labels) < 2:  # noqa: PLR2004 - one label is none
            return None
        texts = [self.found.example(doc).row.question for doc in self.labelled]
        return teach(texts, [self.answers[doc] for doc in self.labelled])

    def are_labels(self, docs: Sequence[int]) -> bool:
        """Are most of these rows answered by a label?"""
        return sum(self.answers[doc] in self.labels for doc in docs) > len(docs) / 2

    def _num_rows(self, answers: set[str]) -> int:
        return sum(len(self.by_answer[answer]) for answer in answers)


def _shapes(bags: Bags, num: int) -> list[frozenset[str]]:
    return [frozenset(map(shape_of, bags.words(i))) for i in range(num)]
