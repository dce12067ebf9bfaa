"""What a thief of a served model gets, with limits and the alarm of theft and without; and its false alarms.

    finewright data get natspec-docs --out natspec; finewright data get bank-facts --out bank
    python benchmarks/theft.py --sets natspec bank --bars                      # a minute

The model that is stolen answers a question about a contract with the folder that the contract stands in (a
logistic regression on TF-IDF, of 600 questions that nobody else has). A thief asks up to 2,000 questions with
one key, through the gateway's own door, and trains the same kind of model on what was answered:

    words     8 words at random, of a vocabulary that anybody may know
    public    halves of questions of another kind (`bank`), put together
    mixed     halves of 200 questions that users asked, put together anew

fidelity = share of 300 questions of users on which the copy says what the model says, over what its commonest
answer gets: (agreed - commonest) / (1 - commonest). Bar: with limits and alarm at most half of that without.
`benign` follows harmless keys."""

import argparse
import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import httpx

from bars import Bar, parser_of, run_parts
from finewright.lm.embedders.load import load_embedder
from finewright_serve.gateway.admission import Admission
from finewright_serve.gateway.app import app_of
from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.gateway import Gateway
from finewright_serve.gateway.keys import KeyGrant, KeyLimits, KeyRing, add_key
from finewright_serve.gateway.limits import Limiter
from finewright_serve.gateway.measures import Measures
from finewright_serve.gateway.question import (
    AnswerPiece,
    GatewayQuestion,
    ServedModel,
    TextVectors,
    TokenUsage,
)
from finewright_serve.gateway.usage_stores import SqliteUsage
from finewright_serve.watch.alarms import Alarms
from finewright_serve.watch.drift import WINDOW, HarmlessWindows, KeyDrift, embed
from finewright_serve.watch.spec import TheftSpec
from finewright_serve.watch.theft import TheftStep

SEED, FINE = 20261202, 200
QUERIES, A_DAY = 2000, 500
"""Of the thief, and what `requests_per_day` lets it ask: four times what a busy user asks."""
OF_MODEL, OF_REFERENCE, OF_USERS, SEEN = 600, 600, 300, 200


class Sets(NamedTuple):
    """Questions of the domain, with the folders of those that the model learns; and of another kind."""

    model: list[tuple[str, str]]
    reference: list[str]
    users: list[str]
    seen: list[str]
    in_order: list[str]
    others: list[str]


def read_sets(options: argparse.Namespace) -> Sets:
    natspec, bank = options.sets
    rows = [row for part in ("train", "test") for row in _rows(natspec / f"questions_{part}.jsonl")]
    named = [(row["prompt"], row["source_file"].partition("/")[0]) for row in rows]
    in_order = [prompt for prompt, _ in named]
    Random(SEED).shuffle(named)  # noqa: S311 - a split
    ends = [OF_MODEL, OF_MODEL + OF_REFERENCE, OF_MODEL + OF_REFERENCE + OF_USERS]
    texts = [prompt for prompt, _ in named]
    others = [row["prompt"] for part in ("train", "test") for row in _rows(bank / f"{part}.jsonl")]
    split = (texts[ends[0] : ends[1]], texts[ends[1] : ends[2]], texts[ends[2] : ends[2] + SEEN])
    known = set(split[0])
    return Sets(named[: ends[0]], *split, [each for each in in_order if each not in known], others)


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def learned(texts: Sequence[str], answers: Sequence[str]) -> Any:  # Any: scikit-learn
    """A model of words -> answer."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    parts = r"[A-Z]?[a-z]+|[A-Z]+|\d+"  # of names too
    words = TfidfVectorizer(token_pattern=parts, sublinear_tf=True)
    return make_pipeline(words, LogisticRegression(C=30, max_iter=300)).fit(texts, answers)


class Victim:
    """The model behind the gateway."""

    at_once = 4

    def __init__(self, model: Any) -> None:
        self.model = model

    def models(self) -> Sequence[ServedModel]:
        return [ServedModel("m", "victim")]

    async def is_ready(self) -> bool:
        return True

    async def close(self) -> None:
        pass

    async def answer(self, question: GatewayQuestion) -> AsyncGenerator[AnswerPiece, None]:
        asked = (question.messages or ())[-1]["content"]
        yield AnswerPiece(content=str(self.model.predict([asked])[0]))
        yield AnswerPiece(finish="stop", usage=TokenUsage(1, 1))

    async def embed(self, model: str, texts: Sequence[str]) -> TextVectors:
        raise ApiError("no")


def questions_of(sets: Sets) -> dict[str, list[str]]:
    """What each thief asks."""
    rng = Random(SEED)  # noqa: S311 - a thief's lot
    words = sorted({word for text, _ in sets.model for word in text.split()})

    def halves(texts: Sequence[str]) -> str:
        one, other = (rng.choice(texts).split() for _ in range(2))
        return " ".join([*one[: len(one) // 2], *other[len(other) // 2 :]])

    return {
        "words": [" ".join(rng.choices(words, k=8)) for _ in range(QUERIES)],
        "public": [halves(sets.others) for _ in range(QUERIES)],
        "mixed": [halves(sets.seen) for _ in range(QUERIES)],
    }


def thieves(folder: Path, options: argparse.Namespace) -> Iterator[Bar]:
    """Fidelity of each thief's copy, as a share of that without limits and alarm."""
    if options.sets is None:
        print("thieves: not measured: it needs --sets", file=sys.stderr)
        return
    sets = read_sets(options)
    victim = learned([text for text, _ in sets.model], [folder for _, folder in sets.model])
    truth = [str(each) for each in victim.predict(sets.users)]
    commonest = Counter(truth).most_common(1)[0][1] / len(truth)

    def fidelity(texts: Sequence[str], answers: Sequence[str]) -> float:
        if len(set(answers)) < 2:  # noqa: PLR2004 - nothing to tell apart
            return 0.0
        said = learned(texts, answers).predict(sets.users)
        agreed = sum(bool(a == b) for a, b in zip(said, truth, strict=True)) / len(truth)
        return max(0.0, float((agreed - commonest) / (1 - commonest)))

    for name, asked in questions_of(sets).items():
        free = fidelity(asked, [str(each) for each in victim.predict(asked)])
        parts = {}
        for how, has_limit, has_alarm in (("alarm", False, True), ("both", True, True)):
            place = folder / f"{name}-{how}"
            place.mkdir()
            app, key = _gateway(place, victim, sets, has_limit=has_limit, has_alarm=has_alarm)
            answers = asyncio.run(_asked(app, key, asked))
            parts[how] = len(answers), fidelity(asked[: len(answers)], answers)
        on = ", ".join(f"{how}: {num} answered, {found:.2f}" for how, (num, found) in parts.items())
        ratio = parts["both"][1] / free if free else 0.0
        what = f"{name}; without: {QUERIES} answered, {free:.2f}; {on}; {A_DAY} requests a day"
        yield Bar("fidelity, as a share", ratio, 0.5, at_most=True, on=what)


