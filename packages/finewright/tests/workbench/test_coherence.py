"""What parts of a spec ask of each other is said before anything runs."""

from typing import Any

import pytest

from finewright.schema.rows import Row
from finewright.schema.run import RunSpec
from finewright.workbench.coherence import incoherent, unmeasurable

BASE = {"name": "a", "base_models": ["x"], "data": {"sources": [{"path": "a"}]}}
ASKED = ({"role": "user", "content": "q"}, {"role": "assistant", "content": "a"})


def spec_of(train: dict[str, Any], **sections: Any) -> RunSpec:
    return RunSpec.model_validate({**BASE, "train": train, **sections})


@pytest.mark.parametrize(
    ("train", "key"),
    [
        ({"early_stopping": 3}, "train.early_stopping"),
        ({"keep": "best+last"}, "train.keep"),
        ({"eval_steps": 5}, "train.eval_steps"),
    ],
)
def test_the_best_of_nothing_is_refused(train: dict[str, Any], key: str) -> None:
    (problem,) = incoherent(spec_of(train))
    assert (problem.level, problem.key) == ("error", key)
    assert "set data.eval_fraction" in problem.hint
    held_out = {"data": {**BASE["data"], "eval_fraction": 0.1}}  # type: ignore[dict-item]
    assert incoherent(spec_of(train, **held_out)) == []


def test_of_epochs_and_max_steps_the_one_that_nothing_reads_is_said() -> None:
    (problem,) = incoherent(spec_of({"epochs": 1, "max_steps": 500}))
    assert (problem.level, problem.key) == ("warning", "train.epochs")
    assert "500 steps are taken" in problem.message
    assert incoherent(spec_of({"epochs": 1})) == incoherent(spec_of({"max_steps": 9})) == []


def test_a_reward_model_is_measured_by_what_it_prefers() -> None:
    spec = spec_of({"method": "reward"})
    assert spec.evaluate.metrics == ("preference_accuracy",)
    assert incoherent(spec) == []
    assert spec_of({"method": "dpo"}).evaluate.metrics == ("exact_match", "token_f1")


def test_a_reward_model_has_no_answers_to_judge() -> None:
    spec = spec_of({"method": "reward"}, evaluate={"metrics": ["exact_match"]})
    (problem,) = incoherent(spec)
    assert problem.key == "evaluate.metrics"
    assert "rates answers and gives none" in problem.message


def test_preferences_need_pairs() -> None:
    spec = spec_of({"method": "dpo"}, evaluate={"metrics": ["preference_accuracy"]})
    pair = Row("1", ASKED, None, "f.jsonl", 1, rejected=ASKED)
    single = Row("2", ASKED, None, "f.jsonl", 2)
    assert list(unmeasurable(spec, "f", [pair])) == []
    (problem,) = unmeasurable(spec, "f", [pair, single])
    assert (problem.file, problem.row) == ("f.jsonl", 2)
    assert "1 of 2 rows of f are none" in problem.message
    assert list(unmeasurable(spec_of({}), "f", [single])) == []


CALL = {"type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}


def calling(**changes: object) -> Row:
    function = {**CALL["function"], **changes}  # type: ignore[dict-item]
    turn = {"role": "assistant", "content": None, "tool_calls": [{**CALL, "function": function}]}
    return Row("1", ({"role": "user", "content": "Q"}, turn), None, "calls.jsonl", 1)


def test_metrics_of_calls_are_proposed_where_rows_expect_calls() -> None:
    (problem,) = unmeasurable(spec_of({}), "calls", [calling()])
    assert problem.level == "info"
    assert "1 of 1 rows of calls expect tool calls" in problem.message
    assert "tool_calls, tool_name" in problem.hint
    spec = spec_of({}, evaluate={"metrics": ["tool_calls"]})
    assert list(unmeasurable(spec, "calls", [calling()])) == []


def test_a_metric_that_says_nothing_of_a_set_is_an_error_before_training() -> None:
    spec = spec_of({}, evaluate={"metrics": ["no_call"]})
    (problem,) = unmeasurable(spec, "calls", [calling()])
    assert (problem.level, problem.key) == ("error", "evaluate.metrics")


def test_an_expected_call_that_cannot_be_read_is_an_error_with_its_row() -> None:
    problem, *_ = unmeasurable(spec_of({}), "calls", [calling(arguments='{"a": ')])
    assert (problem.level, problem.file, problem.row) == ("error", "calls.jsonl", 1)
