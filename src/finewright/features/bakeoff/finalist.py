"""What is known of a tuned model beside its score: licence, size, speed, price, conduct of its answers."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from finewright.catalog.open_models import open_models
from finewright.compare.comparison import Comparison
from finewright.data.provenance.licences import classes_of
from finewright.errors import Interrupted, MissingExtra
from finewright.evaluate.conduct import conduct
from finewright.evaluate.score import part_of
from finewright.feature import offered
from finewright.guard.quality.languages import TOO_SHORT, UNCLEAR, detector
from finewright.judge.drift import LanguageOf
from finewright.judge.statistics import wilson
from finewright.lm.runtime import watch_others
from finewright.lm.sources import locate, num_parameters
from finewright.schema.bakeoff_report import Conduct, Finalist, Share, Use
from finewright.schema.cost import CostReport, Range
from finewright.schema.evaluate import (
    BASE,
    BASE_WITH_LABELS,
    TUNED,
    EvaluateReport,
    Sample,
    Score,
)
from finewright.schema.rows import Row
from finewright.store.atomic import os_errors, read_json, write_json
from finewright.workbench.contest import (
    Contest,
    Entry,
    HeldOut,
    development_rows,
    load_entry,
    trained_key,
)
from finewright.workbench.signals import GOES_ON, stop_requests

if TYPE_CHECKING:
    from finewright.evaluate.latency import Timing

_TURNS = 3
"""In so many parts each finalist's rows are timed, with the others between them."""


class _Price(NamedTuple):
    usd: Range | None
    machine: str


def finalist(contest: Contest, entry: Entry, asked: HeldOut, use: Use, *, today: date) -> Finalist:
    """What is known of the run's tuned model beside its score on the rows that chose nothing."""
    trained, systems = entry.trained, asked.systems
    untuned = _untuned(systems)
    root = contest.loaded.path.parent
    base = locate(entry.base_model, root, commit=trained.base_revision)
    license_, price = _license(base.license, base.name), _price(contest, entry, today)
    return Finalist(
        base_model=entry.base_model,
        run=str(entry.run.root),
        parameters=num_parameters(base.folder),
        license=license_,
        license_classes=classes_of(license_),
        end_of_turn=use.end_of_turn,
        scores=tuple(systems.systems[TUNED].scores),
        untuned=tuple(systems.systems[untuned].scores) if untuned else (),
        gain=systems.difference(TUNED, untuned) if untuned else None,
        told_labels=untuned == BASE_WITH_LABELS,
        repeated_rows=_on_rows(asked, repeated=True),
        new_rows=_on_rows(asked, repeated=False),
        train_seconds=trained.seconds,
        train_tokens_per_second=trained.tokens_per_second,
        peak_gib=trained.peak_gib,
        usd=price.usd,
        usd_on=price.machine,
        speed=use.speed,
        conduct=_conduct(contest, entry, asked.samples),
    )


def _untuned(systems: Comparison) -> str:
    """The base as it is or told the labels, whichever is better; of equals as it is. "" without any."""
    bases = [name for name in (BASE, BASE_WITH_LABELS) if name in systems.systems]
    return max(bases, key=lambda name: systems.score(name).value, default="")


def _on_rows(asked: HeldOut, *, repeated: bool) -> Score | None:
    rows = [i for i, sample in enumerate(asked.samples) if sample.repeated is repeated]
    if not rows:
        return None
    whole = asked.systems
    part = part_of(whole.systems[TUNED], rows, whole.options)
    return replace(whole, systems={TUNED: part}).score(TUNED)


def _conduct(contest: Contest, entry: Entry, samples: Sequence[Sample]) -> Conduct:
    confidence = contest.options.confidence
    found = conduct(samples, languages(), confidence=confidence)
    strays = entry.run.read_report("evaluate", EvaluateReport).strays
    counted = [stray for stray in strays if stray.system == TUNED]
    if not counted:
        return found
    count, n = sum(stray.count for stray in counted), sum(stray.n for stray in counted)
    low, high = wilson(count, n, confidence=confidence)
    return found.model_copy(update={"no_label": Share(count=count, n=n, low=low, high=high)})


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
    rows = open_models().items()
    return next((row.license for known, row in rows if name in (known, *row.aliases)), stated)


