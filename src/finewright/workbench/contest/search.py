"""Optuna's part of a search: suggestions that know what was tried, the end of bad ones, and a journal.

Akiba et al. 2019, arXiv:1907.10902. Suggestions are those of the tree-structured Parzen estimator (Bergstra
et al. 2011), whose seed depends on the search's own and on the trial's number alone, so a search that was cut
and goes on suggests what it would have suggested."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from finewright.errors import MissingExtra
from finewright.schema.tune import Choice, Span, TuneSpec

if TYPE_CHECKING:
    from optuna import Study
    from optuna import Trial as OptunaTrial

State = Literal["finished", "stopped early", "failed"]
_STARTUP = 5
_SEEDS_APART = 1_000_003
_WHY = "why"


class Pruned(Exception):  # noqa: N818 - no error: the trial has said enough
    """A trial's held-out loss has fallen behind, and it is stopped."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A trial that is begun: its number from 0 and its settings."""

    number: int
    values: Mapping[str, Choice]
    trial: "OptunaTrial"


@dataclass(frozen=True, slots=True)
class Report:
    """A trial that ended, as the journal has it."""

    number: int
    values: Mapping[str, Choice]
    state: State
    why: str


class Search:
    """The search of one spec, kept in a journal beside its runs; only one process may use it at a time."""

    def __init__(self, journal: Path, spec: TuneSpec) -> None:
        optuna = load_optuna()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        backend = optuna.storages.journal.JournalFileBackend(str(journal))
        self._optuna, self._spec = optuna, spec
        self._study: Study = optuna.create_study(
            storage=optuna.storages.JournalStorage(backend),
            study_name="tune",
            direction="maximize",
            load_if_exists=True,
            pruner=_pruner(optuna, spec.pruner),
        )

    @property
    def num_done(self) -> int:
        """How many trials have ended, however they did."""
        return sum(trial.state.is_finished() for trial in self._study.get_trials(deepcopy=False))

    def suggest(self) -> Suggestion:
        """The next trial; the one that was cut, where there is one."""
        trials = self._study.get_trials(deepcopy=False)
        cut = [trial for trial in trials if not trial.state.is_finished()]
        number = cut[0].number if cut else len(trials)
        seed = (self._spec.seed * _SEEDS_APART + number) % 2**32
        self._study.sampler = self._optuna.samplers.TPESampler(n_startup_trials=_STARTUP, seed=seed)
        trial = self._optuna.Trial(self._study, cut[0]._trial_id) if cut else self._study.ask()
        spaces = self._spec.parameters.items()
        return Suggestion(number, {key: _value(trial, key, space) for key, space in spaces}, trial)

    def look(self, suggestion: Suggestion, share: int, loss: float) -> None:
        """Note the held-out loss after `share` percent of the steps. Raises Pruned where it is too bad."""
        frozen = self._study.get_trials(deepcopy=False)[suggestion.number]
        if share in frozen.intermediate_values:
            return  # it was cut after this look
        suggestion.trial.report(-loss, share)
        if self._spec.pruner != "none" and share < 100 and suggestion.trial.should_prune():  # noqa: PLR2004
            raise Pruned(f"stopped after {share} % of its steps, at a held-out loss of {loss:.4f}")

    def tell(
        self, suggestion: Suggestion, state: State, *, score: float | None = None, why: str = ""
    ) -> None:
        """Note how a trial ended."""
        states = self._optuna.trial.TrialState
        ends = {"finished": states.COMPLETE, "stopped early": states.PRUNED, "failed": states.FAIL}
        suggestion.trial.set_user_attr(_WHY, why)
        self._study.tell(suggestion.trial, score, state=ends[state])

    def reports(self) -> list[Report]:
        """The trials that ended, in their order."""
        states = self._optuna.trial.TrialState
        names: dict[object, State] = {states.COMPLETE: "finished", states.PRUNED: "stopped early"}
        return [
            Report(t.number, t.params, names.get(t.state, "failed"), t.user_attrs.get(_WHY, ""))
            for t in self._study.get_trials(deepcopy=False)
            if t.state.is_finished()
        ]


def _value(trial: "OptunaTrial", key: str, space: Span | tuple[Choice, ...]) -> Choice:
    found: Choice
    if not isinstance(space, Span):
        chosen = trial.suggest_categorical(key, space)
        assert chosen is not None  # no choice is
        found = chosen
    elif space.is_whole:
        low, high, step = int(space.low), int(space.high), int(space.step or 1)
        found = trial.suggest_int(key, low, high, step=step, log=space.log)
    else:
        found = trial.suggest_float(key, space.low, space.high, step=space.step, log=space.log)
    return found


def _pruner(optuna: Any, name: str) -> Any:  # Any: the module, imported late, and a class of it
    if name == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=_STARTUP - 2, n_warmup_steps=20)
    if name == "halving":
        return optuna.pruners.SuccessiveHalvingPruner(min_resource=10, reduction_factor=2)
    return optuna.pruners.NopPruner()


def load_optuna() -> Any:  # Any: the module, imported late
    """The package. Raises MissingExtra."""
    try:
        import optuna
    except ModuleNotFoundError:
        raise MissingExtra("a search needs Optuna", hint='pip install "finewright[tune]"') from None
    return optuna
