"""A data set of the hub: its card says which files train, and no other file does."""

import pytest

from finewright.rows.read import read_rows

from .test_parts import ROW, names, put, said


def card(configs: str) -> str:
    return f"---\nlicense: mit\nconfigs:\n{configs}---\n# About\n"


SPLITS = """
- config_name: default
  data_files:
  - split: test
    path: data/b-*.jsonl
  - split: train
    path: [data/a-*.jsonl]
- config_name: extra
  data_files: more/*.jsonl
"""
SEVERAL = "- {config_name: en, data_files: data/a-0.jsonl}\n- {config_name: de, data_files: data/b-0.jsonl}\n"
FILES = dict.fromkeys(
    ("data__a-0_dot_jsonl", "data__a-1_dot_jsonl", "data__b-0_dot_jsonl", "more__c_dot_jsonl"), ROW
)


def test_what_the_card_names_as_a_test_is_not_trained(tmp_path):
    put(tmp_path, **FILES, d_dot_jsonl=ROW, README_dot_md=card(SPLITS))
    assert names(tmp_path) == ["data/a-0.jsonl", "data/a-1.jsonl"]
    told = said(read_rows(tmp_path))
    assert "only train is read, not test" in told
    assert "only default is read, not extra" in told
    assert "README.md does not list them: d.jsonl" in told


@pytest.mark.parametrize(
    ("configs", "expected"),
    [
        (SEVERAL, "names several data sets: en, de"),
        ("- {data_files: [{split: a, path: d*/a*}, {split: b, path: d*/b*}]}\n", "which split?"),
    ],
)
def test_where_the_card_leaves_a_choice_nothing_is_read(tmp_path, configs, expected):
    put(tmp_path, **FILES, README_dot_md=card(configs))
    assert names(tmp_path) == []
    assert expected in said(read_rows(tmp_path))


def test_the_card_may_say_which_is_the_default(tmp_path):
    put(tmp_path, **FILES, README_dot_md=card(SEVERAL.replace("de,", "de, default: true,")))
    assert names(tmp_path) == ["data/b-0.jsonl"]


def test_a_card_may_name_folders(tmp_path):
    configs = (
        "- {config_name: main, data_dir: data, default: true}\n- {config_name: b, data_dir: more}\n"
    )
    put(tmp_path, **FILES, data__test_dot_jsonl=ROW, README_dot_md=card(configs))
    put(tmp_path, data__train_dot_jsonl=ROW)
    assert names(tmp_path) == [
        "data/a-0.jsonl",
        "data/a-1.jsonl",
        "data/b-0.jsonl",
        "data/train.jsonl",
    ]
    told = said(read_rows(tmp_path))
    assert "only main is read, not b" in told
    assert "only train is read, not test" in told


@pytest.mark.parametrize(
    "text",
    [
        "# About",
        card("- {data_files: ../*.jsonl}\n"),
        card("- {data_files: /etc/*}\n"),
        "---\n[\n---\n",
    ],
)
def test_a_card_that_names_no_files_here_says_nothing(tmp_path, text):
    put(tmp_path, **FILES, README_dot_md=text)
    assert len(names(tmp_path)) == len(FILES)
