"""Folders: which files stand for the data set, and what LLaMA-Factory's manifest says of them."""

import json
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finewright.errors import DataError
from finewright.rows.containers.card import StatedFile
from finewright.rows.containers.parts import parts_of
from finewright.rows.read import ReadRows, read_rows

ROW = '{"prompt": "Q", "completion": "A"}\n'


def put(folder: Path, **files: str) -> Path:
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def names(folder: Path) -> list[str]:
    found = [part for part in parts_of(folder) if isinstance(part, StatedFile)]
    return [part.path.relative_to(folder).as_posix() for part in found]


def said(found: ReadRows) -> str:
    return "\n".join(problem.line() for problem in found.problems)


def test_a_folder_of_data_files_is_read_in_order_with_those_below_it(tmp_path):
    put(tmp_path, b_dot_jsonl=ROW, a_dot_csv="a,b\n1,2\n", sub__c_dot_json=f"[{ROW}]")
    put(tmp_path, _dot_hidden__x_dot_jsonl=ROW, README_dot_md="# About", run_dot_py="pass")
    assert names(tmp_path) == ["a.csv", "b.jsonl", "sub/c.json"]
    found = read_rows(tmp_path)
    assert [(Path(row.file).name, row.row) for row in found.rows] == [
        ("a.csv", 2),
        ("b.jsonl", 1),
        ("c.json", 1),
    ]
    assert "not read, being no data files: README.md, run.py" in said(found)


def test_a_folder_of_texts_is_a_row_a_file(tmp_path):
    put(tmp_path, a_dot_md="# A\ntext", sub__b_dot_txt="b")
    (tmp_path / "c.txt").write_bytes(b"caf\xe9")
    found = read_rows(tmp_path)
    assert [row.data for row in found.rows] == [
        {"text": "# A\ntext", "path": "a.md"},
        {"text": "b", "path": "sub/b.txt"},
    ]
    assert found.num_bad == 1
    assert "c.txt:1: not UTF-8" in said(found)


def test_of_several_splits_the_one_to_train_on_is_read(tmp_path):
    for split in ("train", "validation", "test"):
        path = tmp_path / "data" / f"{split}-00000-of-00001.parquet"
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.table({"prompt": [split], "completion": ["A"]}), path)
    found = read_rows(tmp_path)
    assert [row.data["prompt"] for row in found.rows] == ["train"]
    assert "only train is read, not test, validation" in said(found)


def test_what_is_read_beside_the_split_to_train_on_is_told(tmp_path):
    put(tmp_path, train_dot_jsonl=ROW, valid_dot_jsonl=ROW, all_dot_jsonl=ROW)
    assert names(tmp_path) == ["all.jsonl", "train.jsonl"]
    assert "read beside train, for their names tell no split: all.jsonl" in said(
        read_rows(tmp_path)
    )


def test_a_pointer_of_git_lfs_is_no_file_of_broken_rows(tmp_path):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:7f8d\nsize 43354441\n"
    found = read_rows(put(tmp_path, rows_dot_jsonl=pointer))
    assert (found.rows, len(found.problems)) == ((), 1)
    assert "a pointer of Git LFS" in said(found)
    assert "git lfs pull" in said(found)


def test_yaml_is_said_to_be_none_of_the_containers(tmp_path):
    (tmp_path / "humor.yml").write_text("conversations:\n- - Tell a joke\n  - No\n")
    found = read_rows(tmp_path / "humor.yml")
    assert (found.rows, len(found.problems)) == ((), 1)
    assert "this is YAML, which is not read" in said(found)


def test_folders_of_several_data_sets_ask_for_one(tmp_path):
    for name in ("main", "socratic"):
        (tmp_path / name).mkdir()
        table = pa.table({"prompt": [name]})
        pq.write_table(table, tmp_path / name / "train-00000-of-00001.parquet")
    assert "it holds several data sets: main, socratic" in said(read_rows(tmp_path))
    assert len(read_rows(tmp_path / "main").rows) == 1


def test_what_datasets_saves_is_read(tmp_path):
    rows = [{"prompt": f"Q{i}", "completion": "A"} for i in range(10)]
    saved = datasets.Dataset.from_list(rows).select(range(3, 10))
    saved.save_to_disk(tmp_path / "one", num_shards=2)
    assert [row.data for row in read_rows(tmp_path / "one").rows] == rows[3:]
    splits = datasets.DatasetDict({"train": saved, "test": saved})
    splits.save_to_disk(tmp_path / "two")
    found = read_rows(tmp_path / "two")
    assert [row.data for row in found.rows] == rows[3:]
    assert "only train is read, not test" in said(found)


def test_a_saved_data_set_that_is_damaged_is_named(tmp_path):
    put(tmp_path, a__state_dot_json="{", b__state_dot_json="{}", c__dataset_dict_dot_json="[]")
    for name, message in (("a", "state.json is damaged"), ("b", "names no data"), ("c", "damaged")):
        assert message in said(read_rows(tmp_path / name))
    put(tmp_path, d__state_dot_json='{"_data_files": [{"filename": "../../x.arrow"}]}')
    assert "there is no ../../x.arrow here" in said(read_rows(tmp_path / "d"))


