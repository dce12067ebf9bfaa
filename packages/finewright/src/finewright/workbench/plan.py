"""`plan`: what a run would train on, how long, with which settings and why - before it starts."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

from finewright.data.gather import gather
from finewright.data.measured import MeasuredRows, row_sets
from finewright.data.quarantine import quarantine_ahead, search_ahead
from finewright.evaluate.baselines.rivals import find_json_task, list_systems
from finewright.evaluate.score import PREFERENCE
from finewright.lm import runtime
from finewright.lm.sources import LocalBase, locate, num_parameters, reads_of_files
from finewright.schema.common import Problem, RowCounts
from finewright.schema.label_methods import DecidingSettings
from finewright.schema.load import LoadedSpec
from finewright.schema.lock import Lock
from finewright.schema.methods import DistillSpec, GKDSpec
from finewright.schema.plan import PlannedCandidate, PlannedSet, PlanReport, TokenView
from finewright.schema.rows import Row
from finewright.schema.run import RunSpec
from finewright.schema.train import TrainSettings
from finewright.store.stage import refuse
from finewright.train.prepared import prepare_rows
from finewright.train.privacy.units import near_repeats
from finewright.train.rows import MethodRows, rows_for
from finewright.workbench.coherence import (
    faults,
    find_ancestors,
    incoherent,
    unreachable_privacy,
    untaught,
    writes_answers,
)
from finewright.workbench.prepare import input_digests, make_lock

if TYPE_CHECKING:
    from finewright.lm.chat import Chat
    from finewright.lm.example import EncodedRow, Example

NUM_PREVIEWS = 3
_TOO_LONG = 4
"""Answers that may be so many times the longest label are said to cost; a little more room costs little."""


def plan(loaded: LoadedSpec) -> PlanReport:
    """Read, validate, tokenise and count, for every base model; nothing is written.

    Raises DataError when the spec or its rows are wrong: `check` lists all of that."""
    refuse([loaded.locate(problem) for problem in faults(loaded)])
    poison = loaded.spec.data.poison
    gathered = gather(loaded.spec.data, loaded.resolve, search=search_ahead(poison))
    refuse(gathered.problems)
    runtime.require_runtime()
    lock = make_lock(loaded, input_digests(loaded))
    rows = rows_for(loaded.spec.train.method, gathered.train)
    refuse([*rows.problems, *unreachable_privacy(loaded.spec.train, rows.rows)])
    sets = row_sets(loaded.spec, gathered, loaded.resolve, find_ancestors(loaded))
    weighs_only = set(loaded.spec.evaluate.metric_names) == {PREFERENCE}  # nothing is answered
    held_out = [row for found in sets for row in found.rows]
    if isinstance(loaded.spec.train, DecidingSettings):
        refuse(list(_of_labels(loaded.spec, loaded.spec.train, rows.rows, sets)))
    systems, others = list[str](), list[Problem]()
    if writes_answers(loaded.spec):
        systems = list_systems(loaded.spec.evaluate, gathered.train, loaded.resolve)
        _, others = find_json_task(gathered.train, loaded.spec.evaluate, loaded.resolve)
    if loaded.spec.train.on_features:
        candidates = [_linear(loaded, lock, name, rows.rows) for name in lock.candidates]
    else:
        candidates = [_candidate(loaded, lock, name, rows, held_out) for name in lock.candidates]
    return PlanReport(
        name=loaded.spec.name,
        data=gathered.counts,
        rows_train=len(gathered.train),
        rows_eval=len(gathered.eval),
        candidates=tuple(candidates),
        values={key: _show_locked(lock, key) for key in lock.reasons},
        reasons=lock.reasons,
        problems=(
            *map(loaded.locate, incoherent(loaded.spec)),
            *gathered.problems,
            *quarantine_ahead(gathered.passed, loaded.spec.data),
            *rows.problems,
            *near_repeats(loaded.spec.train, gathered.passed.duplicates),
            # `check` lists what is wrong with their files.
            *(problem for found in sets for problem in found.leaks),
            *others,
        ),
        evaluation=tuple(
            PlannedSet(name=found.name, rows=len(found.rows), draw=found.draw) for found in sets
        ),
        max_new_tokens=None if weighs_only else loaded.spec.evaluate.max_new_tokens,
        systems=tuple(systems),
        chat_template=lock.spec.chat_template,
    )


def _show_locked(lock: Lock, key: str) -> str:
    """The value at a dotted key of the lock's reasons, as one reads it."""
    if key.startswith("candidates."):
        name, _, field = key.removeprefix("candidates.").rpartition(".")
        return str(getattr(lock.candidates[name], field))
    found: Any = lock.spec  # Any: whatever lies on the way down the spec
    for part in key.split("."):
        found = found[int(part)] if isinstance(found, tuple) else getattr(found, part)
    if found is None:
        return "open"
    return ", ".join(map(str, found)) if isinstance(found, tuple) else str(found)


