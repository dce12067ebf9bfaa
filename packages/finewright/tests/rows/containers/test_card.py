"""A data set of the hub: its card says which files train, and no other file does."""

from pathlib import Path

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
ODD_TAGS = ("!!bool odd", '!!int ""', '!!float ""', "!!timestamp odd", "2001-02-30")
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


def test_who_has_the_files_that_train_needs_no_others(tmp_path):
    put(tmp_path, **{"data__a-0_dot_jsonl": ROW}, README_dot_md=card(SPLITS))
    assert names(tmp_path) == ["data/a-0.jsonl"]


@pytest.mark.parametrize(
    ("configs", "expected"),
    [
        (SEVERAL, "names several data sets: en, de"),
        (
            "- {data_files: [{split: a, path: d*/a*}, {split: b, path: d*/b*}]}\n",
            "(name the files of one, in /",
        ),
        (
            "- {config_name: a, data_files: data/*}\n- {config_name: b, data_files: no/*}\n",
            "names several data sets: a, b",
        ),
        ("- {data_files: ../*.jsonl}\n", "no data file here is '../*.jsonl'"),
        ("- {data_files: /etc/*}\n", "no data file here is '/etc/*'"),
        (
            "- {data_files: [{split: train, path: train.jsonl}, {split: test, path: data/a*}]}\n",
            "no data file here is 'train.jsonl', of the split train",
        ),
        (
            "- {data_files: [{split: train, path: data/*}, {split: test, path: data/b*}]}\n",
            "b-0.jsonl is of the splits train and test",
        ),
        ("- {data_files: {train: data/a*}}\n", "a path of its data_files is None"),
        (f"- {{data_files: {'a**' * 9}}}\n", "has more than 4 `**`"),
        ("- {data_files: []}\n", "its data_files name no file"),
        ("- {data_dir: nowhere}\n", "its data_dir 'nowhere' is no folder here"),
        ("- data/*\n- {data_files: data/*}\n", "`configs` is no list of objects"),
        ("  default: {data_files: data/*}\n", "`configs` is no list of objects"),
        ("- {data_files: [\n", "cannot be read as YAML"),
        *((f"- {{data_files: data/*, n: {odd}}}\n", "cannot be read as YAML") for odd in ODD_TAGS),
    ],
)
def test_where_the_card_leaves_a_choice_or_cannot_be_followed_nothing_is_read(
    tmp_path, configs, expected
):
    put(tmp_path, **FILES, README_dot_md=card(configs))
    assert names(tmp_path) == []
    assert expected in said(read_rows(tmp_path))


@pytest.mark.parametrize("split", ["all", "train_small"])
def test_a_split_that_is_no_test_may_share_the_files_of_train(tmp_path, split):
    configs = (
        f"- {{data_files: [{{split: train, path: data/a*}}, {{split: {split}, path: data/*}}]}}\n"
    )
    put(tmp_path, **FILES, README_dot_md=card(configs))
    assert names(tmp_path) == ["data/a-0.jsonl", "data/a-1.jsonl"]


@pytest.mark.parametrize(
    ("pattern", "expected"), [("data/*", "data/part-00000"), ("*.json", "report.json")]
)
def test_files_that_a_pattern_alone_calls_data_are_read(tmp_path, pattern, expected):
    files = ("data__part-00000", "data___SUCCESS", "report_dot_json", "dataset_infos_dot_json")
    put(tmp_path, **dict.fromkeys(files, ROW), README_dot_md=card(f'- data_files: "{pattern}"\n'))
    assert names(tmp_path) == [expected]
    assert len(read_rows(tmp_path).rows) == 1


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
        card("- {config_name: a}\n- {config_name: b}\n"),
        "---\n[\n---\n",
        "---\nn: !!bool odd\n---\n",
        card("- [\n"),
        *map(card, ("- a.yaml\n", "  lr: 1\n", "  default\n")),
    ],
)
def test_a_card_that_names_no_files_says_nothing(tmp_path, text):
    put(tmp_path, **FILES, README_dot_md=text)
    assert len(names(tmp_path)) == len(FILES)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("**", ["data/a.jsonl", "data/in/b.jsonl", "x.jsonl"]),
        ("*", ["x.jsonl"]),
        ("data/**", ["data/a.jsonl", "data/in/b.jsonl"]),
        ("data/**/*.jsonl", ["data/a.jsonl", "data/in/b.jsonl"]),
        ("data/**.jsonl", ["data/a.jsonl", "data/in/b.jsonl"]),
        ("data/i**", ["data/in/b.jsonl"]),
        (".held/*", [".held/d.jsonl"]),
        ("*.txt", ["c.txt"]),
    ],
)
def test_a_pattern_names_rows_at_any_depth_and_nothing_hidden(tmp_path, pattern, expected):
    rows = ("data__a_dot_jsonl", "data__in__b_dot_jsonl", "x_dot_jsonl", "_dot_held__d_dot_jsonl")
    others = ("LICENSE", "x_dot_png", "c_dot_txt", "dataset_infos_dot_json")
    configs = f'- {{data_files: "{pattern}"}}\n'
    put(tmp_path, **dict.fromkeys((*rows, *others), ROW), README_dot_md=card(configs))
    assert names(tmp_path) == expected


def test_the_files_that_a_card_does_not_list_are_found_once_each(tmp_path, monkeypatch):
    put(tmp_path, **{f"a{i}_dot_jsonl": ROW for i in range(30)}, b_dot_jsonl=ROW)
    put(tmp_path, README_dot_md=card('- {data_files: "a*.jsonl"}\n'))
    resolved, resolve = [], Path.resolve
    monkeypatch.setattr(Path, "resolve", lambda path: resolved.append(path) or resolve(path))
    assert len(names(tmp_path)) == 30
    assert len(resolved) < 3 * 31
