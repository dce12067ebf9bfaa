"""The SQLite index keeps the promises of every index, and those of a single file."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from finewright.errors import DataError
from finewright.schema.passages import Counts, Document
from finewright_rag.conformance.documents import (
    ALLOWANCES,
    DIMENSIONS,
    FEES,
    Store,
    about,
    direction,
    document,
    find_by_words,
    make_indexed,
    near,
)
from finewright_rag.conformance.index import IndexConformance
from finewright_rag.indexing.chunk import chunks
from finewright_rag.stores import database, lexical, sqlite
from finewright_rag.stores.index import Index, IndexChanges, Indexed, NoIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[4]
WORDS_ALONE = about(dimensions=0)


class FileStore(Store):
    @property
    def path(self) -> Path:
        return Path(self.address)


@pytest.fixture
def store() -> Iterator[FileStore]:
    # Every change waits for the disk, where memory serves as well.
    memory = Path("/dev/shm")  # noqa: S108 - a folder of our own in it
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield FileStore(
            f"{folder}/index.sqlite",
            lambda: b"".join(file.read_bytes() for file in Path(folder).iterdir()),
        )


@pytest.fixture
def path(store: FileStore) -> Path:
    """An index of two documents, closed."""
    index = store.create(about())
    index.put([make_indexed(ALLOWANCES), make_indexed(FEES, direction(0, 0, 1))])
    index.close()
    return store.path


class TestSqliteIndex(IndexConformance):
    """See `IndexConformance`."""


def of_words(text: str, id: str = "d") -> Indexed:
    given = document(id, text)
    return Indexed(given, chunks(given, 200), None)


def word(draw: random.Random) -> str:
    return "".join(draw.choices("bcdfghjklmnpqrtvwxz", k=14))


# Ranking


def test_scores_are_those_of_sqlite_itself(store: FileStore):
    draw = random.Random(7)  # noqa: S311
    known = [word(draw) for _ in range(60)]
    texts = [" ".join(draw.choices(known, k=draw.randint(3, 25))) for _ in range(80)]
    index = store.create(WORDS_ALONE)
    index.put(of_words(f"# {known[n % 7]}\n\n{text}", f"d{n}") for n, text in enumerate(texts))
    index.close()
    theirs = sqlite3.connect(store.path)
    again = store.open()
    for _ in range(20):
        query = draw.sample(known, 5)
        expected = theirs.execute(
            "SELECT rowid, -bm25(found, 3, 1) AS score FROM found WHERE found MATCH ?"
            " ORDER BY score DESC, rowid LIMIT 10",
            (" OR ".join(query),),
        ).fetchall()
        ours = again.lexical(" ".join(query), 10, None)
        np.testing.assert_allclose([r.score for r in ours], [s for _, s in expected], rtol=1e-5)
        assert {r.chunk_id for r in ours[:9]} == {n for n, _ in expected[:9]}
    theirs.close()
    again.close()


def test_who_sees_some_documents_searches_as_if_there_were_no_others(
    store: FileStore, tmp_path: Path
):
    draw = random.Random(3)  # noqa: S311
    known = [word(draw) for _ in range(30)]
    documents = [
        document(
            f"d{n}", " ".join(draw.choices(known[n % 2 :], k=12)), groups=("hr",) * (n % 3 > 0)
        )
        for n in range(60)
    ]
    secret = document("secret", " ".join([word(draw)] * 12), groups=("hr",))
    whole, alone = store.create(WORDS_ALONE), sqlite.create(tmp_path / "alone", WORDS_ALONE)
    whole.put(Indexed(each, chunks(each, 400), None) for each in [*documents, secret])
    alone.put(Indexed(each, chunks(each, 400), None) for each in documents if not each.groups)
    for _ in range(20):
        query = " ".join([*draw.sample(known, 4), secret.text.split()[0]])
        found, expected = (
            {index.passages([each.chunk_id])[0].document: each.score for each in ranked}
            for index, ranked in (
                (whole, whole.lexical(query, 30, frozenset())),
                (alone, alone.lexical(query, 30, None)),
            )
        )
        assert found == pytest.approx(expected, rel=1e-5)
        assert len(found) > 3
        assert whole.ceiling(query, frozenset()) == pytest.approx(alone.ceiling(query), rel=1e-5)
        assert whole.ceiling(query) != pytest.approx(alone.ceiling(query), rel=1e-3)
    whole.close()
    alone.close()


def test_words_of_nearly_every_chunk_count_only_where_there_is_no_other(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(lexical, "_COMMON", 2)
    index = store.create(WORDS_ALONE)
    index.put(of_words(f"The fee. {'Charges too.' * (n == 3)}", f"d{n}") for n in range(9))
    assert find_by_words(index, "the charges") == ["d3"]
    assert len(find_by_words(index, "the fee")) == 9
    index.close()


def test_words_are_read_again_when_too_many_are_kept(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(lexical, "_MOST_KEPT", 1)
    index = store.create(WORDS_ALONE)
    index.put([of_words("Fees and charges.", "a"), of_words("Charges and dues.", "b")])
    for _ in range(2):
        assert find_by_words(index, "charges") == ["a", "b"]
        assert find_by_words(index, "fees charges")[0] == "a"
        assert find_by_words(index, "dues") == ["b"]
    index.close()


@pytest.mark.parametrize("query", ["手", "料", "数"])
def test_a_single_character_is_found_anywhere_in_a_run(store: FileStore, query: str):
    index = store.create(WORDS_ALONE)
    index.put([of_words("手数料", "a"), of_words("毎月", "b")])
    assert find_by_words(index, query) == ["a"]
    index.close()


def test_a_crowd_of_vectors_is_searched_exactly(store: FileStore):
    draw = np.random.default_rng(3)
    rows = draw.standard_normal((500, DIMENSIONS)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    index = store.create(about())
    index.put(make_indexed(document(f"d{n}", "Text."), row) for n, row in enumerate(rows))
    for query in rows[:5]:
        expected = np.argsort(-(rows.astype(np.float16).astype(np.float32) @ query))[:20]
        assert near(index, query, limit=20) == [f"d{n}" for n in expected]
    index.close()


# What is deleted is gone


@pytest.mark.parametrize("version", [(3, 41, 0), sqlite3.sqlite_version_info])
def test_no_word_of_many_deleted_documents_is_left_in_the_file(
    store: FileStore, monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int]
):
    # Before 3.42, FTS5 cannot erase a word in its place.
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    draw = random.Random(5)  # noqa: S311
    common = [word(draw) for _ in range(300)]
    own = {f"d{n}": [word(draw) for _ in range(3)] for n in range(150)}
    index = store.create(WORDS_ALONE)
    texts = [(name, draw.choices(common, k=30) + words) for name, words in own.items()]
    for start in range(0, 150, 15):
        batch = texts[start : start + 15]
        index.put(of_words(" ".join(draw.sample(text, len(text))), name) for name, text in batch)
    gone = draw.sample(list(own), 60)
    before = store.path.read_bytes()
    # Within the index of words a term has only what it does not share with the one before.
    assert all(before.count(one[-8:].encode()) >= 2 for name in gone for one in own[name])
    index.delete(gone[:30])
    index.put(of_words("Nothing.", name) for name in gone[30:])
    after = store.path.read_bytes()
    assert not [one for name in gone for one in own[name] if one[-8:].encode() in after]
    kept = set(own) - set(gone)
    assert all(find_by_words(index, own[name][0]) == [name] for name in kept)
    index._connection.execute("INSERT INTO found (found, rank) VALUES ('integrity-check', 1)")
    index.close()
    assert [file.name for file in store.path.parent.iterdir()] == ["index.sqlite"]


def test_no_byte_of_a_deleted_vector_is_left(store: FileStore):
    rare = direction(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
    index = store.create(about())
    index.put([make_indexed(FEES, direction(1)), make_indexed(document("rare", "Text."), rare)])
    kept = rare.astype("<f2").tobytes()
    assert kept in store.path.read_bytes()
    index.delete(["rare"])
    assert kept not in store.path.read_bytes()
    index.close()


# One file, many processes

_KILLED = """
import os, signal, sys
from pathlib import Path
from finewright_rag.stores import sqlite
from finewright_rag.stores.index import FORMAT, About
from rag.test_sqlite import of_words

