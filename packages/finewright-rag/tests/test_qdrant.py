"""The conformance suite on a folder of Qdrant's local mode, and what only Qdrant can get wrong."""

import contextlib
import gc
import json
import logging
import math
import re
import shutil
import signal
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest

from finewright.errors import DataError
from finewright.schema.passages import Counts, Document
from finewright_rag.conformance.documents import (
    ALLOWANCES,
    FEES,
    Store,
    about,
    direction,
    document,
    find_by_words,
    make_indexed,
)
from finewright_rag.conformance.index import IndexConformance
from finewright_rag.indexing.chunk import chunks
from finewright_rag.stores.index import Index, NoIndex

pytest.importorskip("qdrant_client", reason='needs pip install "finewright[qdrant]"')
pytest.importorskip("snowballstemmer", reason='needs pip install "finewright[qdrant]"')

from qdrant_client import QdrantClient, models
from qdrant_client.local.persistence import CollectionPersistence

from finewright_rag.stores.qdrant import index as qdrant
from finewright_rag.stores.qdrant.points import Points


class Folder(Store):
    """A folder that holds one index."""

    @property
    def path(self) -> Path:
        return Path(self.address.removeprefix("qdrant:"))

    def speaking(self, language: str) -> Store:
        return Store(f"{self.address}?language={language}")


@pytest.fixture
def all_is_collected() -> Iterator[None]:
    """The library itself leaves a damaged or half-made collection's connection open: let no other test
    be told of it."""
    yield
    gc.collect()


@pytest.fixture
def store() -> Iterator[Folder]:
    # The client writes each point to the disk by itself, where memory serves as well.
    memory = Path("/dev/shm")  # noqa: S108 - a folder of our own in it
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as above:
        path = Path(above) / "index"
        yield Folder(
            f"qdrant:{path}",
            lambda: b"".join(p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()),
        )


@pytest.fixture
def index(store: Folder) -> Iterator[Index]:
    index = store.create(about())
    index.put([make_indexed(ALLOWANCES, direction(1)), make_indexed(FEES, direction(0, 0, 1))])
    yield index
    index.close()


def refused(match: str) -> "pytest.RaisesExc[DataError]":
    """One line that says so, with a mend."""

    def is_one_line(error: DataError) -> bool:
        return "\n" not in str(error) and bool(error.hint)

    return pytest.raises(DataError, match=match, check=is_one_line)


class TestQdrant(IndexConformance):
    def test_an_update_is_seen_by_who_has_the_index_open(self, store: Folder, index: Index):
        """A folder is one process's; what is promised instead is a refusal."""
        with refused("another process has the folder open"):
            store.open()
        assert find_by_words(index, "charges") == ["fees"]


def test_words_are_ranked_by_bm25_with_the_mean_length_of_the_first_chunks(store: Folder):
    texts = {"a": "fee " * 3 + "rest " * 20, "b": "fee fee", "c": "other words", "d": "fee " * 40}
    index = store.create(about(dimensions=0))
    documents = [document(id, text.strip()) for id, text in texts.items()]
    index.put([make_indexed(each)._replace(vectors=None) for each in documents])
    index.put([make_indexed(document("later", "much " * 99))._replace(vectors=None)])
    ranked = index.lexical("fees", 10, None)
    scores = {p.document: r.score for r, p in zip(
        ranked, index.passages([r.chunk_id for r in ranked]), strict=True)}  # fmt: skip
    num_chunks = index.counts().chunks
    idf = math.log(1 + (num_chunks - 3 + 0.5) / (3 + 0.5))
    mean = (23 + 2 + 2 + 40) / 4
    expected = {
        id: idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * length / mean))
        for id, (tf, length) in {"a": (3, 23), "b": (2, 2), "d": (40, 40)}.items()
    }
    index.close()
    assert scores == pytest.approx(expected, rel=1e-5)


