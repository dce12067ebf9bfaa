"""The plan of a run: which rows each step sees, and at which learning rate."""

from itertools import chain, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from finewright.schema.methods import SFTSpec
from finewright.train.schedule import Schedule, schedule_of

PEAK = 0.5
sizes = st.integers(1, 40)


def plan(num_rows: int, **fields: object) -> Schedule:
    spec = SFTSpec(**{"learning_rate": PEAK, "warmup_ratio": 0.0, **fields})
    return schedule_of(spec, [1] * num_rows)


def rows_seen(schedule: Schedule) -> list[int]:
    return [i for step in range(schedule.steps) for i in chain(*schedule.batches_of(step))]


@given(
    num_rows=sizes, epochs=st.integers(1, 4), batch_size=sizes, parts=st.integers(1, 4), seed=sizes
)
def test_every_epoch_sees_every_row_once(
    num_rows: int, epochs: int, batch_size: int, parts: int, seed: int
) -> None:
    schedule = plan(
        num_rows, epochs=epochs, batch_size=batch_size, gradient_accumulation=parts, seed=seed
    )
    seen = rows_seen(schedule)
    assert len(seen) == epochs * num_rows
    for epoch in range(epochs):
        assert sorted(seen[epoch * num_rows : (epoch + 1) * num_rows]) == list(range(num_rows))


@given(num_rows=sizes, max_steps=sizes, batch_size=sizes, parts=st.integers(1, 4))
def test_max_steps_counts_full_steps(
    num_rows: int, max_steps: int, batch_size: int, parts: int
) -> None:
    schedule = plan(
        num_rows, max_steps=max_steps, batch_size=batch_size, gradient_accumulation=parts
    )
    assert schedule.steps == max_steps
    for step in range(max_steps):
        assert [len(batch) for batch in schedule.batches_of(step)] == [batch_size] * parts


@given(num_rows=sizes, batch_size=sizes, parts=st.integers(1, 4), seed=sizes)
def test_a_step_depends_on_seed_and_step_alone(
    num_rows: int, batch_size: int, parts: int, seed: int
) -> None:
    fields = {"batch_size": batch_size, "gradient_accumulation": parts, "seed": seed}
    forwards = plan(num_rows, **fields)
    steps = range(forwards.steps)
    seen = [(forwards.batches_of(step), forwards.step_seed(step)) for step in steps]
    backwards = plan(num_rows, **fields)
    again = [(backwards.batches_of(step), backwards.step_seed(step)) for step in reversed(steps)]
    assert again[::-1] == seen


def test_the_order_of_a_seed_never_changes() -> None:
    # Pinned: another order would be another run under the same lock file.
    schedule = plan(6, batch_size=2, epochs=2, seed=7)
    assert [schedule.batches_of(step) for step in range(6)] == [
        [[5, 1]],
        [[4, 3]],
        [[2, 0]],
        [[2, 4]],
        [[0, 1]],
        [[3, 5]],
    ]


def test_another_seed_gives_another_order() -> None:
    assert rows_seen(plan(20, seed=1)) != rows_seen(plan(20, seed=2))


def test_epochs_differ_in_order() -> None:
    seen = rows_seen(plan(20, epochs=2))
    assert seen[:20] != seen[20:]


def test_steps_have_seeds_of_their_own() -> None:
    schedule = plan(100, batch_size=1, epochs=3)
    assert len({schedule.step_seed(step) for step in range(300)}) == 300


def test_the_last_step_may_be_short() -> None:
    schedule = plan(7, epochs=1, batch_size=2, gradient_accumulation=2)
    shapes = [[len(batch) for batch in schedule.batches_of(step)] for step in range(2)]
    assert schedule.steps == 2
    assert shapes == [[2, 2], [2, 1]]


@pytest.mark.parametrize(
    ("epochs", "num_rows", "seen"), [(0.5, 10, 5), (0.01, 10, 1), (1.5, 3, 5), (2.0, 4, 8)]
)
def test_a_part_of_an_epoch_is_rounded_up_to_rows(epochs: float, num_rows: int, seen: int) -> None:
    assert len(rows_seen(plan(num_rows, epochs=epochs, batch_size=3))) == seen


def rates(**fields: object) -> list[float]:
    """The learning rate of each step, as a share of the peak."""
    schedule = plan(100, batch_size=1, **fields)
    return [schedule.learning_rate_at(step) / PEAK for step in range(schedule.steps)]


def test_a_linear_rate_at_points_worked_out_by_hand() -> None:
    # 10 steps, 2 of them warm up: 1/3, 2/3; then 1 falls by 1/8 a step.
    found = rates(max_steps=10, warmup_ratio=0.2, lr_scheduler="linear")
    assert found == pytest.approx(
        [1 / 3, 2 / 3, 1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125], rel=1e-12
    )


