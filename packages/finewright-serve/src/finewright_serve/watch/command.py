"""`finewright guard theft`: what harmless questions are like, for the alarm of theft."""

from pathlib import Path

from finewright.feature import Session
from finewright.lm.embedders.load import load_embedder
from finewright.report.blocks import Page
from finewright.report.cells import count_of
from finewright.schema.common import Model
from finewright_serve.guards.commands import read_user_texts
from finewright_serve.options import TheftOptions
from finewright_serve.watch.drift import (
    FEWEST,
    WINDOW,
    HarmlessWindows,
    KeyDrift,
    embed,
)


class TheftReport(Model):
    """A reference; `alarms` rang in `tried` windows of its later half, judged by its earlier one."""

    file: str
    questions: int
    windows: int
    earliest: int
    alarms: int
    tried: int


def fit_theft(options: TheftOptions, session: Session) -> TheftReport:
    """Write the reference. Raises DataError for a file without such questions, or with too few."""
    texts = list(read_user_texts(options.traffic, options.column))
    embedder = load_embedder("wordllama", Path)
    assert embedder is not None
    vectors = embed(texts, embedder)
    whole = HarmlessWindows.of(vectors, embedder.id)
    half, alarms, tried = len(vectors) // 2, 0, 0
    if half >= FEWEST * WINDOW:
        early, drift = HarmlessWindows.of(vectors[:half], embedder.id), KeyDrift()
        alarms = sum(drift.add(vector, early) for vector in vectors[half:])
        tried = (len(vectors) - half) // WINDOW
    whole.save(options.out)
    return TheftReport(
        file=str(options.out),
        questions=len(texts),
        windows=len(whole.means),
        earliest=whole.earliest,
        alarms=alarms,
        tried=tried,
    )


def theft_page(report: TheftReport) -> Page:
    """How soon a thief is found, and whether these questions would be taken for one's."""
    rang = f"its later half, judged by its earlier one, rang {count_of(report.alarms, 'alarm')}"
    about = [f"{rang} in {count_of(report.tried, 'window')}"] if report.tried else []
    if report.alarms:
        about.append(
            "so what users ask changes: give questions of a longer time, or only log alarms"
        )
    return Page(
        subject="harmless questions",
        title=report.file,
        answer=(
            f"{count_of(report.questions, 'question')} in {count_of(report.windows, 'window')};"
            f" a thief is found after {report.earliest} questions at the earliest"
        ),
        about=(*about, "use: serve.theft: {reference: " + report.file + "}"),
    )
