"""The order of the work. CLI and docs read this one table."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from finewright import __version__
from finewright.feature import feature_stages
from finewright.plugins import Kind, load
from finewright.plugins import modules as modules_of
from finewright.schema.evaluate import EvaluateSpec
from finewright.schema.run import RunSpec
from finewright.store.atomic import os_errors
from finewright.store.energy import joules_between, read_energy
from finewright.store.keys import stage_key
from finewright.store.manifest import CARD, is_fresh, read_manifest, record_stage
from finewright.store.stage import StageContext, StageResult


class Stage(NamedTuple):
    """A stage, the stages whose results it reads, what it does, and the function that does it."""

    name: str
    reads: tuple[str, ...]
    help: str
    run: str


_CORE = (
    Stage(
        "data",
        (),
        "Read and validate the rows, record where they came from, split.",
        "finewright.data.stage:run",
    ),
    Stage("train", ("data",), "Fine-tune each base model.", "finewright.train.stage:run"),
    Stage(
        "evaluate",
        ("data", "train"),
        "Score the tuned model against its base.",
        "finewright.compare.stage:run",
    ),
)


@cache
def stages() -> tuple[Stage, ...]:
    """Every stage in its order: one of a feature stands right behind the last that it reads or names."""
    found = list(_CORE)
    for name, stage in feature_stages().items():
        names = [each.name for each in found]
        before = [*stage.reads, *filter(None, [stage.after])]
        position = max((names.index(each) + 1 for each in before), default=0)
        found.insert(position, Stage(name, stage.reads, stage.sentence, stage.run))
    return tuple(found)


# These hold seconds and speeds, which differ when the same result is made again.
_TIMED = frozenset({"report", "metrics", "plot", CARD})
_TRAINED_ON = frozenset({"data/train.jsonl", "data/eval.jsonl"})
"""Of what the data stage makes, the rows that training learns from and looks at."""
_KINDS: Mapping[str, tuple[Kind, ...]] = {
    "data": ("format", "recogniser"),
    "train": ("reward",),
    "evaluate": ("scorer",),
    "redteam": ("attack",),
}
"""What other packages bring to a stage, whether the spec names it or not."""
_DECIDES = frozenset({".py", ".yaml", ".jinja", ".cpp", ".h", ".txt", ".xz", ".csv"})
"""Files of a package that decide over results: code, kernels, templates, lists of words and of prices."""


@cache
def code_digest() -> str:
    """sha256 over finewright's own source, so that results of other code never pass for fresh."""
    return digest_of("finewright")


@cache
def digest_of(package: str) -> str:
    """sha256 over the source of a package or of a module alone, and finewright's version."""
    total = hashlib.sha256(__version__.encode())
    spec = find_spec(package)
    assert spec is not None
    for root in map(Path, spec.submodule_search_locations or [str(spec.origin)]):
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            if path.suffix in _DECIDES:
                total.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def key_of(stage: Stage, context: StageContext, inputs: dict[str, str]) -> str:
    """What decides the stage's result: its section, its inputs, the results it reads, the code, and that of
    the packages which bring the stage, the training method, or what the stage looks up by name.

    What is measured decides over `data`, which reads those rows as well, and over `evaluate` alone; own
    metrics over `data` too, which says by which of them earlier runs' rows are measured."""
    section = _section(stage, context, inputs)
    upstream = [_result_digests(context, name, stage) for name in stage.reads]
    section += map(digest_of, sorted(_packages(stage, context.spec) - {"finewright"}))
    return stage_key(section, upstream, code_digest())


def _section(stage: Stage, context: StageContext, inputs: dict[str, str]) -> list[object]:
    spec = context.spec
    if stage.name not in ("data", "evaluate"):
        inputs = {key: value for key, value in inputs.items() if not is_of_evaluation(key)}
    section = [getattr(spec, stage.name), inputs]
    if stage.name == "data":
        section += [spec.evaluate.data, _seed_of_draws(spec.evaluate), *spec.evaluate.own_metrics]
    if _reads_rows(stage):
        section += [dict(context.candidates), spec.base_models, spec.remote_code]
    if spec.chat_template and "data" in stage.reads:
        section.append(spec.chat_template)
    return section


def _packages(stage: Stage, spec: RunSpec) -> set[str]:
    """The packages that bring the stage, the training method, and what the stage looks up by name."""
    modules = [
        stage.run,
        *((spec.train.code, type(spec.train).__module__) if _reads_rows(stage) else ()),
        *(module for kind in _KINDS.get(stage.name, ()) for module in modules_of(kind)),
    ]
    return {module.partition(".")[0].partition(":")[0] for module in modules}


def _reads_rows(stage: Stage) -> bool:
    """Whether it looks at the rows that train, and at none that only measure."""
    return "data" in stage.reads and stage.name != "evaluate"


def is_of_evaluation(key: str) -> bool:
    """Whether the input is one that only measures."""
    return key.startswith("evaluate.")


def _seed_of_draws(spec: EvaluateSpec) -> int | None:
    """None where no rows are drawn, so that the seed decides nothing."""
    return spec.seed if any(item.limit for item in spec.data) else None


def _result_digests(context: StageContext, stage: str, reader: Stage) -> list[str]:
    """Of the files that the stage made, those that decide over the reader's result; where it made a report
    alone, the stage's own key."""
    record = read_manifest(context.run)
    made = [row for row in record.artifacts if row.stage == stage and row.kind not in _TIMED]
    if not made and stage in record.stages:
        return [record.stages[stage].key]
    if stage == "data" and _reads_rows(reader):
        made = [row for row in made if row.path in _TRAINED_ON]
    return sorted(f"{row.path} {row.sha256}" for row in made)


def is_current(
    stage: Stage, make_context: Callable[[str], StageContext], inputs: dict[str, str]
) -> bool:
    """Whether the run has the stage's result already."""
    context = make_context("")
    return is_fresh(context.run, stage.name, key_of(stage, context, inputs))


def run_stage(
    stage: Stage, make_context: Callable[[str], StageContext], inputs: dict[str, str]
) -> bool:
    """Run the stage unless its result is fresh; True when it ran.

    `make_context` gives the stage's context for a key."""
    key = key_of(stage, make_context(""), inputs)
    context = make_context(key)
    if is_fresh(context.run, stage.name, key):
        context.emit("stage_fresh", stage=stage.name)
        return False
    context.emit("stage_started", stage=stage.name, key=key)
    before = read_energy()
    with os_errors(context.run.root):
        result: StageResult = load(stage.run)(context)
    context.run.write_report(stage.name, result.report)
    now = datetime.now(UTC)
    record_stage(context.run, stage.name, key, result.artifacts, now, inputs=result.inputs)
    joules = joules_between(before, read_energy())
    measured = {} if joules is None else {"energy_joules": joules}
    context.emit("stage_ended", stage=stage.name, **measured)
    return True
