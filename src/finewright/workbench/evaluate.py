"""`evaluate`: measure a run's tuned model or any model on a file, alone or against another."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

from finewright.compare.asking import OnProgress, RowAnswer, measure
from finewright.compare.models import loaded
from finewright.data.gather import read_row_set
from finewright.errors import DataError, Interrupted
from finewright.evaluate.score import check_metrics
from finewright.schema.common import Artifact, Problem
from finewright.schema.evaluate import (
    LINEAR,
    WITH_LABELS,
    EvalSetSpec,
    EvaluateReport,
    EvaluateSpec,
)
from finewright.store.answers import AnswersLog
from finewright.store.atomic import sha256_file, write_text
from finewright.store.keys import digest
from finewright.store.stage import refuse
from finewright.workbench.signals import GOES_ON, stop_requests
from finewright.workbench.stages import code_digest
from finewright.workbench.systems import (
    check_measures,
    check_target,
    load_system,
    refuse_thoughts,
    switches_of,
    target_sha256,
)
from finewright.workbench.trained_rows import cautions, is_run, trained_rows

if TYPE_CHECKING:
    from finewright.evaluate.baselines.label_task import LabelTask
    from finewright.evaluate.measured import Measured, RowSet, Settings


def evaluate(
    targets: Sequence[str],
    spec: EvaluateSpec,
    samples: Path,
    *,
    base_model: str = "",
    on_progress: OnProgress = lambda *_: None,
) -> EvaluateReport:
    """Measure the first target, and compare it with each further one on the same rows.

    Writes every answer to `samples`, which must not exist yet. Raises DataError for bad rows or an
    unknown metric before any model is loaded."""
    check_metrics(spec.metrics)
    files = [read_row_set(Path(item.path), item, seed=spec.seed) for item in spec.data]
    problems = tuple(problem for file in files for problem in file.problems)
    refuse(problems)
    for item, file in zip(spec.data, files, strict=True):
        if not file.rows:
            raise DataError(f"{item.path}: no rows to score")
    _check_target(samples)
    _check_systems(targets, spec.metrics, base_model)

    from finewright.evaluate.baselines.card import label_card, strays
    from finewright.evaluate.measured import (
        RowSet,
        counts_of,
        differences,
        scores_of,
        settings_of,
    )
    from finewright.evaluate.parts import parts_of, with_repeated
    from finewright.evaluate.samples import samples_text

    settings = settings_of(spec)
    row_sets = [RowSet(name, file.rows) for name, file in zip(spec.names(), files, strict=True)]
    trained = trained_rows(targets[0], spec)
    task, repeated = trained.task, trained.repeated(row_sets)
    late = f"stopped; the answers are in {samples}, and the scores are not shown"
    with stop_requests(late, "the same command measures again") as should_stop:

        def watch(system: str, data: str, done: int, total: int) -> None:
            on_progress(system, data, done, total)
            _check_stop(should_stop)

        log = AnswersLog(samples.with_name(f"{samples.name}.asked"), RowAnswer)
        asked = _Asked(row_sets, settings, task, log, watch)
        found = _measured(targets, spec, asked, base_model)
        measured = found.measured
        card = label_card(
            task if "linear" in spec.compare_with else None, row_sets, measured, settings
        )
        measured += card.measured
        _check_stop(should_stop)
        write_text(samples, samples_text(with_repeated(measured, repeated)))
        log.remove()
    report = EvaluateReport(
        confidence=spec.confidence,
        draws=tuple(file.draw for file in files if file.draw),
        scores=scores_of(measured),
        differences=differences(measured, found.pairs, settings.options),
        strays=tuple(strays(task, row_sets, measured, spec.confidence)) if task else (),
        linear=card.fit,
        answers=counts_of(measured),
        parts=parts_of(measured, repeated, found.pairs, settings.options),
        samples=_artifact(samples),
    )
    warned = [problem for problem in problems if problem.level != "info"]
    of_answers = [problem for each in measured for problem in each.problems]
    told = (*warned, *found.problems, *of_answers, *cautions(report))
    return report.model_copy(update={"problems": told})


@dataclass(frozen=True, slots=True)
class _Asked:
    """What every target is asked; `task` where the first one's training rows have labels."""

    row_sets: Sequence["RowSet"]
    settings: "Settings"
    task: "LabelTask | None"
    log: AnswersLog[RowAnswer]
    watch: OnProgress


class _Found(NamedTuple):
    """What was measured, what is compared with what, and what must be said of what was not measured."""

    measured: list["Measured"]
    pairs: list[tuple[str, str]]
    problems: list[Problem]


