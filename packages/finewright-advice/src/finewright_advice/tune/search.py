"""Optuna's part of a search: suggestions that know what was tried, the end of bad ones, and a journal.

Akiba et al. 2019, arXiv:1907.10902. Suggestions are those of the tree-structured Parzen estimator (Bergstra
et al. 2011), whose seed depends on the search's own and on the trial's number alone, so a search that was cut
and goes on suggests what it would have suggested."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from finewright_advice.tune.results import Choice
from finewright_advice.tune.spec import SearchRange, TuneSpec

if TYPE_CHECKING:
    from optuna import Study
    from optuna import Trial as OptunaTrial
    from optuna.trial import FrozenTrial

State = Literal["finished", "stopped early", "failed"]
_STARTUP = 5
_SEEDS_APART = 1_000_003
_ROUNDING = 1e-9
_WHY, _WRITTEN = "why", "as written"


class Pruned(Exception):  # noqa: N818 - no error: the trial has said enough
    """A trial's held-out loss has fallen behind, and it is stopped."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A trial that is begun: its number from 0 and its settings, none of the one as written."""

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
        optuna: Any = import_module("optuna")  # Any: a module that is imported late
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

    def begin(self, written: Mapping[str, object]) -> tuple[str, ...]:
        """Let trial 0 be the one with the settings as written, so that what is suggested knows its score.

        Gives the keys whose written value lies outside of what is searched: the score is not of those."""
        spaces = self._spec.parameters
        inside = {key: written[key] for key in spaces if _is_in(written[key], spaces[key])}
        if not self._study.get_trials(deepcopy=False):
            trial = self._optuna.trial.create_trial(
                state=self._optuna.trial.TrialState.RUNNING,
                params=inside,
                distributions={key: _distribution(self._optuna, spaces[key]) for key in inside},
                user_attrs={_WRITTEN: True},
            )
            self._study.add_trial(trial)
        return tuple(key for key in spaces if key not in inside)

    def suggest(self) -> Suggestion:
        """The next trial; the one that was cut, where there is one."""
        trials = self._study.get_trials(deepcopy=False)
        cut = [trial for trial in trials if not trial.state.is_finished()]
        number = cut[0].number if cut else len(trials)
        seed = (self._spec.seed * _SEEDS_APART + number) % 2**32
        self._study.sampler = self._optuna.samplers.TPESampler(n_startup_trials=_STARTUP, seed=seed)
        trial = self._optuna.Trial(self._study, cut[0]._trial_id) if cut else self._study.ask()
        spaces = () if _WRITTEN in trial.user_attrs else self._spec.parameters.items()
        return Suggestion(
            number, {key: _suggest_value(trial, key, space) for key, space in spaces}, trial
        )

    def look(self, suggestion: Suggestion, share: int, loss: float, *, warm: float = 0.0) -> None:
        """Note the held-out loss after `share` percent of the steps. Raises Pruned where it is too bad, but
        not of the trial as written, and not in the first `warm` percent: while a rate still rises, the loss
        says how long its warm-up is."""
        frozen = self._study.get_trials(deepcopy=False)[suggestion.number]
        if share in frozen.intermediate_values:
            return  # it was cut after this look
        suggestion.trial.report(-loss, share)
        may_stop = self._spec.pruner != "none" and warm < share < 100  # noqa: PLR2004
        if may_stop and suggestion.values and suggestion.trial.should_prune():
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
            Report(t.number, _settings(t), names.get(t.state, "failed"), t.user_attrs.get(_WHY, ""))
            for t in self._study.get_trials(deepcopy=False)
            if t.state.is_finished()
        ]


def _settings(trial: "FrozenTrial") -> Mapping[str, Choice]:
    return {} if _WRITTEN in trial.user_attrs else trial.params


def _is_in(value: object, space: SearchRange | tuple[Choice, ...]) -> bool:
    if not isinstance(space, SearchRange):
        return any(value == choice and type(value) is type(choice) for choice in space)
    return _is_in_range(value, space)


def _is_in_range(value: object, space: SearchRange) -> bool:
    if isinstance(value, bool) or not isinstance(value, int if space.is_whole else int | float):
        return False
    steps = (value - space.low) / space.step if space.step else 0.0
    return space.low <= value <= space.high and abs(steps - round(steps)) < _ROUNDING


def _distribution(
    optuna: Any, space: SearchRange | tuple[Choice, ...]
) -> Any:  # Any: the module, late
    of = optuna.distributions
    if not isinstance(space, SearchRange):
        return of.CategoricalDistribution(space)
    if space.is_whole:
        low, high, step = int(space.low), int(space.high), int(space.step or 1)
        return of.IntDistribution(low, high, log=space.log, step=step)
    return of.FloatDistribution(space.low, space.high, log=space.log, step=space.step)


def _suggest_value(
    trial: "OptunaTrial", key: str, space: SearchRange | tuple[Choice, ...]
) -> Choice:
    found: Choice
    if not isinstance(space, SearchRange):
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
