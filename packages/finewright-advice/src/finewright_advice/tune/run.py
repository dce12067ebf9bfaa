"""`tune`: search the settings of training that the spec names, and say what the best ones gain.

Trial 0 is the spec as written. The others are suggested one after another, each knowing the scores of all
before, and stopped early where their held-out loss on the way falls behind. The development rows choose;
the best trial and the spec as written are then asked the rows that chose nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from finewright.errors import SpecError, StageError
from finewright.evaluate.cautions import linear_problems, recall_problem
from finewright.schema.common import Problem
from finewright.schema.evaluate import LINEAR, TUNED
from finewright.schema.load import LoadedSpec, change_spec
from finewright.schema.nodes import Tree
from finewright.store.atomic import os_errors, write_json, write_text
from finewright.store.keys import digest
from finewright.workbench.prepare import input_digests, make_lock
from finewright.workbench.up import OnEvent
from finewright_advice.compare.comparison import Comparison
from finewright_advice.compare.contest import (
    HELD_OUT,
    Contest,
    ContestRun,
    HeldOut,
    check_contest,
    development,
    development_rows,
    measure_held_out,
    of_data,
    open_contest,
    train,
    vary_spec,
)
from finewright_advice.tune.best_trial import best_trial, verdict
from finewright_advice.tune.results import Choice, Trial, TuneReport
from finewright_advice.tune.search import Pruned, Report, Search, Suggestion
from finewright_advice.tune.spec import SearchRange, TuneSpec

WRITTEN = "as written"
_MARK = "# Written by `finewright tune`: the spec with the best settings of its search.\n"


@dataclass(frozen=True, slots=True)
class _Tried:
    """A trial, and its run where it finished."""

    trial: Trial
    entry: ContestRun | None


def tune(loaded: LoadedSpec, root: Path, *, out: Path | None, on_event: OnEvent) -> TuneReport:
    """Run the trials of the spec's `tune` section, and write a spec with the best settings beside the spec's
    own file, to `out` or to a name of its own.

    Each trial is a run under the search's folder in `root`; a second call goes on where the first was cut,
    and one that asks for more trials keeps those there are. Raises SpecError before anything runs where a
    setting cannot be searched or nothing could choose, and MissingExtra without Optuna."""
    spec = _section(loaded)
    metric = check_contest(loaded, "tune", spec.metric)
    target = out or loaded.path.with_name(f"{loaded.path.stem}-tuned{loaded.path.suffix}")
    _check_target(target, loaded)
    _check_parameters(loaded, spec)
    fixed = (
        {k: _dump_space(v) for k, v in spec.parameters.items()},
        metric,
        spec.seed,
        spec.pruner,
    )
    with_rows = (*fixed, spec.development_rows or 0)
    folder = open_contest(loaded, "tune", root, with_rows, on_event=on_event)
    contest = Contest(folder, loaded, metric, spec.development_rows, on_event)
    tried, outside = _search(contest, spec)
    report = _report_tuning(contest, tried, target)
    problems = (*report.problems, *_outside(loaded, outside))
    report = report.model_copy(update={"problems": problems})
    write_json(folder / "report.json", report.model_dump(mode="json"))
    return report


def _section(loaded: LoadedSpec) -> TuneSpec:
    spec = loaded.spec
    tune = spec.section("tune", TuneSpec)
    if tune is None:
        raise SpecError(
            f"{loaded.path}: tune: there is nothing to search",
            hint="tune: {parameters: {learning_rate: {low: 1.0e-4, high: 1.0e-2, log: true}}}",
        )
    if len(spec.base_models) > 1:
        raise SpecError(
            f"{loaded.path}: base_models: a search is of one model's settings, and there are"
            f" {len(spec.base_models)} models",
            hint="`finewright bakeoff` tells which one; --set 'base_models=[NAME]' names it",
        )
    return tune


def _check_parameters(loaded: LoadedSpec, spec: TuneSpec) -> None:
    """Every end of a range and every choice must make a spec that may be trained."""
    faults: list[str] = []
    for key, space in spec.parameters.items():
        where = f"{loaded.path}: tune.parameters.{key}"
        values: Sequence[Choice] = (
            (space.low, space.high) if isinstance(space, SearchRange) else space
        )
        if not values:
            faults.append(f"{where}: there is nothing to choose from")
        for value in values:
            try:
                change_spec(loaded, {f"train.{key}": value}, where=where)
            except SpecError as error:
                faults.append(str(error))
                break
    if faults:
        raise SpecError("\n".join(faults), hint="keys are those of `train`, such as adapter.r")


class _Searched(NamedTuple):
    """All trials, and the keys whose written value is outside of what is searched."""

    tried: list[_Tried]
    outside: tuple[str, ...]


def _search(contest: Contest, spec: TuneSpec) -> _Searched:
    """The spec as written, which the search knows as its trial 0, and then what is suggested."""
    search = Search(contest.folder / "search.journal", spec)
    outside = search.begin(_values_as_written(_trial_spec(contest, {}), spec))
    tried = []
    while search.num_done < spec.trials:
        suggestion = search.suggest()
        named = ", ".join(f"{key} {value}" for key, value in suggestion.values.items())
        contest.say(f"trial {suggestion.number} of {spec.trials - 1}: {named or WRITTEN}")
        tried.append(_try_suggestion(contest, search, suggestion))
    return _Searched(_earlier(contest, search, tried), outside)


def _values_as_written(loaded: LoadedSpec, spec: TuneSpec) -> dict[str, object]:
    """What the searched keys are as written, defaults filled in; None for one that there is not."""
    (settled,) = make_lock(loaded, input_digests(loaded)).candidates.values()
    found: dict[str, object] = {}
    for key in spec.parameters:
        node: Tree = settled.model_dump()
        for part in key.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        found[key] = node
    return found


def _try_suggestion(contest: Contest, search: Search, suggestion: Suggestion) -> _Tried:
    """Train what is suggested, and tell the search how it went. Raises StageError where the spec as written
    cannot be trained: the others have nothing to be compared with."""
    number, values = suggestion.number, suggestion.values
    spec = _trial_spec(contest, values)

    def watch(event_type: str, fields: Mapping[str, Tree]) -> None:
        contest.on_event(event_type, fields)
        if event_type == "metric" and "eval_loss" in fields["metrics"]:
            share = round(100 * fields["step"] / fields["steps"])
            warm = 100 * spec.spec.train.warmup_ratio
            search.look(suggestion, share, fields["metrics"]["eval_loss"], warm=warm)

    try:
        entry = train(contest, spec, on_event=watch)
    except Pruned as pruned:
        contest.say(str(pruned))
        search.tell(suggestion, "stopped early", why=str(pruned))
        return _Tried(_record_lost(number, values, "stopped early", str(pruned)), None)
    except StageError as error:
        if not number:
            raise
        search.tell(suggestion, "failed", why=str(error))
        return _Tried(_record_lost(number, values, "failed", str(error)), None)
    found = _finish_trial(contest, number, values, entry)
    assert found.trial.score is not None
    search.tell(suggestion, "finished", score=found.trial.score.value)
    contest.say(f"trial {number}: {contest.metric} {100 * found.trial.score.value:.1f} %")
    return found


def _earlier(contest: Contest, search: Search, now: Sequence[_Tried]) -> list[_Tried]:
    """The trials of all calls in their order; those of earlier calls are read from their runs."""
    known = {each.trial.number: each for each in now}
    return [known.get(r.number) or _read(contest, r) for r in search.reports()]


def _read(contest: Contest, report: Report) -> _Tried:
    number, values = report.number, report.values
    if report.state != "finished":
        return _Tried(_record_lost(number, values, report.state, report.why), None)
    return _finish_trial(contest, number, values, train(contest, _trial_spec(contest, values)))


def _trial_spec(contest: Contest, values: Mapping[str, Choice]) -> LoadedSpec:
    name = f"trial-{digest(dict(values))[:8]}" if values else "as-written"
    keys = {f"train.{key}": value for key, value in values.items()}
    compared = contest.loaded.spec.evaluate.compare_with
    beside = ["linear"] if "linear" in compared else []  # a second, where a base takes minutes
    return vary_spec(contest, {"name": name, "evaluate.compare_with": beside, **keys})


def _finish_trial(
    contest: Contest, number: int, values: Mapping[str, Choice], entry: ContestRun
) -> _Tried:
    score = development(contest, [entry]).score(entry.title)
    trained = entry.trained
    trial = Trial(
        number=number,
        values=dict(values),
        run=str(entry.run.root),
        state="finished",
        score=score,
        loss=trained.eval_loss,
        train_seconds=trained.seconds,
    )
    return _Tried(trial, entry)


def _record_lost(number: int, values: Mapping[str, Choice], state: Tree, why: str) -> Trial:
    return Trial(
        number=number,
        values=dict(values),
        run="",
        state=state,
        score=None,
        loss=None,
        train_seconds=None,
        why=why,
    )


def _report_tuning(contest: Contest, tried: Sequence[_Tried], target: Path) -> TuneReport:
    entries = {each.trial.number: each.entry for each in tried if each.entry is not None}
    best = best_trial(each.trial for each in tried)
    contest.say(f"trial {best.number} is the best on the development rows")
    entry, name = entries[best.number], f"trial {best.number}"
    answered = measure_held_out(contest, entry, name)
    systems = {name: answered.systems.systems[TUNED]}
    if best.number:
        written = measure_held_out(contest, entries[0], WRITTEN)
        systems[WRITTEN] = written.systems.systems[TUNED]
    last = Comparison(systems, contest.metric, contest.options)
    _write_best(contest, best, target)
    scores = [last.score(each) for each in systems]
    if LINEAR in answered.systems.systems:
        scores.append(answered.systems.score(LINEAR))
    return TuneReport(
        name=contest.loaded.spec.name,
        folder=str(contest.folder),
        base_model=entry.base_model,
        metric=contest.metric,
        confidence=contest.options.confidence,
        rows_train=entry.data.rows_train,
        rows_development=len(development_rows(contest, entry)),
        rows_held_out=scores[0].n,
        trials=tuple(each.trial for each in tried),
        best=best.number,
        held_out=tuple(scores),
        difference=last.difference(name, WRITTEN) if best.number else None,
        verdict=verdict(best.number, last),
        written_to=str(target),
        problems=(*_cautions(answered), *_problems(entry, tried)),
    )


def _cautions(answered: HeldOut) -> Iterator[Problem]:
    """What the best trial's score does not show."""
    systems = answered.systems
    if LINEAR in systems.systems:
        yield from linear_problems([systems.difference(TUNED, LINEAR)], systems.options.confidence)
    repeated = [sample.repeated for sample in answered.samples]
    yield from recall_problem(HELD_OUT, repeated.count(True), repeated.count(False))


