"""The tables of an index in PostgreSQL and its SQL, in which `{s}` is its schema, quoted by psycopg."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, LiteralString, NamedTuple

from finewright.errors import DataError
from finewright_rag.stores.index import FORMAT, About, NoIndex

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.sql import Composed

    from finewright_rag.stores.postgres.connect import PostgresPlace

MADE_BY = "finewright"
LANGUAGE = "english"

SCHEMA: LiteralString = """
CREATE SCHEMA {s};
CREATE TABLE {s}.meta (
    made_by text NOT NULL, format int NOT NULL, embedder text NOT NULL, dimensions int NOT NULL,
    chunk_chars int NOT NULL, weights jsonb NOT NULL, language text NOT NULL,
    num_chunks bigint NOT NULL DEFAULT 0, num_words bigint NOT NULL DEFAULT 0);
CREATE SEQUENCE {s}.number;
CREATE TABLE {s}.document (
    number bigint PRIMARY KEY, id text NOT NULL UNIQUE, title text NOT NULL, source text NOT NULL,
    license text NOT NULL, groups text[] NOT NULL, sha256 text NOT NULL);
CREATE TABLE {s}.chunk (
    id bigint PRIMARY KEY, document bigint NOT NULL REFERENCES {s}.document ON DELETE CASCADE,
    number int NOT NULL, text text NOT NULL, heading_path text[] NOT NULL,
    start_at int NOT NULL, end_at int NOT NULL);
CREATE INDEX chunk_document ON {s}.chunk (document);
CREATE TABLE {s}.words (
    chunk bigint PRIMARY KEY REFERENCES {s}.chunk ON DELETE CASCADE, document bigint NOT NULL,
    words tsvector NOT NULL, num_words int NOT NULL) WITH (toast_tuple_target = 8160);
ALTER TABLE {s}.words ALTER words SET STORAGE EXTERNAL;
CREATE INDEX words_words ON {s}.words USING gin (words) WITH (fastupdate = off);
CREATE TEXT SEARCH CONFIGURATION {s}.words (PARSER = pg_catalog."default");
"""

# The planner's samples of a column are copies of its text, which a deletion would not reach.
NO_SAMPLES: LiteralString = """
ALTER TABLE {s}.document ALTER id SET STATISTICS 0, ALTER title SET STATISTICS 0,
    ALTER source SET STATISTICS 0;
ALTER TABLE {s}.chunk ALTER text SET STATISTICS 0, ALTER heading_path SET STATISTICS 0;
ALTER TABLE {s}.words ALTER words SET STATISTICS 0;
"""

# The language's own configuration drops "not" and "who"; a query of nothing else should find them.
STEMMER: LiteralString = """
CREATE TEXT SEARCH DICTIONARY {s}.stem (TEMPLATE = pg_catalog.snowball, Language = {language});
ALTER TEXT SEARCH CONFIGURATION {s}.words ADD MAPPING FOR asciiword, word WITH {s}.stem;
ALTER TEXT SEARCH CONFIGURATION {s}.words
    ADD MAPPING FOR numword, int, uint, float, sfloat, version WITH pg_catalog.simple;
"""

NO_STEMMER: LiteralString = """
ALTER TEXT SEARCH CONFIGURATION {s}.words ADD MAPPING
    FOR asciiword, word, numword, int, uint, float, sfloat, version WITH pg_catalog.simple;
"""

VECTORS: LiteralString = """
CREATE TABLE {s}.vector (
    chunk bigint PRIMARY KEY REFERENCES {s}.chunk ON DELETE CASCADE, document bigint NOT NULL,
    vector halfvec({d}) NOT NULL) WITH (toast_tuple_target = 8160);
ALTER TABLE {s}.vector ALTER vector SET STATISTICS 0;
"""

_HAS_SCHEMA: LiteralString = "SELECT FROM pg_catalog.pg_namespace WHERE nspname = %s"

_HAS_LANGUAGE: LiteralString = """
SELECT FROM pg_catalog.pg_ts_config
WHERE cfgname = %s AND cfgnamespace = 'pg_catalog'::regnamespace
"""

_HAS_META: LiteralString = """
SELECT count(*) FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s AND a.attname = ANY(%s)
"""

_READ_FORMAT: LiteralString = "SELECT made_by::text, format FROM {s}.meta"

_READ_META: LiteralString = (
    "SELECT embedder, dimensions, chunk_chars, weights, language FROM {s}.meta"
)

KEEP_META: LiteralString = """
INSERT INTO {s}.meta (made_by, format, embedder, dimensions, chunk_chars, weights, language)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""

