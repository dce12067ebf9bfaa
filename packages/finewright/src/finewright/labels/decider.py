"""A model of labels as it is kept and asked: logits of each row, and what its calibration makes of them.

Its folder has decisions.json (labels, calibration), for a linear model linear.safetensors and, where words
are among its features, words.json with the terms in the order of the columns."""

import json
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from finewright.judge.searchable import words
from finewright.labels.calibration import Floats, softmax
from finewright.labels.features import TextFeatures
from finewright.labels.linear import WordFeatures, compute_logits
from finewright.labels.multilabel import decide_multilabel
from finewright.labels.rows import row_question
from finewright.labels.scores import decide_scores
from finewright.lm.rust_errors import rust_os_errors
from finewright.lm.tensors import save_tensors
from finewright.schema.decisions import (
    WORDS_FILE,
    Calibration,
    Decision,
    DecisionKind,
    LabelCalibration,
    LabelDecision,
    MultilabelCalibration,
    StoredDecider,
)
from finewright.schema.rows import Row
from finewright.store.atomic import read_json, write_json

DECISIONS_FILE, WEIGHTS_FILE = "decisions.json", "linear.safetensors"


class LabelScorer(Protocol):
    """What gives each label a logit."""

    def logits(self, rows: Sequence[Row]) -> Floats:
        """(n, K); softmax of a row are probabilities, before calibration."""
        ...


@dataclass(slots=True)
class LinearScorer:
    """Logistic regression on features; `weights` are (features + 1, K), float64 of float32 values."""

    features: TextFeatures
    weights: Tensor

    def logits(self, rows: Sequence[Row]) -> Floats:
        """See LabelScorer."""
        blocks = self.features.blocks([row_question(row) for row in rows])
        found: Floats = compute_logits(blocks, self.weights).numpy()
        return found


@dataclass(slots=True)
class Decider:
    """A scorer with its labels and calibration, ready to decide.

    A text with none of `known_words`, or without any word where those are None, shows the scorer nothing:
    what it is given is what rows usually get, and always unsure."""

    name: str
    labels: tuple[str, ...]
    scorer: LabelScorer
    calibration: Calibration
    known_words: Set[str] | None = None

    @property
    def kind(self) -> DecisionKind:
        """What it decides."""
        return self.calibration.kind

    def decide(self, rows: Sequence[Row]) -> Sequence[Decision]:
        """One decision a row; of labels that are equally likely the first in the alphabet."""
        if not rows:
            return []
        return [
            found if self._shows_a_word(row) else found.model_copy(update={"unsure": True})
            for row, found in zip(rows, self._by_logits(self.scorer.logits(rows)), strict=True)
        ]

    def _by_logits(self, logits: Floats) -> Sequence[Decision]:
        by = self.calibration
        if isinstance(by, LabelCalibration):
            return [_decide(each, self.labels, by) for each in softmax(logits / by.temperature)]
        if isinstance(by, MultilabelCalibration):
            return decide_multilabel(logits, self.labels, by)
        return decide_scores(logits[:, 0], by)

    def _shows_a_word(self, row: Row) -> bool:
        found = words(row_question(row))
        return bool(found) if self.known_words is None else not self.known_words.isdisjoint(found)


def _decide(probabilities: Floats, labels: Sequence[str], by: LabelCalibration) -> LabelDecision:
    order = np.argsort(-probabilities, kind="stable")
    best = float(probabilities[order[0]])
    return LabelDecision(
        label=labels[order[0]],
        confidence=round(best, 6),
        set=tuple(labels[i] for i in order if probabilities[i] >= by.set_probability),
        unsure=best < by.threshold,
    )


def save_linear(folder: Path, linear: LinearScorer, stored: StoredDecider) -> None:
    """Write a linear model into a folder. Raises OSError."""
    tensors = {"weights": linear.weights.float()}
    if (words := linear.features.words) is not None:
        tensors["idf"] = words.idf
        write_json(folder / WORDS_FILE, list(words.places))
    with rust_os_errors():
        save_tensors(folder / WEIGHTS_FILE, tensors)
    write_json(folder / DECISIONS_FILE, stored.model_dump(mode="json"))


def read_decider(folder: Path) -> StoredDecider | None:
    """What decisions.json of a result's folder says; None where it decides nothing."""
    path = folder / DECISIONS_FILE
    hint = "train it again: `finewright verify RUN` lists what changed"
    return read_json(path, StoredDecider, hint=hint) if path.is_file() else None


def load_linear(folder: Path, name: str, root: Path) -> Decider:
    """A linear model from its folder; embedders' folders are looked for from `root`."""
    stored = read_decider(folder)
    assert stored is not None
    tensors = load_file(folder / WEIGHTS_FILE)
    learned = None
    if "idf" in tensors:
        terms = json.loads((folder / WORDS_FILE).read_text(encoding="utf-8"))
        learned = WordFeatures({term: i for i, term in enumerate(terms)}, tensors["idf"])
    features = TextFeatures.load(stored.features, root, learned)
    scorer = LinearScorer(features, tensors["weights"].double())
    # An embedder knows words that no training row has.
    known = learned.places.keys() if learned and not features.embedders else None
    return Decider(name, stored.labels, scorer, stored.calibration, known)


def as_truth(
    labels: Sequence[str], known: Sequence[str]
) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """The place of each label among the known ones, (n,)."""
    places = {label: i for i, label in enumerate(known)}
    return np.array([places[label] for label in labels], dtype=np.int64)


def to_float32(weights: Tensor) -> Tensor:
    """The weights as they are stored, so that a trained model answers as a loaded one."""
    return weights.to(torch.float32).double()