def _candidate(
    loaded: LoadedSpec, lock: Lock, name: str, rows: MethodRows, held_out: Sequence[Row]
) -> PlannedCandidate:
    from finewright.evaluate.expected import check_thought_bound, unaskable, warn_of_cut
    from finewright.lm.load_chat import chat_of

    base = locate(name, loaded.path.parent)
    spec = lock.candidates[name]
    if isinstance(spec, DistillSpec | GKDSpec):
        from finewright.train.teacher import find_teacher

        find_teacher(spec, base, loaded.path.parent)
    made = prepare_rows(base, spec, chat_of(base, lock.spec), rows)
    answered = held_out if writes_answers(loaded.spec) else ()
    encoded, lengths, schedule = made.encoded, made.lengths, made.schedule
    misfit = _misfit(loaded, base, spec)
    notes = [] if spec.minutes is None else [_note_measured_later(spec.minutes)]
    notes += _note_processes(loaded, base, spec)
    return PlannedCandidate(
        base_model=name,
        parameters=num_parameters(base.folder),
        counts=encoded.counts,
        tokens=sum(lengths),
        trained_tokens=sum(row.num_trained for row in encoded.rows),
        longest=max(lengths, default=0),
        median=int(statistics.median(lengths)) if lengths else 0,
        steps=schedule.steps if lengths else 0,
        step_tokens=made.step_tokens,
        privacy=made.private.spent if made.private else None,
        train=spec,
        slow_paths=() if misfit else _slow_paths(loaded, name, spec),
        problems=(
            *map(loaded.locate, (*made.problems, *notes)),
            *misfit,
            *encoded.problems,
            *unaskable(made.chat, held_out, reads_of_files(base)),
            *warn_of_cut(made.chat, answered, loaded.spec.evaluate.max_new_tokens),
            *map(
                loaded.locate, _note_long_answers(loaded.spec, made.chat, rows.rows, len(held_out))
            ),
            *map(
                loaded.locate,
                check_thought_bound(made.chat, loaded.spec.evaluate.max_thought_tokens),
            ),
        ),
        preview=_preview(made.chat, rows.rows, encoded.rows[:NUM_PREVIEWS]),
    )


def _of_labels(
    spec: RunSpec, train: DecidingSettings, rows: Sequence[Row], sets: Sequence[MeasuredRows]
) -> Iterator[Problem]:
    from finewright.labels.rows import check_label_rows

    yield from check_label_rows(rows, train)
    for each in sets:
        yield from untaught(spec, rows, each.name, each.rows)


def _linear(loaded: LoadedSpec, lock: Lock, name: str, rows: Sequence[Row]) -> PlannedCandidate:
    """A linear candidate: how many weights it has. Its features are loaded, and fetched if need be."""
    from finewright.labels.features import TextFeatures
    from finewright.labels.linear import WordFeatures, most_terms
    from finewright.labels.rows import check_label_rows, labels_in, row_question

    spec = lock.candidates[name]
    assert isinstance(spec, DecidingSettings)
    features = TextFeatures.load(name, loaded.path.parent)
    num_labels = len(labels_in(rows, spec.decisions.kind)) or 1
    num_features = sum(embedder.dimensions for embedder in features.embedders)
    if features.has_words:
        terms = WordFeatures.learn([row_question(row) for row in rows], most_terms(num_labels))
        num_features += len(terms.places)
    return PlannedCandidate(
        base_model=name,
        parameters=(num_features + 1) * num_labels,
        counts=RowCounts(rows_in=len(rows), rows_kept=len(rows)),
        tokens=0,
        trained_tokens=0,
        longest=0,
        median=0,
        steps=0,
        step_tokens=0,
        train=spec,
        problems=tuple(check_label_rows(rows, spec)),
        preview=(),
    )


def _note_measured_later(minutes: float) -> Problem:
    return Problem(
        level="info",
        key="train.minutes",
        message=f"these are the most steps: how many fit into {minutes:g} minutes is measured at the start",
    )


