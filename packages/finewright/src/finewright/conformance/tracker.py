"""What every tracker must do: a test module subclasses `TrackerConformance`, says the plugin's `name`, and
reads what was kept by the tracker's own reader."""

from math import inf, nan
from pathlib import Path
from typing import ClassVar, NamedTuple

import pytest

from finewright import plugins
from finewright.store.tracker import TrackedRun, TrackedValues, TrackerPlugin


class KeptByTracker(NamedTuple):
    """What the tracker's own reader finds of a run: setting -> text, and figure -> (step, value) in order."""

    params: dict[str, str]
    values: dict[str, list[tuple[int, float]]]


class TrackerConformance:
    """The claims. `address` is the `uri` that the tracker is given, below a folder of the test's."""

    name: ClassVar[str]

    @classmethod
    def address(cls, folder: Path) -> str:
        """Where it keeps what it is sent."""
        return str(folder / "kept")

    @classmethod
    def read(cls, run: TrackedRun) -> KeptByTracker:
        """What was kept of the run, by the tracker's own reader."""
        raise NotImplementedError

    @pytest.fixture
    def plugin(self) -> TrackerPlugin:
        found: TrackerPlugin = plugins.resolve("tracker", self.name)
        pytest.importorskip(found.library)
        return found

    @pytest.fixture
    def run(self, tmp_path: Path) -> TrackedRun:
        folder = tmp_path / "trackers"
        return TrackedRun("2026-12-02-a-7f3a", "c0ffee", folder, self.address(tmp_path), "support")

    def test_settings_and_figures_are_read_back_even_of_a_run_that_went_on(
        self, plugin: TrackerPlugin, run: TrackedRun
    ) -> None:
        params = {
            "method": "sft",
            "learning_rate": "0.002",
            "sha256/data.sources.0.path": "ab" * 32,
        }
        tracker = plugin.open(run)
        tracker.log_params(params)
        tracker.log_values(
            [TrackedValues(1.0, 1, {"loss": 2.5}), TrackedValues(2.0, 2, {"loss": 1})]
        )
        tracker.close("interrupted")
        again = plugin.open(run)
        again.log_params(params)
        again.log_values([TrackedValues(3.0, 3, {"loss": 0.5, "evaluate/test/tuned/f1": 0.75})])
        again.close("finished")
        kept = self.read(run)
        assert kept.params.items() >= params.items()
        assert kept.values["loss"] == [(1, 2.5), (2, 1.0), (3, 0.5)]
        assert kept.values["evaluate/test/tuned/f1"] == [(3, 0.75)]

    def test_odd_figures_and_names_stop_nothing(
        self, plugin: TrackerPlugin, run: TrackedRun
    ) -> None:
        tracker = plugin.open(run)
        tracker.log_params({"päth=|`": "x" * 9000, "empty": ""})
        tracker.log_values([TrackedValues(1.0, 0, {"nan": nan, "inf": inf, "a b/c=d:é": 1.0})])
        tracker.close("failed")