def _problems(entry: ContestRun, tried: Sequence[_Tried]) -> list[Problem]:
    """What the data door warns of, and that trials failed."""
    found = list(of_data(entry))
    failed = [each.trial for each in tried if each.trial.state == "failed"]
    if failed:
        numbers = ", ".join(str(trial.number) for trial in failed)
        what = f"trials that failed: {numbers}, the first because {failed[0].why}"
        found.append(Problem(level="warning", message=what))
    return found


def _outside(loaded: LoadedSpec, keys: Sequence[str]) -> list[Problem]:
    what = "the value as written lies outside, so the search does not know what it is worth"
    return [
        Problem(level="info", file=str(loaded.path), key=f"tune.parameters.{key}", message=what)
        for key in keys
    ]


def _check_target(target: Path, loaded: LoadedSpec) -> None:
    """Paths in a spec start from its folder, and nothing is overwritten but what a search has written."""
    if target.parent.resolve() != loaded.path.parent.resolve():
        raise SpecError(
            f"--out {target}: not beside {loaded.path}, and paths in a spec start from its folder",
            hint=f"name a file in {loaded.path.parent}",
        )
    if not target.exists():
        return
    with os_errors(target):
        ours = target.is_file() and target.read_bytes().startswith(_MARK.encode())
    if not ours:
        raise SpecError(
            f"{target}: already there, and not written by a search", hint="name another with --out"
        )


def _write_best(contest: Contest, best: Trial, target: Path) -> None:
    keys = {f"train.{key}": value for key, value in best.values.items()}
    text = change_spec(contest.loaded, keys, without=("tune", "bakeoff")).text
    write_text(target, f"{_MARK}# {contest.folder}, trial {best.number}\n{text}")


def _dump_space(space: SearchRange | tuple[Choice, ...]) -> Tree:
    return space.model_dump() if isinstance(space, SearchRange) else list(space)
