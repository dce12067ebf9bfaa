"""`runs merge`: the adapters of two runs as one, measured on the rows of both before it is kept."""

import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import yaml

from finewright.compare.asking import OnProgress
from finewright.errors import SpecError
from finewright.lm import runtime
from finewright.lm.parents import read_parent, result_folder
from finewright.schema.adapter import LoraSpec
from finewright.schema.common import Artifact, RowCounts
from finewright.schema.evaluate import EvalSetSpec, EvaluateSpec
from finewright.schema.lock import Lock
from finewright.schema.parents import ParentRun
from finewright.schema.report import RunReport
from finewright.schema.run import RUN_NAME
from finewright.schema.train import Candidate, TrainReport
from finewright.store import events
from finewright.store.atomic import os_errors
from finewright.store.keys import digest
from finewright.store.manifest import describe, record_stage
from finewright.store.parents import walk_records
from finewright.store.rundir import RunDir, open_run
from finewright.store.runs import create_run
from finewright.store.speclock import lock_of, lock_text
from finewright.workbench.runs import show
from finewright.workbench.stages import code_digest

# TIES keeps the largest 20 % (section 4 of the paper, its k) and sums what is left at a scale of 1; DARE
# drops 90 % (its p); an average is what both are compared with.
_DENSITY = {"linear": 1.0, "ties": 0.2, "dare": 0.1}
_WEIGHT = {"linear": 0.5, "ties": 1.0, "dare": 0.5}


@dataclass(frozen=True, slots=True)
class Merge:
    """What is merged, and how. None and an empty tuple are the method's own."""

    parents: tuple[str, str]
    method: Literal["linear", "ties", "dare"]
    weights: tuple[float, ...] = ()
    density: float | None = None
    seed: int = 0
    name: str = "merged"

    @property
    def used_weights(self) -> tuple[float, ...]:
        """A factor for each parent."""
        return self.weights or (_WEIGHT[self.method],) * 2

    @property
    def used_density(self) -> float:
        """The share of each delta's values that is kept."""
        return _DENSITY[self.method] if self.density is None else self.density


def merge(wanted: Merge, runs_root: Path, *, on_progress: OnProgress) -> RunReport:
    """A run of the merged adapter, with both parents on record and the score card of all three.

    It appears whole, or not at all. Raises SpecError or StoreError for parents that cannot be merged."""
    records = _read_parents(wanted)
    runtime.require_runtime()
    with os_errors(runs_root):
        runs_root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".merge-", dir=runs_root) as scratch:
            run = _make(wanted, records, Path(scratch))
            _measure(run, records, on_progress)
            events.emit(run, "run_ended")
            return show(_keep(run, runs_root))


def _read_parents(wanted: Merge) -> list[ParentRun]:
    """Both records. Raises SpecError where the two are no two adapters of one base model."""
    if not re.fullmatch(RUN_NAME, wanted.name):
        raise SpecError(
            f"--name {wanted.name}: is no name of a run", hint="lower-case letters, digits, hyphens"
        )
    if len(wanted.used_weights) != len(wanted.parents):
        raise SpecError("a merge takes two weights", hint="--weight 0.7 --weight 0.3")
    records = []
    for name in wanted.parents:
        record = read_parent(name, Path.cwd())
        if record is None:
            open_run(Path(name))  # says what is wrong with it
            raise SpecError(f"{name}: no run", hint="`finewright runs list` shows the runs")
        if record.adapter != "lora" or ":" in record.base_model:
            whole = "the whole model, or builds on one"
            what = record.adapter if record.adapter not in {"none", "lora"} else whole
            raise SpecError(f"{name}: trained {what}, and only plain LoRA of one base is merged")
        records.append(record)
    list(walk_records(records))  # raises where parents lead in a circle
    one, other = records
    if (one.key, one.candidate) == (other.key, other.candidate):
        raise SpecError(f"{other.name}: is the same run as {one.name}", hint="name another one")
    if one.base_sha256 != other.base_sha256:
        raise SpecError(
            f"{other.name}: is of {other.base_model}, and {one.name} of {one.base_model}",
            hint="only adapters of the same base model can be merged",
        )
    templates = [lock_of(open_run(Path(r.path))).spec.chat_template for r in records]
    if templates[0] != templates[1]:
        raise SpecError(f"{other.name}: sets other switches of the chat template than {one.name}")
    return records


