"""`guard build` and `guard fit`: the weights of the injection detector, and its threshold."""

from collections.abc import Iterator
from pathlib import Path

from finewright.errors import DataError, StoreError
from finewright.feature import Session
from finewright.report.blocks import Page, Table, section
from finewright.rows.containers.found import ReadRow
from finewright.rows.read import records
from finewright.schema.common import Model
from finewright.store.atomic import write_json
from finewright_serve.guards.detector import SHIPPED, DetectorCard, load_detector, save_detector
from finewright_serve.guards.injection import FittedThreshold
from finewright_serve.guards.training import build, conformal_threshold
from finewright_serve.options import GuardBuildOptions, GuardFitOptions


class DetectorReport(Model):
    """A detector that was made."""

    folder: str
    card: DetectorCard


class FitReport(Model):
    """A threshold of harmless texts: `found_before` of them were above the detector's own."""

    file: str
    fitted: FittedThreshold
    found_before: int
    threshold_before: float


def build_detector(options: GuardBuildOptions, session: Session) -> DetectorReport:
    """Make the weights. Raises MissingExtra without scikit-learn, FetchError without the packages."""
    if options.out.exists() and any(options.out.iterdir()):
        raise StoreError(f"{options.out}: the folder is not empty", hint="name another one")
    detector = build(session.today.isoformat())
    save_detector(detector, options.out)
    return DetectorReport(folder=str(options.out), card=detector.card)


def fit_threshold(options: GuardFitOptions, session: Session) -> FitReport:
    """Set the threshold. Raises DataError for a file without such texts, or with too few of them."""
    detector = load_detector(options.detector or SHIPPED)
    texts = list(dict.fromkeys(read_user_texts(options.traffic, options.column)))
    scores = [detector.score(text) for text in texts]
    # A rounded threshold would lie below some text that it was set by.
    threshold = conformal_threshold(scores, options.alpha)
    fitted = FittedThreshold(
        threshold=threshold, alpha=options.alpha, rows=len(texts), detector=detector.card.made
    )
    write_json(options.out, fitted.model_dump())
    before = detector.card.threshold
    return FitReport(
        file=str(options.out),
        fitted=fitted,
        found_before=sum(score > before for score in scores),
        threshold_before=before,
    )


def read_user_texts(path: Path, column: str) -> Iterator[str]:
    """What users say in the rows of a file. Raises DataError for a row without it."""
    for found in records(path):
        if not isinstance(found, ReadRow):
            raise DataError(found.line())
        texts = list(_user_texts(found, column))
        if not texts:
            what = (
                f"no column {column!r} with text" if column else "no `messages` with a user's text"
            )
            raise DataError(
                f"{found.file}:{found.row}: {what}",
                hint=f"it has: {', '.join(found.data)}; --column NAME",
            )
        yield from texts


def _user_texts(row: ReadRow, column: str) -> Iterator[str]:
    if column:
        if isinstance(text := row.data.get(column), str) and text.strip():
            yield text
        return
    turns = row.data.get("messages")
    for turn in turns if isinstance(turns, list) else ():
        is_users = isinstance(turn, dict) and turn.get("role") == "user"
        if is_users and isinstance(turn.get("content"), str) and turn["content"].strip():
            yield turn["content"]


def detector_page(report: DetectorReport) -> Page:
    """What the weights were made of."""
    card = report.card
    return Page(
        subject="an injection detector",
        title=report.folder,
        answer=f"threshold {card.threshold:.3f}: {card.threshold_of}",
        about=(f"made {card.made}", f"use: settings: {{detector: {report.folder}}}"),
        sections=[
            *section("Learned from", Table(("texts", "number"), [*map(_row, card.rows.items())])),
            *section("Packages", Table(("package", "licence and digest"), [*card.sources.items()])),
            *section("Figures", Table(("figure", "value"), [*map(_row, card.figures.items())])),
        ],
    )


def _row(pair: tuple[str, float]) -> tuple[str, str]:
    return pair[0], f"{pair[1]:g}"


def fit_page(report: FitReport) -> Page:
    """What changed."""
    fitted = report.fitted
    return Page(
        subject="a threshold",
        title=report.file,
        answer=(
            f"threshold {fitted.threshold:.4f}: at most {fitted.alpha:.2%} of texts like these"
            f" {fitted.rows} are found, in expectation"
        ),
        about=(
            f"above the threshold before, {report.threshold_before:.3f}:"
            f" {report.found_before} of {fitted.rows}",
            "not shown: how many attacks the new threshold lets pass",
        ),
    )
