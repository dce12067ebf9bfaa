"""What is suggested, what is stopped, and what a journal keeps, with a loss that is a formula."""

import math
from pathlib import Path

import pytest

from finewright_advice.tune.search import Pruned, Search, Suggestion
from finewright_advice.tune.spec import TuneSpec

pytest.importorskip("optuna")

SPEC = TuneSpec.model_validate(
    {
        "parameters": {
            "learning_rate": {"low": 1e-5, "high": 1e-1, "log": True},
            "adapter.r": [4, 8, 16],
            "epochs": {"low": 1, "high": 9, "step": 2},
        },
        "trials": 20,
        "pruner": "none",
    }
)


def score(suggestion: Suggestion) -> float:
    """Best at a learning rate of 1e-3 and rank 16."""
    rate, rank = suggestion.values["learning_rate"], suggestion.values["adapter.r"]
    assert isinstance(rate, float)
    return 1 - abs(math.log10(rate) + 3) / 4 - (0.2 if rank != 16 else 0)


def searched(path: Path, trials: int, *, cut_at: int = -1) -> list[dict[str, object]]:
    """The settings of all trials; the search is opened anew before each, and one is cut in the middle."""
    for _ in range(trials):
        search = Search(path, SPEC)
        suggestion = search.suggest()
        if suggestion.number == cut_at:
            again = Search(path, SPEC).suggest()
            assert (again.number, again.values) == (suggestion.number, suggestion.values)
            search, suggestion = Search(path, SPEC), again
        search.tell(suggestion, "finished", score=score(suggestion))
    return [dict(report.values) for report in Search(path, SPEC).reports()]


def test_settings_stay_within_their_spaces(tmp_path: Path) -> None:
    for values in searched(tmp_path / "journal", 8):
        rate, rank, epochs = (values[key] for key in ("learning_rate", "adapter.r", "epochs"))
        assert isinstance(rate, float)
        assert 1e-5 <= rate <= 1e-1
        assert rank in (4, 8, 16)
        assert epochs in (1, 3, 5, 7, 9)
        assert isinstance(epochs, int)


def test_a_search_that_is_cut_suggests_what_it_would_have_suggested(tmp_path: Path) -> None:
    whole = searched(tmp_path / "whole", 7)
    assert searched(tmp_path / "cut", 7, cut_at=5) == whole
    assert len({str(values) for values in whole}) == 7  # a new beginning is no repetition


def test_it_finds_the_best_settings_sooner_than_chance(tmp_path: Path) -> None:
    search = Search(tmp_path / "journal", SPEC)
    found = []
    for _ in range(20):
        suggestion = search.suggest()
        found.append(score(suggestion))
        search.tell(suggestion, "finished", score=found[-1])
    # By chance a score of 0.8 or more takes rank 16 and 1.6 of 4 decades: 13 %.
    late = found[10:]
    assert sum(value >= 0.8 for value in late) / len(late) > 0.3


@pytest.mark.parametrize(
    ("pruner", "stopped"), [("median", True), ("halving", True), ("none", False)]
)
def test_a_loss_that_falls_behind_is_stopped(tmp_path: Path, pruner: str, stopped: bool) -> None:
    spec = SPEC.model_copy(update={"pruner": pruner})
    search = Search(tmp_path / "journal", spec)
    for _ in range(6):
        good = search.suggest()
        for share in range(10, 101, 10):
            search.look(good, share, 1.0 - share / 200)
        search.tell(good, "finished", score=0.5)
    bad = search.suggest()
    shares = []
    try:
        for share in range(10, 101, 10):
            shares.append(share)
            search.look(bad, share, 9.0)
    except Pruned as pruned:
        search.tell(bad, "stopped early", why=str(pruned))
    assert (shares[-1] < 100) is stopped
    if stopped:
        last = search.reports()[-1]
        assert last.state == "stopped early"
        assert last.why.startswith(f"stopped after {shares[-1]} % of its steps")
        assert search.num_done == 7


def test_looks_that_are_repeated_after_a_cut_say_nothing_new(tmp_path: Path) -> None:
    search = Search(tmp_path / "journal", SPEC)
    suggestion = search.suggest()
    search.look(suggestion, 10, 1.0)
    again = Search(tmp_path / "journal", SPEC)
    again.look(again.suggest(), 10, 1.0)  # optuna would warn


def test_a_trial_that_failed_counts_as_done(tmp_path: Path) -> None:
    search = Search(tmp_path / "journal", SPEC)
    search.tell(search.suggest(), "failed", why="training diverged")
    (report,) = search.reports()
    assert (report.state, report.why, search.num_done) == ("failed", "training diverged", 1)


WRITTEN = {"learning_rate": 1e-3, "adapter.r": 16, "epochs": 3}


def test_the_settings_as_written_are_trial_0_and_their_score_is_known(tmp_path: Path) -> None:
    search = Search(tmp_path / "journal", SPEC)
    assert search.begin(WRITTEN) == ()
    assert search.begin(WRITTEN) == ()  # once
    written = search.suggest()
    assert (written.number, written.values) == (0, {})
    search.tell(written, "finished", score=0.75)
    (known,) = search._study.get_trials()
    assert (known.params, known.value) == (WRITTEN, 0.75)
    assert [(r.number, r.values) for r in search.reports()] == [(0, {})]
    assert search.suggest().number == 1


def test_a_value_as_written_that_is_not_searched_is_named(tmp_path: Path) -> None:
    search = Search(tmp_path / "journal", SPEC)
    outside = search.begin({"learning_rate": 0.5, "adapter.r": 16, "epochs": 4})
    assert outside == ("learning_rate", "epochs")  # above the range, and between its steps
    assert search._study.get_trials()[0].params == {"adapter.r": 16}


def test_what_is_suggested_uses_the_score_as_written(tmp_path: Path) -> None:
    """After the start-up, two searches that differ in the score of trial 0 alone part ways."""

    def suggested(score_as_written: float) -> list[object]:
        search = Search(tmp_path / f"journal-{score_as_written}", SPEC)
        search.begin(WRITTEN)
        search.tell(search.suggest(), "finished", score=score_as_written)
        for value in (0.5, 0.4, 0.45, 0.42, 0.41):
            search.tell(search.suggest(), "finished", score=value)
        return [search.suggest().values["learning_rate"]]

    assert suggested(0.9) != suggested(0.1)


@pytest.mark.parametrize("pruner", ["median", "halving"])
def test_no_trial_is_stopped_in_its_warm_up(tmp_path: Path, pruner: str) -> None:
    search = Search(tmp_path / "journal", SPEC.model_copy(update={"pruner": pruner}))
    for _ in range(6):
        good = search.suggest()
        for share in range(10, 101, 10):
            search.look(good, share, 1.0 - share / 200)
        search.tell(good, "finished", score=0.5)
    slow = search.suggest()
    for share in range(10, 61, 10):
        search.look(slow, share, 9.0, warm=60.0)
    with pytest.raises(Pruned, match="stopped after 70 %"):
        search.look(slow, 70, 9.0, warm=60.0)


def test_the_trial_as_written_is_never_stopped(tmp_path: Path) -> None:
    search = Search(tmp_path / "journal", SPEC.model_copy(update={"pruner": "halving"}))
    search.begin(WRITTEN)
    written = search.suggest()
    for share in range(10, 101, 10):
        search.look(written, share, 9.0)
