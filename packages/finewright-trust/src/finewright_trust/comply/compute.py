"""FLOP of a run's lineage, and its share of the criterion by which a modifier becomes a model's provider.

Counted are training (forward and backward), sampled answers, reference passes, and parents. By the closed
formula 2 FLOP a weight and token, forward, and as much again for the gradients of inputs and of trained
weights (Kaplan et al. 2020, arXiv:2001.08361, section 2.1), with attention. Not counted is what measures and
teaches nothing: evaluation, red team, held-out looks.

The criterion: Commission guidelines C(2025) 7719, points 17 and 59 to 63; a third of the base's compute, or
where that is unknown a third of 1e23, and of 1e25 for a base with systemic risk."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from finewright.catalog.models import open_model_named, read_packaged
from finewright.errors import FinewrightError
from finewright.estimate.families import shape_of
from finewright.estimate.shape import ModelShape
from finewright.lm.sources import config_here
from finewright.schema.adapter import FullSpec
from finewright.schema.label_methods import LinearSpec
from finewright.schema.lock import Lock
from finewright.schema.methods import OnlineSettings
from finewright.schema.train import Candidate, TrainReport
from finewright.sdk import Model, RunDir, TrainSettings
from finewright.store.parents import walk_parents
from finewright.store.speclock import lock_of
from finewright_trust.comply.law import Facts
from finewright_trust.comply.report import ComputeMeter, ComputePart

GENERAL = 1e23
"""FLOP above which a model that generates text is indicatively a general-purpose one: point 17."""
SYSTEMIC = 1e25
"""FLOP above which systemic risk is presumed: Article 51(2)."""
MARGIN = 0.3
"""Relative error that an estimate of compute may have: annex A.2 of the guidelines."""
_WITH_REFERENCE = ("dpo", "kto")
"""Methods that ask the base once for each row that trains."""


class BaseCompute(Model):
    """What a base model was trained with: its maker's parameters and tokens."""

    parameters: float
    tokens: float
    aliases: tuple[str, ...] = ()
    source: str

    @property
    def flops(self) -> float:
        """6 FLOP a parameter and token."""
        return 6 * self.parameters * self.tokens


class PassedTokens(NamedTuple):
    """Tokens that passed through a model in training, those of them that were learned, their mean row."""

    tokens: int
    learned: int
    row: float


@cache
def base_computes() -> dict[str, BaseCompute]:
    """Name -> what makers say of the training of their models."""
    return read_packaged("bases.yaml", dict[str, BaseCompute], "finewright_trust.comply")


def base_compute(*names: str) -> BaseCompute | None:
    """The row of the first name or alias that is known, whatever its case."""
    for name in (each.casefold() for each in names if each):
        for own, row in base_computes().items():
            if name in (own.casefold(), *map(str.casefold, row.aliases)):
                return row
    return None


def forward_flops(shape: ModelShape, work: PassedTokens, extra: int = 0) -> float:
    """One pass over the tokens; the head is asked for at those that are learned, `extra` are an adapter's."""
    head = shape.vocabulary * shape.hidden
    matrices = shape.computing - head + extra
    return 2.0 * (
        work.tokens * matrices + work.learned * head + work.tokens * shape.attention * work.row
    )


def training_flops(shape: ModelShape, train: TrainSettings, work: PassedTokens) -> float:
    """Forward and backward: gradients of inputs cost a forward, those of trained weights theirs again."""
    is_full = isinstance(train.adapter, FullSpec)
    trained = shape.trainable(train.adapter)
    forward = forward_flops(shape, work, 0 if is_full else trained)
    attention = 2.0 * work.tokens * shape.attention * work.row
    weights = forward - attention if is_full else 2.0 * work.tokens * trained
    passes = 3.0 if train.memory == "lean" else 2.0  # lean computes each layer's forward once more
    return passes * forward + attention + weights


