"""The chance of a private training: its law, its repetition, and who can read its key."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from finewright.errors import StageError
from finewright.train.privacy.noise import Chance, forget_chance, keep_chance

pytestmark = pytest.mark.torch

SHAPES = [torch.Size((300, 40)), torch.Size((40,))]


def test_the_noise_is_standard_normal_and_of_no_other_step() -> None:
    chance = Chance(b"k" * 32)
    first, second = (chance.noise(step, SHAPES)[0].flatten().numpy() for step in (0, 1))
    assert stats.kstest(first, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.05
    assert abs(first.mean()) < 0.05
    assert first.std() == pytest.approx(1.0, abs=0.03)


def test_units_are_drawn_each_by_itself() -> None:
    chance = Chance(b"k" * 32)
    draws = [chance.units(step, 50, 0.02) for step in range(2000)]
    sizes = np.bincount([len(drawn) for drawn in draws], minlength=6)[:6] / len(draws)
    # Poisson sampling: the size is binomial, and a step may see nobody.
    assert np.abs(sizes - stats.binom.pmf(range(6), 50, 0.02)).max() < 0.04
    each = np.bincount([n for drawn in draws for n in drawn], minlength=50) / len(draws)
    assert np.abs(each - 0.02).max() < 0.015


def test_a_key_is_drawn_once_and_read_by_its_owner_alone(tmp_path: Path) -> None:
    drawn = keep_chance(tmp_path, "stage", step=0)
    again = keep_chance(tmp_path, "stage", step=7)
    assert all(map(torch.equal, drawn.noise(3, SHAPES), again.noise(3, SHAPES)))
    assert drawn.units(3, 100, 0.5) == again.units(3, 100, 0.5)
    assert (tmp_path / "noise.json").stat().st_mode & 0o077 == 0


def test_another_training_draws_another_key(tmp_path: Path) -> None:
    first = keep_chance(tmp_path, "stage", step=0).noise(0, SHAPES)
    assert not torch.equal(first[0], keep_chance(tmp_path, "other", step=0).noise(0, SHAPES)[0])


@pytest.mark.parametrize("left", ["", "{}", '{"key": "stage", "secret": "no hex"}'])
def test_a_training_that_lost_its_key_spends_nothing_again(tmp_path: Path, left: str) -> None:
    (tmp_path / "noise.json").write_text(left)
    with pytest.raises(StageError, match="would spend again"):
        keep_chance(tmp_path, "stage", step=5)


def test_nothing_is_left_of_a_key_that_is_forgotten(tmp_path: Path) -> None:
    keep_chance(tmp_path, "stage", step=0)
    forget_chance(tmp_path)
    assert not list(tmp_path.iterdir())
