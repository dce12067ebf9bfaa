"""The conformance suite on a real server, and what only PostgreSQL can get wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finewright.errors import DataError
from finewright.judge.searchable import words
from finewright.schema.passages import Counts, Document
from finewright_rag.conformance.documents import (
    ALLOWANCES,
    FEES,
    PAYROLL,
    Store,
    about,
    direction,
    document,
    find_by_words,
    make_indexed,
)
from finewright_rag.conformance.index import IndexConformance
from finewright_rag.stores.postgres import index as postgres
from postgres_server import APT_PACKAGES, PASSWORD, Server, has_pgvector, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from finewright_rag.stores.index import Index

_numbers = count()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as server:
        if not has_pgvector(server):
            pytest.skip(f"the server has no pgvector (Debian: {APT_PACKAGES})")
        server.run("postgres", f"CREATE ROLE guarded LOGIN PASSWORD '{PASSWORD}'")
        server.run("postgres", "CREATE ROLE clerk LOGIN")
        server.run("postgres", "CREATE DATABASE bare")
        server.run("postgres", "CREATE DATABASE clerks OWNER clerk")
        server.run("postgres", "CREATE DATABASE ascii ENCODING SQL_ASCII TEMPLATE template0")
        yield server


@dataclass(frozen=True)
class Schema(Store):
    """An index of its own name in the one database."""

    server: Server | None = None

    @property
    def name(self) -> str:
        return self.address.partition("#")[2]

    def speaking(self, language: str) -> Store:
        return Store(self.address.replace("#", f"&language={language}#"))


@pytest.fixture
def store(server: Server) -> Schema:
    return schema_of(server)


def schema_of(server: Server) -> Schema:
    address = f"{server.address('postgres')}#index_{next(_numbers)}"
    return Schema(address, server.content, server)


@pytest.fixture
def index(store: Schema) -> Iterator[Index]:
    index = store.create(about())
    index.put([make_indexed(ALLOWANCES, direction(1)), make_indexed(FEES, direction(0, 0, 1))])
    yield index
    index.close()


def refused(match: str) -> pytest.RaisesExc[DataError]:
    """One line that says so, with a mend, and no password."""

    def is_one_line(error: DataError) -> bool:
        said = f"{error} {error.hint}"
        return "\n" not in said and bool(error.hint) and "s3cret" not in said

    return pytest.raises(DataError, match=match, check=is_one_line)


class TestPostgres(IndexConformance):
    pass


def test_words_are_ranked_by_bm25(store: Schema):
    """The formula by hand, also where a word is there more often than anybody would write it."""
    texts = {"a": "fee " * 3 + "rest " * 20, "b": "fee fee", "c": "other words", "d": "fee " * 40,
             "e": "a " * 90 + "fee", "f": "fee of a bank"}  # fmt: skip
    index = store.create(about(dimensions=0))
    documents = [document(id, text.strip()) for id, text in texts.items()]
    index.put([make_indexed(each)._replace(vectors=None) for each in documents])
    ranked = index.lexical("fees, bank", 10, None)
    passages = index.passages([item.chunk_id for item in ranked])
    index.close()
    counted = {id: text.split() for id, text in texts.items()}
    mean = sum(map(len, counted.values())) / len(counted)

    def weight(word: str, of: list[str]) -> float:
        df = sum(word in every for every in counted.values())
        tf = of.count(word)
        idf = math.log(1 + (len(counted) - df + 0.5) / (df + 0.5))
        return idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * len(of) / mean))

    expected = {id: weight("fee", of) + weight("bank", of) for id, of in counted.items()}
    scores = {passage.document: item.score for passage, item in zip(passages, ranked, strict=True)}
    assert scores == pytest.approx({id: score for id, score in expected.items() if score})


def test_words_that_say_little_are_left_out_of_a_query_that_has_others(index: Index):
    index.put([make_indexed(document("not", "And not who is here."))])
    assert find_by_words(index, "who not") == ["not"]
    assert find_by_words(index, "who not charges") == ["fees"]


def test_another_language_has_its_own_stems(store: Schema):
    index = store.speaking("german").create(about(dimensions=0))
    index.put([make_indexed(document("häuser", "Die Häuser waren teuer."))._replace(vectors=None)])
    assert find_by_words(index, "Haus") == ["häuser"]
    index.close()
    again = store.open()
    assert find_by_words(again, "Hauses") == ["häuser"]
    again.close()
    with refused("holds stems of german, asked for with french"):
        store.speaking("french").open()
    with refused("no stemming for 'klingon'"):
        schema_of(store.server).speaking("klingon").create(about())


def test_a_language_may_be_left_unstemmed(store: Schema):
    index = store.speaking("simple").create(about(dimensions=0))
    index.put([make_indexed(document("a", "Charges and v2 of 3."))._replace(vectors=None)])
    assert find_by_words(index, "charge") == []
    assert (
        find_by_words(index, "CHARGES")
        == find_by_words(index, "v2")
        == find_by_words(index, "3")
        == ["a"]
    )
    index.close()


@settings(max_examples=50)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_postgres_reads_every_word_as_one(text: str, server: Server):
    import psycopg

    cut = [word for word in words(text) if len(word.encode()) < 2000]
    with psycopg.connect(server.address("postgres")) as connection:
        row = connection.execute(
            "SELECT tsvector_to_array(to_tsvector('simple', %s))", [" ".join(cut)]
        ).fetchone()
    assert row is not None
    assert sorted(row[0]) == sorted(set(cut))


def test_the_weights_are_told_in_the_order_of_every_store(store: Schema, index: Index):
    index.remember({"lexical": 1.0, "dense": 0.5})
    other = store.open()
    assert list(other.about.weights.items()) == [("lexical", 1.0), ("dense", 0.5)]
    other.close()


def test_two_indexes_in_one_database_know_nothing_of_each_other(server: Server, index: Index):
    other = schema_of(server).create(about())
    other.put([make_indexed(PAYROLL)])
    assert find_by_words(other, "charges") == ["payroll"]
    assert find_by_words(index, "charges") == ["fees"]
    other.delete(["payroll"])
    other.close()
    assert index.counts() == Counts(2, 3)


def test_a_second_writer_is_refused_and_a_reader_sees_the_old_index(store: Schema, index: Index):
    other = store.open()

    def meanwhile() -> Iterator:
        yield make_indexed(document("mine", "Mine."))
        assert find_by_words(other, "mine") == []
        with refused("another process is changing this index"):
            other.put([make_indexed(document("theirs", "Theirs."))])
        with refused("another process is changing this index"):
            other.delete(["fees"])

    index.put(meanwhile())
    assert find_by_words(other, "mine theirs") == ["mine"]
    other.close()


def test_what_cannot_be_written_is_refused_and_nothing_is_kept(index: Index):
    with refused(r"docs/x\.md: has the character NUL"):
        index.put(
            [make_indexed(document("fees", "New.")), make_indexed(document("x", "nul \0 here"))]
        )
    with refused(r"docs/x\.md: has half of a surrogate pair"):
        index.put([make_indexed(Document("x", "\ud800", source="docs/x.md"))])
    with refused("its vectors have the shape"):
        index.put(
            [make_indexed(document("short", "Short."))._replace(vectors=direction(1)[None, :3])]
        )
    with refused("too large for the server"):
        index.put([make_indexed(document("".join(map(chr, range(256, 9000))), "Long id."))])
    with refused("asked with 3"):
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


def test_an_index_that_goes_away_meanwhile_is_told(store: Schema, index: Index):
    store.server.run("postgres", f"DROP SCHEMA {store.name} CASCADE")
    with refused("the index has gone"):
        find_by_words(index, "charges")
    store.server.run(
        "postgres",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'finewright'",
    )
    with refused("the connection was lost"):
        index.counts()


def test_a_new_index_leaves_nothing_before_the_first_put(store: Schema):
    index = store.create(about())
    assert index.counts() == Counts(0, 0)
    assert index.delete(["fees"]) == 0
    assert find_by_words(index, "charges") == []
    with pytest.raises(ZeroDivisionError):
        index.put(make_indexed(FEES) for _ in [1 / 0])
    index.close()
    with refused("no index in this database"):
        store.open()


def test_an_index_of_words_needs_no_pgvector_and_one_of_vectors_says_so(server: Server):
    target = f"{server.address('clerks', user='clerk')}#words"
    index = postgres.create(target, about(dimensions=0))
    index.put([make_indexed(FEES)._replace(vectors=None)])
    index.close()
    again = postgres.open_existing(target)
    assert find_by_words(again, "charge") == ["fees"]
    again.close()
    with refused("the database has no pgvector"):
        postgres.create(f"{server.address('clerks', user='clerk')}#vectors", about())


def test_a_database_without_rights_or_with_another_encoding_is_told(server: Server):
    with refused("lacks a right"):
        postgres.create(server.address("bare", user="clerk"), about())
    with refused("encoding is SQL_ASCII"):
        postgres.create(server.address("ascii"), about())


def test_old_text_that_this_user_cannot_remove_is_told(store: Schema, index: Index):
    store.server.run("postgres", f"GRANT USAGE ON SCHEMA {store.name} TO clerk")
    tables = f"ALL TABLES IN SCHEMA {store.name}"
    store.server.run("postgres", f"GRANT SELECT, UPDATE, DELETE ON {tables} TO clerk")
    clerk = postgres.open_existing(f"{store.server.address('postgres', user='clerk')}#{store.name}")
    with refused("the change is made, but old text is left in the files"):
        clerk.delete(["fees"])
    clerk.close()
    assert index.counts() == Counts(1, 2)


def test_a_schema_of_another_program_is_left_alone(server: Server):
    server.run("postgres", "CREATE SCHEMA shop; CREATE TABLE shop.meta (made_by text)")
    with refused("the schema 'shop' is another program's"):
        postgres.open_existing(f"{server.address('postgres')}#shop")
    with refused("there is an index or another schema of this name"):
        postgres.create(f"{server.address('postgres')}#shop", about())


def test_an_index_of_another_format_is_refused(store: Schema, index: Index):
    store.server.run("postgres", f"ALTER TABLE {store.name}.meta ALTER format TYPE int USING 2")
    with refused("an index of format 2, and this finewright reads 1"):
        store.open()


@pytest.mark.parametrize(
    ("user", "password", "database", "match"),
    [
        ("guarded", "wrong", "postgres", "does not know this user with this password"),
        ("guarded", "", "postgres", "asks for a password"),
        ("admin", "", "nowhere", "no such database"),
        ("nobody", "", "postgres", "no such user"),
    ],
)
def test_who_is_not_let_in_is_told_why(
    server: Server, user: str, password: str, database: str, match: str
):
    secret = f":{password}" if password else ""
    with refused(match):
        postgres.open_existing(f"postgresql://{user}{secret}@/{database}?host={server.socket}")


def test_a_password_may_have_any_sign_and_is_never_shown(server: Server):
    secret = quote(PASSWORD, safe="")
    target = f"postgresql://guarded:{secret}@/postgres?host={server.socket}#absent"
    with refused("postgresql://guarded@/postgres#absent: no index in this database"):
        postgres.open_existing(target)


def test_a_server_that_is_not_there_is_told(tmp_path):
    with refused("no server there"):
        postgres.create(f"postgresql://me@/docs?host={tmp_path}", about())
    with refused("postgresql://me@127.0.0.1:1/docs#finewright: no server there"):
        postgres.create("postgresql://me:s3cret@127.0.0.1:1/docs", about())


@pytest.mark.parametrize(
    "target",
    [
        "postgresql://me:s3cret@1@localhost/docs",
        "postgresql://me:s3cret/1@localhost/docs",
        "postgresql://me:s3cret?1@localhost/docs",
        "postgresql://me:s3cret#1@localhost/docs",
        "postgresql://me:[s3cret@localhost/docs",
        "postgresql://me:s3cret@localhost:port/docs",
        "postgresql://me:s3cret@localhost/docs?nonsense=1",
        "postgresql://me:s3cret@localhost/docs#a;b",
        'postgresql://me:s3cret@localhost/docs#"a"',
        "postgresql://me:s3cret@localhost/docs#pg_Catalog",
    ],
)
def test_an_address_that_cannot_be_read_is_refused_unseen(target: str):
    pytest.importorskip("psycopg")
    with refused("cannot be read|named by lower-case"):
        postgres.open_existing(target)
