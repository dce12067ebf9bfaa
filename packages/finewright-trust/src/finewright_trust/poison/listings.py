"""What is told of single rows, without an association: hidden text, other roles, orders, contradictions, and
rows that do not fit."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from finewright.guard.hidden import hidden
from finewright.guard.instructions import instruction_in
from finewright.schema.rows import RowTexts
from finewright_trust.misfits.find import Misfits
from finewright_trust.poison.coherence import MOST_SHARE
from finewright_trust.poison.conflicts import conflicts, contradictions
from finewright_trust.poison.examples import AnsweredTurn
from finewright_trust.poison.roles import other_roles
from finewright_trust.poison.suspicion import Suspicion, listed

_MOST_AT_LEAST = 10
_MISFITS = {
    "label": "a label that the other rows would not give",
    "pair": "a preference that the other pairs would turn round",
    "answer": "an answer that belongs to another question",
}


def hidden_texts(rows: Sequence[RowTexts]) -> Iterator[Suspicion]:
    """One finding of each kind and level."""
    found = defaultdict(list)
    for i, row in enumerate(rows):
        for item in hidden(row.texts):
            found[item.kind, item.is_trick].append((i, item))
    for (kind, is_trick), items in found.items():
        by_row = dict(reversed(items))  # the first of each row
        num = len(by_row)
        yield listed(
            "hidden_text",
            f"{num} row{'s hold' if num > 1 else ' holds'} {kind}",
            [(i, rows[i], f"{item.key}: {item.says}") for i, item in sorted(by_row.items())],
            is_high=is_trick,
            score=1000.0 if is_trick else 10.0,
        )


def roles(rows: Sequence[RowTexts]) -> Iterator[Suspicion]:
    """Turns of another role inside a text, by the sign that opens them; a format where many rows have it."""
    found: dict[str, list[tuple[int, RowTexts, str]]] = defaultdict(list)
    for i, row in enumerate(rows):
        if item := next(other_roles(row.texts), None):
            kind = item.sign if " " not in item.sign else "headings of a template"
            found[kind].append((i, row, f"{item.key}: {item.sign}"))
    for kind, items in found.items():
        is_format = len(items) > max(_MOST_AT_LEAST, MOST_SHARE * len(rows))
        num = f"{len(items)} row{'s speak' if len(items) > 1 else ' speaks'}"
        reason = f"{num} in another role inside a text ({kind})"
        yield listed("role", reason, items, is_high=not is_format, score=900.0)


def instructions(rows: Sequence[RowTexts], least_rows: int) -> Iterator[Suspicion]:
    """Orders to the model or the reader; those that recur word by word before the others."""
    found = defaultdict(list)
    for i, row in enumerate(rows):
        said = next((s for p in row.texts if (s := instruction_in(p.text))), "")
        if said:
            found[said.casefold()].append((i, row, said))
    for items in found.values():
        num = len(items)
        recurs = num >= least_rows
        what = (
            f"{num} rows hold the same order"
            if recurs
            else "text that reads like an order to the model"
        )
        yield listed("instruction", what, items, is_high=False, score=10.0 * num if recurs else 1.0)


def conflicting(rows: Sequence[RowTexts], read: Sequence[AnsweredTurn]) -> Iterator[Suspicion]:
    """One question with several labels, and one pair both ways round."""
    last = [example for example in read if example.at == example.row.answers[-1].at]
    for c in conflicts(last):
        yield _conflict(rows, tuple(last[d].index for d in c.docs), c.labels, same=c.same)
    for fewer, more in contradictions(rows):
        is_tie = len(fewer) == len(more)
        places = sorted([*fewer, *more]) if is_tie else fewer
        items = [(i, rows[i], "") for i in places]
        what = (
            f"{len(items)} pairs ask the same and prefer what another one rejects: which of them is wrong"
            " cannot be told"
            if is_tie
            else f"{len(fewer)} of {len(fewer) + len(more)} pairs that ask the same prefer what the others"
            " reject"
        )
        yield listed("pair", what, items, is_high=not is_tie, score=50.0 if is_tie else 800.0)


def misfitting(rows: Sequence[RowTexts], found: Misfits) -> Iterator[Suspicion]:
    """Rows that do not fit, the surest first."""
    items = [(misfit.row, rows[misfit.row], misfit.says) for misfit in found.found]
    if items:
        num, verb = len(items), "rows have" if len(items) > 1 else "row has"
        reason = f"{num} {verb} {_MISFITS[found.kind]} ({_odds(found)})"
        surest = found.found[0].chance
        yield listed(found.kind, reason, items, is_high=True, score=100.0 * surest)


def _odds(found: Misfits) -> str:
    """In words, and how many are wrong by these; those of answers a partner makes surer."""
    chances = [misfit.chance for misfit in found.found]
    says = f"odds {chances[-1]:.2f} to {chances[0]:.2f}"
    if found.kind == "answer":
        return says
    return f"{says}: about {sum(chances):.0f} of {len(chances)} are wrong"


def _conflict(
    rows: Sequence[RowTexts], indices: tuple[int, ...], labels: Sequence[str], *, same: bool
) -> Suspicion:
    what = "the same question has" if same else "nearly the same questions have"
    items = [(i, rows[i], "") for i in indices]
    reason = f"{what} the labels {', '.join(labels)}"
    return listed("conflict", reason, items, is_high=False, score=5.0 if same else 2.0)
