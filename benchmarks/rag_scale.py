"""How fast an index of documents is made, asked and changed as it grows.

    finewright data get natspec-docs --out sets
    python benchmarks/rag_scale.py sets/natspec-docs                # 10,000 and 100,000 chunks; 2 minutes
    python benchmarks/rag_scale.py sets/natspec-docs --sizes 2000   # a try

The documents are made of the sections of that set, drawn with replacement and in another order. In each, 3 %
of the words of four letters and more are replaced: half by a word of the set drawn by its frequency, half by
one of a growing list of made-up words, so that the vocabulary grows with the corpus as natural ones do (the
law of Heaps). The questions are the set's own. Vectors are random directions of 256 numbers: their time does
not depend on what they mean, and the time of an embedder is not that of the index. `both` is a whole search:
words, vectors, fusion, and the 5 passages read.

Each question is asked once, after ten others that warm the caches up; a word that was asked for before is
quicker than a new one, as it is in use. `cold` is the first search in a fresh opening of the file, which
reads all vectors. One process; the file is on the temporary folder's disk.
"""

import argparse
import hashlib
import itertools
import json
import random
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from finewright.report.columns import table
from finewright.schema.passages import Document
from finewright_rag.indexing.chunk import chunks
from finewright_rag.search.retrieve import search
from finewright_rag.stores.index import FORMAT, About, Index, Indexed
from finewright_rag.stores.sqlite import create, open_existing

DIMENSIONS = 256
CHUNK_CHARS = 1200
DEPTH = 100
CHANGED, NEW = 0.03, 0.5
SHORTEST_SECTION = 80
NUM_WARM = 10
_WORD = re.compile(r"\b[a-zA-Z]{4,}\b")
HEADER = ["chunks", "index", "chunks/s", "MiB", "query", "p50 ms", "p95 ms", "max ms"]


class Directions:
    """An embedder that knows nothing: random directions."""

    id = "random-directions"
    dimensions = DIMENSIONS
    num_cut = 0

    def __init__(self) -> None:
        self._draw = np.random.default_rng(0)

    def documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = self._draw.standard_normal((len(texts), DIMENSIONS), np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return rows

    queries = documents


class Times(NamedTuple):
    what: str
    ms: list[float]

    def cells(self) -> list[str]:
        p95 = statistics.quantiles(self.ms, n=20)[-1] if len(self.ms) > 1 else self.ms[0]
        return [self.what, *(f"{ms:.1f}" for ms in (statistics.median(self.ms), p95, max(self.ms)))]


def corpus(folder: Path, num_chunks: int, draw: random.Random) -> Iterator[Indexed]:
    """Documents with about `num_chunks` chunks together."""
    texts = [
        json.loads(line)["text"] for line in (folder / "documents.jsonl").open(encoding="utf-8")
    ]
    sections = [
        part
        for text in texts
        for part in re.split(r"\n\n(?=#)", text)
        if len(part) > SHORTEST_SECTION
    ]
    words = [word for text in texts for word in _WORD.findall(text)]
    made = 0
    for number in itertools.count():
        body = "\n\n".join(draw.choices(sections, k=draw.randint(3, 12)))

        def replaced(match: re.Match[str], number: int = number) -> str:
            if draw.random() >= CHANGED:
                return match[0]
            # The n-th document adds about one word; older ones come back.
            return draw.choice(words) if draw.random() < NEW else f"term{draw.randint(0, number)}q"

        text = _WORD.sub(replaced, body)
        digest = hashlib.sha256(text.encode()).hexdigest()
        document = Document(
            f"d{number}", text, f"Document {number}", f"d{number}.md", sha256=digest
        )
        cut = chunks(document, CHUNK_CHARS)[: num_chunks - made]
        yield Indexed(document, cut, None)
        made += len(cut)
        if made >= num_chunks:
            return


def questions(folder: Path) -> list[str]:
    lines = (folder / "questions_test.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["prompt"] for line in lines]


def timed(what: str, run: Callable[[], object]) -> Times:
    start = time.perf_counter()
    run()
    return Times(what, [(time.perf_counter() - start) * 1e3])


def asked(what: str, ask: Callable[[str], object], queries: Sequence[str]) -> Times:
    for query in queries[:NUM_WARM]:
        ask(query)
    timings = (timed(what, partial(ask, query)) for query in queries[NUM_WARM:])
    return Times(what, [timing.ms[0] for timing in timings])


def made(
    path: Path, rows: Sequence[Indexed], embedder: Directions | None
) -> tuple[list[str], Index]:
    """The cells that say how fast the index was made, and the index."""
    about = About(
        format=FORMAT,
        embedder=embedder.id if embedder else "",
        dimensions=DIMENSIONS if embedder else 0,
        chunk_chars=CHUNK_CHARS,
        weights={"lexical": 1.0, "dense": 0.25},
    )
    # Vectors are made before the clock runs.
    ready = (
        [row._replace(vectors=embedder.documents([""] * len(row.chunks))) for row in rows]
        if embedder
        else rows
    )
    index = create(path, about)
    seconds = timed("", lambda: index.put(ready)).ms[0] / 1e3
    num_chunks = index.counts().chunks
    kind = "words and vectors" if embedder else "words"
    size = path.stat().st_size / (1 << 20)
    return [f"{num_chunks:,}", kind, f"{num_chunks / seconds:,.0f}", f"{size:.0f}"], index


def measured(folder: Path, num_chunks: int, place: Path) -> list[list[str]]:
    draw = random.Random(num_chunks)  # noqa: S311 - no secret
    rows = list(corpus(folder, num_chunks, draw))
    queries = questions(folder)
    guest = frozenset({"guests"})
    cells, words_alone = made(place / "words.sqlite", rows, None)
    times = [asked("words", lambda query: words_alone.lexical(query, DEPTH, None), queries)]
    words_alone.close()
    lines = [cells + times[0].cells()]
    embedder = Directions()
    path = place / "both.sqlite"
    cells, index = made(path, rows, embedder)
    index.close()

    def cold() -> None:
        fresh = open_existing(path)
        search(fresh, embedder, queries[0], limit=5)
        fresh.close()

    times = [timed("cold", cold)]
    index = open_existing(path)
    vectors = iter(embedder.queries([""] * 10_000))
    times += [
        asked("words", lambda query: index.lexical(query, DEPTH, None), queries),
        asked("words, as a guest", lambda query: index.lexical(query, DEPTH, guest), queries),
        asked("vectors", lambda query: index.nearest(next(vectors), DEPTH, None), queries),
        asked(
            "vectors, as a guest", lambda query: index.nearest(next(vectors), DEPTH, guest), queries
        ),
        asked("both", lambda query: search(index, embedder, query, limit=5), queries),
        timed("delete a document", lambda: index.delete(["d1"])),
        timed("delete 100", lambda: index.delete([f"d{number}" for number in range(2, 102)])),
        asked("words, after it", lambda query: index.lexical(query, DEPTH, None), queries),
        timed("vectors, after it", lambda: index.nearest(next(vectors), DEPTH, None)),
    ]
    index.close()
    lines += [(cells if not at else [""] * 4) + time.cells() for at, time in enumerate(times)]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="the built set natspec-docs")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    args = parser.parse_args()
    lines = []
    for num_chunks in args.sizes:
        with tempfile.TemporaryDirectory() as place:
            lines += measured(args.folder, num_chunks, Path(place))
    print(table(HEADER, lines))


if __name__ == "__main__":
    main()