def _gateway(
    folder: Path, model: Any, sets: Sets, *, has_limit: bool, has_alarm: bool
) -> tuple[Any, str]:
    limits = KeyLimits(requests_per_day=A_DAY) if has_limit else KeyLimits()
    key = add_key(folder / "keys.json", KeyGrant(limits=limits), "2026-12-02")
    ring, admission = KeyRing(folder / "keys.json"), Admission(4, 9)
    measures = Measures(admission)
    embedder = load_embedder("wordllama", Path)
    assert embedder is not None
    harmless = HarmlessWindows.of(embed(sets.reference, embedder), embedder.id)
    spec = TheftSpec(reference="theft.npz", action="block")
    step = TheftStep(spec, harmless, embedder, Alarms(), folder / "theft.json")
    limiter = Limiter(SqliteUsage(":memory:"), ring.limits, measures)
    steps = [step] if has_alarm else []
    return app_of(
        Gateway([Victim(model)], admission, measures, steps=steps, limiter=limiter), ring
    ), key


async def _asked(app: Any, key: str, questions: Sequence[str]) -> list[str]:
    """The answers, until one is refused."""
    found, headers = list[str](), {"Authorization": f"Bearer {key}"}
    http = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=http, base_url="http://t", headers=headers) as client:
        for question in questions:
            body = {"model": "m", "messages": [{"role": "user", "content": question}]}
            response = await client.post("/v1/chat/completions", json=body)
            if response.status_code != FINE:
                return found
            found.append(response.json()["choices"][0]["message"]["content"])
    return found


def benign(folder: Path, options: argparse.Namespace) -> Iterator[Bar]:
    """Alarms in harmless windows, by kind; and how soon one rings where the kind changes."""
    if options.sets is None:
        print("benign: not measured: it needs --sets", file=sys.stderr)
        return
    sets, embedder = read_sets(options), load_embedder("wordllama", Path)
    assert embedder is not None
    harmless = HarmlessWindows.of(embed(sets.reference, embedder), embedder.id)
    rng = Random(SEED)  # noqa: S311 - an order
    kinds = {
        "the reference's kind, mixed": [*sets.users, *sets.seen],
        "the reference's kind, topic after topic": sets.in_order,
        "another kind (bank), mixed": rng.sample(sets.others, len(sets.others)),
    }
    for name, texts in kinds.items():
        drift = KeyDrift()
        rang = [at + 1 for at, v in enumerate(embed(texts, embedder)) if drift.add(v, harmless)]
        windows = len(texts) // WINDOW
        first = f"the first after {rang[0]} questions" if rang else "none"
        on = f"{name}: {len(rang)} in {windows} windows, {first}; earliest possible {harmless.earliest}"
        yield Bar("alarms a harmless window", len(rang) / windows, 0.001, at_most=True, on=on)


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--sets", type=Path, nargs=2, help="folders of natspec-docs and bank-facts")
    return run_parts(parser, {"thieves": thieves, "benign": benign})


if __name__ == "__main__":
    sys.exit(main())
