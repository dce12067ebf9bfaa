"""Every cell of method x adapter x family x quantization trains, or is refused before a model is loaded.

`make test-matrix` runs them all and prints the table; otherwise a sample runs in which all pairs meet."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cells import CELLS, FAMILIES, HYBRID_CELLS, Cell, pairs_of, sample, spec_of
from peft_reads import assert_peft_reads
from training import Training, assert_generates, assert_kept, assert_trains

from finewright.lm.model import LM
from finewright.lm.sources import LocalBase, config_here
from finewright.train.support import find_unsupported

# The files of all others are those of sft.
FILES_OF = ("sft", "reward")
Bases = Callable[[str], LocalBase]
RecordProperty = Callable[[str, object], None]


class Verdict(NamedTuple):
    """Why a cell is refused, or what is said of the one that works; mostly nothing."""

    refused: str = ""
    said: str = ""


def verdict_on(cell: Cell, base: LocalBase, folder: Path) -> Verdict:
    """Refused for a reason, or shown to do all that a training must."""
    spec = spec_of(cell)
    config = config_here(str(base.folder), folder)
    problems = find_unsupported(spec, config)
    if errors := [problem for problem in problems if problem.level == "error"]:
        assert all(error.key and error.hint for error in errors)
        return Verdict(refused="; ".join(error.message for error in errors))
    training = assert_trains(spec, base, folder / "checkpoints")
    loaded = assert_kept(training, folder / "adapter")
    if cell.method != "reward":
        assert_generates(loaded)
    said = "; ".join(p.message for p in problems if p.message.startswith("PEFT"))
    if cell.method in FILES_OF:
        reads = _assert_misread if said else assert_peft_reads
        reads(folder / "adapter", training, loaded)
    return Verdict(said=said)


def _assert_misread(folder: Path, training: Training, loaded: LM) -> None:
    """What is said of PEFT is true: it fails, or warns and gives other numbers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises((AssertionError, ValueError)):
            assert_peft_reads(folder, training, loaded)


@pytest.mark.torch
@pytest.mark.parametrize("cell", [*sample(), *HYBRID_CELLS], ids=lambda cell: cell.name)
def test_a_cell_works_or_is_refused(cell: Cell, base_of: Bases, tmp_path: Path) -> None:
    verdict_on(cell, base_of(cell.family), tmp_path)


@pytest.mark.matrix
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_every_cell_works_or_is_refused(
    cell: Cell, base_of: Bases, tmp_path: Path, record_property: RecordProperty
) -> None:
    record_property("cell", cell)
    record_property("verdict", verdict_on(cell, base_of(cell.family), tmp_path))


@pytest.mark.matrix
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("method", "without"), [("grpo", {"beta": 0.0}), ("ppo", {"kl_coef": 0.0, "target_kl": None})]
)
def test_without_kl_to_the_base_every_weight_may_learn(
    method: str, without: dict[str, Any], family: str, base_of: Bases, tmp_path: Path
) -> None:
    """The way out that the refusal of these cells names."""
    base = base_of(family)
    spec = spec_of(Cell(method, "none", "none", family), **without)
    assert find_unsupported(spec, config_here(str(base.folder), tmp_path)) == []
    training = assert_trains(spec, base, tmp_path / "checkpoints")
    assert_generates(assert_kept(training, tmp_path / "model"))


@pytest.mark.torch
def test_all_pairs_of_values_meet_in_the_sample() -> None:
    met = frozenset().union(*map(pairs_of, sample()))
    assert met == frozenset().union(*map(pairs_of, CELLS))
    assert len(sample()) <= 100