def _measured(targets: Sequence[str], spec: EvaluateSpec, asked: _Asked, base_model: str) -> _Found:
    """Every target on every set, a base model also with the labels told; as the first target is asked."""
    from finewright.compare.local import with_room
    from finewright.evaluate.baselines.label_task import told_sets

    switches = switches_of(targets[0])
    names: list[str] = []
    found = _Found([], [], [])
    for target in targets:
        system = load_system(target, base_model=base_model, switches=switches)
        names.append(target if system.name in names else system.name)
        subject = replace(system, name=names[-1])
        found.problems.extend(_dropped(names[-1], targets[0], system.dropped))
        sets = [(subject, rows) for rows in asked.row_sets]
        if "base_with_labels" in spec.compare_with and not is_run(target):
            subject = replace(subject, name=names[-1] + WITH_LABELS)
            told = told_sets(system.chat, asked.task, asked.row_sets)
            told, overlong = with_room(subject, told, spec.max_new_tokens)
            found.problems.extend(overlong)
            sets += [(subject, rows) for rows in told]
        who = target_sha256(target, base_model=base_model)
        key = digest(code_digest(), who, dict(switches))
        found.measured.extend(
            measure(loaded(each, key), rows, asked.settings, asked.log, asked.watch)
            for each, rows in sets
        )
    others = [name for other in names[1:] for name in (other, other + WITH_LABELS)]
    found.pairs.extend((names[0], other) for other in (*others, LINEAR))
    return found


def _dropped(name: str, like: str, switches: Sequence[str]) -> Iterator[Problem]:
    if switches:
        plural = "es" if len(switches) > 1 else ""
        yield Problem(
            level="warning",
            message=f"{name} is asked without the switch{plural} {', '.join(switches)} of {like}: its chat"
            " template has none of the name",
            hint="the two are asked in different ways; compare with a base of the same family",
        )


def _check_stop(should_stop: Callable[[], int]) -> None:
    """Raise Interrupted where somebody asked to stop."""
    if stop := should_stop():
        raise Interrupted(
            "stopped while measuring; what was answered is kept",
            signal_number=stop,
            hint=GOES_ON,
        )


def free_name() -> Path:
    """samples.jsonl here, or the first of samples-2.jsonl, samples-3.jsonl, ... that is not there."""
    names = chain([Path("samples.jsonl")], (Path(f"samples-{i}.jsonl") for i in count(2)))
    return next(path for path in names if not path.exists())


def spec_of(
    paths: Sequence[str],
    metrics: Sequence[str],
    rows: Mapping[str, Any],  # Any: keys of EvalSetSpec, which checks them
    *,
    max_new_tokens: int,
    seed: int,
    max_thought_tokens: int | None = None,
) -> EvaluateSpec:
    """A command line's words as the spec's section; what is not said keeps its default. `rows` says how every
    file is read. Raises DataError where thoughts leave no room for an answer."""
    refuse_thoughts(max_thought_tokens, max_new_tokens)
    said = {"metrics": tuple(metrics)} if metrics else {}
    once = dict.fromkeys(map(PurePath, paths))
    stems = Counter(path.stem for path in once)
    names = {path: _long_name(path) if stems[path.stem] > 1 else path.stem for path in once}
    sets = tuple(EvalSetSpec(path=str(p), name=name, **rows) for p, name in names.items())
    return EvaluateSpec(
        data=sets,
        max_new_tokens=max_new_tokens,
        max_thought_tokens=max_thought_tokens,
        seed=seed,
        **said,
    )


def _long_name(path: PurePath) -> str:
    """A name for one of several files of the same stem."""
    return path.with_suffix("").as_posix().replace("/", "-").strip(".-")


def _check_systems(targets: Sequence[str], metrics: Sequence[str], base_model: str) -> None:
    for target in targets:
        check_measures(target, metrics, base_model=base_model)
        check_target(target, base_model=base_model)
        if targets.count(target) > 1:
            raise DataError(f"{target}: named twice", hint="compare with another run or model")


def _check_target(samples: Path) -> None:
    if samples.exists():
        raise DataError(f"{samples}: already there", hint="name another file with --samples")
    if not samples.parent.is_dir():
        raise DataError(f"{samples.parent}: there is no such folder", hint="make it first")


def _artifact(path: Path) -> Artifact:
    return Artifact(
        path=str(path), kind="samples", sha256=sha256_file(path), bytes=path.stat().st_size
    )
