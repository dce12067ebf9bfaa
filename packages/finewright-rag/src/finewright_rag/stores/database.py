"""The SQLite file of an index: made, opened, told from other files, and its errors said in one line."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from finewright.errors import DataError
from finewright_rag.search.calibration import with_tuned
from finewright_rag.stores.index import FORMAT, About, NoIndex

_APPLICATION_ID = 0x46574947  # "FWIG": in the file's header, where `file` and others look
_SECURE_DELETE_SINCE = (3, 42)
_READ_WAIT_MS = 30_000
_WRITE_WAIT_MS = 1_000
_CACHE_KIB = 256 * 1024
_PAGE_SIZE_AT, _NUM_PAGES_AT, _HEADER = 16, 28, 100
_INDEX_AGAIN = "delete the file and index the documents again"
# Marks are letters of many scripts; SQLite would cut words at them.
TOKENIZER = "porter unicode61 remove_diacritics 2 categories 'L* N* Co M*'"
_SCHEMA = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE documents (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, title TEXT NOT NULL, source TEXT NOT NULL,
    license TEXT NOT NULL, sha256 TEXT NOT NULL
);
CREATE TABLE readers (
    document INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (document, name)
) WITHOUT ROWID;
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL REFERENCES documents (id),
    number INTEGER NOT NULL, heading_path TEXT NOT NULL, starts INTEGER NOT NULL, ends INTEGER NOT NULL,
    text TEXT NOT NULL, names TEXT NOT NULL, words TEXT, num_words INTEGER NOT NULL
);
CREATE INDEX chunk_places ON chunks (document, num_words);
CREATE TABLE vectors (chunk INTEGER PRIMARY KEY, vector BLOB NOT NULL);
CREATE VIEW searched AS SELECT id, names, coalesce(words, text) AS words FROM chunks;
CREATE VIRTUAL TABLE found USING fts5 (
    names, words, content = 'searched', content_rowid = 'id', tokenize = "TOKENIZER"
);
""".replace("TOKENIZER", TOKENIZER)


class _Said(NamedTuple):
    what: str
    hint: str


