"""Raw text through the data door: read, split, compared, and refused where it is too much."""

import json
from pathlib import Path

import pytest

from finewright.data.gather import gather
from finewright.data.measured import row_sets
from finewright.data.validate import read_validated
from finewright.schema.data import DataSpec
from finewright.schema.rows import Row, parse_rows, write_rows
from finewright.schema.run import RunSpec

WORDS = "the quick brown fox jumps over a lazy dog while seven wizards brew odd jelly potions"


def text_of(number: int) -> str:
    words = WORDS.split()
    turned = words[number % 16 :] + words[: number % 16]
    return " ".join(f"{word}{number}" for word in turned)


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def spec_of(folder: Path, **data: object) -> RunSpec:
    base = {"name": "a", "base_models": ["m"]}
    return RunSpec.model_validate({**base, "data": data, "evaluate": data.pop("evaluate", {})})


def read(path: Path) -> tuple[Row, ...]:
    return read_validated(path, "text").rows


def test_a_file_a_folder_and_a_column_are_documents(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("a.md", "b.txt"):
        (tmp_path / "folder" / name).write_text(f"# {name}\n\ntext\n", encoding="utf-8")
    rows = write(tmp_path / "rows.jsonl", [{"text": "one", "domain": "d"}])
    found = [*read(tmp_path / "folder"), *read(rows)]
    assert [row.messages[0]["content"] for row in found] == [
        "# a.md\n\ntext\n",
        "# b.txt\n\ntext\n",
        "one",
    ]
    assert all(row.is_text and row.kind == "text" for row in found)
    assert found[-1].columns == {"domain": "d"}
    assert parse_rows(write_rows(found)) == found


def test_text_that_nobody_asked_for_says_how_to_ask(tmp_path: Path) -> None:
    (problem,) = read_validated(write(tmp_path / "rows.jsonl", [{"text": "one"}])).problems
    assert problem.level == "error"
    assert problem.hint.endswith("set --type, or data.type in a spec, to text")


@pytest.mark.parametrize("text", ["", "  \n", None, 7])
def test_a_document_that_says_nothing_is_refused(text: object, tmp_path: Path) -> None:
    found = read_validated(write(tmp_path / "rows.jsonl", [{"text": text}]), "text")
    assert found.rows == ()
    assert [problem.level for problem in found.problems] == ["error"]


def test_documents_and_conversations_stand_beside_each_other(tmp_path: Path) -> None:
    write(tmp_path / "t.jsonl", [{"text": text_of(i)} for i in range(4)])
    write(tmp_path / "c.jsonl", [{"prompt": "2 + 2?", "completion": "4"}])
    sources = [{"path": "t.jsonl", "type": "text"}, {"path": "c.jsonl"}]
    found = gather(DataSpec.model_validate({"sources": sources}), lambda p: tmp_path / p)
    assert found.types == {"text": 4, "prompt_completion": 1}
    assert [problem for problem in found.problems if problem.level == "error"] == []


def test_a_held_out_document_that_trains_is_told_and_sets_are_by_a_column(tmp_path: Path) -> None:
    known = [{"text": text_of(i)} for i in range(8)]
    write(tmp_path / "t.jsonl", known)
    fresh = [{"text": text_of(i), "domain": "a b" if i % 2 else "c"} for i in range(20, 26)]
    write(tmp_path / "held.jsonl", [{**known[3], "domain": "c"}, *fresh])
    held = {"path": "held.jsonl", "type": "text", "by": "domain"}
    sources = [{"path": "t.jsonl", "type": "text"}]
    spec = spec_of(tmp_path, sources=sources, evaluate={"data": [held]})
    gathered = gather(spec.data, lambda p: tmp_path / p)
    sets = row_sets(spec, gathered, lambda p: tmp_path / p)
    assert {each.name: len(each.rows) for each in sets} == {"held-a-b": 3, "held-c": 4}
    by_name = {each.name: each for each in sets}
    (leak,) = by_name["held-c"].leaks
    assert "also trained on" in leak.message
    assert by_name["held-a-b"].leaks == ()


def test_more_text_than_memory_should_hold_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "big.jsonl").open("wb") as file:
        file.truncate(220_000_000)  # a sparse file: its size, and no bytes
    sources = [{"path": "big.jsonl", "type": "text"}]
    found = gather(
        DataSpec.model_validate({"sources": sources}), lambda p: tmp_path / p, tells=False
    )
    (problem,) = (p for p in found.problems if p.level == "error")
    assert problem.key == "data.sources.0.path"
    assert problem.message.startswith("0.2 GB of text")
    assert "split -C" in problem.hint
