"""A hosted job's settings: what carries over, what stays open, and what is refused in one line."""

import json
from pathlib import Path

import pytest

from finewright.errors import DataError
from finewright_bridge.migrate.job import carry_settings, family_of, name_of, read_job

JOB = {
    "object": "fine_tuning.job",
    "id": "ftjob-1",
    "model": "gpt-4o-mini-2024-07-18",
    "fine_tuned_model": "ft:gpt-4o-mini-2024-07-18:org:my-bot:abc",
    "status": "succeeded",
    "training_file": "file-1",
    "validation_file": None,
    "hyperparameters": {"n_epochs": 3, "batch_size": "auto", "learning_rate_multiplier": 1.8},
    "trained_tokens": 5000,
    "seed": 7,
    "error": {},
    "integrations": [],
    "method": {
        "type": "supervised",
        "supervised": {"hyperparameters": {"n_epochs": 3, "batch_size": "auto"}},
    },
}


@pytest.fixture
def saved(tmp_path):
    def saved(**changes: object) -> Path:
        path = tmp_path / "job.json"
        path.write_text(json.dumps({**JOB, **changes}))
        return path

    return saved


def values(path: Path) -> dict[str, str]:
    return {c.key: c.becomes for c in carry_settings(read_job(path)) if c.key}


def test_numbers_carry_over_and_auto_stays_open(saved):
    assert values(saved()) == {"train.method": "sft", "train.epochs": "3", "train.seed": "7"}
    told = {c.setting: c for c in carry_settings(read_job(saved()))}
    assert told["batch_size"].why == "was chosen there, and no number is told"
    assert told["trained_tokens"].value == "5000"
    assert "id" in told["id, training_file"].setting


def test_an_older_job_without_a_method_is_supervised_and_its_own_numbers_count(saved):
    path = saved(method=None, hyperparameters={"n_epochs": 4, "batch_size": 2.0})
    assert values(path) == {
        "train.method": "sft",
        "train.epochs": "4",
        "train.batch_size": "2",
        "train.seed": "7",
    }


def test_the_multiplier_has_no_counterpart_and_says_why(saved):
    told = [
        c for c in carry_settings(read_job(saved(method=None))) if c.setting.startswith("learning")
    ]
    assert [(c.value, c.key) for c in told] == [("1.8", "")]
    assert "does not publish" in told[0].why


def test_a_dpo_job_has_its_beta(saved):
    method = {"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.2, "n_epochs": 1.5}}}
    assert values(saved(method=method, seed=None)) == {
        "train.method": "dpo",
        "train.beta": "0.2",
        "train.epochs": "1.5",
    }


def test_the_name_comes_from_the_suffix_or_the_model(saved):
    assert name_of(read_job(saved(user_provided_suffix="My Bot 2!"))) == "my-bot-2-migrated"
    assert name_of(read_job(saved())) == "my-bot-migrated"
    assert name_of(read_job(saved(user_provided_suffix="漢字"))) == "migrated"
    assert name_of(None) == "migrated"


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("ft:gpt-4o-mini-2024-07-18:org::id", "gpt-4o-mini"),
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-4.1", "gpt-4.1"),
    ],
)
def test_a_model_is_of_the_family_that_end_dates_name(model, family):
    assert family_of(model) == family


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"object": "list"}, "a list of jobs"),
        ({"object": "file"}, "object: not a fine-tuning job"),
        ({"model": ""}, "model: missing"),
        ({"model": 4}, "model: must be a text"),
        ({"method": []} | {"method": ["x"]}, "method: must be an object"),
        ({"method": {"type": "reinforcement"}}, "'reinforcement' has no counterpart here"),
        ({"seed": "x"}, "seed: must be a whole number"),
        (
            {"method": None, "hyperparameters": {"n_epochs": -1}},
            "n_epochs: must be a number above 0",
        ),
        ({"method": None, "hyperparameters": {"n_epochs": "many"}}, "n_epochs: must be a number"),
        ({"method": None, "hyperparameters": {"n_epochs": True}}, "n_epochs: must be a number"),
    ],
)
def test_what_is_no_job_is_one_line_with_its_key(saved, changes, said):
    with pytest.raises(DataError, match=said) as error:
        read_job(saved(**changes))
    assert str(error.value).startswith(str(saved()))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_is_one_line(tmp_path, content):
    (tmp_path / "job.json").write_bytes(content)
    with pytest.raises(DataError, match=r"job\.json: not readable JSON"):
        read_job(tmp_path / "job.json")


def test_json_of_another_kind_is_one_line(tmp_path):
    (tmp_path / "job.json").write_text("[1]")
    with pytest.raises(DataError, match="not a fine-tuning job"):
        read_job(tmp_path / "job.json")
