"""What is wrong with a spec itself: what it names, and what its parts ask of each other, such as held-out
rows for the best step or pairs for preferences. An error here would only show after training."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Literal

from finewright.errors import FinewrightError
from finewright.evaluate.own import check_own_metrics
from finewright.evaluate.score import (
    PREFERENCE,
    check_metrics,
    find_speechless,
    is_known,
    scores_answers,
)
from finewright.feature import feature_stages, sections
from finewright.guard.privacy.own import compile_own
from finewright.judge.answer import Answer, answer_of
from finewright.judge.calls import Due
from finewright.judge.json_schema import read_schema
from finewright.labels.features import check_features
from finewright.lm.parents import read_parent
from finewright.lm.sources import check_name, config_here
from finewright.plugins import load
from finewright.schema.common import Problem
from finewright.schema.evaluate import LOSS_METRICS
from finewright.schema.label_methods import DecidingSettings, unfit_metric
from finewright.schema.load import LoadedSpec
from finewright.schema.methods import DistillSpec, GKDSpec
from finewright.schema.rows import Row
from finewright.schema.run import RunSpec
from finewright.schema.train import TrainSettings, textless
from finewright.store.parents import Ancestor, walk_records
from finewright.train.on_parent import find_unfit
from finewright.train.support import (
    find_unshared,
    find_unsupported,
    may_be_beyond_context,
)
from finewright.workbench.prepare import no_file
from finewright.workbench.tracking import check_trackers

PATTERNS = "data.personal_data.patterns"
_CALL_METRICS = ("tool_calls", "tool_name", "tool_arguments", "tool_schema")


def faults(loaded: LoadedSpec) -> list[Problem]:
    """All that can be said of a spec without reading a row or loading a model, the gravest first."""
    spec, root = loaded.spec, loaded.path.parent
    found: list[Problem] = []
    if spec.train.on_features:
        found += find_unsupported(spec.train, None)
    for i, name in enumerate(spec.base_models):
        if spec.train.on_features:
            found += _refusals(f"base_models.{i}", check_features, name, root)
            continue
        wrong = _refusals(f"base_models.{i}", check_name, name, root)
        config = None if wrong else config_here(name, root)
        found += wrong or find_unfit(spec, name, root)
        found += find_unsupported(spec.train, config)
        found += may_be_beyond_context(spec.train.max_length, config)
    if isinstance(spec.train, DistillSpec | GKDSpec):
        found += _refusals("train.teacher", check_name, spec.train.teacher, root)
    found += [*incoherent(spec), *of_sections(spec)]
    found += _refusals("evaluate.metrics", check_metrics, spec.evaluate.metric_names)
    found += check_own_metrics(spec.evaluate, loaded.resolve)
    if name := spec.evaluate.json_schema:
        path = loaded.resolve(name)
        if not path.is_file():
            found.append(no_file("evaluate.json_schema", name, path))
        found += _refusals("evaluate.json_schema", read_schema, path) if path.is_file() else []
    for i, pattern in enumerate(spec.data.personal_data.patterns):
        found += _refusals(f"{PATTERNS}.{i}.pattern", compile_own, pattern)
    found += check_trackers(spec.trackers)
    return list(dict.fromkeys(found))


def _refusals(key: str, claim: Callable[..., object], *arguments: object) -> list[Problem]:
    try:
        claim(*arguments)
    except FinewrightError as error:
        return [Problem(level="error", key=key, message=str(error), hint=error.hint)]
    return []


def find_ancestors(loaded: LoadedSpec) -> list[Ancestor]:
    """The runs that those of the spec's base models build on, and these; none where one of them is at fault,
    which `faults` tells."""
    root = loaded.path.parent
    with suppress(FinewrightError):
        found = (read_parent(name, root) for name in loaded.spec.base_models)
        return list(walk_records([record for record in found if record]))
    return []


def nothing_held_out(spec: RunSpec, level: Literal["error", "warning"]) -> list[Problem]:
    """What to say where no row measures: a warning before anybody asks for that."""
    if spec.evaluate.data or spec.data.holds_out:
        return []
    message = "nothing is held out, so the tuned model cannot be measured"
    hint = (
        "name held-out files there, or set data.eval_fraction;"
        " `finewright train` trains without measuring"
    )
    return [Problem(level=level, key="evaluate.data", message=message, hint=hint)]


def of_sections(spec: RunSpec) -> list[Problem]:
    """What the features find wrong with their own sections."""
    found: list[Problem] = []
    for key, section in sections().items():
        written = getattr(spec, key)
        if section.faults and written is not None:
            found += load(section.faults)(written)
    return found


def incoherent(spec: RunSpec) -> list[Problem]:
    """All that does not go together, whatever the rows are."""
    return [
        *_best_of_nothing(spec),
        *_check_rated_text(spec),
        *_two_lengths(spec),
        *_check_canaries(spec),
        *_check_talking_stages(spec),
        *_many_of_one(spec),
        *find_unshared(spec.train, spec.launch),
    ]


def _many_of_one(spec: RunSpec) -> Iterator[Problem]:
    """What makes one thing many for a privacy that bounds what one gives away."""
    privacy, canaries = spec.train.privacy, spec.data.canaries
    if privacy is None or not canaries.count:
        return
    if canaries.repeats != (1,):
        yield Problem(
            level="error",
            key="data.canaries.repeats",
            message="train.privacy bounds what one row gives away, and these canaries are several each",
            hint="set it to [1]",
        )
    if privacy.unit != "row":
        yield Problem(
            level="error",
            key="data.canaries.count",
            message=f"canaries have no column {privacy.unit!r}, by which train.privacy.unit parts the rows",
            hint="set it to 0, or train.privacy.unit to row",
        )


def unmeasurable(spec: RunSpec, name: str, rows: Sequence[Row]) -> Iterator[Problem]:
    """What the metrics cannot make of the rows of a held-out set."""
    alone = [row for row in rows if row.rejected is None]
    if PREFERENCE in spec.evaluate.metric_names and alone:
        yield Problem(
            level="error",
            file=alone[0].file,
            row=alone[0].row,
            key="evaluate.metrics",
            message=f"{PREFERENCE} needs pairs, and {len(alone)} of {len(rows)} rows of {name} are none,"
            " this one first",
            hint="name a file whose rows have `chosen` and `rejected`, or another metric",
        )
    answered = [(row, answer_of(row.answer)) for row in rows if row.answer]
    yield from _unreadable(name, answered)
    yield from _of_calls(spec.evaluate.metric_names, name, answered)


def untaught(
    spec: RunSpec, train: Sequence[Row], name: str, rows: Sequence[Row]
) -> Iterator[Problem]:
    """Labels that a held-out set expects and no training row has, for a model of labels."""
    if isinstance(spec.train, DecidingSettings):
        from finewright.labels.rows import labels_in, unseen_labels  # computes with numpy

        kind = spec.train.decisions.kind
        yield from unseen_labels(name, rows, labels_in(train, kind), kind)


def _unreadable(name: str, answered: Sequence[tuple[Row, Answer]]) -> Iterator[Problem]:
    """Expected answers that hold what cannot be read, so that no answer could be right."""
    broken = [(row, answer.fault) for row, answer in answered if answer.fault]
    if broken:
        row, fault = broken[0]
        yield Problem(
            level="error",
            file=row.file,
            row=row.row,
            message=f"{len(broken)} of {len(answered)} expected answers of {name} cannot be read,"
            f" this one first: {fault}",
            hint="fix the rows, or leave them out",
        )


def _of_calls(
    metrics: Sequence[str], name: str, answered: Sequence[tuple[Row, Answer]]
) -> Iterator[Problem]:
    """Metrics that have nothing to say of the rows, and calls that only texts are compared of."""
    due = [Due(answer, row.tools, columns=row.columns) for row, answer in answered]
    known = [metric for metric in metrics if is_known(metric)]
    for metric in known:
        if problem := find_speechless(metric, name, due):
            yield problem
    yield from _as_texts(known, name, due)


def _as_texts(known: Sequence[str], name: str, due: Sequence[Due]) -> Iterator[Problem]:
    """Calls that no metric compares call by call."""
    calling = sum(bool(each.answer.calls) for each in due)
    if calling and not any(map(scores_answers, known)):
        message = (
            f"{calling} of {len(due)} rows of {name} expect tool calls, compared as JSON texts"
        )
        hint = f"call by call: metrics: [{', '.join(_CALL_METRICS)}]"
        yield Problem(level="info", key="evaluate.metrics", message=message, hint=hint)


def _best_of_nothing(spec: RunSpec) -> Iterator[Problem]:
    if spec.data.holds_out:
        return
    train = spec.train
    for key, is_set in (
        ("early_stopping", train.early_stopping is not None),
        ("keep", train.keep == "best+last"),
        ("eval_steps", train.eval_steps is not None),
    ):
        if is_set:
            yield Problem(
                level="error",
                key=f"train.{key}",
                message="needs rows that are held out of training, and there are none",
                hint="set data.eval_fraction, such as 0.1",
            )


def _two_lengths(spec: RunSpec) -> Iterator[Problem]:
    train = spec.train
    if train.max_steps is not None and "epochs" in train.model_fields_set:
        yield Problem(
            level="warning",
            key="train.epochs",
            message=f"nothing reads it: max_steps decides, and {train.max_steps} steps are taken however many"
            " passes over the rows that makes",
            hint="keep one of the two",
        )


def _check_canaries(spec: RunSpec) -> Iterator[Problem]:
    train = spec.train
    talks = train.gives_answers and train.writes_text
    is_silent = train.takes == "prompts" or not talks
    if spec.data.canaries.count and is_silent:
        yield Problem(
            level="error",
            key="data.canaries.count",
            message=f"{train.method} teaches no answer of a row, so no canary could come out again",
            hint="set it to 0, or train with another method",
        )


def _check_talking_stages(spec: RunSpec) -> Iterator[Problem]:
    """Sections whose stage asks for text, of a model that writes none."""
    if not (why := textless(spec.train)):
        return
    for key, stage in feature_stages().items():
        if stage.asks_text and getattr(spec, key) is not None:
            yield Problem(
                level="error",
                key=key,
                message=f"{why}, and {key} asks the model for text",
                hint="leave it out, or train what writes text: train.method sft, or train.head text",
            )


def _check_rated_text(spec: RunSpec) -> Iterator[Problem]:
    of_text = [m for m in spec.evaluate.metric_names if m in (PREFERENCE, *LOSS_METRICS)]
    if of_text and spec.train.decides:
        yield Problem(
            level="error",
            key="evaluate.metrics",
            message=f"a model of labels writes no text, so {of_text[0]} says nothing of it",
            hint="leave it out: label_accuracy and macro_f1 are of labels",
        )
    elif why := unfit_metric(spec.train, spec.evaluate.metric_names):
        yield Problem(level="error", key="evaluate.metrics", message=why)
    others = [metric for metric in spec.evaluate.metric_names if metric != PREFERENCE]
    if others and not spec.train.gives_answers:
        yield Problem(
            level="error",
            key="evaluate.metrics",
            message=f"a reward model rates answers and gives none, so {others[0]} says nothing of it",
            hint=f"set evaluate.metrics to [{PREFERENCE}]",
        )


def writes_answers(spec: RunSpec) -> bool:
    """Whether held-out rows are answered in text; where preferences alone are weighed, nothing is."""
    return spec.train.writes_text and set(spec.evaluate.metric_names) != {PREFERENCE}


def unreachable_privacy(train: TrainSettings, rows: Sequence[Row]) -> list[Problem]:
    """Why `train.privacy` cannot be had with these rows; nothing without it."""
    if train.privacy is None:
        return []
    from finewright.train.privacy.planned import privacy_ahead  # computes with numpy

    return list(privacy_ahead(train, rows))