def _note_processes(loaded: LoadedSpec, base: LocalBase, spec: TrainSettings) -> Iterator[Problem]:
    """What several processes share, and what they send each other where a formula knows the family."""
    from finewright.estimate.data_parallel import gradients_line
    from finewright.estimate.families import families, shape_of
    from finewright.lm.sources import config_here

    size, config = (
        loaded.spec.launch.processes,
        config_here(str(base.folder.absolute()), base.folder),
    )
    if size == 1:
        return
    threads = loaded.spec.train.stated_threads or max(1, runtime.physical_cores() // size)
    sent = ""
    if config is not None and config.get("model_type") in families():
        in_shards = loaded.spec.launch.fsdp and spec.adapter.type == "none"
        numbers = shape_of(config).trainable(spec.adapter)
        sent = f"; each {gradients_line(numbers, size, in_shards=in_shards)}"
    if loaded.spec.launch.fsdp:
        yield _note_shards(config, spec, size)
    yield Problem(
        level="info",
        key="launch.processes",
        message=f"{size} processes share each step's rows, each with {threads} CPU"
        f" thread{'s' * (threads > 1)}{sent}",
    )


def _note_shards(config: Mapping[str, Any] | None, spec: TrainSettings, size: int) -> Problem:
    """What each process holds of a base in shards, and sends; without a formula for the family, the share."""
    from finewright.estimate.data_parallel import shards_line
    from finewright.estimate.families import families, shape_of

    line = f"each of {size} processes holds 1 / {size} of the base model"
    if config is not None and config.get("model_type") in families():
        shape, number = shape_of(config), 4 if spec.dtype == "fp32" else 2
        layers = number * sum(kind.count * kind.parameters for kind in shape.layers)
        others = number * shape.parameters - layers
        line = shards_line((layers + others) / size, layers, others, size)
    return Problem(level="info", key="launch.fsdp", message=line)


def _note_long_answers(
    spec: RunSpec, chat: "Chat", rows: Sequence[Row], num_held_out: int
) -> Iterator[Problem]:
    """What answers of up to `max_new_tokens` cost where the longest that is right is a label."""
    from finewright.evaluate.baselines.label_task import label_task

    most, task = spec.evaluate.max_new_tokens, label_task(rows)
    if task is None or not num_held_out:
        return
    encoded = (chat.tokenizer(label, add_special_tokens=False) for label in task.labels)
    longest = 1 + max(len(each["input_ids"]) for each in encoded)  # and the mark of the end
    if most >= _TOO_LONG * longest:
        yield Problem(
            level="info",
            key="evaluate.max_new_tokens",
            message=f"the longest of {len(task.labels)} labels has {longest} tokens: a base that does not"
            f" stop by itself writes up to {num_held_out * most:,} tokens for {num_held_out:,} rows, where"
            f" {num_held_out * longest:,} would do",
            hint=f"evaluate.max_new_tokens: {2 * longest} is measured in a part of the time",
        )


def _misfit(loaded: LoadedSpec, base: LocalBase, spec: TrainSettings) -> list[Problem]:
    """Why the adapter does not fit this model, as loading would say; a model's own code is not run for it."""
    from finewright.lm.foresight import refusal_ahead

    if base.name in loaded.spec.remote_code:
        return []
    error = refusal_ahead(base, spec.adapter)
    if error is None:
        return []
    return [Problem(level="error", message=str(error), hint=error.hint)]


def _slow_paths(loaded: LoadedSpec, name: str, spec: TrainSettings) -> tuple[str, ...]:
    from finewright.lm.foresight import slow_paths_ahead

    assert spec.dtype != "auto"
    if name in loaded.spec.remote_code:
        return ("not known before the weights are loaded, because the model brings its own code",)
    return slow_paths_ahead(locate(name, loaded.path.parent), spec.adapter, spec.dtype)


def _preview(
    chat: "Chat", rows: Sequence[Row], encoded: Sequence["Example"]
) -> tuple[TokenView, ...]:
    # Of rows that say the same the first is shown first.
    places: dict[str, list[Row]] = {}
    for row in reversed(rows):
        places.setdefault(row.id, []).append(row)
    return tuple(
        TokenView(file=row.file, row=row.row, side=side, pieces=_pieces(chat, e))
        for example in encoded
        for row in [_next_of(places[example.sequences[0].row_id])]
        for side, e in zip(_sides(example), example.sequences, strict=True)
    )


def _next_of(rows: list[Row]) -> Row:
    return rows.pop() if len(rows) > 1 else rows[0]


def _sides(example: "Example") -> tuple[str, ...]:
    """What each sequence of an example is, where it is not just one."""
    if example.is_pair:
        return "chosen", "rejected"
    if (many := len(example.sequences)) > 1:
        return tuple(f"sequence {i} of {many}" for i in range(1, many + 1))
    return ({None: "", True: "liked", False: "disliked"}[example.label],)


def _pieces(chat: "Chat", row: "EncodedRow") -> tuple[tuple[Literal["read", "learned"], str], ...]:
    """The row's tokens, decoded in runs of the same fate."""
    runs = groupby(zip(row.input_ids, row.trained, strict=True), key=lambda pair: pair[1])
    return tuple(
        ("learned" if trained else "read", chat.tokenizer.decode([token for token, _ in pairs]))
        for trained, pairs in runs
    )