# Kept for BM25, which would else count all chunks for every query.
COUNT: LiteralString = """
UPDATE {s}.meta SET (num_chunks, num_words) =
    (SELECT count(*), coalesce(sum(num_words), 0) FROM {s}.words)
"""

ADD_WORDS: LiteralString = """
INSERT INTO {s}.words (chunk, document, words, num_words)
SELECT chunk, document, to_tsvector(%s::regconfig, words), num_words
FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::int[]) AS t(chunk, document, words, num_words)
"""

QUERY_WORDS: LiteralString = """
SELECT tsvector_to_array(CASE WHEN length(telling) > 0 THEN telling ELSE every END)
FROM (SELECT to_tsvector(%(stopping)s::regconfig, %(words)s) AS telling,
             to_tsvector(%(every)s::regconfig, %(words)s) AS every) AS query
"""

# BM25 (Robertson and Zaragoza 2009, k1 = 1.2, b = 0.75), the sum over the query's terms of
#   idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * words / mean words)),
# with Lucene's idf, which is never negative: ln(1 + (N - n + 0.5) / (n + 0.5)).
# tf is not stored beside the tsvector but told from it: of one term, with all weights 1 and without
# normalisation, ts_rank is (1 + 1/4 + ... + 1/tf^2) * 6 / pi^2 (calc_rank_or in tsrank.c), and what is
# missing from 1 is 6 / pi^2 / (tf + 1/2) but for an error that rounding takes away.
LEXICAL: LiteralString = """
WITH term AS MATERIALIZED (
    SELECT quote_literal(word)::tsquery AS term FROM unnest(%(words)s::text[]) AS word),
hit AS MATERIALIZED (
    SELECT term, chunk, document, num_words,
        round(1 / (1.6449340668 * (1 - ts_rank('{{1,1,1,1}}', words, term)::float8)) - 0.5) AS tf
    FROM term JOIN {s}.words ON words @@ term),
weighed AS (
    SELECT term, ln(1 + (num_chunks - count(*) + 0.5) / (count(*) + 0.5))::float8 AS idf
    FROM hit, {s}.meta GROUP BY term, num_chunks)
SELECT chunk, sum(idf * tf * 2.2 / (tf + 1.2 * (
    0.25 + 0.75 * hit.num_words * meta.num_chunks / meta.num_words))) AS score
FROM {s}.meta, hit JOIN weighed USING (term)
"""

NEAREST: LiteralString = """
SELECT chunk, 1 - (vector <=> %(vector)s::halfvec) AS score FROM {s}.vector AS hit
"""

SEEN_BY: LiteralString = """
JOIN {s}.document AS seen ON seen.number = hit.document
WHERE seen.groups = '{{}}' OR seen.groups && %(access)s::text[]
"""

BEST_WORDS: LiteralString = " GROUP BY chunk ORDER BY score DESC, chunk LIMIT %(limit)s"

BEST_VECTORS: LiteralString = " ORDER BY vector <=> %(vector)s::halfvec, chunk LIMIT %(limit)s"

PASSAGES: LiteralString = """
SELECT chunk.id, document.id, title, source, license, number_in, text, heading_path, start_at, end_at
FROM (SELECT id, document, number AS number_in, text, heading_path, start_at, end_at
      FROM {s}.chunk WHERE id = ANY(%s)) AS chunk
JOIN {s}.document AS document ON document.number = chunk.document
"""


class Kept(NamedTuple):
    """What the index says of itself, and the language whose stems it holds."""

    about: About
    language: str


def sql(place: PostgresPlace, text: LiteralString, **names: str) -> Composed:
    """The statement for this index; names become quoted identifiers."""
    from psycopg.sql import SQL, Identifier

    quoted = {name: Identifier(value) for name, value in names.items()}
    return SQL(text).format(s=Identifier(place.schema), **quoted)


def find_vector(connection: Connection) -> bool:
    """Let names be found in pg_catalog and where pgvector is, nowhere else; is it there?"""
    found = connection.execute(
        "SELECT quote_ident(nspname) FROM pg_catalog.pg_extension"
        " JOIN pg_catalog.pg_namespace AS n ON n.oid = extnamespace WHERE extname = 'vector'"
    ).fetchone()
    path = f"pg_catalog, {found[0]}" if found else "pg_catalog"
    connection.execute("SELECT pg_catalog.set_config('search_path', %s, false)", [path])
    return found is not None