def test_another_language_has_its_own_stems(store: Folder):
    index = store.speaking("german").create(about(dimensions=0))
    index.put([make_indexed(document("häuser", "Die Häuser waren teuer."))._replace(vectors=None)])
    assert find_by_words(index, "Haus") == ["häuser"]
    index.close()
    again = store.open()
    assert find_by_words(again, "hausern") == ["häuser"]
    again.close()
    with refused("holds stems of german, asked for with french"):
        store.speaking("french").open()
    with refused("no stemming for 'klingon'"):
        store.speaking("klingon").create(about())


@pytest.mark.parametrize("cut_off_at", ["upsert", "delete", "set"])
def test_the_old_index_is_whole_again_after_a_put_that_was_killed(
    store: Folder, index: Index, monkeypatch: pytest.MonkeyPatch, cut_off_at: str
):
    """The last writing call of each kind is where the process dies."""
    changed = document("fees", "# Fees\n\nNothing is taken.")
    calls = {"upsert": 2, "delete": 1, "set": 2}[cut_off_at]
    real = getattr(Points, cut_off_at)

    def dies(points: Points, *args: object) -> None:
        nonlocal calls
        calls -= 1
        if calls <= 0:
            raise KeyboardInterrupt
        real(points, *args)

    with monkeypatch.context() as patched:
        patched.setattr(Points, cut_off_at, dies)
        with pytest.raises(KeyboardInterrupt):
            index.put([make_indexed(changed)])
    index.close()
    again = store.open()
    is_done = again.digests()["fees"] == changed.sha256
    assert is_done is (cut_off_at != "upsert")
    assert find_by_words(again, "monthly") == ([] if is_done else ["fees"])
    assert find_by_words(again, "nothing") == (["fees"] if is_done else [])
    assert again.counts() == Counts(2, 3)
    again.put([make_indexed(changed)])
    assert find_by_words(again, "monthly nothing") == ["fees"]
    again.close()


class Content(NamedTuple):
    """Documents by id with the one word that each has in all of its chunks, and their directions."""

    documents: dict[str, Document]
    words: dict[str, str]

    def put(self, index: Index) -> None:
        """As `rag index --prune` does."""
        index.put([make_indexed(each, DIRECTIONS[word]) for each, word in self._each()])
        index.delete([id for id in index.digests() if id not in self.documents])

    def _each(self) -> Iterator[tuple[Document, str]]:
        return ((each, self.words[id]) for id, each in self.documents.items())


def content(**words: str) -> Content:
    texts = {id: f"# {word}\n\nThe {word}.\n\n## More\n\n{word}s." for id, word in words.items()}
    return Content({id: document(id, text) for id, text in texts.items()}, words)


BEFORE = content(a="apple", b="bread", c="cheese", d="dough")
AFTER = content(a="apple", b="butter", c="cream", e="egg")
EVERY_WORD = sorted({*BEFORE.words.values(), *AFTER.words.values()})
DIRECTIONS = {word: direction(*[0] * at, 1) for at, word in enumerate(EVERY_WORD)}


def holds(index: Index, words: dict[str, str]) -> bool:
    """Documents of these ids that have these words, whole, by words and by vectors, and no other chunk?"""
    by_word = {word: sorted(id for id in words if words[id] == word) for word in EVERY_WORD}
    every = content(**words).documents
    return (
        index.digests() == {id: each.sha256 for id, each in every.items()}
        and index.counts() == Counts(len(every), sum(len(chunks(d, 200)) for d in every.values()))
        and {word: find_by_words(index, word) for word in EVERY_WORD} == by_word
        and {word: _nearest(index, word) for word in EVERY_WORD} == by_word
    )


def _nearest(index: Index, word: str) -> list[str]:
    best = [r.chunk_id for r in index.nearest(DIRECTIONS[word], 100, None) if r.score > 0.5]
    return sorted({passage.document for passage in index.passages(best)})


