"""What an experiment cannot do, said before anything runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from finewright.errors import SpecError
from finewright.evaluate.score import PREFERENCE, check_metrics, column_of, find_speechless
from finewright.judge.answer import Answer, Call
from finewright.judge.calls import Due
from finewright.schema.load import LoadedSpec
from finewright.schema.rag import RagSpec
from finewright.schema.train import TrainSettings
from finewright.store.stage import refuse
from finewright.workbench.coherence import incoherent
from finewright_advice.measure.arms import Criterion
from finewright_advice.measure.baselines import training_spec
from finewright_advice.measure.rows import ExperimentRows
from finewright_advice.schema.measure import GEPA, TUNED, WITH_PASSAGES, MeasureSpec

if TYPE_CHECKING:
    from finewright.lm.chat import Chat

_OF_WHOLE_SETS = ("macro_f1", "perplexity", PREFERENCE)
_CALLING = Due(Answer("", calls=(Call("a_tool", {}),)))


def check_section(loaded: LoadedSpec) -> tuple[MeasureSpec, Criterion]:
    """The spec's section and when a request is solved. Raises SpecError or UnknownPlugin naming the key."""
    spec = loaded.spec.section("measure", MeasureSpec)
    if spec is None:
        raise SpecError(
            f"{loaded.path}: there is no `measure` section",
            hint="write `measure: {}`; every key of it has a default",
        )
    metrics = loaded.spec.evaluate.metric_names
    check_metrics(metrics)
    metric = spec.solved.metric or metrics[0]
    for key, what, hint in _wrongs(loaded, spec, metric):
        raise SpecError(f"{loaded.path}: {key}: {what}", hint=hint)
    refuse(incoherent(training_spec(loaded, Path("rows.jsonl")).spec))
    return spec, Criterion(metric, spec.solved.at_least, loaded.spec.evaluate)


def _wrongs(loaded: LoadedSpec, spec: MeasureSpec, metric: str) -> Iterator[tuple[str, str, str]]:
    whole = loaded.spec
    if len(whole.base_models) != 1:
        yield (
            "base_models",
            f"{len(whole.base_models)} are named, and one model is adapted in several ways",
            "`finewright bakeoff` finds the best of several; name that one here",
        )
    if metric not in whole.evaluate.metric_names:
        yield "measure.solved.metric", f"{metric!r} is not among evaluate.metrics", "add it there"
    if metric in _OF_WHOLE_SETS:
        yield (
            "measure.solved.metric",
            f"{metric} has no value for a single answer, and each must be solved or not",
            "name a metric of answers, such as exact_match, numeric or token_f1",
        )
    elif not column_of(metric) and find_speechless(metric, "rows of calls", [_CALLING]):
        yield (
            "measure.solved.metric",
            f"{metric} has no value for a row that expects a call, and each must be solved or not",
            "tool_calls is of every row, and right where none is due and none is made",
        )
    yield from _misfits_of_arms(loaded, spec)


def _misfits_of_arms(loaded: LoadedSpec, spec: MeasureSpec) -> Iterator[tuple[str, str, str]]:
    whole = loaded.spec
    if PREFERENCE in whole.evaluate.metric_names:
        yield "evaluate.metrics", f"{PREFERENCE} compares pairs and no answers", "leave it out"
    if GEPA in spec.arms and not spec.gepa.by:
        yield (
            "measure.gepa.by",
            "names no model, and the option gepa needs one that rewrites instructions",
            "a run, a base model or https://HOST/v1#MODEL",
        )
    if whole.section("rag", RagSpec) is None and WITH_PASSAGES & set(spec.arms):
        yield (
            "rag",
            "there is no such section, and the options rag and rag+ft need documents",
            "name the documents there, or leave these options out of measure.arms",
        )
    if whole.train.takes != "conversations" and TUNED & set(spec.arms):
        yield (
            "train.method",
            f"is {whole.train.method}, and the options ft and rag+ft learn from answers",
            "set it to sft",
        )


def refuse_unreadable(
    chat: "Chat", rows: ExperimentRows, spec: MeasureSpec, train: TrainSettings
) -> None:
    """Raise DataError for rows that the base model cannot be asked, or that the arm `ft` could not learn."""
    from finewright.evaluate.expected import unaskable
    from finewright.lm.encode import encode_rows

    problems = [*unaskable(chat, rows.test), *unaskable(chat, rows.dev)]
    if "ft" in spec.arms:
        encoded = encode_rows(
            chat, rows.train, max_length=train.max_length, on_overlong=train.on_overlong
        )
        problems += encoded.problems
    refuse(problems)
