"""What `python benchmarks/rag.py --bars` checks: that tuned weights lose to no part, and that a search knows
when no document has this.

A set is a folder of documents.jsonl and files of questions, or a clone of github.com/ethereum/ERCs, whose
standards are asked for by the one-line descriptions of their front matter. `questions/NAME.jsonl` beside this
file adds hand-written paraphrases to the set of that name: everyday words, none of the documents' terms where
that was possible, written from titles and descriptions. `questions/off_topic.txt` are 60 everyday questions,
none of which is among those that calibrate. Nonsense is 200 lines of random letters of another seed; salad is
200 lines of random words of the documents, which every document has some of. Strange are the questions of the
other sets.

Manuals are the descriptions of eight Python packages that are installed here, as a small set of documents:
`questions/manuals.jsonl` has 24 questions on each of two such sets, written from the descriptions before any
was asked, and `off_subject.txt` 40 on everyday things, for the second set. The first set, with off_topic.txt,
is what the method was chosen on, and has no bars.

The two bounds of coverage and the shares of the calibration were settled when results on the packaged sets,
ERCs, Cranfield and CISI had been seen; sets that are given as folders and are none of these chose nothing."""

import json
import random
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import metadata
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from bars import Bar
from finewright.judge.searchable import words
from finewright.lm.embedders.embedder import Embedder
from finewright.lm.embedders.load import load_embedder
from finewright.schema.passages import Document
from finewright_rag.indexing.build import build_index
from finewright_rag.indexing.documents import find_documents
from finewright_rag.search.metrics import difference
from finewright_rag.search.questions import Question
from finewright_rag.search.retrieve import RankingWeights
from finewright_rag.search.tune import IndexTrial, ask_all
from finewright_rag.search.tuning import tune_rag
from finewright_rag.stores.foreign import nonsense
from finewright_rag.stores.index import FORMAT, About, Index
from finewright_rag.stores.open import create_index

CHUNK_CHARS = 1200
MOST_LOST, SURE = 0.01, 0.05
MOST_REFUSED, LEAST_OFF_TOPIC, LEAST_NONSENSE = 0.07, 0.90, 0.95
PARTS = {
    "lexical": RankingWeights({"lexical": 1.0}),
    "dense": RankingWeights({"dense": 1.0}),
    "alike": RankingWeights({"lexical": 1.0, "dense": 1.0}),
}
BESIDE = Path(__file__).parent / "questions"
MOST_REFUSED_OF_MANUALS, LEAST_CAUGHT_OF_MANUALS = 0.05, 0.95


class Set(NamedTuple):
    """Documents, and questions on them by what they are."""

    name: str
    documents: list[Document]
    questions: dict[str, list[Question]]


def bars(folders: Sequence[Path], embedders: Sequence[str], limit: int | None) -> Iterator[Bar]:
    sets = [read(folder, limit) for folder in folders]
    for each in sets:
        strange = [q for other in sets if other is not each for q in flat(other)][:400]
        for name in embedders:
            on = f"{each.name}, {name}"
            embedder = load_embedder(name, Path)
            with tempfile.TemporaryDirectory() as folder:
                index = make_index(Path(folder), each.documents, embedder)
                report = tune_rag(index, embedder, each.documents)
                print(f"{on}: {report.weights}, {report.other_weights}", file=sys.stderr)
                for kind, questions in each.questions.items():
                    trial = ask_all(index, embedder, questions)
                    if embedder:
                        yield from compare(trial, index, f"{on}: {kind}")
                    yield refuse(kind, trial, index, on)
                yield from catch(index, embedder, each.documents, strange, on)
                index.close()


def compare(trial: IndexTrial, index: Index, on: str) -> Iterator[Bar]:
    """Tuned beside its better part: below it by more than a point, beyond chance, something is lost."""
    about = index.about
    rows = {name: trial.measure_with(weights) for name, weights in PARTS.items()}
    tuned = trial.measure_with(RankingWeights(about.weights, about.other_weights))
    for metric in ("recall@1", "recall@10"):
        value = {name: fmean(row[metric] for row in found) for name, found in rows.items()}
        best = max(("lexical", "dense"), key=value.__getitem__)
        found = difference(tuned, rows[best], metric)
        told = ", ".join(f"{name} {100 * share:.1f}" for name, share in value.items())
        told += f", tuned {100 * fmean(row[metric] for row in tuned):.1f} (p {found.p_value:.2f})"
        least = -MOST_LOST if found.p_value < SURE else -1.0  # what may be chance has no bar
        yield Bar(
            f"tuned - {best}, {metric}", found.value, least, on=f"{on} ({len(tuned)}): {told}"
        )


def refuse(kind: str, trial: IndexTrial, index: Index, on: str) -> Bar:
    """The share of true questions that are told no document has this; paraphrases have no bar.

    Also of those whose document is among the first ten: only there is anything lost."""
    about = index.about
    weights = RankingWeights(about.weights, about.other_weights)
    rows = trial.measure_with(weights)
    found = {id(each) for each, row in zip(trial.answered, rows, strict=True) if row["recall@10"]}
    seen = trial.where(lambda each: id(each) in found)
    share, lost = (1 - answered(index, each) if each.answered else 0.0 for each in (trial, seen))
    most = 1.0 if kind == "paraphrases" else MOST_REFUSED
    return Bar(
        "true questions refused", share, most, True, f"{on}: {kind}; of those found {lost:.3f}"
    )


