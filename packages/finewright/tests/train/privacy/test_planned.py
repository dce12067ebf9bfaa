"""What a spec's privacy takes, and what is refused before anything is trained."""

from typing import Any

import pytest

import tiny
from finewright.lm.example import Example
from finewright.schema.common import Problem
from finewright.schema.differential_privacy import DifferentialPrivacySpec
from finewright.schema.duplicates import DuplicatesReport
from finewright.schema.methods import KTOSpec, SFTSpec
from finewright.schema.train_section import METHODS
from finewright.train.privacy.accounting import pld_epsilon
from finewright.train.privacy.planned import contradictions, plan_privacy
from finewright.train.privacy.units import near_repeats, units_of
from finewright.train.support import find_unsupported


def rows(count: int = 60, *, users: int = 7) -> list[Example]:
    made = tiny.random_rows([6 + n % 5 for n in range(count)])
    return [Example((row,), columns={"who": f"u{n % users}"}) for n, row in enumerate(made)]


def spec(train: dict[str, Any] | None = None, **privacy: Any) -> SFTSpec:
    settings = {"learning_rate": 1e-3, "batch_size": 6, "epochs": 2, **(train or {})}
    return SFTSpec(privacy=DifferentialPrivacySpec(**privacy), **settings)


def refused(found: tuple[Problem, ...]) -> tuple[str, str]:
    (problem,) = [each for each in found if each.level == "error"]
    assert problem.hint
    assert "\n" not in problem.line()
    return problem.key, problem.message


def test_noise_rate_and_steps_follow_from_rows_and_settings() -> None:
    plan, problems = plan_privacy(spec(epsilon=4.0), rows())
    assert not problems
    assert plan is not None
    assert (plan.mechanism.rate, plan.mechanism.steps, plan.expected_units) == (0.1, 20, 6)
    assert plan.spent.delta == pytest.approx(0.1 / 60)
    assert 3.8 <= plan.spent.epsilon <= 4.0
    assert plan.spent.epsilon_pld == pld_epsilon(plan.mechanism, plan.spent.delta)
    assert [unit.rows for unit in plan.units] == [(row,) for row in rows()]


def test_a_user_is_one_unit_with_few_rows() -> None:
    plan, problems = plan_privacy(
        spec({"batch_size": 2}, epsilon=8.0, unit="who", max_rows_per_unit=5), rows()
    )
    assert plan is not None
    assert {len({row.columns["who"] for row in unit.rows}) for unit in plan.units} == {1}
    assert [len(unit.rows) for unit in plan.units] == [5] * 7
    assert plan.mechanism.rate == pytest.approx(2 / 7)
    assert plan.spent.rows_left_out == 60 - 35
    assert [(p.level, p.key) for p in problems] == [("warning", "train.privacy.max_rows_per_unit")]


def test_a_missing_column_is_refused() -> None:
    key, message = refused(plan_privacy(spec({"batch_size": 2}, unit="customer"), rows()).problems)
    assert key == "train.privacy.unit"
    assert "60 of 60 rows" in message
    assert "'customer'" in message


def test_repeats_that_are_still_in_are_refused() -> None:
    key, message = refused(plan_privacy(spec(), [*rows(), *rows(3)]).problems)
    assert key == "data.duplicates.exact"
    assert message.startswith("3 rows")
    # Of one user they are covered.
    of_one = [Example(row.sequences, columns={"who": "u"}) for row in [*rows(3), *rows(3)]]
    assert not units_of(spec(unit="who"), of_one).problems


def test_near_repeats_that_are_still_in_are_refused() -> None:
    report = DuplicatesReport(
        rows_in=9, rows_kept=7, rows_dropped={"exact": 2}, found={"exact": 2, "near": 3}
    )
    (problem,) = near_repeats(spec(), report)
    assert (problem.level, problem.key) == ("error", "data.duplicates.near")
    dropped = report.model_copy(update={"rows_dropped": {"exact": 2, "near": 3}})
    assert near_repeats(spec(), dropped) == []
    assert [each.level for each in near_repeats(spec(), None)] == ["warning"]
    assert near_repeats(SFTSpec(), report) == []


def test_an_epsilon_out_of_reach_says_which_is_not() -> None:
    train = {"batch_size": 60, "epochs": 100}
    key, message = refused(plan_privacy(spec(train, epsilon=0.1), rows()).problems)
    assert key == "train.privacy.epsilon"
    least = float(message.split("they spend ")[1])
    plan, problems = plan_privacy(spec(train, epsilon=1.05 * least), rows())
    assert plan is not None
    assert not problems


def test_a_delta_that_gives_a_unit_away_is_refused() -> None:
    assert refused(plan_privacy(spec(delta=1 / 60), rows()).problems)[0] == "train.privacy.delta"


def test_more_units_a_step_than_there_are_is_refused() -> None:
    found = plan_privacy(spec({"batch_size": 64}), rows()).problems
    assert refused(found)[0] == "train.batch_size"


def test_without_the_key_nothing_is_planned() -> None:
    assert plan_privacy(SFTSpec(learning_rate=1e-3), rows()) == (None, ())


@pytest.mark.parametrize(
    ("train", "key"),
    [
        ({"adapter": {"type": "ia3"}}, "train.adapter.type"),
        ({"adapter": {"type": "none"}}, "train.adapter.type"),
        ({"adapter": {"type": "lora", "use_dora": True}}, "train.adapter.use_dora"),
        ({"adapter": {"type": "lora", "init": "pissa"}}, "train.adapter.init"),
        ({"adapter": {"type": "lora", "dropout": 0.1}}, "train.adapter.dropout"),
        ({"minutes": 3}, "train.minutes"),
        ({"batch_tokens": 900}, "train.batch_tokens"),
        ({"max_grad_norm": 0.5}, "train.max_grad_norm"),
    ],
    ids=str,
)
def test_what_it_does_not_cover_is_refused(train: dict[str, Any], key: str) -> None:
    made = SFTSpec.model_validate({"privacy": {}, **train})
    assert refused(tuple(find_unsupported(made, None)))[0] == key


def test_methods_that_learn_from_several_rows_at_once_are_refused() -> None:
    found = find_unsupported(KTOSpec(privacy=DifferentialPrivacySpec()), None)
    assert "train.method" in [problem.key for problem in found if problem.level == "error"]
    assert {name for name, settings in METHODS.items() if settings.by_rows} == {"sft", "dpo"}


def test_a_step_that_is_chosen_by_held_out_rows_is_said() -> None:
    found = find_unsupported(spec({"early_stopping": 2}), None)
    assert ("warning", "train.early_stopping") in [(each.level, each.key) for each in found]


def test_a_record_that_claims_less_than_it_spent_is_noticed() -> None:
    plan, _ = plan_privacy(spec(), rows())
    assert plan is not None
    assert contradictions(plan.spent) == []
    for change in ({"epsilon": 7.0}, {"sigma": 0.4}, {"steps": 80}, {"audited": 9.0}):
        (problem,) = contradictions(plan.spent.model_copy(update=change))
        assert problem.level == "error"
