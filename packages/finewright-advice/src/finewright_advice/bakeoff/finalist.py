"""What is known of a tuned model beside its score: licence, size, speed, price, behaviour of its answers.

How answers behave, whatever they score: do they end, repeat themselves, drift to another language?"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from typing import NamedTuple

from finewright.catalog.models import open_model_named
from finewright.data.provenance.licences import classes_of
from finewright.errors import MissingExtra
from finewright.evaluate.score import part_of
from finewright.feature import load_offered
from finewright.guard.quality.languages import TOO_SHORT, UNCLEAR, detector
from finewright.judge.json_text import parse_json
from finewright.judge.statistics import wilson
from finewright.judge.text import valid_json
from finewright.lm.sources import LocalBase, locate_in, num_parameters
from finewright.schema.cost import CostReport, Range
from finewright.schema.evaluate import (
    BASE,
    BASE_WITH_LABELS,
    TUNED,
    EvaluateReport,
    Sample,
    Score,
)
from finewright.store.answers import AnswersLog
from finewright.workbench.signals import watch_for_stop
from finewright_advice.compare.comparison import Comparison
from finewright_advice.compare.contest import (
    Contest,
    ContestRun,
    HeldOut,
    development_rows,
    system_of,
)
from finewright_advice.judge.drift import LanguageOf, loops, other_language, other_script
from finewright_advice.schema.bakeoff_report import AnswerBehaviour, AnswerShare, Finalist, Speed

_MOST_STRAYS = 5


_LONGEST_SHOWN = 80


class _Price(NamedTuple):
    usd: Range | None
    machine: str


def finalist(
    contest: Contest, entry: ContestRun, held_out: HeldOut, speed: Speed, *, today: date
) -> Finalist:
    """What is known of the run's tuned model beside its score on the rows that chose nothing."""
    trained, systems = entry.trained, held_out.systems
    untuned = _find_better_base(systems)
    root = contest.loaded.path.parent
    base = locate_in(entry.run, entry.base_model, root, commit=trained.base_revision)
    license_, price = _license(base.license, base.name), _price(contest, entry, today)
    return Finalist(
        base_model=entry.title,
        backend=trained.backend,
        first_loss=trained.first_loss,
        final_loss=trained.final_loss,
        run=str(entry.run.root),
        parameters=num_parameters(base.folder),
        license=license_,
        license_classes=classes_of(license_),
        end_of_turn=_end_of_turn(contest, base),
        scores=tuple(systems.systems[TUNED].scores),
        untuned=tuple(systems.systems[untuned].scores) if untuned else (),
        gain=systems.difference(TUNED, untuned) if untuned else None,
        knows_labels=untuned == BASE_WITH_LABELS,
        repeated_rows=_on_rows(held_out, repeated=True),
        new_rows=_on_rows(held_out, repeated=False),
        train_seconds=trained.seconds,
        train_tokens_per_second=trained.tokens_per_second,
        peak_gib=trained.peak_gib,
        usd=price.usd,
        usd_on=price.machine,
        speed=speed,
        behaviour=_behaviour(contest, entry, held_out.samples),
    )


def _find_better_base(systems: Comparison) -> str:
    """The base as it is or told the labels, whichever is better; of equals as it is. "" without any."""
    bases = [name for name in (BASE, BASE_WITH_LABELS) if name in systems.systems]
    return max(bases, key=lambda name: systems.score(name).value, default="")


def _on_rows(held_out: HeldOut, *, repeated: bool) -> Score | None:
    rows = [i for i, sample in enumerate(held_out.samples) if sample.repeated is repeated]
    if not rows:
        return None
    whole = held_out.systems
    part = part_of(whole.systems[TUNED], rows, whole.options)
    return next((score for score in part.scores if score.metric == whole.metric), None)


def _behaviour(contest: Contest, entry: ContestRun, samples: Sequence[Sample]) -> AnswerBehaviour:
    confidence = contest.options.confidence
    found = behaviour(samples, languages(), confidence=confidence)
    strays = entry.run.read_report("evaluate", EvaluateReport).strays
    counted = [stray for stray in strays if stray.system == TUNED]
    if not counted:
        return found
    count, n = sum(stray.count for stray in counted), sum(stray.n for stray in counted)
    low, high = wilson(count, n, confidence=confidence)
    return found.model_copy(update={"no_label": AnswerShare(count=count, n=n, low=low, high=high)})


