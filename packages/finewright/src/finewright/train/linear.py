"""A linear candidate trained from start to end: its rows parted, one fit, its calibration, its folder."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from finewright.errors import Interrupted
from finewright.labels.calibration import calibrate, part_rows, softmax
from finewright.labels.decider import (
    LinearScorer,
    as_truth,
    load_linear,
    save_linear,
    to_float32,
)
from finewright.labels.features import (
    WORDS,
    TextFeatures,
    features_digest,
    features_license,
    features_origin,
)
from finewright.labels.linear import (
    Fit,
    WordFeatures,
    choose_rows,
    codes_of,
    fit_weights,
    most_terms,
)
from finewright.labels.rows import check_label_rows, label_of, labels_in, row_question
from finewright.lm import runtime
from finewright.schema.common import Problem, RowCounts
from finewright.schema.decisions import StoredDecider
from finewright.schema.label_methods import LinearSpec
from finewright.schema.rows import Row
from finewright.schema.train import Candidate, Proof
from finewright.store.atomic import replace_dir
from finewright.store.manifest import describe
from finewright.store.stage import StageContext, refuse
from finewright.train.labelled import note_calibration
from finewright.train.work import result_folder

_PROVED = 64
"""Rows that the stored model is asked again; they are answered in a blink."""
_PROOF_BAR = (
    1e-6  # of a probability: the same numbers on the same machine, but for the order of batches
)


def train_linear(
    context: StageContext, name: str, spec: LinearSpec, rows: Sequence[Row], held_out: Sequence[Row]
) -> Candidate:
    """Fit, calibrate and store. Raises DataError for rows without labels, of one label, or too few.

    It takes seconds, and so starts anew where it was cut."""
    problems = check_label_rows(rows, spec.decisions, spec.seed)
    refuse(problems)
    _check_stop(context)
    # Words are counted and fitted on the processor, whatever else there is; embedders take what is there.
    cpu = f"CPU, {runtime.physical_cores()} cores"
    device = cpu if name == WORDS else runtime.describe_device()
    context.emit("device", stage="train", base_model=name, device=device)
    began = time.perf_counter()
    made = _make(context, name, spec, rows)
    folder = result_folder(context, name) / "adapter"
    with replace_dir(folder) as new:
        save_linear(new, made.linear, made.stored)
    labels, temperature = made.stored.labels, made.stored.calibration.temperature
    return Candidate(
        base_model=name,
        base_sha256=made.stored.features_sha256,
        base_origin=features_origin(name),
        base_license=features_license(name),
        method=spec.method,
        adapter=folder.relative_to(context.run.root).as_posix(),
        artifacts=tuple(describe(context.run, p, "adapter") for p in sorted(folder.iterdir())),
        counts=RowCounts(
            rows_in=len(rows),
            rows_kept=len(rows) - made.left_out,
            rows_dropped={"more than fit in memory": made.left_out} if made.left_out else {},
        ),
        steps=made.fit.evaluations,
        tokens=0,
        trained_tokens=0,
        first_loss=float(np.log(len(labels))),
        final_loss=made.fit.loss,
        eval_loss=_held_out_loss(made.linear, labels, temperature, held_out),
        seconds=round(time.perf_counter() - began, 3),
        tokens_per_second=0.0,
        peak_gib=round(runtime.peak_gib(), 3),
        trainable_parameters=made.linear.weights.numel(),
        proofs=(_prove(made.linear, folder, context.root, made.kept_out[:_PROVED]),),
        problems=(
            *problems,
            *_describe_rows(made.left_out, len(made.kept_out), made.linear.features),
        ),
    )


class _Made(NamedTuple):
    """What was fitted, how it is stored, the rows that calibrated, and how many were left out."""

    linear: LinearScorer
    fit: Fit
    stored: StoredDecider
    kept_out: list[Row]
    left_out: int


def _make(context: StageContext, name: str, spec: LinearSpec, rows: Sequence[Row]) -> _Made:
    """Part the rows, fit, and calibrate on the part that trained nothing."""
    said, labels = [label_of(row) for row in rows], labels_in(rows)
    parts = part_rows(said, spec.decisions.calibration, spec.seed)
    used = [parts.train[i] for i in choose_rows(len(parts.train), len(labels), spec.seed)]
    texts = [row_question(rows[i]) for i in used]
    features = TextFeatures.load(name, context.root)
    if features.has_words:
        features.words = WordFeatures.learn(texts, most_terms(len(labels)))
    truth = codes_of([said[i] for i in used], labels)
    blocks = features.blocks(texts, _watch(context, name))
    fit = fit_weights(blocks, truth, len(labels), c=spec.C)
    linear = LinearScorer(features, to_float32(fit.weights))
    kept_out = [rows[i] for i in parts.calibration]
    known = as_truth([said[i] for i in parts.calibration], labels)
    stored = StoredDecider(
        kind="linear",
        features=name,
        features_sha256=features_digest(name, context.root),
        labels=labels,
        calibration=calibrate(linear.logits(kept_out), known, spec.decisions),
    )
    return _Made(linear, fit, stored, kept_out, len(parts.train) - len(used))


def _watch(context: StageContext, name: str) -> Callable[[int, int], None]:
    """Tells how many texts are embedded. Raises Interrupted where somebody asked to stop."""

    def watch(done: int, total: int) -> None:
        context.emit("embedding", features=name, done=done, total=total)
        _check_stop(context)

    return watch


def _check_stop(context: StageContext) -> None:
    if stop := context.should_stop():
        raise Interrupted(
            "stopped before the fit",
            signal_number=stop,
            hint=f"finewright up {context.run.root} goes on from there",
        )


def _held_out_loss(
    linear: LinearScorer, labels: Sequence[str], temperature: float, rows: Sequence[Row]
) -> float | None:
    """Of the held-out rows whose label is known; a rarer one cannot be given."""
    known = [row for row in rows if label_of(row) in labels]
    if not known:
        return None
    logits = linear.logits(known) / temperature
    shifted = logits - logits.max(axis=1, keepdims=True)
    logp = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    truth = as_truth([label_of(row) for row in known], labels)
    return float(-logp[np.arange(len(known)), truth].mean())


def _prove(linear: LinearScorer, folder: Path, root: Path, rows: Sequence[Row]) -> Proof:
    """The stored model, loaded afresh, gives the same probabilities."""
    loaded = load_linear(folder, folder.parent.name, root)
    ours = softmax(linear.logits(rows) / loaded.calibration.temperature)
    gap = float(np.abs(ours - loaded.probabilities(rows)).max())
    return Proof(
        name="stored answers",
        measured=gap,
        bar=_PROOF_BAR,
        passed=gap <= _PROOF_BAR,
        detail=f"largest difference of a probability over {len(rows)} rows, loaded from the folder",
    )


def _describe_rows(left_out: int, num_calibration: int, features: TextFeatures) -> list[Problem]:
    """What became of rows that train nothing, and of texts that were cut."""
    found = [note_calibration(num_calibration)]
    if left_out:
        found.append(
            Problem(
                level="warning",
                key="data.sources",
                message=f"{left_out} rows were left out of the fit, sampled by train.seed: rows times labels"
                " are more than fit in memory",
            )
        )
    if num_cut := sum(embedder.num_cut for embedder in features.embedders):
        found.append(
            Problem(
                level="warning",
                key="data.sources",
                message=f"{num_cut} texts are longer than {features.name} reads, and were cut",
            )
        )
    return found
