"""What is told of single rows, without an association: hidden text, other roles, orders, contradictions, and
rows that do not fit.

Turns of another role inside a text: what a template would read as the system's or the model's own words.

One grammar: control tokens that open a turn, of the families in the catalog of control tokens; a role in
brackets or behind `#` at the start of a line (`[SYSTEM]:`, `### Admin:`); and two plain headings, the second
of which answers the first (`Human:` with `Assistant:`, `### Input` with `### Response`), since one alone is
how people write. Where more than 5 % of the rows hold them, they are how the set is written.

Rows that contradict each other: the same question, or nearly, with another label, and one pair both ways.

Of answers only where they are labels: few different ones, each short. A question that is answered twice in
words of one's own is no conflict. Mistakes of labelling look like this, and flipped labels too; no backdoor
does."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from finewright.guard.controls import find_spelled_controls
from finewright.guard.hidden import find_hidden
from finewright.guard.instructions import instruction_in
from finewright.schema.rows import RowText, RowTexts
from finewright_trust.misfits.find import Misfits
from finewright_trust.poison.coherence import MOST_SHARE
from finewright_trust.poison.examples import AnsweredTurn, words
from finewright_trust.poison.suspicion import Suspicion, listed

_MOST_LABELS_SHARE = 0.1


_MOST_LABEL_WORDS = 6


_NEAR = 0.8


_RAREST = 3


_MOST_IN_BLOCK = 40


class Conflict(NamedTuple):
    """Rows (indices of examples) that ask the same or nearly, and the labels they give."""

    docs: tuple[int, ...]
    labels: tuple[str, ...]
    same: bool


class Contradiction(NamedTuple):
    """Places of the pairs of a question that prefer one answer, and of as many or more that reject it."""

    fewer: tuple[int, ...]
    more: tuple[int, ...]


_OPENS = re.compile(
    r"start|begin|header|inst|sys|role|turn|user|human|assistant|system|model|bot|<\|im_", re.I
)


_ROLE = r"(?:system|developer|admin(?:istrator)?|operator|assistant|user|human|sys)"


_NOTE = r"(?: (?:prompt|message|note|override|update|notice|instructions?))?"


# In brackets, or behind `#` with a colon or an end of line; before it only quotes and blanks.
_MARKED = re.compile(
    rf"^[\s>*]*(?:[\[<({{\u3010]{{1,2}}[/|]? ?{_ROLE}{_NOTE} ?\|?[\]>)}}\u3011]{{1,2}}:?"
    rf"|#{{1,6}} ?{_ROLE}{_NOTE}(?::|[^\S\n]*$))",
    re.M | re.I,
)


# A heading, and the one that must come after it; two searches, for one would begin anew at each heading.
_HEADINGS = (
    (
        re.compile(r"^#{2,3} ?(?:Instruction|Input)s?:?[^\S\n]*$", re.M | re.I),
        re.compile(r"^#{2,3} ?(?:Response|Output)", re.M | re.I),
    ),
    (
        re.compile(r"^[^\S\n]*(?:Human|User|System):", re.M | re.I),
        re.compile(r"^[^\S\n]*(?:Assistant|AI|Human|User):", re.M | re.I),
    ),
)


class OtherRole(NamedTuple):
    """Where a text speaks in another role, and the sign that opens the turn."""

    key: str
    sign: str


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
        for item in find_hidden(row.texts):
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


def other_roles(texts: Iterable[RowText]) -> Iterator[OtherRole]:
    """The first turn of another role in each text."""
    for passage in texts:
        tokens = (
            s.token
            for s in find_spelled_controls([passage])
            if not s.ordinary and _OPENS.search(s.token)
        )
        if token := next(tokens, None):
            yield OtherRole(passage.key, token)
        elif passage.role == "user" and (heading := _heading(passage.text)):
            yield OtherRole(passage.key, heading)


def _heading(text: str) -> str:
    if marked := _MARKED.search(text):
        return " ".join(marked[0].split())[:40]
    if ":" not in text and "#" not in text:
        return ""
    for opening, closing in _HEADINGS:
        first = opening.search(text)
        if first and (last := closing.search(text, first.end())):
            return " ".join(text[first.start() : last.end()].split())[:40]
    return ""


def conflicts(found: Sequence[AnsweredTurn]) -> list[Conflict]:
    """Every question with more than one label, and every pair of near questions with different labels.

    Near: 80 % of the different words shared. Pairs that share none of their three rarest words are not
    compared."""
    labels = [" ".join(e.answer.split()).casefold() for e in found]
    if not _are_labels(labels):
        return []
    prompts = [" ".join(e.row.before.split()).casefold() for e in found]
    by_question = defaultdict(list)
    for i, question in enumerate(prompts):
        by_question[question].append(i)
    same = [
        Conflict(tuple(docs), tuple(sorted({labels[i] for i in docs})), True)
        for docs in by_question.values()
        if len({labels[i] for i in docs}) > 1
    ]
    firsts = [docs[0] for docs in by_question.values()]
    return same + list(_near(firsts, [found[i].row.before for i in firsts], labels))


def contradictions(rows: Sequence[RowTexts]) -> list[Contradiction]:
    """Pairs that ask the same and prefer what others reject; case and space make no difference."""
    ways: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for i, row in enumerate(rows):
        if row.pair is not None:
            a, b, c = (" ".join(text.casefold().split()) for text in row.pair)
            ways[a, b, c].append(i)
    both = (
        sorted((own, ways[question, other, one]), key=len)
        for (question, one, other), own in list(ways.items())
        if one < other and (question, other, one) in ways
    )
    return [Contradiction(tuple(fewer), tuple(more)) for fewer, more in both]


def _are_labels(answers: Sequence[str]) -> bool:
    different = set(answers)
    longest = max((len(answer.split()) for answer in different), default=0)
    few = 1 < len(different) <= max(2, _MOST_LABELS_SHARE * len(answers))
    return few and longest <= _MOST_LABEL_WORDS


def _near(docs: Sequence[int], prompts: Sequence[str], labels: Sequence[str]) -> Iterator[Conflict]:
    bags = [frozenset(word.text for word in words(text)) for text in prompts]
    found = Counter(word for bag in bags for word in bag)
    blocks = defaultdict(list)
    for i, bag in enumerate(bags):
        for word in sorted((w for w in bag if found[w] > 1), key=lambda w: (found[w], w))[:_RAREST]:
            blocks[word].append(i)
    pairs = {
        pair
        for block in blocks.values()
        if len(block) <= _MOST_IN_BLOCK
        for pair in combinations(block, 2)
    }
    for a, b in sorted(pairs):
        shared = len(bags[a] & bags[b])
        if labels[docs[a]] != labels[docs[b]] and shared >= _NEAR * len(bags[a] | bags[b]):
            both = (docs[a], docs[b])
            yield Conflict(both, tuple(sorted({labels[i] for i in both})), False)
