"""What a client may ask of a job: every key is honoured or refused by its name."""

from typing import Any

import pytest

from finewright.schema.train_section import METHODS
from finewright_serve.gateway.errors import ApiError
from finewright_serve.jobs.request import METHOD_TYPES, NOT_BY_JOB, JobRequest, chosen_method

from .conftest import CHAT, PAIR, Api, lines

REWARDS = {"rewards": ["json_f1"]}
CHECK = {
    "type": "string_check", "name": "same", "operation": "eq",
    "input": "{{sample.output_text}}", "reference": "{{item.solution}}",
}  # fmt: skip


def method(kind: str, hyperparameters: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"type": kind, kind: {"hyperparameters": hyperparameters or {}, **more}}


def chosen(**body: Any) -> Any:
    request = JobRequest.model_validate({"model": "base", "training_file": "file-x", **body})
    return chosen_method(request, lambda: {"ftjob-" + "r" * 24: "/runs/r"})


def test_every_method_of_ours_has_a_type() -> None:
    assert set(METHOD_TYPES.values()) == METHODS.keys() - NOT_BY_JOB
    assert (METHOD_TYPES["supervised"], METHOD_TYPES["reinforcement"]) == ("sft", "grpo")
    for kind, name in METHOD_TYPES.items():
        more = REWARDS if "rewards" in METHODS[name].model_fields else {}
        assert chosen(method=method(kind, **more)).settings.method == name


def test_hyperparameters_become_the_keys_of_the_spec() -> None:
    given = {"n_epochs": 2, "batch_size": 4, "learning_rate_multiplier": 0.5, "beta": 0.2}
    found = chosen(method=method("dpo", given), seed=9)
    assert found.train == {"method": "dpo", "epochs": 2, "batch_size": 4, "beta": 0.2, "seed": 9}
    assert (found.multiplier, found.given) == (0.5, given)
    auto = dict.fromkeys(("n_epochs", "batch_size", "learning_rate_multiplier"), "auto")
    assert chosen(method=method("supervised", auto)).train == {"method": "sft"}
    assert chosen(hyperparameters={"n_epochs": 3}).train == {"method": "sft", "epochs": 3}
    lora = {"adapter": {"type": "lora", "r": 8}}
    assert chosen(method=method("supervised", lora)).settings.adapter.r == 8


