"""What an experiment cannot do is said before anything runs, with the key."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from finewright.errors import DataError, FinewrightError, SpecError, UnknownPlugin
from finewright.evaluate.arms import gold_of
from finewright.schema.load import load_spec
from finewright_advice.measure.check import check_section
from finewright_advice.measure.experiment import measure
from finewright_advice.measure.rows import check_gold, experiment_rows, require_column

from .measuring import write_base, write_experiment, write_jsonl


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    return write_experiment(tmp_path)


def test_a_good_spec_says_what_solved_means(spec: Path) -> None:
    section, criterion = check_section(load_spec(spec, ["measure.solved={at_least: 0.5}"]))
    assert (criterion.metric, criterion.at_least) == ("numeric", 0.5)
    assert section.ordered == ("0-shot", "k-shot", "rag", "ft", "rag+ft")


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["base_models=[./base, ./other]"], "base_models: 2 are named"),
        (
            ["measure.solved={metric: exact_match}"],
            "measure.solved.metric: 'exact_match' is not among",
        ),
        (
            ["evaluate.metrics=[perplexity]"],
            "measure.solved.metric: perplexity has no value for a single",
        ),
        (
            ["evaluate.metrics=[no_call]"],
            "measure.solved.metric: no_call has no value for a row that expects a call",
        ),
        (
            ["evaluate.metrics=[numeric, preference_accuracy]"],
            "evaluate.metrics: preference_accuracy",
        ),
        (["rag=null"], "rag: there is no such section"),
        (["measure=null"], "there is no `measure` section"),
        (["measure.arms=[0-shot, 0-shot]"], "measure: an option is named twice"),
        (["measure.curve=[0.5, 0.25]"], "must rise"),
        (["train.method=dpo"], "train.method: is dpo"),
    ],
)
def test_what_cannot_be_measured_is_named(spec: Path, overrides: list[str], said: str) -> None:
    with pytest.raises(SpecError) as caught:
        check_section(load_spec(spec, overrides))
    assert said in str(caught.value)


def test_arms_are_left_out_without_more_ado(spec: Path) -> None:
    section, _ = check_section(load_spec(spec, ["measure.arms=[0-shot, rag]"]))
    assert section.arms == ("0-shot", "rag")


def test_a_gold_that_is_no_document_is_told_by_its_row(spec: Path) -> None:
    loaded = load_spec(spec)
    assert loaded.spec.measure is not None
    rows = experiment_rows(loaded, loaded.spec.measure)
    known = {id for row in (*rows.train, *rows.dev, *rows.test) for id in gold_of(row)}
    check_gold(rows, known)
    first = rows.test[0]
    with pytest.raises(DataError, match=r"gold: there is no document") as caught:
        check_gold(rows, known - set(gold_of(first)))
    assert f"{first.file}:{first.row}: gold: " in str(caught.value)
    odd = replace(first, columns={"gold": 5})
    with pytest.raises(DataError, match="gold: must be the id of a document"):
        check_gold(replace(rows, test=(odd,)), known)


def test_settings_that_want_held_out_rows_are_refused_before_anything_runs(spec: Path) -> None:
    with pytest.raises(DataError, match="early_stopping"):
        check_section(load_spec(spec, ["train.early_stopping=2"]))


def test_an_unknown_metric_is_refused(spec: Path) -> None:
    with pytest.raises(UnknownPlugin, match="numerik"):
        check_section(load_spec(spec, ["evaluate.metrics=[numerik]"]))


@pytest.mark.parametrize(
    ("file", "rows", "said"),
    [
        ("train.jsonl", [{"prompt": "q", "completion": "a"}] * 3, "rows are left to train on"),
        ("train.jsonl", [{"prompt": "q", "chosen": "a", "rejected": "b"}] * 9, "is no question"),
        ("documents.jsonl", [{"id": "d1", "text": " "}], "documents.jsonl:1"),
    ],
)
def test_rows_and_documents_that_will_not_do_are_named_and_no_folder_is_left(
    spec: Path, file: str, rows: list[dict], said: str
) -> None:
    write_jsonl(spec.parent / file, rows)
    runs = spec.parent / "runs"
    with pytest.raises(FinewrightError) as caught:
        measure(load_spec(spec), runs, on_event=lambda *_: None)
    assert said in str(caught.value)
    assert not runs.exists()


ASKED = {"role": "user", "content": "What is the fee?"}
CALL = {"type": "function", "function": {"name": "look", "arguments": {}}}
BAD_ANSWERS = {
    "test": (
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        "no words for tool calls",
    ),
    "train": (
        {"role": "assistant", "content": "$11.00 " * 900},
        "1 of 12 rows (8 %) have more than",
    ),
}


@pytest.mark.torch
@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_rows_that_the_base_cannot_be_asked_or_taught_are_refused_before_anything_runs(
    spec: Path, tmp_path: Path, name: str
) -> None:
    answer, what = BAD_ANSWERS[name]
    write_base(tmp_path)
    path = tmp_path / f"{name}.jsonl"
    number = len(path.read_text().splitlines()) + 1
    with path.open("a") as file:
        file.write(json.dumps({"messages": [ASKED, answer]}) + "\n")
    loaded = load_spec(spec, ["measure.dev_rows=1", "measure.arms=[0-shot, ft]", "rag=null"])
    with pytest.raises(DataError) as refused:
        measure(loaded, tmp_path / "runs", on_event=lambda *_: None)
    assert f"{name}.jsonl:{number}: " in str(refused.value)
    assert what in str(refused.value)
    assert not (tmp_path / "runs").exists()


def test_a_row_without_the_column_of_its_metric_is_named(spec: Path) -> None:
    loaded = load_spec(spec)
    section, _ = check_section(loaded)
    rows = experiment_rows(loaded, section)
    require_column("", rows)
    with pytest.raises(DataError, match=r"jsonl:\d+: check: there is no such text"):
        require_column("check", rows)