def _make(wanted: Merge, records: Sequence[ParentRun], scratch: Path) -> RunDir:
    from finewright.lm.adapters.merge import merge_adapters

    parents = [open_run(Path(record.path)) for record in records]
    folders = [result_folder(run, r.candidate) for run, r in zip(parents, records, strict=True)]
    merged = merge_adapters(
        folders,
        wanted.method,
        wanted.used_weights,
        density=wanted.used_density,
        seed=wanted.seed,
    )
    how = {
        "method": wanted.method,
        "weights": list(wanted.used_weights),
        "density": wanted.used_density,
        "seed": wanted.seed,
    }
    key = digest("merge", how, [[r.key, r.adapter_sha256] for r in records], code_digest())
    lock = _lock(wanted, records, parents, merged.rank)
    text = f"# Written by `finewright runs merge`: {how}\n" + yaml.safe_dump(
        lock.spec.model_dump(mode="json", exclude_none=True), sort_keys=False
    )
    now = datetime.now(UTC)
    run = create_run(scratch, wanted.name, key, text, lock_text(lock), now, records)
    events.emit(run, "stage_started", stage="train", key=key)
    candidate = _write_adapter(run, records, folders, merged.tensors, merged.rank)
    if merged.left_out:
        share = f"{100 * merged.left_out:.1f} % of the merged change's squared norm"
        events.emit(run, "problem", level="info", message=f"rank {merged.rank} leaves out {share}")
    run.write_report("train", TrainReport(candidates=(candidate,)))
    inputs = [record.adapter_sha256 for record in records]
    record_stage(run, "train", key, candidate.artifacts, now, inputs=inputs)
    events.emit(run, "stage_ended", stage="train")
    return run


def _lock(
    wanted: Merge, records: Sequence[ParentRun], parents: Sequence[RunDir], rank: int
) -> Lock:
    """The first parent's, of another name and base, with the rows of both and what they are measured by."""
    first, record = lock_of(parents[0]), records[0]
    settings = first.candidates[record.candidate]
    adapter = settings.adapter
    assert isinstance(adapter, LoraSpec)
    merged = adapter.model_copy(
        update={"r": rank, "alpha": rank, "use_rslora": False, "init": "kaiming"}
    )
    trained = settings.model_copy(update={"adapter": merged})
    fields = type(first.spec).model_fields
    update: dict[str, Any] = dict.fromkeys(fields) | {"launch": fields["launch"].get_default()}
    kept = ("version", "remote_code", "chat_template", "data")  # `launch` is of a training
    update |= {name: getattr(first.spec, name) for name in kept} | {
        "name": wanted.name,
        "base_models": (record.base_model,),
        "train": trained,
        "trackers": (),
        "evaluate": _what_to_measure(records, parents),
    }
    return first.model_copy(
        update={
            "root": str(Path.cwd()),
            "code_sha256": code_digest(),
            "spec": first.spec.model_copy(update=update),
            "candidates": {record.base_model: trained},
            "reasons": {},
            "inputs": {},
        }
    )


def _what_to_measure(records: Sequence[ParentRun], parents: Sequence[RunDir]) -> EvaluateSpec:
    """Every set of held-out rows of both, by the metrics of both. Raises SpecError where one has none."""
    specs = [lock_of(run).spec.evaluate for run in parents]
    sets: dict[str, EvalSetSpec] = {}
    for record, run in zip(records, parents, strict=True):
        files = sorted((run.root / "data" / "evaluate").glob("*.jsonl"))
        if not files:
            raise SpecError(
                f"{record.name}: has no held-out rows, and a merge is measured before it is kept",
                hint="name some under evaluate.data of its spec, then: finewright up",
            )
        for file in files:
            name = f"{record.run}.{file.stem}"
            sets[name] = EvalSetSpec(path=str(file.resolve()), name=name)
    metrics = [name for spec in specs for name in spec.metrics if isinstance(name, str)]
    if not metrics:
        raise SpecError(f"{records[0].name}: is measured by functions of its own alone")
    return specs[0].model_copy(
        update={
            "data": tuple(sets.values()),
            "metrics": tuple(dict.fromkeys(metrics)),
            "compare_with": ("base",),
            "max_new_tokens": max(spec.max_new_tokens for spec in specs),
        }
    )