_SAID = {
    sqlite3.SQLITE_BUSY: _Said(
        "another process is writing to the index", "wait until it is done, then repeat the command"
    ),
    sqlite3.SQLITE_FULL: _Said(
        "the disk is full; the index is as it was", "free some space, then repeat the command"
    ),
    sqlite3.SQLITE_READONLY: _Said(
        "the index cannot be written: the file or its folder is read-only",
        "make them writable, or index to another place",
    ),
    sqlite3.SQLITE_CANTOPEN: _Said(
        "the file cannot be opened or made", "check the path and its permissions"
    ),
    sqlite3.SQLITE_CORRUPT: _Said("the index is damaged", _INDEX_AGAIN),
    sqlite3.SQLITE_NOTADB: _Said("not an index: no SQLite file", "name another file"),
}


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turn any error of SQLite in the block into one line about `path` with a mend."""
    try:
        yield
    except sqlite3.Error as error:
        # The low byte is the kind, the others say more of it.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        said = _SAID.get(code, _Said(f"SQLite refused: {error}", "check the disk, then repeat"))
        raise DataError(f"{path}: {said.what}", hint=said.hint) from None


@contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """`sqlite_errors` of a block that only reads: what it cannot make sense of is damaged."""
    with sqlite_errors(path):
        try:
            yield
        except (ValueError, TypeError, IndexError):
            damaged = _SAID[sqlite3.SQLITE_CORRUPT]
            raise DataError(f"{path}: {damaged.what}", hint=damaged.hint) from None


@contextmanager
def _os_errors(path: Path) -> Iterator[None]:
    """Turn any OSError of the block into one line about `path` with a mend."""
    try:
        yield
    except OSError as error:
        hint = "check the path and its permissions"
        raise DataError(f"{path}: {error.strerror or error}", hint=hint) from None


def connect_file(path: Path) -> tuple[sqlite3.Connection, About]:
    """The index in the file and what it was made with; anything else there is refused by name."""
    with read_errors(path), _os_errors(path):
        if path.is_dir():
            raise DataError(
                f"{path}: no index: a folder",
                hint="`finewright rag index` makes one of its documents: then name the file that it writes",
            )
        if not path.is_file():
            hint = "make it with finewright rag index"
            raise NoIndex(f"{path}: no index: no such file", hint=hint)
        connection = _connection(path, "rw")
        try:
            return connection, _check_file(connection, path)
        except BaseException:
            connection.close()
            raise


def start_file(path: Path, about: About) -> sqlite3.Connection:
    """A connection in a transaction that makes the index; nobody sees it before that is committed."""
    with sqlite_errors(path), _os_errors(path):
        if path.is_dir():
            raise DataError(
                f"{path}: a folder; an index is a file",
                hint="name a file to write, such as index.sqlite",
            )
        if not path.parent.is_dir():
            raise DataError(f"{path}: the folder {path.parent} is not there", hint="make it first")
        is_first = not path.exists()
        connection = _connection(path, "rwc")
        try:
            begin(connection)
            if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
                raise DataError(f"{path}: already there", hint="open it, or delete the file first")
            _fill(connection, about)
        except BaseException:
            connection.close()
            if is_first:
                path.unlink(missing_ok=True)
            raise
    return connection


def begin(connection: sqlite3.Connection) -> None:
    """Begin to write, without long waiting for another who does."""
    connection.execute(f"PRAGMA busy_timeout = {_WRITE_WAIT_MS}")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(f"PRAGMA busy_timeout = {_READ_WAIT_MS}")


def erase_tokens(connection: sqlite3.Connection) -> None:
    """Leave nothing of the words that were deleted, also where SQLite only marks them."""
    if sqlite3.sqlite_version_info < _SECURE_DELETE_SINCE:
        connection.execute("INSERT INTO found (found) VALUES ('optimize')")


def _connection(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=_READ_WAIT_MS / 1000,
    )
    try:
        _set_up(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_up(connection: sqlite3.Connection) -> None:
    # A journal beside the file, not a log: a file alone can be copied, and read in a read-only folder.
    # What is deleted is overwritten; the cache keeps a transaction off the file while others read it.
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    # Outside of any transaction, which would take them away when it is undone.
    for name, kind in (("term", "row"), ("place", "instance")):
        connection.execute(
            f"CREATE VIRTUAL TABLE temp.{name} USING fts5vocab (main, found, {kind})"
        )


def _fill(connection: sqlite3.Connection, about: About) -> None:
    # Not executescript, which would commit.
    for statement in _SCHEMA.split(";\n"):
        connection.execute(statement)
    if sqlite3.sqlite_version_info >= _SECURE_DELETE_SINCE:
        connection.execute("INSERT INTO found (found, rank) VALUES ('secure-delete', 1)")
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {FORMAT}")
    facts = {
        "embedder": about.embedder,
        "dimensions": about.dimensions,
        "chunk_chars": about.chunk_chars,
        "weights": dict(about.weights),
    }
    rows = [(name, json.dumps(value)) for name, value in facts.items()]
    connection.executemany("INSERT INTO about VALUES (?, ?)", rows)


def _check_file(connection: sqlite3.Connection, path: Path) -> About:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        if path.stat().st_size:
            raise DataError(f"{path}: not an index: no SQLite file", hint="name another file")
        raise NoIndex(f"{path}: no index: the file is empty", hint=_INDEX_AGAIN)
    if connection.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION_ID:
        raise DataError(f"{path}: a SQLite file, but not an index", hint="name another file")
    if version > FORMAT:
        raise DataError(
            f"{path}: made by a newer finewright (format {version}, this one reads {FORMAT})",
            hint="pip install --upgrade finewright",
        )
    with path.open("rb") as file:
        header = file.read(_HEADER)
    page_size = int.from_bytes(header[_PAGE_SIZE_AT : _PAGE_SIZE_AT + 2])
    num_pages = int.from_bytes(header[_NUM_PAGES_AT : _NUM_PAGES_AT + 4])
    # 65,536 does not fit its two bytes and is written as 1.
    if num_pages * (65_536 if page_size == 1 else page_size) > path.stat().st_size:
        raise DataError(f"{path}: the index is damaged: the file is cut off", hint=_INDEX_AGAIN)
    facts = {name: json.loads(value) for name, value in connection.execute("SELECT * FROM about")}
    return with_tuned(About(format=version, **facts), _read_tuning(connection))


def keep_tuned(connection: sqlite3.Connection, tuned: str) -> None:
    """Keep it in a table of its own, which earlier versions pass over."""
    connection.execute("CREATE TABLE IF NOT EXISTS tuned (value TEXT NOT NULL)")
    connection.execute("DELETE FROM tuned")
    connection.execute("INSERT INTO tuned VALUES (?)", (tuned,))


def _read_tuning(connection: sqlite3.Connection) -> str | None:
    """None for an index that an earlier version made, which has no such table."""
    is_there = "SELECT count(*) FROM sqlite_schema WHERE name = 'tuned'"
    if not connection.execute(is_there).fetchone()[0]:
        return None
    found = connection.execute("SELECT value FROM tuned").fetchone()
    return str(found[0]) if found else None