def _price(contest: Contest, entry: Entry, today: date) -> _Price:
    """The training run on the cheapest machine for rent that surely fits."""
    forecast: Callable[..., CostReport] = offered("cost", "forecast")
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


def uses(contest: Contest, entries: Sequence[Entry], timed: int) -> dict[str, Use]:
    """What is measured of each finalist in use, on the same development rows.

    All are timed in turns, a part of the rows at a time, so that a machine that is busy for a while slows
    none alone. What is timed is kept: a second call says the same, and times only those that are new."""
    folder = contest.folder / f"use-{timed}"
    with os_errors(folder):
        folder.mkdir(exist_ok=True)
    some = f"-{contest.development_rows}" if contest.development_rows else ""
    paths = {
        each.base_model: folder / f"{each.run.root.name}-{trained_key(each)[:8]}{some}.json"
        for each in entries
    }
    new = [entry for entry in entries if not paths[entry.base_model].is_file()]
    for name, use in _measured(contest, new, timed).items():
        write_json(paths[name], use.model_dump(mode="json"))
    hint = "delete it, and it is measured again"
    return {name: read_json(path, Use, hint=hint) for name, path in paths.items()}


@dataclass(slots=True)
class _Times:
    """Of one model: row number -> its timing, how long all took, and the cores that others used meanwhile."""

    of_row: dict[int, "Timing"]
    seconds: float = 0.0
    core_seconds: float = 0.0
    end_of_turn: str = ""


def _measured(contest: Contest, entries: Sequence[Entry], timed: int) -> dict[str, Use]:
    if not entries:
        return {}
    from finewright.evaluate.latency import speed_of

    times = {entry.base_model: _Times({}) for entry in entries}
    with stop_requests() as should_stop:
        for part in range(_TURNS):
            for entry in entries if part % 2 == 0 else entries[::-1]:
                rows = list(enumerate(development_rows(contest, entry)[:timed]))
                if turn := rows[part::_TURNS]:
                    _time(contest, entry, turn, times[entry.base_model])
                told = {"system": entry.base_model, "total": len(rows)}
                done = len(times[entry.base_model].of_row)
                contest.on_event("timing", {**told, "done": done})
                if stop := should_stop():
                    raise Interrupted("stopped while timing", signal_number=stop, hint=GOES_ON)
    return {
        name: Use(
            speed=speed_of(
                [found.of_row[row] for row in sorted(found.of_row)],
                cores_others_used=round(found.core_seconds / found.seconds, 2),
            ),
            end_of_turn=found.end_of_turn,
        )
        for name, found in times.items()
    }


def _time(contest: Contest, entry: Entry, rows: Sequence[tuple[int, Row]], times: _Times) -> None:
    """Answer some rows one by one; loading the model is not in it."""
    system = load_entry(entry)
    from finewright.evaluate.answers import question_of
    from finewright.evaluate.latency import Prepare
    from finewright.evaluate.latency import timed as time_each

    chat = system.chat

    def request(row: Row) -> Prepare:
        question = question_of(chat, row)
        return lambda: question

    most = contest.loaded.spec.evaluate.max_new_tokens
    requests = [request(row) for _, row in rows]
    start, used = time.perf_counter(), watch_others()
    found = list(time_each(system.lm, chat, requests, max_new_tokens=most, clock=time.perf_counter))
    seconds = time.perf_counter() - start
    times.of_row.update(zip((number for number, _ in rows), found, strict=True))
    times.seconds += seconds
    times.core_seconds += used() * seconds
    ends = chat.tokenizer.convert_ids_to_tokens(sorted(chat.end_of_turn))
    times.end_of_turn = " ".join(map(str, ends))
