"""Which rows do not fit: wrong labels, turned pairs, exchanged answers; and what of them could be found."""

from collections.abc import Iterator, Sequence

from finewright.lm.embedders.meaning import Embed
from finewright.schema.poison import PoisonReach
from finewright.schema.rows import RowTexts
from finewright_trust.misfits.find import (
    Labelled,
    Misfits,
    QuestionWithAnswer,
    find_exchanged,
    find_reversed_pairs,
    read_ratings,
    wrong_labels,
)
from finewright_trust.poison.said import Said

_NAMES = {
    "label": "wrong labels",
    "pair": "pairs that were turned round",
    "answer": "exchanged answers",
}


def misfits(rows: Sequence[RowTexts], said: Said, embed: Embed | None) -> Iterator[Misfits]:
    """Of each kind that the rows have."""
    if found := wrong_labels(_labelled(said), embed, said.taught):
        yield found
    if found := wrong_labels(read_ratings(rows)):
        yield found
    if found := find_reversed_pairs(rows):
        yield found
    if found := find_exchanged(_answered(said), embed):
        yield found


def _labelled(said: Said) -> list[Labelled]:
    """The rows whose answer is a label."""
    examples = ((doc, said.found.example(doc)) for doc in said.labelled)
    return [Labelled(one.index, one.row.question, said.answers[doc]) for doc, one in examples]


def _answered(said: Said) -> list[QuestionWithAnswer]:
    """Rows with an answer of their own to a question: no label, no pair, not rated, said once."""
    last = [said.found.examples[own[-1]] for own in said.found.answers_of]
    return [
        QuestionWithAnswer(example.index, prompt, example.answer)
        for doc, example in enumerate(last)
        if example.row.is_conversation
        and len(said.by_answer[said.answers[doc]]) == 1
        and (prompt := example.row.question).strip()
    ]


def reach(found: Misfits, num_rows: int) -> PoisonReach:
    """In words: what would be found of such rows, or that the set does not tell."""
    name = _NAMES[found.kind]
    share = round(found.power, 3)
    says = (
        f"{name}: about {share:.0%} would be found, were 3 % of the rows such"
        if share
        else f"{name} cannot be told: what the other rows teach does not say how a row should be"
    )
    if found.num_rows < num_rows:
        says += f"; {found.num_rows} rows of {num_rows} were looked at"
    return PoisonReach(kind=found.kind, num_rows=found.num_rows, share=share, says=says)