def catch(
    index: Index,
    embedder: Embedder | None,
    documents: Sequence[Document],
    strange: Sequence[Question],
    on: str,
) -> Iterator[Bar]:
    rng = random.Random(77)  # noqa: S311 - no secret
    known = sorted({word for document in documents for word in words(document.text)})
    salad = [" ".join(rng.choices(known, k=rng.randint(4, 9))) for _ in range(200)]
    off_topic = (BESIDE / "off_topic.txt").read_text(encoding="utf-8").splitlines()
    for name, texts, least in (
        ("off-topic", off_topic, LEAST_OFF_TOPIC if embedder else 0.0),
        ("nonsense", nonsense(200, seed=77), LEAST_NONSENSE),
        ("salad", salad, 0.0),
        ("strange", [question.prompt for question in strange], 0.0),
    ):
        if texts:
            trial = ask_all(index, embedder, [Question(text, ()) for text in texts])
            yield Bar(f"{name} caught", 1 - answered(index, trial), least, on=on)


def manuals(embedders: Sequence[str], limit: int | None) -> Iterator[Bar]:
    rows = [json.loads(line) for line in (BESIDE / "manuals.jsonl").read_text("utf-8").splitlines()]
    for part, foreign in (("chosen on", "off_topic.txt"), ("reported", "off_subject.txt")):
        asked = [Question(row["prompt"], tuple(row["gold"])) for row in rows if row["set"] == part]
        off_subject = (BESIDE / foreign).read_text(encoding="utf-8").splitlines()[:limit]
        least, most = 0.0, 1.0
        if part == "reported":
            least, most = LEAST_CAUGHT_OF_MANUALS, MOST_REFUSED_OF_MANUALS
        for name in embedders:
            embedder = load_embedder(name, Path)
            with tempfile.TemporaryDirectory() as folder:
                documents = descriptions(Path(folder), sorted({q.gold[0] for q in asked}))
                index = make_index(Path(folder), documents, embedder)
                report = tune_rag(index, embedder, documents)
                on = f"{len(documents)} manuals, {part}, {name}"
                print(f"{on}: {report.why}; {report.calibration}", file=sys.stderr)
                real = ask_all(index, embedder, asked[:limit])
                strange = ask_all(index, embedder, [Question(text, ()) for text in off_subject])
                refused, caught = (1 - answered(index, trial) for trial in (real, strange))
                yield Bar("real questions refused", refused, most, True, f"{on}: {len(asked)}")
                yield Bar("off the subject refused", caught, least, on=f"{on}: {len(off_subject)}")
                index.close()


def descriptions(folder: Path, packages: Sequence[str]) -> list[Document]:
    """The long descriptions of packages, as files that an index reads."""
    for package in packages:
        found = metadata(package).json
        is_markdown = "markdown" in found.get("description_content_type", "")
        text = found["description"]
        assert isinstance(text, str)
        path = folder / f"{package}{'.md' if is_markdown else '.txt'}"
        path.write_text(text, encoding="utf-8")
    return list(find_documents(("manuals",), lambda _: folder).read())  # ids choose the questions


def answered(index: Index, trial: IndexTrial) -> float:
    line = index.about.calibration
    assert line, "not calibrated"
    return fmean(line.has_answer(each.evidence) for each in trial.answered)


def read(folder: Path, limit: int | None) -> Set:
    documents, questions = (ercs if (folder / "ERCS").is_dir() else packaged)(folder)
    beside = BESIDE / f"{folder.name}.jsonl"
    if beside.is_file():
        questions["paraphrases"] = lines(beside)
    return Set(folder.name, documents, {kind: found[:limit] for kind, found in questions.items()})


def packaged(folder: Path) -> tuple[list[Document], dict[str, list[Question]]]:
    files = sorted(path for path in folder.glob("*.jsonl") if path.stem != "documents")
    documents = list(find_documents((str(folder / "documents.jsonl"),), Path).read())
    return documents, {path.stem: lines(path) for path in files}


def lines(path: Path) -> list[Question]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Question(row["prompt"], tuple(row["gold"])) for row in rows if row.get("prompt")]


def ercs(folder: Path) -> tuple[list[Document], dict[str, list[Question]]]:
    """The standards, their front matter but the title left out."""
    documents, described = [], []
    for path in sorted((folder / "ERCS").glob("erc-*.md")):
        head, _, body = path.read_text(encoding="utf-8").removeprefix("---").partition("\n---")
        facts = dict(re.findall(r"^(title|description): *(.*?) *$", head, re.MULTILINE))
        documents.append(Document(path.stem, body.strip(), title=facts.get("title", "")))
        if facts.get("description"):
            described.append(Question(facts["description"], (path.stem,)))
    return documents, {"descriptions": described}


def flat(each: Set) -> list[Question]:
    return [question for found in each.questions.values() for question in found[:100]]


def make_index(folder: Path, documents: Sequence[Document], embedder: Embedder | None) -> Index:
    id, dimensions = (embedder.id, embedder.dimensions) if embedder else ("", 0)
    about = About(FORMAT, id, dimensions, CHUNK_CHARS, {"lexical": 1.0})
    index = create_index("index.sqlite", folder.joinpath, about)
    build_index(index, embedder, documents, CHUNK_CHARS)
    return index
