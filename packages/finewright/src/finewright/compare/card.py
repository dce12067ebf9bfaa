"""A score card: systems side by side on sets of held-out rows, and what their scores do not show."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from finewright.compare.asking import OnProgress, RowAnswer, System, measure
from finewright.compare.decider import (
    DecidingSystem,
    score_decisions,
    score_figures,
    warn_of_drift,
)
from finewright.compare.local import LoadedModel, system_of_loaded, with_room
from finewright.errors import DataError, MissingExtra
from finewright.evaluate.answers import check_held
from finewright.evaluate.baselines.card import label_card, strays
from finewright.evaluate.baselines.label_task import LabelTask, sets_with_labels
from finewright.evaluate.baselines.rivals import JsonTask, list_ways
from finewright.evaluate.cautions import (
    empty_problems,
    forgetting_problems,
    linear_problems,
    perplexity_problems,
    recall_problems,
)
from finewright.evaluate.expected import warn_of_cut
from finewright.evaluate.measured import (
    Measured,
    RowSet,
    Settings,
    counts_of,
    differences,
    scores_of,
)
from finewright.evaluate.own import name_code
from finewright.evaluate.parts import parts_of, with_repeated
from finewright.evaluate.samples import samples_text
from finewright.evaluate.score import PREFERENCE
from finewright.labels.rows import unseen_labels
from finewright.schema.common import Problem
from finewright.schema.decisions import Calibration
from finewright.schema.evaluate import (
    WITH_EXAMPLES,
    WITH_SCHEMA,
    EvaluateReport,
    EvaluateSpec,
    JsonRivals,
)
from finewright.store.answers import AnswersLog
from finewright.store.atomic import write_text
from finewright.store.keys import digest
from finewright.store.stage import refuse

if TYPE_CHECKING:
    from finewright.labels.decider import Decider


@dataclass(slots=True)
class ScoreCard:
    """The card as it fills. `task` is that of the training rows, where their answers are labels, `json_task`
    where they are JSON objects; `repeated`
    are the places in a set of the rows that repeat one of them. `pairs` are compared, (system, against)."""

    spec: EvaluateSpec
    settings: Settings
    row_sets: Sequence[RowSet]
    task: LabelTask | None
    json_task: JsonTask | None
    repeated: Mapping[str, Collection[int]]
    log: AnswersLog[RowAnswer]
    on_progress: OnProgress
    pairs: list[tuple[str, str]] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    calibrations: dict[str, Calibration] = field(default_factory=dict)

    def add(self, model: LoadedModel, key: str) -> None:
        """Measure the model on every set; `key` is a digest of what it is."""
        answered = [] if set(self.settings.metrics) == {PREFERENCE} else self._own_sets
        for rows in answered:
            cut = warn_of_cut(model.chat, rows.rows, self.spec.max_new_tokens)
            self.problems += [each for each in cut if each not in self.problems]
        self._add(model, key, self.row_sets)

    def add_with_labels(self, model: LoadedModel, key: str, name: str) -> None:
        """Measure the model under this name with the labels told, where rows ask for labels."""
        with_labels = sets_with_labels(model.chat, self.task, self._own_sets)
        named = replace(model, name=name)
        fitting, problems = with_room(named, with_labels, self.spec.max_new_tokens)
        self.problems += problems
        self._add(named, key, fitting)

    def add_rivals(self, model: LoadedModel, key: str, *, tuned: bool = False) -> None:
        """Measure the model after examples, held to the schema, and both, where rows ask for JSON objects."""
        task = self.json_task
        if task is None:
            return
        sets = task.sets(self._own_sets)
        ways = list_ways(self.spec.compare_with, tuned=tuned)
        try:
            if any(WITH_SCHEMA in way for way in ways):
                check_held(model.lm, model.chat, task.schema)
        except (DataError, MissingExtra) as error:
            ways = [way for way in ways if WITH_SCHEMA not in way]
            what = f"{model.name}{WITH_SCHEMA} is not measured: {error}"
            self.problems.append(Problem(level="warning", message=what, hint=error.hint))
        for way in ways:
            shown = [task.with_examples(each) if WITH_EXAMPLES in way else each for each in sets]
            schema = task.schema if WITH_SCHEMA in way else ""
            named = replace(model, name=model.name + way, json_schema=schema)
            fitting, problems = with_room(named, shown, self.spec.max_new_tokens)
            self.problems += problems
            self._add(named, digest(key, schema), fitting)

    def add_decider(self, decider: "Decider", key: str, name: str) -> None:
        """Measure a model of labels on every set under this name.

        Raises DataError where rows expect labels that no training row had."""
        for rows in self.row_sets:
            unseen = list(unseen_labels(rows.name, rows.rows, decider.labels, decider.kind))
            refuse(unseen)
            self.problems += unseen
        self.calibrations[name] = decider.calibration
        self._ask(DecidingSystem(name, key, decider), self.row_sets)

    def report(self, samples: Path) -> EvaluateReport:
        """The card with a bag of words beside the models; every answer is written, and the log removed."""
        settings = self.settings
        task = self.task if "linear" in self.spec.compare_with else None
        card = label_card(task, self._own_sets, self.measured, settings)
        measured = (*self.measured, *card.measured)
        write_text(samples, samples_text(with_repeated(measured, self.repeated)))
        self.log.remove()
        compared = differences(measured, self.pairs, settings.options)
        decisions = score_decisions(measured, self.calibrations.get)
        figures = score_figures(measured, self.calibrations.get)
        parts = parts_of(measured, self.repeated, self.pairs, settings.options)
        confidence = self.spec.confidence
        found = strays(self.task, self.row_sets, measured, confidence) if self.task else ()
        return EvaluateReport(
            confidence=confidence,
            scores=scores_of(measured),
            differences=compared,
            strays=tuple(found),
            linear=card.fit,
            rivals=self._rivals(),
            answers=counts_of(measured),
            decisions=decisions,
            decision_figures=figures,
            parts=parts,
            problems=(
                *self.problems,
                *self._misfits(),
                *name_code(self.settings.own),
                *(problem for each in measured for problem in each.problems),
                *empty_problems([s for each in measured for s in each.samples]),
                *perplexity_problems(scores_of(measured)),
                *linear_problems(compared, confidence),
                *recall_problems(parts),
                *warn_of_drift([*decisions, *figures]),
                *forgetting_problems(compared, {r.name for r in self.row_sets if r.metrics}),
            ),
        )

    def _add(self, model: LoadedModel, key: str, row_sets: Sequence[RowSet]) -> None:
        self._ask(system_of_loaded(model, key), row_sets)

    def _ask(self, system: System, row_sets: Sequence[RowSet]) -> None:
        settings = self.settings
        for rows in row_sets:
            of_set = settings
            if rows.metrics:
                own = {name: f for name, f in settings.own.items() if name in rows.metrics}
                of_set = replace(settings, metrics=rows.metrics, own=own)
            self.measured.append(measure(system, rows, of_set, self.log, self.on_progress))

    def _misfits(self) -> Iterator[Problem]:
        """What no system can answer that was held to the schema."""
        if self.json_task and any(WITH_SCHEMA in each.system for each in self.measured):
            yield from self.json_task.warn_of_misfits(self._own_sets)

    def _rivals(self) -> JsonRivals | None:
        task = self.json_task
        if task is None:
            return None
        return JsonRivals(
            json_schema=task.schema,
            schema_source=task.schema_source,
            examples=len(task.examples),
        )

    @property
    def _own_sets(self) -> list[RowSet]:
        """Those of the run itself, and not of the runs it builds on."""
        return [rows for rows in self.row_sets if not rows.metrics]
