"""Text to SQL: a database's schema and a question, answered by one SQLite query.

The questions are those of Spider's development set (Yu et al. 2018, arXiv:1809.08887). The schema is
shown as the statements that create it, and every answer has run on an empty database made by them.
Not covered: whether a query means what the question asks; there are no rows to run it on."""

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import NamedTuple

from pydantic import BaseModel, TypeAdapter

from finewright.catalog.sets import PackagedSet, read_sets
from finewright.data.sets.build import (
    Content,
    DataSet,
    Fetched,
    JsonRow,
    SetContent,
    add_source,
    digest,
    hold_out_families,
    name_files,
)
from finewright.schema.common import Model, default

SYSTEM = "Write one SQLite query that answers the question. Reply with SQL only."

_QUESTIONS, _TABLES = "dev.json", "tables.json"
_TYPES = {"number": "NUMERIC", "boolean": "BOOLEAN", "time": "DATETIME"}
_STRING_OR_SPACE = re.compile(r"""("[^"]*"|'[^']*'|`[^`]*`)|\s+(,)?""")


class SqlSettings(Model):
    """Which databases and how many questions are held out."""

    unseen_databases: tuple[str, ...] = default(
        ("concert_singer", "employee_hire_evaluation", "orchestra", "pets_1", "singer"),
        "Databases held out whole",
        "a fifth of the questions; the two about singers are held out together",
    )
    test_share: float = default(
        0.18, "Share of the other questions held out", "as many as of unseen databases", ge=0, lt=1
    )
    seed: int = default(0, "Seed of the split and the order", "any fixed number repeats the set")


class _Question(BaseModel):
    db_id: str
    query: str
    question: str


class _Column(NamedTuple):
    table: int
    name: str


class _Database(BaseModel):
    """A database as Spider's tables.json has it; columns are numbered over all tables."""

    db_id: str
    table_names_original: tuple[str, ...]
    column_names_original: tuple[_Column, ...]
    column_types: tuple[str, ...]
    primary_keys: tuple[int | tuple[int, ...], ...]
    foreign_keys: tuple[tuple[int, int], ...]


def data_set() -> DataSet:
    """`sql` as the catalog has it."""
    return DataSet(read_sets("finewright.catalog")["sql"], content)


def content(fetched: Sequence[Fetched], packaged: PackagedSet) -> SetContent:
    """Three files: to train on, of the same databases, and of databases that are nowhere else.

    Questions with the same answer are on one side."""
    settings, package = SqlSettings(), fetched[0]
    paths = {path.rpartition("/")[2]: path for path in package.files}
    read = {name: json.loads(package.files[path]) for name, path in paths.items()}
    databases = TypeAdapter(tuple[_Database, ...]).validate_python(read[_TABLES])
    schemas = {database.db_id: schema_of(database) for database in databases}
    dropped: Counter[str] = Counter()
    origin = (packaged.license, package.source, paths[_QUESTIONS])
    questions = TypeAdapter(tuple[_Question, ...]).validate_python(read[_QUESTIONS])
    rows = [add_source(row, *origin) for row in _make_sql_rows(questions, schemas, dropped)]
    rows.sort(key=lambda row: digest(f"{settings.seed}:{row['database']}:{row['messages'][1]}"))
    seen = [row for row in rows if row["database"] not in settings.unseen_databases]
    held_out = hold_out_families(map(_family, seen), settings.test_share, settings.seed)
    files = {
        "train": [row for row in seen if _family(row) not in held_out],
        "test_seen_db": [row for row in seen if _family(row) in held_out],
        "test_unseen_db": [row for row in rows if row["database"] in settings.unseen_databases],
    }
    return SetContent(Content(name_files(files), settings, dict(dropped)))


def schema_of(database: _Database) -> str:
    """The statements that create the database's tables, one each, with their keys."""
    statements = []
    for table, name in enumerate(database.table_names_original):
        if not name.startswith("sqlite_"):
            lines = ",\n".join(f"  {line}" for line in _lines(database, table))
            statements.append(f"CREATE TABLE {_quote_name(name)} (\n{lines}\n);")
    return "\n".join(statements)


def _lines(database: _Database, table: int) -> Iterator[str]:
    columns = database.column_names_original
    for column, type_ in zip(columns, database.column_types, strict=True):
        if column.table == table:
            yield f"{_quote_name(column.name)} {_TYPES.get(type_, 'TEXT')}"
    for key in database.primary_keys:
        numbers = [key] if isinstance(key, int) else list(key)
        if columns[numbers[0]].table == table:
            yield f"PRIMARY KEY ({', '.join(_quote_name(columns[number].name) for number in numbers)})"
    for number, to in database.foreign_keys:
        if columns[number].table == table:
            there = _quote_name(database.table_names_original[columns[to].table])
            here = _quote_name(columns[number].name)
            yield f"FOREIGN KEY ({here}) REFERENCES {there} ({_quote_name(columns[to].name)})"


def _quote_name(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) else f'"{name}"'


def normal_query(query: str) -> str:
    """The query on one line, with strings in single quotes as standard SQL has them.

    Spider writes strings in either quotes; SQLite takes double quotes for a column's name first."""
    return _STRING_OR_SPACE.sub(_normal_part, query.strip().rstrip(";").rstrip())


def _normal_part(match: re.Match[str]) -> str:
    quoted = match[1]
    if quoted is None:
        return match[2] or " "
    return "'" + quoted[1:-1].replace("'", "''") + "'" if quoted[0] == '"' else quoted


def _make_sql_rows(
    questions: Sequence[_Question], schemas: Mapping[str, str], dropped: Counter[str]
) -> Iterator[JsonRow]:
    seen: set[tuple[str, str]] = set()
    for question in questions:
        schema, query = schemas[question.db_id], normal_query(question.query)
        if fault := _fault(schema, query) or _repeat(question, seen):
            dropped[fault] += 1
            continue
        turns = {
            "system": SYSTEM,
            "user": f"{schema}\n\nQuestion: {question.question.strip()}",
            "assistant": query,
        }
        messages = [{"role": role, "content": content} for role, content in turns.items()]
        yield {"messages": messages, "database": question.db_id}


def _fault(schema: str, query: str) -> str:
    """Empty if SQLite runs the query on an empty database; its versions word their reasons apart."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(schema)
        try:
            connection.execute(query).fetchall()
        except sqlite3.Error:
            return "query that SQLite does not run"
    return ""


def _repeat(question: _Question, seen: set[tuple[str, str]]) -> str:
    key = (question.db_id, " ".join(question.question.casefold().split()))
    if key in seen:
        return "question that repeats"
    seen.add(key)
    return ""


def _family(row: JsonRow) -> str:
    """Rows with the same answer are alike, whatever the case and the spaces of its query."""
    query = re.sub(r"\s+", "", row["messages"][2]["content"]).casefold()
    return f"{row['database']}:{query}"
