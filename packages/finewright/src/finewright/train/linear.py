"""A linear candidate trained from start to end: its rows parted, one fit, its calibration, its folder."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from finewright.errors import Interrupted
from finewright.labels.decider import (
    LinearScorer,
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
    fit_weights,
    logits_out_of_fold,
    most_terms,
)
from finewright.labels.rows import check_label_rows, labels_in, part_answers, row_question
from finewright.labels.targets import LabelTargets
from finewright.lm import runtime
from finewright.schema.common import Problem, RowCounts
from finewright.schema.decisions import Calibration, LabelCalibration, StoredDecider
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
    problems = check_label_rows(rows, spec)
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
        first_loss=made.targets.first_loss(made.truth),
        final_loss=made.fit.loss,
        eval_loss=_held_out_loss(made, held_out),
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
    """What was fitted to which targets, how it is stored, the rows that calibrated, and how many were left
    out."""

    linear: LinearScorer
    fit: Fit
    targets: LabelTargets
    truth: Tensor
    stored: StoredDecider
    kept_out: list[Row]
    left_out: int


def _make(context: StageContext, name: str, spec: LinearSpec, rows: Sequence[Row]) -> _Made:
    """Part the rows, fit, and calibrate on the part that trained nothing."""
    kind, labels = spec.decisions.kind, labels_in(rows, spec.decisions.kind)
    parts = part_answers(rows, spec.decisions, spec.seed)
    num_columns = len(labels) or 1
    used = [parts.train[i] for i in choose_rows(len(parts.train), num_columns, spec.seed)]
    learned, kept_out = [rows[i] for i in used], [rows[i] for i in parts.calibration]
    texts = [row_question(row) for row in learned]
    features = TextFeatures.load(name, context.root)
    if features.has_words:
        features.words = WordFeatures.learn(texts, most_terms(num_columns))
    targets = LabelTargets.learn(learned, labels, kind)
    truth, blocks = targets.of(learned), features.blocks(texts, _watch(context, name))
    how = {"c": spec.inverse_penalty, "tolerance": targets.tolerance}
    fit = fit_weights(blocks, truth, num_columns, loss_of=targets.loss_of, **how)
    _check_stop(context)
    linear = LinearScorer(features, to_float32(fit.weights))
    stored = StoredDecider(
        kind="linear",
        features=name,
        features_sha256=features_digest(name, context.root),
        labels=labels,
        calibration=_calibrate(linear, (blocks, truth), targets, kept_out, spec),
    )
    return _Made(linear, fit, targets, truth, stored, kept_out, len(parts.train) - len(used))


def _calibrate(
    linear: LinearScorer,
    fitted: tuple[Sequence[Tensor], Tensor],
    targets: LabelTargets,
    kept_out: Sequence[Row],
    spec: LinearSpec,
) -> Calibration:
    """From the features and targets that were fitted, and the rows that calibrate."""
    unseen = None
    if targets.kind == "several":
        out = logits_out_of_fold(
            *fitted, spec.seed, c=spec.inverse_penalty, loss_of=targets.loss_of
        )
        unseen = (out.numpy(), fitted[1].numpy())
    return targets.calibrate(linear.logits(kept_out), kept_out, spec.decisions, unseen)


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


def _held_out_loss(made: _Made, rows: Sequence[Row]) -> float | None:
    """Of the held-out rows whose label is known; a rarer one cannot be given."""
    targets, by = made.targets, made.stored.calibration
    known = [row for row in rows if targets.knows(row)]
    if not known:
        return None
    logits = torch.from_numpy(made.linear.logits(known))
    if isinstance(by, LabelCalibration):
        logits = logits / by.temperature
    return float(targets.loss_of(logits, targets.of(known)).value)


def _prove(linear: LinearScorer, folder: Path, root: Path, rows: Sequence[Row]) -> Proof:
    """The stored model, loaded afresh, gives the same probabilities, or scores in their standard deviations:
    a difference of logits is at least as large."""
    loaded = load_linear(folder, folder.parent.name, root)
    gap = float(np.abs(linear.logits(rows) - loaded.scorer.logits(rows)).max())
    return Proof(
        name="stored answers",
        measured=gap,
        bar=_PROOF_BAR,
        passed=gap <= _PROOF_BAR,
        detail=f"largest difference of a logit over {len(rows)} rows, loaded from the folder",
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
