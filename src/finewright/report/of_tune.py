"""What a search of training settings shows: its trials, and what the best settings gain."""

import math

from finewright.report.blocks import Page, Plot, Point, Table, section
from finewright.report.cells import confidence, loss, number, percent, settings
from finewright.schema.tune_report import Trial, TuneReport


def tune_page(report: TuneReport) -> Page:
    """The trials best first, those without a score last."""
    best_first = sorted(report.trials, key=lambda t: -t.score.value if t.score else math.inf)
    return Page(
        subject="training settings",
        title=report.name,
        answer=report.verdict,
        about=(
            f"{report.rows_train} rows trained, {report.rows_development} chose the settings,"
            f" {report.rows_held_out} that chose nothing tell what they gain;"
            f" {confidence(report.confidence)}",
            f"best settings: {report.written_to}",
            f"runs: {report.folder}",
        ),
        problems=report.problems,
        sections=[
            *section(
                "trials",
                f"Trials of {report.base_model} by {report.metric} on development rows",
                _plot(report, best_first),
                Table(
                    ("trial", "score", "held-out loss", "seconds", "state", "settings"),
                    [_row(trial, is_best=trial.number == report.best) for trial in best_first],
                ),
            ),
            *section(
                "held-out",
                "On rows that chose nothing",
                Table(
                    ("settings", "metric", "score"),
                    [(score.system, score.metric, percent(score)) for score in report.held_out],
                ),
            ),
        ],
    )


def _plot(report: TuneReport, trials: list[Trial]) -> Plot | None:
    scored = [
        Point(
            f"trial {trial.number}",
            trial.score.value,
            trial.score.low,
            trial.score.high,
            note=f"trial {trial.number}: {percent(trial.score)}; {_settings(trial)}",
        )
        for trial in trials
        if trial.score
    ]
    title = f"{report.metric} of each trial that was finished"
    return (
        Plot("trials", title, "intervals", scored, "On the development rows.") if scored else None
    )


def _row(trial: Trial, *, is_best: bool) -> tuple[str, ...]:
    return (
        f"{trial.number}{' (best)' if is_best else ''}",
        percent(trial.score),
        loss(trial.loss),
        number(trial.train_seconds),
        trial.why or trial.state,
        _settings(trial),
    )


def _settings(trial: Trial) -> str:
    return settings(trial.values) or "as written"
