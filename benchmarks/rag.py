"""How well and how fast passages are found, beside bm25s and tantivy, on the same chunks and questions.

    pip install bm25s tantivy
    finewright data get natspec-docs --out sets/natspec-docs
    finewright data get natspec-docs --include-copyleft --out sets/natspec-docs-all
    finewright data get bank-docs --out sets/bank-docs
    finewright data get bank-facts --out sets/bank-facts
    python benchmarks/rag.py sets/natspec-docs sets/natspec-docs-all sets/bank-docs sets/bank-facts
    python benchmarks/rag.py sets/bank-docs --embedders wordllama --questions 50      # a try
    python benchmarks/rag.py sets/bank-docs --rival none                              # without them
    python benchmarks/rag.py --bars sets/natspec-docs sets/bank-docs sets/bank-facts ERCs   # rag_bars.py
    python benchmarks/rag.py --bars --manuals                                         # 8 manuals alone

A set is a folder of documents.jsonl and files of questions; all of them are asked, those to train
on too, as nothing is trained. What is indexed is the same text for all: title, headings and chunk, at most
1,200 characters. bm25s splits words as by default, without a stemmer; tantivy has its en_stem. Rankings of
chunks are 100 deep and count as rankings of documents by the best chunk.

`tuned` is what a search does: weights chosen on questions made of the documents, as by `finewright rag
index`, and more of vectors for a question in other words; no question of the set is looked at.

Indexing is cutting, embedding and writing, the file on the disk of the
temporary folder; the rivals' is what they do after the cutting, in memory. A query is timed by itself, the
embedding of the question included, and ours reads the text of all 100 passages; the two columns `ratio` are
recall@1 and the median time against bm25s. One process. Intervals are at 95 %; questions on one document are
taken as independent, which makes them somewhat narrow.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

import rag_bars
from bars import finish, parser_of
from finewright.lm.embedders.embedder import Embedder
from finewright.lm.embedders.load import load_embedder
from finewright.report.columns import table
from finewright.schema.passages import Document
from finewright_rag.indexing.chunk import chunks, text_to_index
from finewright_rag.indexing.documents import find_documents
from finewright_rag.search.metrics import difference, estimates, measure_ranking
from finewright_rag.search.questions import Question
from finewright_rag.search.retrieve import DEPTH, search
from finewright_rag.search.tuning import tune_rag
from finewright_rag.stores.index import Index
from rag_bars import CHUNK_CHARS, make_index

HEADER = [
    "system",
    "recall@1",
    "recall@10",
    "mrr",
    "ratio",
    "chunks/s",
    "p50 ms",
    "p95 ms",
    "ratio",
]
FIXED = {
    "lexical": {"lexical": 1.0, "dense": 0.0},
    "dense": {"lexical": 0.0, "dense": 1.0},
    "equal fusion": {"lexical": 1.0, "dense": 1.0},
}
Search = Callable[[str], Sequence[str]]


class Found(NamedTuple):
    """What a system reached, question by question, and how fast."""

    system: str
    rows: list[dict[str, float]]
    chunks_per_second: float
    times: list[float]


def main() -> None:
    options = parse()
    if options.bars:
        bars = list(rag_bars.bars(options.sets, options.embedders, options.questions))
        if options.manuals:
            bars += rag_bars.manuals(options.embedders, options.questions)
        sys.exit(finish(bars, options))
    for folder in options.sets:
        documents = list(find_documents((str(folder / "documents.jsonl"),), Path).read())
        cut = [(document, chunks(document, CHUNK_CHARS)) for document in documents]
        texts = [text_to_index(document, chunk) for document, found in cut for chunk in found]
        names = [document.id for document, found in cut for _ in found]
        files = sorted(path for path in folder.glob("*.jsonl") if path.stem != "documents")
        asked = questions_of(files, options.questions)
        print(f"\n{folder.name}: {len(documents)} documents, {len(texts)} chunks")
        every: dict[str, list[Found]] = {name: [] for name in asked}
        for system, speed, ask in rivals(texts, names, options.rival):
            collect(every, asked, system, speed, ask)
        for embedder in options.embedders:
            ours(every, asked, documents, len(texts), embedder)
        for name, found in every.items():
            print(f"\n{folder.name}, {name}: {len(asked[name])} questions")
            show(found)


def parse() -> argparse.Namespace:
    parser = parser_of(__doc__)
    parser.add_argument("sets", nargs="*", type=Path)
    parser.add_argument(
        "--manuals", action="store_true", help="with --bars: also a set of 8 manuals"
    )
    parser.add_argument("--embedders", nargs="+", default=["wordllama", "minilm"])
    parser.add_argument("--rival", choices=["all", "none"], default="all")
    parser.add_argument("--questions", type=int, default=None, help="of each file; default: all")
    return parser.parse_args()


def questions_of(files: Sequence[Path], limit: int | None) -> dict[str, list[Question]]:
    """The questions of a set by what they are: requests are asked whole, and by their first words."""
    asked: dict[str, list[Question]] = {}
    for path in files:
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            for key, name in (("prompt", "questions"), ("opening", "openings")):
                if row.get(key):
                    asked.setdefault(name, []).append(Question(row[key], tuple(row["gold"])))
    return {name: found[:limit] for name, found in asked.items()}


def ours(
    every: dict[str, list[Found]],
    asked: dict[str, list[Question]],
    documents: Sequence[Document],
    num_chunks: int,
    name: str,
) -> None:
    """Words alone once, without an embedder; vectors and both with each."""
    if not any(found.system == "lexical" for found in next(iter(every.values()))):
        with tempfile.TemporaryDirectory() as folder:
            index, speed = indexed(Path(folder), documents, num_chunks, None)
            collect(every, asked, "lexical", speed, searcher(index, None, FIXED["lexical"]))
            index.close()
    embedder = load_embedder(name, Path)
    with tempfile.TemporaryDirectory() as folder:
        index, speed = indexed(Path(folder), documents, num_chunks, embedder)
        begun = time.perf_counter()
        report = tune_rag(index, embedder, documents)
        print(f"{name}: {report.weights}, {report.why}, {time.perf_counter() - begun:.1f} s")
        for system in ("dense", "equal fusion"):
            found = searcher(index, embedder, FIXED[system])
            collect(every, asked, f"{name} {system}", speed, found)
        collect(every, asked, f"{name} tuned", speed, searcher(index, embedder))
        index.close()


def indexed(
    folder: Path, documents: Sequence[Document], num_chunks: int, embedder: Embedder | None
) -> tuple[Index, float]:
    begun = time.perf_counter()
    index = make_index(folder, documents, embedder)
    return index, num_chunks / (time.perf_counter() - begun)


def searcher(
    index: Index, embedder: Embedder | None, weights: dict[str, float] | None = None
) -> Search:
    def ask(query: str) -> Sequence[str]:
        hits = search(index, embedder, query, limit=DEPTH, weights=weights)
        return [hit.passage.document for hit in hits]

    return ask


def rivals(
    texts: Sequence[str], names: Sequence[str], which: str
) -> list[tuple[str, float, Search]]:
    return [] if which == "none" else [bm25s_of(texts, names), tantivy_of(texts, names)]


def bm25s_of(texts: Sequence[str], names: Sequence[str]) -> tuple[str, float, Search]:
    import bm25s

    begun = time.perf_counter()
    retriever = bm25s.BM25()
    retriever.index(bm25s.tokenize(list(texts), show_progress=False), show_progress=False)
    speed = len(texts) / (time.perf_counter() - begun)

    def ask(query: str) -> Sequence[str]:
        tokens = bm25s.tokenize([query], show_progress=False)
        found, scores = retriever.retrieve(tokens, k=min(DEPTH, len(texts)), show_progress=False)
        return [names[at] for at, score in zip(found[0], scores[0], strict=True) if score > 0]

    return "bm25s", speed, ask


def tantivy_of(texts: Sequence[str], names: Sequence[str]) -> tuple[str, float, Search]:
    import tantivy

    begun = time.perf_counter()
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("text", stored=False, tokenizer_name="en_stem")
    builder.add_integer_field("at", stored=True)
    index = tantivy.Index(builder.build())
    writer = index.writer(num_threads=1)
    for at, text in enumerate(texts):
        writer.add_document(tantivy.Document(text=text, at=at))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    speed = len(texts) / (time.perf_counter() - begun)
    searcher: Any = index.searcher()  # Any: the package has no types

    def ask(query: str) -> Sequence[str]:
        # What is no letter or digit may be syntax.
        plain = "".join(c if c.isalnum() or c.isspace() else " " for c in query).lower()
        parsed, _ = index.parse_query_lenient(plain, ["text"])
        hits = searcher.search(parsed, DEPTH).hits
        return [names[searcher.doc(address)["at"][0]] for _, address in hits]

    return "tantivy", speed, ask


def collect(
    every: dict[str, list[Found]],
    asked: dict[str, list[Question]],
    system: str,
    speed: float,
    ask: Search,
) -> None:
    """Ask all questions, after three that warm up."""
    for name, questions in asked.items():
        print(f"{system}: {name} ...", file=sys.stderr)
        for question in questions[:3]:
            ask(question.prompt)
        rows, times = [], []
        for question in questions:
            begun = time.perf_counter()
            found = ask(question.prompt)
            times.append(1000 * (time.perf_counter() - begun))
            rows.append(measure_ranking(list(dict.fromkeys(found)), question.gold))
        every[name].append(Found(system, rows, speed, times))


def show(found: Sequence[Found]) -> None:
    first = found[0]
    base = estimates(first.rows)["recall@1"].value
    lines = []
    for each in found:
        reached = estimates(each.rows)
        p50, p95 = median(each.times), quantiles(each.times, n=20)[-1]
        lines.append(
            [
                each.system,
                *(percent(reached[metric]) for metric in ("recall@1", "recall@10", "mrr")),
                f"{reached['recall@1'].value / base:.2f}" if base else "",
                f"{each.chunks_per_second:,.0f}",
                f"{p50:.2f}",
                f"{p95:.2f}",
                f"{p50 / median(first.times):.1f}",
            ]
        )
    print(table(HEADER, lines))
    lexical = next(each for each in found if each.system == "lexical")
    for each in found:
        if each.system.endswith("tuned"):
            dense = next(d for d in found if d.system == each.system.replace("tuned", "dense"))
            for part in (lexical, dense):
                d = difference(each.rows, part.rows, "recall@1")
                print(
                    f"{each.system} - {part.system}: recall@1 {100 * d.value:+.1f} points "
                    f"({100 * d.low:+.1f} to {100 * d.high:+.1f}), p = {d.p_value:.3f}"
                )


def percent(found: Any) -> str:  # Any: an Estimate
    low, high = found.interval
    return f"{100 * found.value:.1f} ({100 * low:.0f}-{100 * high:.0f})"


if __name__ == "__main__":
    main()