def test_a_grader_that_we_have_becomes_a_reward() -> None:
    found = chosen(method=method("reinforcement", {"eval_interval": 5}, grader=CHECK))
    assert found.train == {
        "method": "grpo", "eval_steps": 5, "rewards": [{"function": "exact", "column": "solution"}],
    }  # fmt: skip
    model = f"reward_model:ftjob-{'r' * 24}"
    rewards = [model, {"function": "json_f1", "weight": 2}]
    assert chosen(method=method("ppo", rewards=rewards)).train["rewards"] == [
        {"function": "reward_model:/runs/r"}, {"function": "json_f1", "weight": 2.0},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"integrations": [{"type": "wandb", "wandb": {"project": "p"}}]}, "integrations"),
        ({"method": {"type": "magic"}}, "method.type"),
        ({"method": {}}, "method.type"),
        ({"method": {"type": "dpo", "supervised": {}}}, "method.supervised"),
        ({"method": {"type": "dpo", "dpo": 3}}, "method.dpo"),
        ({"method": method("dpo"), "hyperparameters": {}}, "hyperparameters"),
        ({"hyperparameters": {"epochs": 3}}, "method.supervised.hyperparameters.epochs"),
        ({"hyperparameters": {"n_epochs": -1}}, "method.supervised.hyperparameters.n_epochs"),
        ({"hyperparameters": {"n_epochs": "many"}}, "method.supervised.hyperparameters.n_epochs"),
        ({"hyperparameters": {"n_epochs": "3"}}, "method.supervised.hyperparameters.n_epochs"),
        ({"hyperparameters": {"batch_size": True}}, "method.supervised.hyperparameters.batch_size"),
        (
            {"hyperparameters": {"learning_rate": "1"}},
            "method.supervised.hyperparameters.learning_rate",
        ),
        ({"hyperparameters": {"beta": 0.1}}, "method.supervised.hyperparameters.beta"),
        ({"hyperparameters": {"output_dir": "/"}}, "method.supervised.hyperparameters.output_dir"),
        ({"hyperparameters": {"seed": 1}}, "method.supervised.hyperparameters.seed"),
        (
            {"hyperparameters": {"learning_rate_multiplier": 0}},
            "method.supervised.hyperparameters.learning_rate_multiplier",
        ),
        (
            {"hyperparameters": {"learning_rate_multiplier": 2, "learning_rate": 1e-4}},
            "method.supervised.hyperparameters",
        ),
        ({"method": method("supervised", rewards=["exact"])}, "method.supervised.rewards"),
        ({"method": method("reinforcement")}, "method.reinforcement.grader"),
        ({"method": method("ppo", rewards=[])}, "method.ppo.rewards"),
        ({"method": method("ppo", rewards=["magic"])}, "method.ppo.rewards.0"),
        ({"method": method("ppo", rewards=["python:x.py:f"])}, "method.ppo.rewards.0"),
        ({"method": method("ppo", rewards=["json_schema:/etc/passwd"])}, "method.ppo.rewards.0"),
        ({"method": method("ppo", rewards=["reward_model:../runs/x"])}, "method.ppo.rewards.0"),
        ({"method": method("ppo", rewards=["exact"], grader=CHECK)}, "method.ppo.grader"),
        (
            {"method": method("reinforcement", grader={"type": "python", "source": "x"})},
            "method.reinforcement.grader.type",
        ),
        (
            {"method": method("reinforcement", grader={**CHECK, "operation": "like"})},
            "method.reinforcement.grader.operation",
        ),
        (
            {"method": method("reinforcement", grader={**CHECK, "reference": "fixed"})},
            "method.reinforcement.grader.input",
        ),
        (
            {"method": method("reinforcement", {"reasoning_effort": "low"}, grader=CHECK)},
            "method.reinforcement.hyperparameters.reasoning_effort",
        ),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_its_name(body: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as error:
        chosen(**body)
    assert error.value.param == param


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"sufix": "x"}, "sufix"),
        ({"suffix": "x" * 65}, "suffix"),
        ({"suffix": "../../x"}, "suffix"),
        ({"suffix": "x\n"}, "suffix"),
        ({"seed": "1"}, "seed"),
        ({"metadata": {str(i): "" for i in range(17)}}, "metadata"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"model": "gpt-4o-mini"}, "model"),
        ({"model": "ft:base:finewright::abc"}, "model"),
        ({"training_file": "file-" + "a" * 24}, "training_file"),
        ({"validation_file": "file-" + "a" * 24}, "validation_file"),
        ({"method": method("dpo")}, "training_file"),
        ({"hyperparameters": {"early_stopping": 2}}, "validation_file"),
    ],
)
def test_a_job_that_cannot_be_is_not_made(api: Api, body: dict[str, Any], param: str) -> None:
    found = api.create(**{"training_file": api.upload(), **body})
    assert (found.status_code, found.json()["error"]["param"]) == (400, param), found.text
    assert api.training.folder.ids() == []


@pytest.mark.parametrize(
    ("kind", "row"),
    [("dpo", PAIR), ("orpo", PAIR), ("reward", PAIR), ("kto", PAIR), ("supervised", CHAT)],
)
def test_a_method_takes_its_rows_alone(api: Api, kind: str, row: dict[str, Any]) -> None:
    other = CHAT if row is PAIR else PAIR
    good = api.create(training_file=api.upload(lines(row)), method=method(kind))
    assert good.status_code == 200, good.text
    mixed = api.create(training_file=api.upload(lines(row, other)), method=method(kind))
    assert "1 of the shape" in mixed.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"method": {"type": "superwised"}}, "did you mean 'supervised'?"),
        ({"hyperparameters": {"n_epoch": 3}}, "did you mean 'n_epochs'?"),
        ({"hyperparameters": {"learning_rate_multiplyer": 3}}, "'learning_rate_multiplier'?"),
        ({"hyperparameters": {"max_lenght": 3}}, "did you mean 'max_length'?"),
        ({"method": {"type": "dpo", "dpo": {"hyperparameter": {}}}}, "'hyperparameters'?"),
    ],
)
def test_a_name_that_is_nearly_one_is_guessed(body: dict[str, Any], says: str) -> None:
    with pytest.raises(ApiError) as error:
        chosen(**body)
    assert str(error.value).endswith(f"did you mean {says.removeprefix('did you mean ')}")


def test_what_was_left_open_is_shown_as_the_run_took_it(api: Api) -> None:
    job = api.made(hyperparameters={"n_epochs": 2, "batch_size": "auto"})
    assert job["hyperparameters"]["batch_size"] == "auto"
    used = {"n_epochs": 2, "batch_size": 8, "learning_rate_multiplier": 1.0}
    api.training.folder.change(job["id"], lambda state: state.model_copy(update={"used": used}))
    found = api.client.get(f"/v1/fine_tuning/jobs/{job['id']}").json()
    assert found["hyperparameters"] == used
    assert found["method"]["supervised"]["hyperparameters"] == used