def _write_adapter(
    run: RunDir,
    records: Sequence[ParentRun],
    folders: Sequence[Path],
    tensors: Mapping[str, Any],
    rank: int,
) -> Candidate:
    from finewright.lm.adapters import files
    from finewright.lm.origin import ModelOrigin

    configs = [files.read_config(folder / files.CONFIG_FILE) for folder in folders]
    targets = sorted({name for config in configs for name in config["target_modules"]})
    settings = {
        "peft_type": "LORA",
        "r": rank,
        "lora_alpha": rank,  # the scale is in B
        "lora_dropout": 0.0,
        "target_modules": targets,
        "bias": "none",
        "fan_in_fan_out": configs[0].get("fan_in_fan_out", False),
    }
    folder = run.stage_dir("train") / "merged" / "adapter"
    folder.mkdir(parents=True)
    origin = ModelOrigin(configs[0]["base_model_name_or_path"], configs[0].get("revision"))
    files.write(folder, tensors, settings, origin=origin)
    record = records[0]
    parent = _candidate_of(open_run(Path(record.path)), record.candidate)
    return Candidate(
        base_model=record.base_model,
        base_sha256=record.base_sha256,
        base_origin=parent.base_origin,
        base_license=parent.base_license,
        base_revision=record.base_revision,
        method=parent.method,
        adapter=folder.relative_to(run.root).as_posix(),
        artifacts=tuple(describe(run, path, "adapter") for path in sorted(folder.iterdir())),
        counts=RowCounts(rows_in=0, rows_kept=0),
        steps=0,
        tokens=0,
        trained_tokens=0,
        first_loss=None,
        final_loss=None,
        seconds=0.0,
        tokens_per_second=0.0,
        peak_gib=round(runtime.peak_gib(), 3),
        trainable_parameters=sum(tensor.numel() for tensor in tensors.values()),
    )


def _candidate_of(run: RunDir, base_model: str) -> Candidate:
    candidates = run.read_report("train", TrainReport).candidates
    return next(each for each in candidates if each.base_model == base_model)


def _measure(run: RunDir, records: Sequence[ParentRun], on_progress: OnProgress) -> None:
    """The merged adapter beside both parents and their base, on every set, as the run's evaluate stage."""
    from finewright.workbench.evaluate import evaluate

    spec = lock_of(run).spec.evaluate
    samples = run.stage_dir("evaluate") / "samples.jsonl"
    events.emit(run, "stage_started", stage="evaluate", key="")
    if own := _own_metrics(records):
        message = (
            f"not measured by {', '.join(own)}: a merge is not measured by functions of one's own"
        )
        events.emit(run, "problem", level="warning", key="evaluate.metrics", message=message)
    targets = [str(run.root), *(record.path for record in records), _base_of(records[0])]
    report = evaluate(targets, spec, samples, on_progress=on_progress)
    made: Artifact = describe(run, samples, "samples")
    run.write_report("evaluate", report.model_copy(update={"samples": made}))
    key = digest(spec, [record.key for record in records], code_digest())
    record_stage(
        run,
        "evaluate",
        key,
        (made,),
        datetime.now(UTC),
        inputs=[record.adapter_sha256 for record in records],
    )
    events.emit(run, "stage_ended", stage="evaluate")


def _own_metrics(records: Sequence[ParentRun]) -> list[str]:
    """The names of the parents' metrics that are functions of the user's own."""
    specs = [lock_of(open_run(Path(record.path))).spec.evaluate for record in records]
    return sorted({each.argument for spec in specs for each in spec.own_metrics})


def _base_of(record: ParentRun) -> str:
    """The base model as a target: its name, or the folder that the parent's spec means by it."""
    folder = Path(lock_of(open_run(Path(record.path))).root, record.base_model)
    return os.path.relpath(folder) if folder.is_dir() else record.base_model


def _keep(run: RunDir, runs_root: Path) -> Path:
    """Put the finished folder among the others, under a name that is free."""
    target, number = runs_root / run.root.name, 2
    while target.exists():
        target, number = runs_root / f"{run.root.name}-{number}", number + 1
    shutil.move(run.root, target)
    return target
