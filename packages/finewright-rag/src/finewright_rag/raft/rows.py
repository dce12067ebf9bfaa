"""Questions, answers and an index -> rows that train to answer from passages, of which most do not help.

RAFT, Zhang et al. 2024, arXiv 2403.10131: a row shows the passage that answers among distractors, a share of
the rows shows distractors alone, and the answer quotes before it answers. Different from the paper:
distractors are what our own search finds for the question, not passages drawn at random; what is quoted is a
sentence of the passage, found by its words, and not written by a model; and a share of the rows has an
abstention for its answer, with as many passages as the others, so that their number gives nothing away.

A question without gold is one that nothing answers: its row abstains, whatever the search finds for it.

Covered: what says the same as the answer's passage, or has the answer too, is no distractor. Not covered: a
passage that answers in quite other words; such a row calls a right passage wrong."""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from finewright.data.provenance.licences import all_of
from finewright.judge.quotes import ABSTENTION, messages_with, quote_line
from finewright.judge.text import squash
from finewright.lm.embedders.embedder import Embedder
from finewright.schema.passages import Access, Passage
from finewright.schema.raft import PassageOf, RaftKind, RaftQuestion, RaftRow, RaftSpec
from finewright_rag.raft.evidence import AnswerEvidence, evidence, rarity_in, says_the_same
from finewright_rag.search.retrieve import search
from finewright_rag.stores.index import Index

CountTokens = Callable[[Sequence[Mapping[str, Any]]], int]
"""How many tokens a conversation has, in the model that it is for."""

Reason = Literal[
    "gold_not_visible", "gold_not_found", "answer_not_in_gold", "no_distractor", "too_long"
]
REASONS: dict[Reason, str] = {
    "gold_not_visible": "its gold documents are those of other groups",
    "gold_not_found": "the search finds nothing of its gold documents, not even for the answer",
    "answer_not_in_gold": "no sentences of its gold documents have most of its answer, with all numbers",
    "no_distractor": "nothing is left to distract: all that is found is gold, or has the answer",
    "too_long": "longer than max_tokens with one distractor",
}

_DEPTH = 50
"""How many passages are looked at for each question: distractors further down are no hard ones."""

_HELD = 0.5
_ALSO_HELD = 0.8


@dataclass(frozen=True, slots=True)
class RaftSearch:
    """Where passages come from, and for whom."""

    index: Index
    embedder: Embedder | None
    access: Access


