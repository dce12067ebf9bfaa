"""What a search of training settings shows: its trials, and what the best settings gain."""

import math

from finewright.report import cells
from finewright.report.blocks import Page, Plot, Point, Table, section, table_of
from finewright_advice.tune.results import Trial, TuneReport


def tune_page(report: TuneReport) -> Page:
    """The trials best first, those without a score last."""
    best_first = sorted(report.trials, key=lambda t: -t.score.value if t.score else math.inf)
    held_out = [(score.system, score.metric, cells.percent(score)) for score in report.held_out]
    return Page(
        subject="training settings",
        title=report.name,
        answer=report.verdict,
        about=(
            f"{report.rows_train} rows trained, {report.rows_development} chose the settings,"
            f" {report.rows_held_out} that chose nothing tell what they gain;"
            f" {cells.confidence(report.confidence)}",
            f"best settings: {report.written_to}",
            f"runs: {report.folder}",
        ),
        problems=report.problems,
        sections=[
            *section(
                f"Trials of {report.base_model} by {report.metric} on development rows",
                _plot(report, best_first),
                _trials(report, best_first),
            ),
            *section(
                "On rows that chose nothing", Table(("settings", "metric", "score"), held_out)
            ),
        ],
    )


def _plot(report: TuneReport, trials: list[Trial]) -> Plot | None:
    found = []
    for trial in trials:
        if score := trial.score:
            name = f"trial {trial.number}"
            note = f"{name}: {cells.percent(score)}; {_settings(trial)}"
            found.append(Point(name, score.value, score.low, score.high, note=note))
    title = f"{report.metric} of each trial that was finished"
    return Plot(title, "intervals", found, "On the development rows.") if found else None


def _trials(report: TuneReport, trials: list[Trial]) -> Table:
    return table_of(
        trials,
        {
            "trial": lambda t: f"{t.number}{' (best)' if t.number == report.best else ''}",
            "score": lambda t: cells.percent(t.score),
            "held-out loss": lambda t: cells.loss(t.loss),
            "seconds": lambda t: cells.number(t.train_seconds),
            "state": lambda t: t.why or t.state,
            "settings": _settings,
        },
    )


def _settings(trial: Trial) -> str:
    return cells.settings(trial.values) or "as written"
