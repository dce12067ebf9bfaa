"""The test of windows: what it promises of harmless ones, and that it finds what comes from elsewhere."""

import math
from pathlib import Path

import numpy as np
import pytest

from cli.conftest import Finewright
from finewright.errors import DataError, StoreError
from finewright_serve.watch.drift import (
    EVIDENCE,
    WINDOW,
    HarmlessWindows,
    KeyDrift,
    bet_of,
    load_windows,
)


def vectors(num: int, seed: int, middle: float = 0.0) -> "np.ndarray":
    rng = np.random.default_rng(seed)
    return rng.normal(middle, 1, (num, 8)).astype(np.float32)


def test_a_bet_is_the_mixture_of_all_bets_and_wins_one_on_average() -> None:
    """Vovk & Wang 2021: the integral of k p^(k-1) over k, here by the midpoint rule."""
    ks = (np.arange(20_000) + 0.5) / 20_000
    for p in (0.005, 0.1, 0.5, 0.9):
        assert bet_of(p) == pytest.approx(float((ks * p ** (ks - 1)).mean()), rel=1e-4)
    ps = np.arange(1, 1001) / 1000
    assert sum(map(bet_of, ps)) / 1000 <= 1  # of the ranks among 999 harmless windows
    assert bet_of(1.0) == 0.5
    assert math.isfinite(bet_of(1e-9))


def test_the_rank_of_a_window_is_that_of_its_distance_from_the_mean_of_all() -> None:
    harmless = HarmlessWindows.of(vectors(30 * WINDOW, 1), "e")
    far = np.full(8, 9, np.float32)
    assert harmless.bet(far) == pytest.approx(bet_of(1 / 31))
    assert harmless.bet(harmless.means.mean(axis=0)) == 0.5


def test_harmless_keys_ring_once_in_a_thousand_windows_at_most() -> None:
    """200 keys of 50 windows, each judged by a reference of its own: ten alarms are allowed."""
    num_alarms = 0
    for seed in range(200):
        harmless = HarmlessWindows.of(vectors(40 * WINDOW, 2 * seed), "e")
        drift, asked = KeyDrift(), vectors(50 * WINDOW, 2 * seed + 1)
        num_alarms += sum(drift.add(vector, harmless) for vector in asked)
    assert num_alarms <= 200 * 50 / EVIDENCE


@pytest.mark.parametrize(("share", "most"), [(1.0, 200), (0.5, 400)])
def test_what_comes_from_elsewhere_is_found(share: float, most: int) -> None:
    harmless = HarmlessWindows.of(vectors(60 * WINDOW, 1), "e")
    assert harmless.earliest == 150
    own, others = vectors(2000, 2), vectors(2000, 3, 1.5)
    is_other = np.random.default_rng(4).random(2000) < share
    drift = KeyDrift()
    found = [drift.add(v, harmless) for v in np.where(is_other[:, None], others, own)]
    assert found.index(True) + 1 <= most


def test_a_file_keeps_means_and_no_words(tmp_path: Path, finewright: Finewright) -> None:
    rows = [f'{{"q": "what is the fee of account {n}?"}}\n' for n in range(1100)]
    (tmp_path / "q.jsonl").write_text("".join(rows))
    out = tmp_path / "theft.npz"
    found = finewright(
        "guard", "theft", str(tmp_path / "q.jsonl"), "--column", "q", "--out", str(out)
    )
    assert found.code == 0, found.err
    assert "1100 questions in 44 windows" in found.out
    assert load_windows(out).means.shape == (44, 256)
    assert b"account" not in out.read_bytes()
    out.write_bytes(out.read_bytes()[:500])
    with pytest.raises(StoreError, match="these are no harmless questions"):
        load_windows(out)
    with pytest.raises(DataError, match="499 questions are too few"):
        HarmlessWindows.of(vectors(499, 1), "e")