class _Gold(NamedTuple):
    """The passages that the answer is quoted from, the quotes, and every gold passage that was found."""

    passages: list[Passage]
    quotes: list[tuple[Passage, str]]
    every: list[Passage]


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What chance says of a row; by seed and content, so that other rows and their order change nothing."""

    kind: RaftKind
    rng: random.Random


@dataclass(slots=True)
class Raft:
    """Makes rows of questions one at a time, and counts what it makes and what it leaves out."""

    searched: RaftSearch
    spec: RaftSpec
    count_tokens: CountTokens | None = None
    dropped: Counter[str] = field(default_factory=Counter)
    kinds: Counter[RaftKind] = field(default_factory=Counter)
    with_fewer: Counter[str] = field(default_factory=Counter)
    passed: Counter[str] = field(default_factory=Counter)
    licenses: Counter[str] = field(default_factory=Counter)
    num_distractors: int = 0

    def row(self, question: RaftQuestion) -> RaftRow | Reason:
        """The row that a question becomes, or why it becomes none."""
        made = self._make(question)
        if isinstance(made, str):
            self.dropped[made] += 1
            return made
        self.kinds[made["kind"]] += 1
        self.licenses[made["license"]] += 1
        return made

    def _make(self, question: RaftQuestion) -> RaftRow | Reason:
        found = self._find(question.prompt, self.searched.access)
        gold = self._gold(question, found) if question.gold else _Gold([], [], [])
        if isinstance(gold, str):
            return gold
        drawn = _draw(question, self.spec)
        has_gold = drawn.kind == "with_gold"
        wanted = self.spec.distractors + (0 if has_gold else max(1, len(gold.passages)))
        distractors, passed = _distractors(question, found, gold, wanted, has_gold=has_gold)
        if not distractors:
            return "no_distractor"
        fitted = self._fit(question, gold, distractors, drawn)
        if fitted is None:
            return "too_long"
        row, num_written = fitted
        self.num_distractors += num_written
        if num_written < wanted:
            self.with_fewer["too_long" if num_written < len(distractors) else "not_found"] += 1
        self.passed += passed
        return row

    def _find(self, query: str, access: Access) -> list[Passage]:
        index, embedder = self.searched.index, self.searched.embedder
        hits = search(index, embedder, query, limit=_DEPTH, access=access)
        return [hit.passage for hit in hits]

    def _gold(self, question: RaftQuestion, found: Sequence[Passage]) -> _Gold | Reason:
        by_answer = self._find(question.completion, self.searched.access)
        seen = {passage.chunk_id: passage for passage in (*found, *by_answer)}
        every = [passage for passage in seen.values() if passage.document in question.gold]
        if not every:
            others = self._find(question.completion, None)
            is_hidden = any(passage.document in question.gold for passage in others)
            return "gold_not_visible" if is_hidden else "gold_not_found"
        rarity = rarity_in([passage.chunk.text for passage in seen.values()])
        held = _evidence(question, every, rarity)
        if held.share < _HELD:
            return "answer_not_in_gold"
        quotes = [(every[sentence.place], sentence.text) for sentence in held.sentences]
        passages = {passage.chunk_id: passage for passage, _ in quotes}
        return _Gold(list(passages.values()), quotes, every)

    def _fit(
        self, question: RaftQuestion, gold: _Gold, distractors: Sequence[Passage], drawn: _Drawn
    ) -> tuple[RaftRow, int] | None:
        """The row with as many distractors, the best of them, as its tokens allow."""
        order = drawn.rng.random()
        for number in range(len(distractors), 0, -1):
            row = _make_raft_row(question, gold, distractors[:number], drawn.kind, order)
            if (
                self.count_tokens is None
                or self.count_tokens(row["messages"]) <= self.spec.max_tokens
            ):
                return row, number
        return None


def _distractors(
    question: RaftQuestion, found: Sequence[Passage], gold: _Gold, wanted: int, *, has_gold: bool
) -> tuple[list[Passage], Counter[str]]:
    """The passages that suit the question best and do not answer it; of gold documents only beside gold.

    And how many were as good and were passed over, by reason."""
    rarity = rarity_in([passage.chunk.text for passage in (*found, *gold.every)])
    golden = {passage.chunk_id for passage in gold.passages}
    taken: list[Passage] = []
    passed: Counter[str] = Counter()
    for passage in found:
        if len(taken) == wanted:
            break
        if passage.chunk_id in golden:
            continue
        if not has_gold and passage.document in question.gold:
            passed["of_a_gold_document"] += 1
        elif _says_gold(passage, gold):
            passed["says_the_same_as_gold"] += 1
        elif _evidence(question, [passage], rarity).share >= _ALSO_HELD:
            passed["has_the_answer_too"] += 1
        else:
            taken.append(passage)
    return taken, passed


def _says_gold(passage: Passage, gold: _Gold) -> bool:
    return any(says_the_same(passage.chunk.text, other.chunk.text) for other in gold.passages)


def _evidence(
    question: RaftQuestion, passages: Sequence[Passage], rarity: Mapping[str, float]
) -> AnswerEvidence:
    texts = [passage.chunk.text for passage in passages]
    return evidence(question.completion, question.prompt, texts, rarity)


def _draw(question: RaftQuestion, spec: RaftSpec) -> _Drawn:
    said = [str(spec.seed), question.prompt, question.completion, *question.gold]
    rng = random.Random("\0".join(said))  # noqa: S311 - not a secret
    is_unanswerable = rng.random() < spec.unanswerable_share or not question.gold
    has_gold = rng.random() < spec.gold_share
    kind: RaftKind = (
        "unanswerable" if is_unanswerable else "with_gold" if has_gold else "from_memory"
    )
    return _Drawn(kind, rng)


def _make_raft_row(
    question: RaftQuestion,
    gold: _Gold,
    distractors: Sequence[Passage],
    kind: RaftKind,
    order: float,
) -> RaftRow:
    shown = [*distractors, *(gold.passages if kind == "with_gold" else ())]
    random.Random(order).shuffle(shown)  # noqa: S311 - not a secret
    numbers = {passage.chunk_id: number for number, passage in enumerate(shown, 1)}
    quotes = gold.quotes if kind == "with_gold" else []
    lines = [quote_line(numbers[passage.chunk_id], words) for passage, words in quotes]
    answers: dict[RaftKind, str] = {
        "with_gold": "\n".join([*lines, "", question.completion]),
        "from_memory": question.completion,
        "unanswerable": ABSTENTION,
    }
    turns = messages_with(shown, [{"role": "user", "content": question.prompt}])
    licenses = [question.license, *(passage.license for passage in shown)]
    row = RaftRow(
        messages=[*turns, {"role": "assistant", "content": answers[kind]}],
        kind=kind,
        gold=list(question.gold),
        passages=[_place_of(passage) for passage in shown],
        quoted=sorted({numbers[passage.chunk_id] for passage, _ in quotes}),
        license=all_of(sorted(set(map(squash, licenses)))),
    )
    return row | {"source": question.source} if question.source else row


def _place_of(passage: Passage) -> PassageOf:
    return PassageOf(
        document=passage.document,
        start=passage.chunk.start,
        end=passage.chunk.end,
        source=passage.source,
        license=passage.license,
    )