path = Path(sys.argv[1])
if path.exists():
    index = sqlite.open_existing(path)
else:
    index = sqlite.create(path, About(FORMAT, "", 0, 200, {}))
index._connection.execute("PRAGMA cache_size = 5")  # so that pages reach the file before the end

def batch():
    for n in range(300):
        yield of_words(f"Text {n} of many words. " * 20, f"new-{n}")
    os.kill(os.getpid(), signal.SIGKILL)

index.put(batch())
"""


def killed(path: Path) -> None:
    # Whoever ran the command line before in this process takes the working folder from the path of others.
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    run = subprocess.run([sys.executable, "-c", _KILLED, str(path)], cwd=ROOT, env=env, check=False)
    assert run.returncode == -signal.SIGKILL
    assert path.with_name(f"{path.name}-journal").exists()


def test_a_writer_killed_in_the_middle_leaves_the_old_index(store: FileStore):
    index = store.create(WORDS_ALONE)
    index.put([of_words("Monthly charges.", "fees")])
    index.close()
    size = store.path.stat().st_size
    killed(store.path)
    assert store.path.stat().st_size > size
    index = store.open()
    assert index.digests().keys() == {"fees"}
    assert find_by_words(index, "charges") == ["fees"]
    index.put([of_words("More.", "more")])
    index.close()
    assert [file.name for file in store.path.parent.iterdir()] == ["index.sqlite"]


def test_a_maker_killed_in_the_middle_leaves_no_index_and_room_for_one(store: FileStore):
    killed(store.path)
    with pytest.raises(NoIndex, match="no index: the file is empty"):
        store.open()
    index = store.create(about())
    index.put([make_indexed(FEES)])
    assert index.counts() == Counts(1, 1)
    index.close()


def test_an_index_that_nothing_was_put_in_leaves_no_file(store: FileStore):
    index = store.create(about())
    assert index.counts() == Counts(0, 0)
    assert index.lexical("charges", 5, None) == index.nearest(direction(1), 5, None) == []
    index.close()
    assert not [*store.path.parent.iterdir()]


def test_an_index_whose_first_documents_fail_leaves_no_file(store: FileStore):
    index = store.create(about())
    with pytest.raises(DataError, match="its vectors are"):
        index.put([make_indexed(FEES), of_words("Text.")])
    assert not [*store.path.parent.iterdir()]
    index.close()


def test_an_empty_batch_makes_an_index(store: FileStore):
    index = store.create(about())
    assert index.put([]) == IndexChanges(0, 0, 0)
    index.close()
    with closing(store.open()) as empty:
        assert empty.counts() == Counts(0, 0)


def test_the_file_can_be_read_while_another_writes(store: FileStore, path: Path):
    reader, writer = store.open(), store.open()

    def batch() -> Iterator[Indexed]:
        for n in range(50):
            yield make_indexed(document(f"new-{n}", "New charges."), direction(0, 1))
            assert find_by_words(reader, "charges") == ["fees"]
            assert near(reader, direction(0, 1), limit=1) == ["allowances"]
        assert len(find_by_words(writer, "charges")) == 51

    writer.put(batch())
    assert len(find_by_words(reader, "charges")) == 51
    assert near(reader, direction(0, 1), limit=1) == ["new-0"]
    reader.close()
    writer.close()


def test_what_was_read_of_an_undone_change_is_forgotten(store: FileStore, path: Path):
    index = store.open()

    def batch() -> Iterator[Indexed]:
        yield make_indexed(document("new", "New charges."), direction(0, 1))
        assert near(index, direction(0, 1), limit=1) == ["new"]
        assert set(find_by_words(index, "charges")) == {"new", "fees"}
        raise DataError("broken")

    with pytest.raises(DataError, match="broken"):
        index.put(batch())
    index.put([make_indexed(document("other", "Other fees."), direction(0, 0, 0, 1))])
    assert near(index, direction(0, 0, 0, 1), limit=1) == ["other"]
    assert find_by_words(index, "charges") == ["fees"]
    index.close()


def test_threads_may_share_an_index(store: FileStore, path: Path):
    index = store.open()

    def use(n: int) -> bool:
        index.put([make_indexed(document(f"new-{n}", f"Charges {n}."), direction(0, 1))])
        return (
            f"new-{n}" in find_by_words(index, "charges")
            and len(near(index, direction(1), limit=3)) == 3
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(use, range(24)))
    assert index.counts().documents == 26
    index.close()


def test_a_copy_of_the_file_is_an_index(store: FileStore, path: Path):
    copy = path.with_name("a copy #1?.sqlite")
    shutil.copy(path, copy)
    index = sqlite.open_existing(copy)
    assert find_by_words(index, "charges") == ["fees"]
    index.close()


# Refusals


def refused(run: Callable[[], object]) -> str:
    with pytest.raises(DataError) as raised:
        run()
    assert "\n" not in str(raised.value)
    assert raised.value.hint
    return str(raised.value)


def test_a_second_writer_is_told_of_the_first(
    store: FileStore, path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(database, "_WRITE_WAIT_MS", 1)
    first, second = store.open(), store.open()
    said = []

    def batch() -> Iterator[Indexed]:
        said.append(refused(lambda: second.put([])))
        said.append(refused(lambda: second.delete(["fees"])))
        yield make_indexed(document("new", "Text."))

    assert first.put(batch()).added == 1
    assert said == [f"{path}: another process is writing to the index"] * 2
    assert second.delete(["fees"]) == 1
    first.close()
    second.close()


def test_a_second_maker_is_told_of_the_first(store: FileStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(database, "_WRITE_WAIT_MS", 1)
    index = store.create(about())
    assert "another process is writing" in refused(lambda: store.create(about()))
    index.put([make_indexed(FEES)])
    index.close()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no index: the file is empty"),
        (b"# Notes\n" * 200, "not an index: no SQLite file"),
        (b"x", "not an index: no SQLite file"),
    ],
)
def test_other_files_are_told_apart(store: FileStore, content: bytes, said: str):
    store.path.write_bytes(content)
    assert refused(store.open) == f"{store.path}: {said}"
    assert store.path.read_bytes() == content


def test_a_database_of_another_program_is_told_apart(store: FileStore):
    other = sqlite3.connect(store.path)
    other.execute("CREATE TABLE documents (id)")
    other.close()
    assert refused(store.open) == f"{store.path}: a SQLite file, but not an index"
    assert "already there" in refused(lambda: store.create(about()))


def test_a_newer_format_is_refused_by_name(store: FileStore, path: Path):
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 7")
    newer.close()
    assert refused(store.open) == f"{path}: made by a newer finewright (format 7, this one reads 1)"


@pytest.mark.parametrize("kept", [0.99, 0.5, 0.1])
def test_a_file_that_is_cut_off_is_refused(store: FileStore, path: Path, kept: float):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    assert refused(store.open).startswith(f"{path}: the index is damaged")


def test_a_folder_and_a_missing_one_are_told(store: FileStore, tmp_path: Path):
    assert "no index: a folder" in refused(lambda: sqlite.open_existing(tmp_path))
    assert "an index is a file" in refused(lambda: sqlite.create(tmp_path, about()))
    nowhere = tmp_path / "none" / "index.sqlite"
    assert "no such file" in refused(lambda: sqlite.open_existing(nowhere))
    assert "is not there" in refused(lambda: sqlite.create(nowhere, about()))


def test_a_full_disk_leaves_the_index_as_it_was(store: FileStore, path: Path):
    index = store.open()
    index._connection.execute("PRAGMA max_page_count = 40")
    crowd = (make_indexed(document(f"new-{n}", "Many words. " * 50)) for n in range(200))
    assert "the disk is full" in refused(lambda: index.put(crowd))
    assert index.counts() == Counts(2, 3)
    assert find_by_words(index, "charges") == ["fees"]
    index.close()


def test_a_disk_that_is_full_at_once_is_left_without_a_file(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(database, "_SCHEMA", "PRAGMA max_page_count = 3;\n" + database._SCHEMA)
    assert "the disk is full" in refused(lambda: store.create(about()))
    assert not [*store.path.parent.iterdir()]


def test_an_index_that_cannot_be_written_can_be_read(store: FileStore, path: Path):
    index = store.open()
    index._connection.execute("PRAGMA query_only = ON")
    assert "read-only" in refused(lambda: index.put([make_indexed(document("new", "Text."))]))
    assert find_by_words(index, "charges") == ["fees"]
    assert near(index, direction(0, 0, 1), limit=1) == ["fees"]
    index.close()


def test_a_text_that_is_none_is_refused_by_its_source(store: FileStore, path: Path):
    index = store.open()
    said = refused(lambda: index.put([make_indexed(document("odd", "half \ud83d pair"))]))
    assert said.startswith("docs/odd.md: the document 'odd' is no valid text")
    assert index.counts() == Counts(2, 3)
    index.close()


def test_vectors_of_another_length_are_refused(store: FileStore, path: Path):
    index = store.open()
    wrong = Indexed(FEES, chunks(FEES, 200), np.ones((1, 3), np.float32))
    other = wrong._replace(document=Document("other", FEES.text, source="other.md", sha256="1"))
    assert refused(lambda: index.put([other])).startswith("other.md: its vectors are (1, 3)")
    index.close()


@pytest.mark.parametrize("seed", range(30))
def test_a_damaged_file_is_told_or_harmless(store: FileStore, path: Path, seed: int):
    draw = random.Random(seed)  # noqa: S311
    content = bytearray(path.read_bytes())
    for _ in range(draw.choice([1, 20, 2000])):
        content[draw.randrange(100, len(content))] = draw.randrange(256)
    path.write_bytes(content)
    said = [
        told(store, run)
        for run in (
            lambda index: find_by_words(index, "charges allowance the"),
            lambda index: near(index, direction(1)),
            lambda index: index.put([make_indexed(document("fees", "Other charges."))]),
            lambda index: index.delete(["allowances", "fees"]),
        )
    ]
    assert all(line.startswith(str(path)) and "\n" not in line for line in said if line)


def told(store: FileStore, run: Callable[[Index], object]) -> str:
    try:
        with closing(store.open()) as index:
            run(index)
    except DataError as error:
        return str(error)
    return ""