class Cut:
    """Something happens after so many writes, and the process may be dead from there on."""

    def __init__(self, after: int, act: Callable[[], object], *, is_dead: bool) -> None:
        self.left, self.act, self.is_dead = after, act, is_dead

    def patch(self, patched: pytest.MonkeyPatch, owner: type, *names: str) -> "Cut":
        for name in names:
            patched.setattr(owner, name, self._cutting(getattr(owner, name)))
        return self

    def _cutting(self, write: Callable) -> Callable:
        def cutting(*args: object) -> None:
            if self.left <= 0 and self.is_dead:
                raise Killed
            write(*args)
            self.left -= 1
            if self.left == 0:
                self.act()

        return cutting


class Killed(BaseException):
    """Nothing handles it, and nothing is written after it."""


def die() -> None:
    raise Killed


def interrupt() -> None:
    raise KeyboardInterrupt


def cuts(
    store: Folder, monkeypatch: pytest.MonkeyPatch, cut: Callable[[int], Cut], where: tuple
) -> Iterator[qdrant.QdrantIndex]:
    """The index that held BEFORE and was to hold AFTER, cut off after one write, after two, and so on."""
    index = store.create(about())
    BEFORE.put(index)
    index.close()
    kept = store.path.with_name("kept")
    shutil.copytree(store.path, kept)
    for after in count(1):
        index = store.open()
        with monkeypatch.context() as patched:
            one = cut(after).patch(patched, *where)
            with contextlib.suppress(KeyboardInterrupt, Killed):
                AFTER.put(index)
        is_cut = one.left <= 0
        if is_cut:
            yield index
        index._points.client.close()  # as a process that dies does
        shutil.rmtree(store.path)
        if not is_cut:
            assert after > 10
            return
        shutil.copytree(kept, store.path)


CALLS = (Points, "upsert", "set", "delete")
POINTS_ON_DISK = (CollectionPersistence, "persist", "delete")


@pytest.mark.parametrize("wanted", [BEFORE, AFTER], ids=["before", "after"])
def test_after_a_kill_at_any_write_the_next_update_makes_the_index_right(
    store: Folder, monkeypatch: pytest.MonkeyPatch, wanted: Content
):
    def cut(after: int) -> Cut:
        return Cut(after, die, is_dead=True)

    for index in cuts(store, monkeypatch, cut, POINTS_ON_DISK):
        index._points.client.close()
        again = store.open()
        sha256s = again.digests()
        words = {
            id: each.words[id]
            for each in (BEFORE, AFTER)
            for id in each.documents
            if sha256s.get(id) == each.documents[id].sha256
        }
        assert len(words) == len(sha256s)
        assert holds(again, words)
        wanted.put(again)
        assert holds(again, wanted.words)
        again.close()


@pytest.mark.parametrize("wanted", [BEFORE, AFTER], ids=["before", "after"])
def test_after_an_exception_at_any_request_the_same_process_makes_the_index_right(
    store: Folder, monkeypatch: pytest.MonkeyPatch, wanted: Content
):
    def cut(after: int) -> Cut:
        return Cut(after, interrupt, is_dead=False)

    for index in cuts(store, monkeypatch, cut, CALLS):
        wanted.put(index)
        assert holds(index, wanted.words)
        index.close()
        again = store.open()
        assert holds(again, wanted.words)
        again.close()


def test_ctrl_c_at_any_write_leaves_each_change_whole_or_undone(
    store: Folder, monkeypatch: pytest.MonkeyPatch
):
    def cut(after: int) -> Cut:
        return Cut(after, lambda: signal.raise_signal(signal.SIGINT), is_dead=False)

    put_alone = {**AFTER.words, "d": "dough"}
    for index in cuts(store, monkeypatch, cut, POINTS_ON_DISK):
        seen = [holds(index, words) for words in (BEFORE.words, put_alone, AFTER.words)]
        assert seen.count(True) == 1
        index.close()
        again = store.open()
        assert seen == [holds(again, words) for words in (BEFORE.words, put_alone, AFTER.words)]
        again.close()


@pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning")
@pytest.mark.usefixtures("all_is_collected")
def test_an_index_whose_making_was_killed_at_any_write_can_be_made_again(
    store: Folder, monkeypatch: pytest.MonkeyPatch
):
    for after in count(0):
        index = store.create(about())
        with monkeypatch.context() as patched:
            Cut(after, die, is_dead=True).patch(patched, *POINTS_ON_DISK)
            is_killed = True
            with contextlib.suppress(Killed):
                BEFORE.put(index)
                is_killed = False
        if not is_killed:
            break
        index._points.client.close()
        try:
            again = store.open()
        except NoIndex:
            again = store.create(about())
        BEFORE.put(again)
        assert holds(again, BEFORE.words)
        again.close()
        shutil.rmtree(store.path)
    assert after > 10
    assert holds(index, BEFORE.words)
    index.close()


def test_an_index_may_be_changed_in_a_thread_that_gets_no_signals(index: Index):
    thread = threading.Thread(target=index.remember, args=[{"lexical": 1.0, "dense": 0.5}])
    thread.start()
    thread.join()
    assert index.about.weights["dense"] == 0.5


@pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning")
@pytest.mark.usefixtures("all_is_collected")
def test_an_index_whose_making_was_cut_off_is_none_and_can_be_made_again(
    store: Folder, monkeypatch: pytest.MonkeyPatch
):
    index = store.create(about())
    with monkeypatch.context() as patched:
        patched.setattr(Points, "set", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            index.put([make_indexed(FEES)])
    index._points.client.close()  # as a process that dies does
    with refused("its making was cut off"):
        store.open()
    again = store.create(about())
    again.put([make_indexed(ALLOWANCES)])
    assert again.digests() == {"allowances": ALLOWANCES.sha256}
    again.close()


def test_an_index_into_which_nothing_was_put_leaves_no_folder(store: Folder):
    index = store.create(about())
    with pytest.raises(ZeroDivisionError):
        index.put(make_indexed(FEES) for _ in [1 / 0])
    assert index.counts() == Counts(0, 0)
    index.close()
    assert not store.path.exists()


def test_two_puts_at_once_do_not_mix(store: Folder, index: Index):
    def meanwhile() -> Iterator:
        yield make_indexed(document("mine", "Mine."))
        index._points.set({"changing": "another"}, [0])

    with refused("another process is changing this index"):
        index.put(meanwhile())
    assert find_by_words(index, "mine") == []
    assert index.counts() == Counts(2, 3)


def test_a_collection_of_another_program_is_left_alone(store: Folder):
    with QdrantClientOf(store.path) as client:
        client.create_collection(
            "finewright",
            vectors_config=models.VectorParams(size=2, distance=models.Distance.DOT),
        )
        client.upsert("finewright", [models.PointStruct(id=0, vector=[1, 2], payload={"a": 1})])
    with refused("another program's"):
        store.open()
    with refused("there is an index or another collection of this name"):
        store.create(about())


def test_a_folder_of_something_else_is_left_alone(store: Folder):
    store.path.mkdir()
    (store.path / "letter.txt").write_text("dear")
    with refused("no index there"):
        store.open()
    with refused("something else of this name"):
        store.create(about())
    assert [path.name for path in store.path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize(
    ("change", "match"),
    [({"format": 2}, "format 2, and this finewright reads 1"), ({"made_by": "x"}, "another pro")],
)
def test_a_newer_index_is_refused(store: Folder, index: Index, change: dict, match: str):
    index._points.set(change, [0])
    index.close()
    with refused(match):
        store.open()


@pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning")
@pytest.mark.usefixtures("all_is_collected")
@pytest.mark.parametrize("name", ["meta.json", "collection/finewright/storage.sqlite"])
def test_a_damaged_folder_is_told(store: Folder, index: Index, name: str):
    index.close()
    (store.path / name).write_bytes(b'{"collections": {"a": 1}}')
    with refused("damaged"):
        store.open()


def test_what_cannot_be_written_is_refused_before_anything_is(index: Index):
    with refused(r"docs/x\.md: has half of a surrogate pair"):
        index.put(
            [
                make_indexed(document("fees", "New.")),
                make_indexed(Document("x", "\ud800", source="docs/x.md")),
            ]
        )
    with refused("its vectors have the shape"):
        index.put(
            [make_indexed(document("short", "Short."))._replace(vectors=direction(1)[None, :3])]
        )
    with refused("3 dimensions|asked with 3"):
        index.nearest(direction(1)[:3], 1, None)
    assert index.counts() == Counts(2, 3)
    assert find_by_words(index, "new") == []


def test_a_chunk_that_has_gone_meanwhile_is_told(index: Index):
    chunk = index.lexical("charges", 1, None)[0].chunk_id
    index.delete(["fees"])
    with refused("replaced or deleted"):
        index.passages([chunk])
    with refused("replaced or deleted"):
        index.vectors([chunk])


def test_warnings_of_the_client_go_to_the_log(
    store: Folder, index: Index, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("qdrant_client.local.qdrant_local.QdrantLocal.LARGE_DATA_THRESHOLD", 1)
    index.close()
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING, "finewright_rag"):
        warnings.simplefilter("error")
        store.open().close()
    assert "not recommended for collections with more than 1 points" in caplog.text


class _Answer(BaseHTTPRequestHandler):
    """The same status and body to everybody."""

    status, body = 200, b""

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("content-length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def http_server() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), _Answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _nowhere(_: str) -> Path:
    raise AssertionError("a server has no path")


@pytest.mark.parametrize(
    ("status", "body", "match"),
    [
        (401, b"Must provide an API key", "does not take this key"),
        (403, b"Forbidden", "does not take this key"),
        (404, b"<html>", "no index there"),
        (500, json.dumps({"status": {"error": "disk\nfull"}}).encode(), "answered 500: disk$"),
        (502, b"<html>", "answered 502: is it Qdrant"),
        (200, b"<html>hello</html>", "the answer is not Qdrant's"),
        (200, json.dumps({"result": {"exists": False}}).encode(), "no index there"),
    ],
)
def test_what_a_server_refuses_is_one_line_without_the_key(
    http_server: HTTPServer, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, match: str
):
    monkeypatch.setenv("QDRANT_API_KEY", "s3cret")
    monkeypatch.setattr(_Answer, "status", status)
    monkeypatch.setattr(_Answer, "body", body)
    target = f"qdrant+http://127.0.0.1:{http_server.server_port}/handbook"
    with refused(match) as raised:
        qdrant.open_existing(target, _nowhere)
    assert "s3cret" not in f"{raised.value} {raised.value.hint}"
    assert "127.0.0.1" in str(raised.value)


def test_a_server_that_is_not_there_is_told(http_server: HTTPServer):
    port = http_server.server_port
    http_server.socket.close()
    with refused("no server there"):
        qdrant.create(f"qdrant+http://127.0.0.1:{port}/handbook", _nowhere, about())


@pytest.mark.parametrize(
    "target",
    [
        "qdrant:",
        "qdrant+ftp://host/a",
        "qdrant+http:///a",
        "qdrant+http://user:s3cret@host/a",
        "qdrant+http://host/a?api_key=s3cret",
        "qdrant+http://host:x/a",
        "qdrant+http://host:6333",
        "qdrant+http://host:6333/a*b",
    ],
)
def test_an_address_that_cannot_be_read_is_refused_unseen(target: str):
    with refused("cannot be read|names no collection") as raised:
        qdrant.open_existing(target, lambda _: Path("/nowhere"))
    assert not re.search("s3cret", f"{raised.value} {raised.value.hint}")


class QdrantClientOf:
    """Another program's client of the folder."""

    def __init__(self, path: Path) -> None:
        self.client = QdrantClient(path=str(path))

    def __enter__(self) -> QdrantClient:
        return self.client

    def __exit__(self, *_: object) -> None:
        self.client.close()