def test_a_cosine_rate_at_points_worked_out_by_hand() -> None:
    # Four steps of fall: cos 0, 45, 90 and 135 degrees.
    found = rates(max_steps=4, lr_scheduler="cosine")
    root = 2**-0.5
    assert found == pytest.approx([1, (1 + root) / 2, 0.5, (1 - root) / 2], rel=1e-12)


def test_a_constant_rate_stays_after_the_warm_up() -> None:
    found = rates(max_steps=5, warmup_ratio=0.2, lr_scheduler="constant")
    assert found == pytest.approx([0.5, 1, 1, 1, 1], rel=1e-12)


@pytest.mark.parametrize("shape", ["cosine", "linear", "constant"])
@pytest.mark.parametrize("warmup", [0.0, 0.05, 1.0])
@given(steps=st.integers(1, 60))
def test_no_step_is_wasted_on_a_rate_of_zero_nor_goes_over_the_peak(
    shape: str, warmup: float, steps: int
) -> None:
    found = rates(max_steps=steps, warmup_ratio=warmup, lr_scheduler=shape)
    assert len(found) == steps
    assert all(0 < rate <= 1 for rate in found)


@pytest.mark.torch
@pytest.mark.parametrize(
    ("shape", "function"),
    [
        ("cosine", "get_cosine_schedule_with_warmup"),
        ("linear", "get_linear_schedule_with_warmup"),
        ("constant", "get_constant_schedule_with_warmup"),
    ],
)
def test_rates_are_those_of_transformers_but_for_the_warm_up(shape: str, function: str) -> None:
    """After warm-up they are the same. While warming, transformers goes s/W from 0, which wastes the
    first step; ours goes (s + 1)/(W + 1): above theirs by at most 1/(W + 1) of the peak."""
    import torch
    import transformers

    steps, warmup = 40, 8
    ours = rates(max_steps=steps, warmup_ratio=warmup / steps, lr_scheduler=shape)
    total = {} if shape == "constant" else {"num_training_steps": steps}
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = getattr(transformers, function)(optimizer, num_warmup_steps=warmup, **total)
    for step in range(steps):
        rate = theirs.get_last_lr()[0]
        above = ours[step] - rate
        if step < warmup:
            assert 0 < above <= 1 / (warmup + 1)
        else:
            assert above == pytest.approx(0, abs=1e-12)
        optimizer.step()
        theirs.step()


def filled(lengths: list[int], **fields: object) -> Schedule:
    return schedule_of(SFTSpec(learning_rate=PEAK, warmup_ratio=0.0, **fields), lengths)


lengths_of_rows = st.lists(st.integers(1, 30), min_size=1, max_size=30)


@given(lengths=lengths_of_rows, budget=st.integers(1, 80), epochs=st.integers(1, 3), seed=sizes)
def test_a_token_budget_is_kept_and_every_epoch_sees_every_row_once(
    lengths: list[int], budget: int, epochs: int, seed: int
) -> None:
    schedule = filled(lengths, batch_tokens=budget, epochs=epochs, seed=seed)
    batches = [batch for step in range(schedule.steps) for batch in schedule.batches_of(step)]
    for batch in batches:
        assert sum(lengths[i] for i in batch) <= budget or len(batch) == 1
    seen = [i for batch in batches for i in batch]
    for epoch in range(epochs):
        part = seen[epoch * len(lengths) : (epoch + 1) * len(lengths)]
        assert sorted(part) == list(range(len(lengths)))
    # no batch could have taken the first row of the next one as well
    for batch, following in pairwise(batches):
        assert sum(lengths[i] for i in batch) + lengths[following[0]] > budget


@given(lengths=lengths_of_rows, budget=st.integers(1, 80), max_steps=sizes, parts=st.integers(1, 3))
def test_max_steps_counts_steps_under_a_token_budget(
    lengths: list[int], budget: int, max_steps: int, parts: int
) -> None:
    fields = {"batch_tokens": budget, "max_steps": max_steps, "gradient_accumulation": parts}
    schedule = filled(lengths, **fields)
    assert schedule.steps == max_steps
    assert all(len(schedule.batches_of(step)) == parts for step in range(max_steps))


def test_a_batch_is_sized_by_rows_or_by_tokens() -> None:
    with pytest.raises(ValidationError, match="keep one"):
        SFTSpec(batch_size=8, batch_tokens=100)
    spec = SFTSpec(batch_tokens=100)
    assert spec.batch_size == 8
    assert SFTSpec.model_validate(spec.model_dump(mode="json")) == spec
