"""Two and four processes compute what one does, by every method; the referee is the run of one."""

import json

import pytest
from in_ranks import (
    CASES,
    LONG,
    RESUMED,
    SHARDED,
    SHARDED_OVER,
    Figures,
    figures_of,
    go_on,
    train_in_processes,
)

from finewright.schema.common import without

pytestmark = pytest.mark.torch

SIZES = (2, 4)
# Means over a part's tokens, or over its liked answers, that the log weighs as it weighs the loss: so they
# hang on which rows are in a part, in one process too.
BY_PARTS = frozenset({"kl", "rewards_chosen", "rewards_rejected", "clip_fraction"})


@pytest.fixture(scope="module")
def of_ranks() -> list[dict[str, Figures]]:
    return train_in_processes(SIZES)


def assert_alike(found: dict[str, float], true: dict[str, float]) -> None:
    assert found.keys() == true.keys()
    assert without(found, BY_PARTS) == pytest.approx(without(true, BY_PARTS), rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_several_processes_give_the_figures_of_one(
    name: str, of_ranks: list[dict[str, Figures]]
) -> None:
    alone = json.loads(json.dumps(figures_of(CASES[name])))
    for size in SIZES:
        first, *others = (rank[f"{size} {name}"] for rank in of_ranks[:size])
        for (*numbers, metrics), (*true, all_of_them) in zip(
            first["steps"], alone["steps"], strict=True
        ):
            assert numbers == pytest.approx(true, rel=1e-4, abs=1e-5)
            assert_alike(metrics, all_of_them)
        assert first["looks"][0] == pytest.approx(alone["looks"][0], rel=1e-4, abs=1e-5)
        assert_alike(first["looks"][1], alone["looks"][1])
        for other in others:
            assert other["weights"] == first["weights"]
            assert other["steps"] == first["steps"]


@pytest.mark.parametrize("name", RESUMED)
def test_a_checkpoint_of_four_processes_goes_on_in_two_and_in_one(
    name: str, of_ranks: list[dict[str, Figures]]
) -> None:
    whole = go_on(CASES[name])
    for found in (of_ranks[0][f"on in 2 {name}"], of_ranks[-1][f"on in 1 {name}"]):
        assert found["losses"] == pytest.approx(whole["losses"], rel=1e-4, abs=1e-5)
        assert found["weights"].keys() == whole["weights"].keys()
        for key, numbers in whole["weights"].items():
            assert found["weights"][key] == pytest.approx(numbers, abs=1e-4), key


@pytest.mark.parametrize("name", SHARDED)
def test_a_base_in_shards_gives_the_figures_of_one_process(
    name: str, of_ranks: list[dict[str, Figures]]
) -> None:
    alone = json.loads(json.dumps(figures_of(CASES[name])))
    for rank in of_ranks[:SHARDED_OVER]:
        found = rank[f"sharded {name}"]
        for (*numbers, metrics), (*true, all_of_them) in zip(
            found["steps"], alone["steps"], strict=True
        ):
            assert numbers == pytest.approx(true, rel=1e-4, abs=1e-5)
            assert_alike(metrics, all_of_them)
        assert found["looks"][0] == pytest.approx(alone["looks"][0], rel=1e-4, abs=1e-5)
        assert found["weights"] == of_ranks[0][f"sharded {name}"]["weights"]
        held, whole = found["held"]
        assert held == pytest.approx(whole / SHARDED_OVER, rel=0.01)


@pytest.mark.parametrize("name", [name for name in SHARDED if name in RESUMED])
def test_a_checkpoint_goes_on_into_shards_and_out_of_them(
    name: str, of_ranks: list[dict[str, Figures]]
) -> None:
    whole = go_on(CASES[name])
    for found in (f"on in shards {name}", f"out of shards {name}"):
        losses = of_ranks[0][found]["losses"]
        assert losses == pytest.approx(whole["losses"], rel=1e-4, abs=1e-5), found


def test_long_messages_reach_all_ranks_whole(of_ranks: list[dict[str, Figures]]) -> None:
    for rank in of_ranks:
        assert rank["lengths"]["gathered"] == [LONG * number for number in range(max(SIZES))]
