"""The Solidity writer's preferences: a function as its authors wrote it against a wrong version of it.

So that a model keeps guards and writes what compiles. The pairs are made from the rows of
`solidity.build`, train from train and test from test, so no family is on both sides."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from finewright.sdk import JsonRow, Model, default, digest
from finewright_web3.solidity import family_of_row
from finewright_web3.solidity_mutations import MutatedSource, not_compiling, without_guard

_SHORTEST_BODY = 20


class PairSettings(Model):
    """How many pairs there are, and how long they may be."""

    pairs_train: int = default(600, "Pairs to train on", "a few minutes on two cores", ge=1)
    pairs_test: int = default(120, "Pairs held out", "an interval of 9 points", ge=1)
    max_chars: int = default(
        700, "Longest question and answer together", "about 220 tokens: pairs cost twice", ge=1
    )
    pairs_per_family: int = default(
        15, "Pairs of one family of contracts", "no family dominates", ge=1
    )
    seed: int = default(0, "Seed of the mistakes", "any fixed number repeats the set")


class SolidityPairs(NamedTuple):
    """The rows of each split, and how many functions were left out by reason."""

    train: tuple[JsonRow, ...]
    test: tuple[JsonRow, ...]
    dropped: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A function of the set with all that could be wrong with it; a guard, if it has one."""

    row: JsonRow
    unguarded: tuple[MutatedSource, ...]
    broken: tuple[MutatedSource, ...]


def build_pairs(
    train: Sequence[JsonRow], test: Sequence[JsonRow], settings: PairSettings
) -> SolidityPairs:
    """One pair of each chosen function; functions with a guard to drop come first.

    Of what can be wrong with a function, it is what is rarest so far."""
    dropped: Counter[str] = Counter()
    made = [
        tuple(_pairs(_candidates(rows, settings, dropped), wanted, settings, dropped))
        for rows, wanted in ((train, settings.pairs_train), (test, settings.pairs_test))
    ]
    return SolidityPairs(made[0], made[1], dict(dropped))


def _candidates(
    rows: Iterable[JsonRow], settings: PairSettings, dropped: Counter[str]
) -> Iterator[_Candidate]:
    for row in rows:
        if fault := _fault(row, settings):
            dropped[fault] += 1
        else:
            code = row["messages"][2]["content"]
            rng = Random(f"{settings.seed}|{row['meta']['id']}")  # noqa: S311 - no secret
            yield _Candidate(row, without_guard(code, rng), not_compiling(code, rng))


def _fault(row: JsonRow, settings: PairSettings) -> str:
    _, question, answer = (message["content"] for message in row["messages"])
    faults = {
        "with assembly": "assembly" in answer,
        f"of more than {settings.max_chars} characters": (
            len(question) + len(answer) > settings.max_chars
        ),
        f"with a body of under {_SHORTEST_BODY} characters": (
            len(answer) - answer.index("{") < _SHORTEST_BODY
        ),
    }
    return next((reason for reason, is_so in faults.items() if is_so), "")


def _pairs(
    candidates: Iterable[_Candidate], wanted: int, settings: PairSettings, dropped: Counter[str]
) -> list[JsonRow]:
    families: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    pairs: list[JsonRow] = []
    for candidate in sorted(candidates, key=lambda candidate: not candidate.unguarded):
        family = family_of_row(candidate.row)
        if families[family] == settings.pairs_per_family:
            dropped[f"beyond {settings.pairs_per_family} of a family"] += 1
        elif len(pairs) == wanted:
            dropped["beyond what is wanted"] += 1
        else:
            options = candidate.unguarded or candidate.broken
            chosen = min(options, key=lambda broken: (kinds[broken.kind], broken.kind))
            families[family] += 1
            kinds[chosen.kind] += 1
            pairs.append(_pair(candidate, chosen))
    return sorted(pairs, key=lambda pair: digest(f"{settings.seed}:{pair['meta']['id']}"))


def _pair(candidate: _Candidate, broken: MutatedSource) -> JsonRow:
    *prompt, answer = candidate.row["messages"]
    fault = "drops a guard" if candidate.unguarded else "does not compile"
    return {
        "prompt": prompt,
        "chosen": [answer],
        "rejected": [{**answer, "content": broken.code}],
        "meta": {**candidate.row["meta"], "fault": fault, "kind": broken.kind},
    }
