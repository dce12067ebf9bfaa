"""The models of an experiment, one in memory at a time, and their answers, asked once and kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from finewright.compare.asking import RowAnswer, SystemAnswers, ask
from finewright.compare.local import LocalModel, keep_row
from finewright.lm.sources import base_digest, locate
from finewright.schema.load import LoadedSpec
from finewright.schema.rows import Row
from finewright.store.answers import AnswersLog
from finewright.store.keys import digest
from finewright.workbench.prepare import resolve_here
from finewright.workbench.signals import watch_for_stop
from finewright.workbench.systems import load_system, target_sha256
from finewright.workbench.up import OnEvent

if TYPE_CHECKING:
    from finewright.compare.local import LoadedModel
    from finewright.lm.chat import Chat
    from finewright.lm.model import LM
    from finewright_advice.compare.latency import Timing

BASE = "base"


@dataclass(slots=True)
class Models:
    """Loads the base model or a run's tuned one, and lets go of the one before. A tuned model is known by
    its name once its run is told in `runs`."""

    loaded: LoadedSpec
    runs: dict[str, Path] = field(default_factory=dict)
    _name: str = ""
    _lm: "LM | None" = None
    _chat: "Chat | None" = None

    @property
    def chat(self) -> "Chat":
        """The base model's tokens and template, which training does not change."""
        if self._chat is None:
            from finewright.lm.load_chat import chat_of

            spec = self.loaded.spec
            self._chat = chat_of(locate(spec.base_models[0], self.loaded.path.parent), spec)
        return self._chat

    def lm(self, name: str) -> "LM":
        """The base model, or what a run made of it."""
        if self._lm is None or name != self._name:
            self._lm = None
            self._lm = self._base() if name == BASE else load_system(str(self.runs[name])).lm
            self._name = name
        return self._lm

    def key(self, name: str) -> str:
        """A digest of the model."""
        if name == BASE:
            return base_digest(self.loaded.spec.base_models[0], self.loaded.path.parent)
        return target_sha256(str(self.runs[name]))

    def let_go(self) -> None:
        """Free the memory of the model that is held."""
        self._lm, self._name = None, ""

    def subject(self, arm: str, name: str) -> "LoadedModel":
        """The model of that name, answering for an arm."""
        from finewright.compare.local import LoadedModel

        return LoadedModel(arm, self.lm(name), self.chat)

    def _base(self) -> "LM":
        from finewright.lm.load import load_lm

        spec, root = self.loaded.spec, self.loaded.path.parent
        base = locate(spec.base_models[0], root)
        settings, _ = resolve_here(spec.train, base)
        assert settings.dtype != "auto"
        consent = spec.remote_code.get(base.name, "")
        return load_lm(base, None, dtype=settings.dtype, consent=consent)


@dataclass(frozen=True, slots=True)
class ArmQuestions:
    """How the arms of an experiment are asked, and where their answers are kept.

    `needed` is the metric by which a request is solved where that is of whole answers: such are scored while
    the row's tools are at hand, and others from what was kept."""

    folder: Path
    models: Models
    log: AnswersLog[RowAnswer]
    on_event: OnEvent
    needed: tuple[str, ...] = ()

    def answers(
        self,
        arm: str,
        model: str,
        data: str,
        rows: Sequence[Row],
        *,
        prepare: Callable[[Row], Row] = keep_row,
        metrics: tuple[str, ...] | None = None,
    ) -> SystemAnswers:
        """The arm's answers to the rows, by the model of that name; asked once, and logged.

        `prepare` puts the arm's own before a question. `metrics` are the spec's unless given."""
        from finewright.evaluate.measured import RowSet, settings_of

        settings = settings_of(self.models.loaded.spec.evaluate, self.models.loaded.resolve)
        if metrics is not None:
            settings = replace(settings, metrics=metrics)
        system = self.system(arm, model, data, prepare)
        with watch_for_stop(self._report_answered) as watch:
            return ask(system, RowSet(data, rows), settings, self.log, watch)

    def system(self, arm: str, model: str, data: str, prepare: Callable[[Row], Row]) -> LocalModel:
        """An arm as it answers a set of rows, by the model of that name."""
        load = partial(self.models.subject, arm, model)
        return LocalModel(arm, digest(self.models.key(model), arm, data), load, prepare)

    def times(
        self, systems: Sequence[LocalModel], rows: Sequence[Row]
    ) -> dict[str, list["Timing"]]:
        """One request after the other, the systems in turns."""
        from finewright_advice.compare.turns import TimedAnswer, time_in_turns

        log = AnswersLog(self.folder / "times.jsonl", TimedAnswer)
        most = self.models.loaded.spec.evaluate.max_new_tokens

        def report_timed(arm: str, done: int, total: int) -> None:
            self._report_answered(arm, "one at a time", done, total)

        with watch_for_stop(report_timed) as watch:
            found = time_in_turns(systems, rows, most, log, watch)
        return {name: [each.timing for each in answers] for name, answers in found.items()}

    def _report_answered(self, system: str, data: str, done: int, total: int) -> None:
        self.on_event("progress", {"system": system, "data": data, "done": done, "total": total})