MANIFEST = {
    "plain": {"file_name": "plain.json"},
    "pairs": {
        "file_name": "pairs.jsonl",
        "ranking": True,
        "columns": {"prompt": "question", "chosen": "better", "rejected": "worse"},
    },
    "chat": {
        "file_name": "chat.jsonl",
        "formatting": "sharegpt",
        "columns": {"messages": "turns"},
        "tags": {
            "role_tag": "role",
            "content_tag": "content",
            "user_tag": "user",
            "assistant_tag": "assistant",
        },
    },
    "far": {"hf_hub_url": "owner/name"},
    "gone": {"file_name": "gone.json"},
    "out": {"file_name": "../out.json"},
    "odd": {"file_name": "plain.json", "formatting": "xml"},
}


def test_a_manifest_states_formats_and_columns(tmp_path):
    folder = tmp_path / "data"
    put(folder, dataset_info_dot_json=json.dumps(MANIFEST), pairs_dot_jsonl=ROW)
    put(folder, plain_dot_json=f"[{ROW}]", other_dot_jsonl=ROW)
    turns = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A", "x": 1}]
    put(folder, chat_dot_jsonl=json.dumps({"turns": turns}))
    found = list(parts_of(folder))
    parts = [part for part in found if isinstance(part, StatedFile)]
    assert [(part.path.name, part.format, dict(part.columns)) for part in parts] == [
        ("plain.json", "alpaca", {}),
        (
            "pairs.jsonl",
            "alpaca",
            {"instruction": "question", "chosen": "better", "rejected": "worse"},
        ),
        ("chat.jsonl", "sharegpt", {"conversations": "turns"}),
    ]
    read = read_rows(folder / "dataset_info.json")
    assert read.rows[-1].data == {
        "turns": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A", "x": 1}]
    }
    for message in (
        "far: its rows are not in this folder but at owner/name (name hub:owner/name",
        "there is no such file, and dataset_info.json names it for gone",
        "out: ../out.json leads out of this folder",
        "odd: formatting, columns or tags are not LLaMA-Factory's",
    ):
        assert message in said(read)


@pytest.mark.parametrize(
    "name",
    [
        "provenance.json",
        "provenance_feedback.json",
        "card.json",
        "report.json",
        "personal_data.json",
        "ledger.jsonl",
        "rejected.jsonl",
        "out.rejected.jsonl",
    ],
)
def test_what_is_written_beside_rows_is_no_data_file(tmp_path, name):
    (tmp_path / "train.jsonl").write_text(ROW)
    (tmp_path / name).write_text('{"set": "x", "files": [{"path": "y"}]}')
    assert [part.path.name for part in parts_of(tmp_path) if isinstance(part, StatedFile)] == [
        "train.jsonl"
    ]
    assert f"not read, being no data files: {name}" in said(read_rows(tmp_path))


def test_a_hub_data_set_in_the_cache_is_read_without_the_network(tmp_path, monkeypatch):
    revision = "0" * 40
    folder = tmp_path / "hub" / "datasets--owner--name"
    put(folder, refs__main=revision)
    put(folder / "snapshots" / revision, train_dot_jsonl=ROW)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("FINEWRIGHT_OFFLINE", "1")
    assert len(read_rows(Path("hub:owner/name")).rows) == 1
    assert len(read_rows(tmp_path / "hub:owner/name").rows) == 1


@pytest.mark.parametrize("variable", ["FINEWRIGHT_OFFLINE", "HF_HUB_OFFLINE"])
def test_a_hub_data_set_that_is_not_here_is_one_line_when_offline(tmp_path, monkeypatch, variable):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    for name in ("FINEWRIGHT_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "1")
    assert said(read_rows(Path("hub:owner/name"))) == (
        "hub:owner/name: it is not on this machine and FINEWRIGHT_OFFLINE or HF_HUB_OFFLINE is set"
        " (copy the data set's folder here and give its path)"
    )


def test_links_that_are_not_read_are_said(tmp_path):
    folder = put(tmp_path / "data", a_dot_jsonl=ROW)
    (folder / "b.jsonl").symlink_to("nowhere.jsonl")
    (folder / "more").symlink_to(put(tmp_path / "other", c_dot_jsonl=ROW))
    found = read_rows(folder)
    assert [row.file for row in found.rows] == [str(folder / "a.jsonl")]
    levels = {Path(problem.file).name: problem.level for problem in found.problems}
    assert levels == {"b.jsonl": "error", "more": "warning"}


def test_a_pattern_is_told_from_a_file_that_is_missing(tmp_path):
    put(tmp_path, a_dot_jsonl=ROW)
    with pytest.raises(DataError, match="patterns are not read"):
        read_rows(tmp_path / "*.jsonl")


def test_rows_that_llama_factory_would_draw_are_said(tmp_path):
    about = {"a": {"file_name": "a.json", "num_samples": 1}}
    put(tmp_path, dataset_info_dot_json=json.dumps(about), a_dot_json=f"[{ROW},{ROW}]")
    found = read_rows(tmp_path)
    assert (len(found.rows), "draws 1 of its rows" in said(found)) == (2, True)
