"""The models of an experiment, one in memory at a time, and their answers, asked once and kept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from finewright.errors import Interrupted
from finewright.features.measure.store import Given, given_of, kept
from finewright.lm.sources import locate
from finewright.schema.load import LoadedSpec
from finewright.schema.measure_report import Latency
from finewright.schema.rows import Row
from finewright.workbench.prepare import resolved_here
from finewright.workbench.signals import stop_requests
from finewright.workbench.systems import load_system
from finewright.workbench.up import OnEvent

if TYPE_CHECKING:
    from finewright.evaluate.measure import Settings, Subject
    from finewright.lm.chat import Chat
    from finewright.lm.model import LM

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
            from finewright.lm.load import load_chat

            spec = self.loaded.spec
            name = spec.base_models[0]
            base = locate(name, self.loaded.path.parent)
            consent = spec.remote_code.get(name, "")
            self._chat = load_chat(base, consent=consent, options=spec.chat_template)
        return self._chat

    def lm(self, name: str) -> "LM":
        """The base model, or what a run made of it."""
        if self._lm is None or name != self._name:
            self._lm = None
            self._lm = self._base() if name == BASE else load_system(str(self.runs[name])).lm
            self._name = name
        return self._lm

    def let_go(self) -> None:
        """Free the memory of the model that is held."""
        self._lm, self._name = None, ""

    def subject(self, arm: str, name: str) -> "Subject":
        """The model of that name, answering for an arm."""
        from finewright.evaluate.measure import Subject

        return Subject(arm, self.lm(name), self.chat)

    def _base(self) -> "LM":
        from finewright.lm.load import load_lm

        spec, root = self.loaded.spec, self.loaded.path.parent
        base = locate(spec.base_models[0], root)
        settings, _ = resolved_here(spec.train, base)
        assert settings.dtype != "auto"
        consent = spec.remote_code.get(base.name, "")
        return load_lm(base, None, dtype=settings.dtype, consent=consent)


@dataclass(frozen=True, slots=True)
class Asking:
    """How the arms of an experiment are asked, and where their answers are kept."""

    folder: Path
    models: Models
    on_event: OnEvent

    def given(
        self,
        arm: str,
        model: str,
        data: str,
        rows: Callable[[], Sequence[Row]],
        metrics: tuple[str, ...] | None = None,
    ) -> Given:
        """The arm's answers to the rows, by the model of that name; made and asked once, and kept.

        `metrics` are the spec's unless given; of answers alone, none is needed here."""

        def ask() -> Given:
            from finewright.evaluate.stage import settings_of

            settings = settings_of(self.models.loaded.spec.evaluate)
            if metrics is not None:
                settings = replace(settings, metrics=metrics)
            return self._asked(self.models.subject(arm, model), data, rows(), settings)

        return kept(self.folder / "answers" / f"{arm}-{data}.json", Given, ask)

    def latency(
        self,
        arm: str,
        model: str,
        rows: Sequence[Row],
        prepare: Callable[[Row], Row],
        *,
        searches: bool,
    ) -> Latency:
        """One request after the other, after one that does not count."""

        def time_all() -> Latency:
            from finewright.evaluate.answers import question_of
            from finewright.evaluate.latency import Prepare, latency_of, timed

            longest = self.models.loaded.spec.evaluate.max_new_tokens
            subject = self.models.subject(arm, model)
            lm, chat = subject.lm, subject.chat

            def request(row: Row) -> Prepare:
                return lambda: question_of(chat, prepare(row))

            timings = []
            with stop_requests() as should_stop:
                requests = [request(row) for row in rows]
                for timing in timed(lm, chat, requests, max_new_tokens=longest, clock=perf_counter):
                    timings.append(timing)
                    self._tell(should_stop, arm, "one at a time", len(timings), len(rows))
            return latency_of(timings, searches=searches)

        return kept(self.folder / "answers" / f"{arm}-latency.json", Latency, time_all)

    def _asked(
        self, subject: "Subject", data: str, rows: Sequence[Row], settings: "Settings"
    ) -> Given:
        from finewright.evaluate.answers import question_of
        from finewright.evaluate.measure import RowSet, measure

        with stop_requests() as should_stop:

            def watch(name: str, data: str, done: int, total: int) -> None:
                self._tell(should_stop, name, data, done, total)

            measured = measure(subject, RowSet(data, rows), settings, watch)
        chat = subject.chat
        prompts = [len(question_of(chat, row).prompt_ids) for row in rows]
        answers = [sample.num_tokens or 0 for sample in measured.samples]
        return given_of(measured, prompts, answers)

    def _tell(
        self, should_stop: Callable[[], int], system: str, data: str, done: int, total: int
    ) -> None:
        fields: Mapping[str, object] = {
            "system": system,
            "data": data,
            "done": done,
            "total": total,
        }
        self.on_event("progress", fields)
        if stop := should_stop():
            raise Interrupted(
                "stopped while measuring; what was answered whole is kept",
                signal_number=stop,
                hint="the same command goes on",
            )
