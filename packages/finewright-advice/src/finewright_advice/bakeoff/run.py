"""`bakeoff`: base models compete on the same rows with the same budget; worse ones are dropped on the way."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

from finewright.errors import SpecError
from finewright.evaluate.cautions import linear_problems, recall_problem
from finewright.lm.runtime import is_busy
from finewright.plugins import install_command
from finewright.report.cells import points
from finewright.report.show import write_page
from finewright.schema.common import Problem
from finewright.schema.evaluate import LINEAR, TUNED
from finewright.schema.load import LoadedSpec
from finewright.schema.nodes import Tree
from finewright.schema.train import title_of
from finewright.store.atomic import write_json
from finewright.train.backends import backend_problems
from finewright.workbench.up import OnEvent
from finewright_advice.bakeoff.finalist import finalist, speeds
from finewright_advice.bakeoff.report import licence
from finewright_advice.bakeoff.spec import BakeoffSpec
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
from finewright_advice.compare.ladder import Burden, duels, fates, ladder, verdict
from finewright_advice.judge.pareto import ParetoPoint, frontier
from finewright_advice.schema.bakeoff_report import (
    AnswerBehaviour,
    Attempt,
    BakeoffReport,
    Finalist,
    Rung,
)

_LONGEST_SLUG = 40
_CLEAR = {"permissive", "public-domain"}
_FEW = 0.02
_HELPED = {"examples", "schema"}
"""Ways of asking that a bake-off does not compare, and so does not wait for."""


def bakeoff(loaded: LoadedSpec, root: Path, *, today: date, on_event: OnEvent) -> BakeoffReport:
    """Train every base model of the spec rung by rung, and compare those that reach the last.

    Each run lies under the bake-off's folder in `root`; a second call goes on where the first was cut, and
    writes report.json and report.html anew. Raises SpecError before anything runs where there is nothing
    to compare or to choose by."""
    spec = loaded.spec.section("bakeoff", BakeoffSpec) or BakeoffSpec()
    metric = check_contest(loaded, "bakeoff", spec.metric)
    entrants = _entrants(loaded, spec)
    if len(entrants) < 2:  # noqa: PLR2004 - it takes two
        raise SpecError(
            f"{loaded.path}: base_models: one model has nobody to compete with", hint="name two"
        )
    folder = open_contest(loaded, "bakeoff", root, (), on_event=on_event)
    contest = Contest(folder, loaded, metric, spec.development_rows, on_event)
    entries, rungs = _climb(contest, spec, entrants)
    contest.say("the finalists are timed in turns")
    speed = speeds(contest, entries, spec.timed_answers)
    answered: dict[str, HeldOut] = {}
    finalists: dict[str, Finalist] = {}
    for entry in entries:
        name = entry.title
        contest.say(f"{name}: asked the rows that chose nothing")
        answered[name] = measure_held_out(contest, entry, name)
        finalists[name] = finalist(contest, entry, answered[name], speed[name], today=today)
    report = _report_bakeoff(contest, entries, rungs, finalists, answered)
    write_json(folder / "report.json", report.model_dump(mode="json"))
    write_page(report, folder / "report.html")
    return report


class Entrant(NamedTuple):
    """A base model, and who trains it."""

    base_model: str
    backend: str

    @property
    def title(self) -> str:
        """As the trained candidate has it."""
        return title_of(self.base_model, self.backend)


def _entrants(loaded: LoadedSpec, spec: BakeoffSpec) -> list[Entrant]:
    """Every model by every backend. Raises SpecError where one cannot train, or is named twice."""
    train_spec = loaded.spec.train
    backends = spec.backends or (train_spec.backend,)
    if len(set(backends)) < len(backends):
        raise SpecError(f"{loaded.path}: bakeoff.backends: names one twice", hint="name it once")
    for backend in backends:
        for problem in backend_problems(train_spec.model_copy(update={"backend": backend})):
            what = f"bakeoff.backends: {backend}: {problem.key}: {problem.message}"
            raise SpecError(f"{loaded.path}: {what}", hint=problem.hint)
    return [Entrant(model, backend) for model in loaded.spec.base_models for backend in backends]


def _climb(
    contest: Contest, spec: BakeoffSpec, entrants: Sequence[Entrant]
) -> tuple[list[ContestRun], list[Rung]]:
    """The runs of the last rung, and the rungs before it."""
    left = entrants
    *early, whole = ladder(len(left), spec.eta, spec.rungs)
    rungs: list[Rung] = []
    for number, share in enumerate(early, 1):
        if len(left) == 1:
            break
        title = f"rung {number} of {len(early) + 1}: {len(left)} models, {share:.3g} of the budget"
        contest.say(title)
        entries = _train_models(contest, entrants, left, share, f"rung-{number}")
        rungs.append(_rung(contest, number, share, entries, spec.eta))
        dropped = {a.base_model for a in rungs[-1].attempts if a.is_dropped}
        left = [entrant for entrant in left if entrant.title not in dropped]
    names = ", ".join(entrant.title for entrant in left)
    contest.say(f"the last rung: {names}, the whole budget")
    return _train_models(contest, entrants, left, whole, "whole"), rungs


def _train_models(
    contest: Contest, entrants: Sequence[Entrant], left: Sequence[Entrant], share: float, stage: str
) -> list[ContestRun]:
    found, compared = [], contest.loaded.spec.evaluate.compare_with
    for entrant in left:
        name = f"{entrants.index(entrant) + 1}-{_slug(entrant.title)}-{stage}"
        values = {
            "name": name,
            "base_models": [entrant.base_model],
            "train.backend": entrant.backend,
            "evaluate.compare_with": [each for each in compared if each not in _HELPED],
            **_budget(contest.loaded, share),
        }
        if share < 1:
            values["train.prove_elsewhere"] = False  # only what may be the result
        found.append(train(contest, vary_spec(contest, values)))
    return found


def _budget(loaded: LoadedSpec, share: float) -> Mapping[str, Tree]:
    """The keys that make a share of the training. Each rung trains anew with a schedule of its own length: a
    rate that was to fall much later says little of where it would have ended."""
    train_spec = loaded.spec.train
    if train_spec.max_steps is None:
        return {"train.epochs": train_spec.epochs * share}
    steps = max(1, round(train_spec.max_steps * share))
    look_keys = ("train.eval_steps", "train.early_stopping", "train.keep")
    if loaded.set_keys.isdisjoint(look_keys):
        return {"train.max_steps": steps, "train.eval_steps": steps}  # one look: answers decide
    return {"train.max_steps": steps}


def _rung(
    contest: Contest, number: int, share: float, entries: Sequence[ContestRun], eta: int
) -> Rung:
    by_model = {entry.title: entry for entry in entries}
    attempts = tuple(
        Attempt(
            base_model=fate.system,
            run=str(by_model[fate.system].run.root),
            score=fate.score,
            difference=fate.difference,
            is_dropped=fate.is_dropped,
            why=fate.why,
            steps=by_model[fate.system].trained.steps,
            train_seconds=by_model[fate.system].trained.seconds,
        )
        for fate in fates(development(contest, entries), eta)
    )
    for attempt in attempts:
        contest.say(f"{attempt.base_model}: {100 * attempt.score.value:.1f} %, {attempt.why}")
    return Rung(number=number, share=share, attempts=attempts)


def _points(finalists: Sequence[Finalist], last: Comparison) -> dict[str, ParetoPoint]:
    """What each takes for an answer, and how good it is."""
    return {
        each.base_model: ParetoPoint(each.speed.answer_ms_mean, last.score(each.base_model).value)
        for each in finalists
    }


def _report_bakeoff(
    contest: Contest,
    entries: Sequence[ContestRun],
    rungs: Sequence[Rung],
    by_name: Mapping[str, Finalist],
    answered: Mapping[str, HeldOut],
) -> BakeoffReport:
    tuned = {name: each.systems.systems[TUNED] for name, each in answered.items()}
    last = Comparison(tuned, contest.metric, contest.options)
    best, *_ = names = last.rank()
    finalists = [by_name[name] for name in names]
    against = answered[best].systems
    linear = against.difference(TUNED, LINEAR) if LINEAR in against.systems else None
    unbeaten = frontier(_points(finalists, last))
    burdens = {each.base_model: _burden(each) for each in finalists}
    fought = duels(last)
    said = verdict(last.score(best), fought, burdens, contest.options)
    return BakeoffReport(
        name=contest.loaded.spec.name,
        folder=str(contest.folder),
        metric=contest.metric,
        confidence=contest.options.confidence,
        rows_train=entries[0].data.rows_train,
        rows_development=len(development_rows(contest, entries[0])),
        rows_held_out=last.score(best).n,
        rungs=tuple(rungs),
        finalists=tuple(finalists),
        duels=tuple(fought),
        linear=linear,
        linear_score=against.score(LINEAR) if linear else None,
        frontier=tuple(name for name in names if name in unbeaten),
        winner=said.winner,
        choice=said.choice,
        verdict=said.sentence,
        problems=(
            *linear_problems([linear] if linear else [], contest.options.confidence),
            *_recall(finalists[0]),
            *_cautions(contest, finalists),
            *_other_rows(entries),
            *of_data(entries[0]),
        ),
    )


def _recall(best: Finalist) -> Iterator[Problem]:
    """What the leaderboard is a measure of, where rows were compared with those that train."""
    repeated, new = (score.n if score else 0 for score in (best.repeated_rows, best.new_rows))
    yield from recall_problem(HELD_OUT, repeated, new)


def _other_rows(entries: Sequence[ContestRun]) -> Iterator[Problem]:
    """Tokenizers differ, so a row may be too long for one model alone."""
    lost = {
        entry.title: sum(entry.trained.counts.rows_dropped.values())
        + entry.trained.counts.rows_truncated
        for entry in entries
    }
    if len(set(lost.values())) > 1:
        counts = ", ".join(f"{name} {count}" for name, count in lost.items())
        yield Problem(
            level="warning",
            key="train.max_length",
            message=f"the models did not train on the same rows: too long were for {counts}",
            hint="raise it until no row is dropped or cut",
        )


def _burden(each: Finalist) -> Burden:
    busy = is_busy(each.speed.cores_others_used)
    return Burden(each.parameters, each.speed.answer_ms, busy)


def _of_finalist(each: Finalist) -> Iterator[Problem]:
    yield from _of_answers(each.base_model, each.behaviour)
    if (gain := each.gain) and gain.low <= 0:
        yield Problem(
            level="warning",
            message=f"{each.base_model}: training is not shown to help: {points(gain)}",
            hint="train longer, or on more rows",
        )
    if not _CLEAR.issuperset(each.license_classes):
        yield Problem(
            level="warning",
            message=f"{each.base_model}: licence {licence(each)}",
            hint="read its terms before you build on it",
        )


def _busy(contest: Contest, finalists: Sequence[Finalist]) -> Iterator[Problem]:
    busy = [each for each in finalists if is_busy(each.speed.cores_others_used)]
    if busy:
        used = ", ".join(f"{e.base_model} {e.speed.cores_others_used:.1f}" for e in busy)
        yield Problem(
            level="warning",
            message=f"other work kept the machine busy while answers were timed (cores: {used}), so times say"
            " little and decide nothing",
            hint=f"on a quiet machine, delete times.jsonl in {contest.folder} and run the same command",
        )


def _cautions(contest: Contest, finalists: Sequence[Finalist]) -> Iterator[Problem]:
    for each in finalists:
        yield from _of_finalist(each)
    yield from _busy(contest, finalists)
    if any(each.behaviour.other_language is None for each in finalists):
        hint = install_command("[data]")
        yield Problem(level="info", message="nobody looked for other languages", hint=hint)
    if "perplexity" in contest.loaded.spec.evaluate.metric_names:
        what = "perplexity is left out: it is by token, and each model has its own"
        yield Problem(level="info", key="evaluate.metrics", message=what)


def _of_answers(name: str, found: AnswerBehaviour) -> Iterator[Problem]:
    odd = {
        "do not end by themselves": (found.ended.n - found.ended.count, found.ended.n),
        "end in a loop": (found.looped.count, found.looped.n),
        "are in a script that nobody asked for": (found.other_script.count, found.other_script.n),
    }
    if found.other_language:
        counted = found.other_language
        odd["are in a language that nobody asked for"] = (counted.count, counted.n)
    for what, (count, n) in odd.items():
        if count > _FEW * n:
            yield Problem(level="warning", message=f"{name}: {count} of {n} answers {what}")


def _slug(model: str) -> str:
    """What a run may be called of a model's name or path."""
    words = re.sub(r"[^a-z0-9]+", "-", Path(model).name.casefold()).strip("-")
    return words[:_LONGEST_SLUG].strip("-") or "model"