def sampling_flops(
    shape: ModelShape, train: TrainSettings, work: PassedTokens
) -> Iterator[ComputePart]:
    """Answers that were sampled to be learned from, and passes of the base over what was learned."""
    if isinstance(train, OnlineSettings):
        once = PassedTokens(work.tokens // train.uses, work.learned // train.uses, work.row)
        yield ComputePart(what="sampled answers", flops=forward_flops(shape, once), how="formula")
        passes = train.forwards_before * forward_flops(shape, once)
        yield ComputePart(what="passes before a step", flops=passes, how="formula")
    elif train.method in _WITH_REFERENCE and not getattr(train, "reference_free", False):
        flops = forward_flops(shape, work)
        yield ComputePart(what="reference passes", flops=flops, how="at most: each epoch's")


def measure_compute(run: RunDir, lock: Lock, facts: Facts) -> ComputeMeter:
    """The meter of a run: its own training, that of its parents, and what its base is known to have taken."""
    parts, uncounted = count_lineage(run, lock)
    first = run.read_report("train", TrainReport).candidates[0]
    base = lock.spec.base_models[0]
    below = [each.record.base_model for each in walk_parents(run)]
    known = base_compute(first.base_origin, base, *below)
    stated = facts.get("base_flops")
    base_flops = stated if stated is not None else known.flops if known else None
    source = "stated" if stated is not None else f"{known.source}; check it there" if known else ""
    threshold, point = find_threshold({**facts, "base_flops": base_flops})
    return ComputeMeter(
        parts=parts,
        total=sum(part.flops for part in parts),
        base=below[-1] if below else first.base_origin or base,
        base_flops=base_flops,
        base_source=source,
        threshold=threshold,
        point=point,
        uncounted=uncounted,
    )


def find_threshold(facts: Facts) -> tuple[float | None, str]:
    """FLOP of a modification above which its maker may be the provider of a model, and by which point."""
    base_flops, is_systemic = facts.get("base_flops"), facts.get("base_systemic")
    if base_flops is not None and base_flops <= GENERAL:
        return (
            None,
            "point 17: the base is below 1e23 FLOP, so it is indicatively no general-purpose model",
        )
    if base_flops is not None:
        return base_flops / 3, "point 60: a third of the base's training compute"
    if is_systemic:
        return SYSTEMIC / 3, "point 61: the base's compute is unknown, and it has systemic risk"
    unless = "" if is_systemic is False else ", if it has no systemic risk"
    return GENERAL / 3, f"point 61: the base's compute is unknown{unless}"


def compute_facts(facts: Facts) -> dict[str, Any]:
    """The facts of the law that follow from compute: unknown where the figures do not decide."""
    base, spent = facts.get("base_flops"), facts.get("modification_flops")
    is_gpai = facts.get("base_is_gpai") if base is None else base > GENERAL
    is_systemic = facts.get("base_systemic")
    if is_systemic is None and base is not None and base > SYSTEMIC:
        is_systemic = True
    found = {"base_is_gpai": is_gpai, "over_third": None, "over_1e25": None}
    found["base_systemic"] = is_systemic
    if spent is not None:
        found["over_third"] = _is_over_third(facts, spent)
        found["over_1e25"] = None if base is None else base + spent > SYSTEMIC
    return {**facts, **found}


def _is_over_third(facts: Facts, spent: float) -> bool | None:
    threshold, _ = find_threshold(facts)
    if threshold is None:
        return False
    if facts.get("base_flops") is None and facts.get("base_systemic") is None:
        # Above the lower of the two thresholds and not above the higher, the risk of the base decides.
        return False if spent <= threshold else True if spent > SYSTEMIC / 3 else None
    return spent > threshold


def count_lineage(run: RunDir, lock: Lock) -> tuple[tuple[ComputePart, ...], tuple[str, ...]]:
    """The parts of a run and its parents that count, and what could not be counted, with the reason."""
    parts: list[ComputePart] = []
    uncounted: list[str] = []
    ancestors = list(walk_parents(run))
    bases = [each.record.base_model for each in ancestors]
    steps = [(run, lock, each) for each in run.read_report("train", TrainReport).candidates]
    for each in ancestors:
        if each.run is None:
            uncounted.append(f"training of {each.record.run}: its folder is not found")
            continue
        made = each.run.read_report("train", TrainReport).candidates
        taken = [one for one in made if one.base_model == each.record.candidate]
        steps += [(each.run, lock_of(each.run), one) for one in taken]
    for step in steps:
        try:
            parts += _count(*step, bases)
        except FinewrightError as error:
            uncounted.append(f"training of {step[2].base_model}: {error}")
        if teacher := getattr(step[1].spec.train, "teacher", ""):
            uncounted.append(f"passes of the teacher {teacher}: its size is not looked up")
    tokens = max(each.tokens for each in run.read_report("train", TrainReport).candidates)
    for name in dict.fromkeys(each.synthetic_by for each in lock.spec.data.sources):
        if known := base_compute(name):
            what, flops = f"synthetic rows by {name}", 2 * known.parameters * tokens
            parts.append(ComputePart(what=what, flops=flops, how="at most: of every token seen"))
        elif name:
            uncounted.append(f"synthetic rows by {name}: its size is unknown")
    return tuple(parts), tuple(uncounted)


def _count(
    run: RunDir, lock: Lock, candidate: Candidate, bases: Sequence[str]
) -> Iterator[ComputePart]:
    train = lock.candidates[candidate.base_model]
    if isinstance(train, LinearSpec):
        rows, steps = candidate.counts.rows_kept, candidate.steps
        is_several = train.decisions.kind == "several"
        again = ", further fits of parts of these rows to calibrate it" if is_several else ""
        raise FinewrightError(
            f"one convex fit of {candidate.trainable_parameters:,} weights in {steps:,} steps, of"
            f" {rows:,} rows less those that calibrate{again}, and the vectors of the rows; no formula of"
            " language models holds for it"
        )
    shape = _shape(run, lock, candidate, bases)
    work = _work(candidate, train)
    name = f"training of {candidate.base_origin or candidate.base_model}"
    how = f"formula over {work.tokens:,} tokens"
    yield ComputePart(what=name, flops=training_flops(shape, train, work), how=how)
    yield from sampling_flops(shape, train, work)


def _shape(run: RunDir, lock: Lock, candidate: Candidate, bases: Sequence[str]) -> ModelShape:
    """From the config beside the result, of a base on this machine, or of the catalog."""
    own = run.root / candidate.adapter
    names = [str(own.absolute()), candidate.base_model, candidate.base_origin, *bases]
    for name in filter(None, names):
        config: Mapping[str, Any] | None = config_here(name, Path(lock.root))
        if config is None and (found := open_model_named(name)):
            config = found[1].config
        if config is not None:
            return shape_of(config, name)
    raise FinewrightError("its config.json is not on this machine, so its size is unknown")


def _work(candidate: Candidate, train: TrainSettings) -> PassedTokens:
    rows = candidate.steps * train.batch_size * train.gradient_accumulation
    is_counted = train.batch_tokens is None and not isinstance(train, OnlineSettings)
    row = min(candidate.tokens / max(1, rows), train.max_length) if is_counted else train.max_length
    return PassedTokens(candidate.tokens, candidate.trained_tokens, row)