def read(place: PostgresPlace, connection: Connection) -> Kept:
    """What the index says of itself; a DataError where there is none that can be read."""
    if not _has(connection, _HAS_SCHEMA, place.schema):
        raise NoIndex(
            f"{place.shown}: no index in this database",
            hint="index documents first, or fix the name after #",
        )
    if not _is_ours(place, connection):
        raise _of_another(place)
    found = connection.execute(sql(place, _READ_FORMAT)).fetchone()
    if found is None or found[0] != MADE_BY:
        raise _of_another(place)
    if found[1] != FORMAT:
        raise DataError(
            f"{place.shown}: an index of format {found[1]}, and this finewright reads {FORMAT}",
            hint="update finewright, or index the documents anew under another name",
        )
    row = connection.execute(sql(place, _READ_META)).fetchone()
    assert row
    about = About(FORMAT, *row[:4])
    if place.language not in {"", row[4]}:
        raise DataError(
            f"{place.shown}: holds stems of {row[4]}, asked for with {place.language}",
            hint="leave the language out, or index the documents anew under another name",
        )
    if about.dimensions and not find_vector(connection):
        raise _without_vector(place)
    return Kept(about, row[4])


def check_new(place: PostgresPlace, connection: Connection, about: About) -> Kept:
    """Find out whether the index could be made: its tables are made and taken back."""
    if _has(connection, _HAS_SCHEMA, place.schema):
        raise DataError(
            f"{place.shown}: there is an index or another schema of this name",
            hint="name another after #, or remove it with DROP SCHEMA ... CASCADE",
        )
    language = place.language or LANGUAGE
    if not _has(connection, _HAS_LANGUAGE, language):
        raise DataError(
            f"{place.shown}: PostgreSQL has no stemming for {language!r}",
            hint="see `\\dF` in psql, or ask for language=simple",
        )
    kept = Kept(about, language)
    with connection.transaction(force_rollback=True):
        make(place, connection, kept)
    find_vector(connection)
    return kept


def make(place: PostgresPlace, connection: Connection, kept: Kept) -> None:
    """The tables of a new index, within the caller's transaction."""
    from psycopg import errors
    from psycopg.sql import SQL, Identifier, Literal

    about, language = kept
    run = connection.execute
    run(sql(place, SCHEMA + NO_SAMPLES))
    run(sql(place, NO_STEMMER if language == "simple" else STEMMER, language=language))
    if about.dimensions:
        if not find_vector(connection):
            try:
                run("CREATE EXTENSION vector SCHEMA public")
            except (errors.FeatureNotSupported, errors.UndefinedFile, errors.InsufficientPrivilege):
                raise _without_vector(place) from None
            find_vector(connection)
        names = {"s": Identifier(place.schema), "d": Literal(about.dimensions)}
        try:
            run(SQL(VECTORS).format(**names))
        except errors.UndefinedObject:
            raise DataError(
                f"{place.shown}: the database's pgvector is older than 0.7",
                hint="install a later one and run ALTER EXTENSION vector UPDATE",
            ) from None
    meta = (about.format, about.embedder, about.dimensions, about.chunk_chars)
    run(sql(place, KEEP_META), [MADE_BY, *meta, json.dumps(dict(about.weights)), language])


def _has(connection: Connection, question: LiteralString, name: str) -> bool:
    return connection.execute(question, [name]).fetchone() is not None


def _is_ours(place: PostgresPlace, connection: Connection) -> bool:
    named = [place.schema, "meta", ["made_by", "format"]]
    found = connection.execute(_HAS_META, named).fetchone()
    return found is not None and found[0] == 2  # noqa: PLR2004 - both columns


def _of_another(place: PostgresPlace) -> DataError:
    return DataError(
        f"{place.shown}: the schema {place.schema!r} is another program's",
        hint="name another after #",
    )


def _without_vector(place: PostgresPlace) -> DataError:
    return DataError(
        f"{place.shown}: the database has no pgvector",
        hint="install it on the server (Debian: postgresql-17-pgvector), then let a superuser run "
        "CREATE EXTENSION vector in this database; the embedder `none` needs none",
    )
