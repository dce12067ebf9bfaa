"""A guard of injections and jailbreaks: texts that would take the model from those who set it up.

Of others' texts (`untrusted`) each sentence is looked at by itself, because an order stands between harmless
ones there; of a client's own text the whole and its windows. What it shows and does not: docs/guards.md."""

import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from finewright.schema.common import Model, default
from finewright.store.atomic import read_json
from finewright_serve.guards.detector import SHIPPED, Detector, load_detector
from finewright_serve.guards.guard import (
    Finding,
    GuardFolder,
    GuardPlugin,
    PlainGuard,
    TextPlace,
)

_SENTENCES = re.compile(r"[^\s](?:[^\n.!?]|[.!?]+(?!\s|$))*[.!?]*")
_FEWEST_LETTERS = 12
"""Of a sentence that is looked at: a shorter one says too little."""


class FittedThreshold(Model):
    """What `finewright guard fit` writes: a threshold of the user's own harmless texts."""

    threshold: float = Field(gt=0, le=1)
    alpha: float
    rows: int
    detector: str


class InjectionSettings(Model):
    """Which weights, and how sure."""

    detector: str = default(
        "", "Folder of other weights, of `finewright guard build`", "those that ship"
    )
    threshold: float | None = default(
        None,
        "Scores above it are found",
        "3 % of harmless texts that a first fit had not seen",
        gt=0,
        lt=1,
    )
    fitted: str = default(
        "",
        "File of `finewright guard fit`, which has the threshold",
        "the detector's own threshold",
    )


class Injection(PlainGuard):
    """The guard."""

    reason = "it reads like an attempt to change or learn what this model was told to do"

    def __init__(self, detector: Detector, threshold: float) -> None:
        self._detector, self._threshold = detector, threshold

    def find(self, text: str, place: TextPlace) -> Sequence[Finding]:
        """The whole text, or each sentence of others. What an assistant said is no attack of the client's."""
        if place.role == "assistant" or not text.strip():
            return []
        if place.side != "untrusted":
            score = self._detector.score(text)
            found = [Finding(0, len(text), "injection", score)]
            return found if score > self._threshold else []
        return [
            Finding(*match.span(), "injection", score)
            for match in _SENTENCES.finditer(text)
            if len(match[0].strip()) >= _FEWEST_LETTERS
            and (score := self._detector.score(match[0])) > self._threshold
        ]


def _make(settings: InjectionSettings, folder: GuardFolder) -> Injection:
    path = folder.root / settings.detector if settings.detector else SHIPPED
    detector = load_detector(path)
    threshold = settings.threshold or detector.card.threshold
    if settings.fitted:
        threshold = read_fitted(folder.root / settings.fitted).threshold
    return Injection(detector, threshold)


def read_fitted(path: Path) -> FittedThreshold:
    """The threshold in a file. Raises StoreError."""
    return read_json(path, FittedThreshold, hint="make it: finewright guard fit")


GUARD = GuardPlugin(
    InjectionSettings,
    _make,
    {
        "input": frozenset({"block", "log"}),
        "untrusted": frozenset({"block", "redact", "log"}),
    },
)