def languages() -> LanguageOf | None:
    """What tells a text's language; None where the package for it is not installed."""
    try:
        language_of = detector()
    except MissingExtra:
        return None

    def sure(text: str) -> str | None:
        found = language_of(text)
        return None if found in (TOO_SHORT, UNCLEAR) else found

    return sure


def _license(stated: str, name: str) -> str:
    """The base model's licence by the packaged facts, or "unknown": a folder's own files are not read."""
    if stated != "unknown":
        return stated
    return found[1].license if (found := open_model_named(name)) else stated


def _price(contest: Contest, entry: ContestRun, today: date) -> _Price:
    """The training run on the cheapest machine for rent that surely fits."""
    forecast: Callable[..., CostReport] = load_offered("cost", "forecast")
    report = forecast(
        entry.spec, trace=False, calibrate=False, runs=contest.folder / "runs", today=today
    )
    priced = [
        (row.usd.median, row.usd, f"{row.provider} {row.machine}")
        for row in report.candidates[0].machines
        if row.usd is not None and row.fits == "yes" and row.tier != "free"
    ]
    if not priced:
        return _Price(None, "")
    _, usd, machine = min(priced, key=lambda row: row[0])
    return _Price(usd, machine)


def speeds(contest: Contest, entries: Sequence[ContestRun], timed: int) -> dict[str, Speed]:
    """How fast each finalist answers the same development rows, one by one and in turns."""
    from finewright_advice.compare.latency import speed_of
    from finewright_advice.compare.turns import TimedAnswer, cores_others_used, time_in_turns

    rows = development_rows(contest, entries[0])[:timed]
    log = AnswersLog(contest.folder / "times.jsonl", TimedAnswer)

    def report_progress(name: str, done: int, total: int) -> None:
        contest.on_event("timing", {"system": name, "done": done, "total": total})

    most = contest.loaded.spec.evaluate.max_new_tokens
    with watch_for_stop(report_progress, "stopped while timing") as watch:
        found = time_in_turns([system_of(each) for each in entries], rows, most, log, watch)
    return {
        name: speed_of(
            [each.timing for each in answers], cores_others_used=cores_others_used(answers)
        )
        for name, answers in found.items()
    }


def _end_of_turn(contest: Contest, base: LocalBase) -> str:
    from finewright.lm.load_chat import chat_of

    chat = chat_of(base, contest.loaded.spec)
    ends = chat.tokenizer.convert_ids_to_tokens(sorted(chat.end_of_turn))
    return " ".join(map(str, ends))


def behaviour(
    samples: Sequence[Sample], language_of: LanguageOf | None, *, confidence: float
) -> AnswerBehaviour:
    """The shares of the answers, of which there is at least one; without `language_of` none is looked at.

    An end that repeats itself does not count where the expected answer's does too."""
    scripts = [other_script(s.answer, s.prompt, s.expected) for s in samples]
    languages = _languages(samples, language_of)
    of_json = [s for s in samples if _is_json(s.expected)]

    def share(of: Iterable[object]) -> AnswerShare:
        return _share(list(of), confidence)

    return AnswerBehaviour(
        ended=share(s.stopped for s in samples),
        looped=share(map(_is_looped, samples)),
        other_script=share(scripts),
        other_language=share(languages) if language_of else None,
        valid_json=share(valid_json(s.answer, "") for s in of_json) if of_json else None,
        strays=tuple(_strays(samples, scripts, languages))[:_MOST_STRAYS],
    )


def _languages(samples: Sequence[Sample], language_of: LanguageOf | None) -> list[str]:
    if language_of is None:
        return [""] * len(samples)
    return [other_language(s.answer, s.expected, language_of) for s in samples]


def _is_json(text: str) -> bool:
    parsed = parse_json(text)
    return parsed is not None and isinstance(parsed.value, dict | list)


def _share(of: Sequence[object], confidence: float) -> AnswerShare:
    count = sum(map(bool, of))
    low, high = wilson(count, len(of), confidence=confidence)
    return AnswerShare(count=count, n=len(of), low=low, high=high)


def _strays(
    samples: Sequence[Sample], scripts: Sequence[str], languages: Sequence[str]
) -> Iterator[str]:
    for sample, script, language in zip(samples, scripts, languages, strict=True):
        odd = [what for what in (script.capitalize(), language and f"language {language}") if what]
        if odd:
            shown = " ".join(sample.answer.split())[:_LONGEST_SHOWN]
            yield f"{sample.data}:{sample.row}: {', '.join(odd)}: {shown}"


def _is_looped(sample: Sample) -> bool:
    return (loops(sample.answer) or loops(sample.thoughts)) and not loops(sample.expected)
