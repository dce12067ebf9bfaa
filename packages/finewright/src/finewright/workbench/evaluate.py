"""`evaluate`: measure a run's tuned model or any model on a file, alone or against another."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, count
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from finewright.compare.asking import OnProgress, RowAnswer
from finewright.data.gather import RowSetFile, read_row_set
from finewright.errors import DataError
from finewright.evaluate.own import own_metric_of
from finewright.evaluate.score import check_metrics
from finewright.judge.user_function import Resolve
from finewright.schema.common import Artifact, Problem
from finewright.schema.evaluate import (
    LINEAR,
    OWN,
    WITH_LABELS,
    EvalSetSpec,
    EvaluateReport,
    EvaluateSpec,
    OwnMetric,
)
from finewright.store.answers import AnswersLog
from finewright.store.atomic import sha256_file
from finewright.store.keys import digest
from finewright.store.rundir import is_run
from finewright.store.stage import refuse
from finewright.workbench.signals import watch_for_stop
from finewright.workbench.stages import code_digest
from finewright.workbench.systems import (
    check_measures,
    check_target,
    is_decider,
    load_decider,
    load_system,
    refuse_thoughts,
    switches_of,
    target_sha256,
)
from finewright.workbench.trained_rows import read_trained_rows

if TYPE_CHECKING:
    from finewright.compare.card import ScoreCard


def evaluate(
    targets: Sequence[str],
    spec: EvaluateSpec,
    samples: Path,
    *,
    base_model: str = "",
    resolve: Resolve = Path,
    on_progress: OnProgress = lambda *_: None,
) -> EvaluateReport:
    """Measure the first target, and compare it with each further one on the same rows.

    `resolve` finds the files of the spec's own metrics. Writes every answer to `samples`, which must not
    exist yet. Raises DataError for bad rows or an unknown metric before any model is loaded."""
    check_metrics(spec.metric_names)
    files, problems = _read(spec)
    _check_target(samples)
    _check_systems(targets, spec.metric_names, base_model)

    from finewright.compare.card import ScoreCard
    from finewright.evaluate.measured import row_set_of, settings_of

    settings = settings_of(spec, resolve)
    row_sets = [row_set_of(name, file.rows) for name, file in zip(spec.names(), files, strict=True)]
    late = f"stopped; the answers are in {samples}, and the scores are not shown"
    with (
        _hold_log(samples) as log,
        watch_for_stop(on_progress, late=late, hint="the same command measures again") as watch,
    ):
        trained = read_trained_rows(targets[0], spec)
        repeated = trained.find_repeated(row_sets)
        card = ScoreCard(
            spec, settings, row_sets, trained.task, trained.json_task, repeated, log, watch
        )
        card.problems += trained.problems
        _measure(targets, card, base_model)
        _check_target(samples)
        report = card.report(samples)
    warned = [problem for problem in problems if problem.level != "info"]
    return report.model_copy(
        update={
            "draws": tuple(file.draw for file in files if file.draw),
            "samples": _artifact(samples),
            "problems": (*warned, *report.problems),
        }
    )


@contextmanager
def _hold_log(samples: Path) -> Iterator[AnswersLog[RowAnswer]]:
    """The log of the answers that will be the samples, for this process alone."""
    path = samples.with_name(f"{samples.name}.asked")
    hint = "wait for it, or name another file with --samples"
    with AnswersLog.hold(path, RowAnswer, hint=hint) as log:
        _check_target(samples)  # another process may have ended since
        yield log


def _read(spec: EvaluateSpec) -> tuple[list[RowSetFile], tuple[Problem, ...]]:
    """The files with rows to score, and what is to be said of them."""
    files = [read_row_set(Path(item.path), item, seed=spec.seed) for item in spec.data]
    problems = tuple(problem for file in files for problem in file.problems)
    refuse(problems)
    for item, file in zip(spec.data, files, strict=True):
        if not file.rows:
            raise DataError(f"{item.path}: no rows to score")
    return files, problems


def _measure(targets: Sequence[str], card: "ScoreCard", base_model: str) -> None:
    """Every target on every set, a base model also with the labels told; as the first target is asked."""
    from finewright.evaluate.baselines.rivals import list_ways

    switches, names, layout = switches_of(targets[0]), list[str](), None
    for target in targets:
        if is_decider(target, base_model):
            decider = load_decider(target, base_model=base_model)
            name = target if decider.name in names else decider.name
            names.append(name)
            sha256 = target_sha256(target, base_model=base_model)
            card.add_decider(decider, digest(code_digest(), sha256), name)
            continue
        model = load_system(target, base_model=base_model, switches=switches)
        layout = layout or model.chat.layout  # else losses of documents would be of other windows
        model = replace(model, chat=replace(model.chat, layout=layout))
        name = target if model.name in names else model.name
        names.append(name)
        card.problems += _warn_of_dropped(name, targets[0], model.dropped)
        sha256 = target_sha256(target, base_model=base_model)
        key = digest(code_digest(), sha256, dict(switches), layout)
        card.add(replace(model, name=name), key)
        if "base_with_labels" in card.spec.compare_with and not is_run(target):
            card.add_with_labels(model, key, name + WITH_LABELS)
        card.add_rivals(replace(model, name=name), key, tuned=is_run(target))
    first, *others = names
    ways = ("", WITH_LABELS, *list_ways(card.spec.compare_with, tuned=False))
    against = [other + way for other in others for way in ways]
    for way in ("", *list_ways(card.spec.compare_with, tuned=True)):
        card.pairs += [(first + way, other) for other in (*against, LINEAR)]


def _warn_of_dropped(name: str, like: str, switches: Sequence[str]) -> Iterator[Problem]:
    if switches:
        plural = "es" if len(switches) > 1 else ""
        yield Problem(
            level="warning",
            message=f"{name} is asked without the switch{plural} {', '.join(switches)} of {like}: its chat"
            " template has none of the name",
            hint="the two are asked in different ways; compare with a base of the same family",
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
    said = {"metrics": tuple(map(_with_consent, metrics))} if metrics else {}
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


def _with_consent(metric: str) -> str | OwnMetric:
    """The metric; one of the user's own, who typed its name, with the digest of its file as it is. That the
    user trusts this code is still asked for."""
    if not metric.startswith(OWN):
        return metric
    return own_metric_of(metric)


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
