"""The arms without a language model: a classifier over embeddings, and a fixed rule.

A classifier is a small sentence encoder and a linear head (SetFit, Tunstall et al. 2022, arXiv:2209.11055),
on processors alone or on a GPU, whichever costs less and is within a stated limit on time; a rule is a
pattern, a table or a list of words, and takes one small machine."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from finewright.report.cells import count_of
from finewright.schema.cost import Range
from finewright_advice.catalog.advice import SentenceEncoder, sentence_encoders
from finewright_advice.decide.arms import NOTHING, Arm, Figures, Machines
from finewright_advice.decide.case import Case
from finewright_advice.decide.results import AdviceSource
from finewright_advice.decide.serving import Host
from finewright_advice.decide.sources import sources_of
from finewright_advice.decide.work import WorkToDo
from finewright_advice.estimate.money import HOURS_A_MONTH, MachineSteps, exact, product, total

_MONTH_SECONDS = HOURS_A_MONTH * 3600
_RULE_MS = Range(low=0.1, median=1.0, high=5.0)
_ENOUGH_LABELS = 200.0
_ANY_LENGTH = 10**12
"""A pattern or a list of words reads a text of any length."""
_MINUTES_AN_HOUR = 60.0
_FEW_LANGUAGES = 5


class _Seat(NamedTuple):
    """A kind of machine at the work, and how many carry the busiest hour."""

    where: str
    usd_a_machine: Range
    answer: Range
    num: int
    host: Host | None = None

    @property
    def month_usd(self) -> Range:
        return product(self.usd_a_machine, self.num)


def without_model(
    arm: Arm, case: Case, work: WorkToDo, taken: Mapping[str, Range], hosts: Sequence[Host]
) -> Figures:
    """What such an arm takes, on the cheapest machine that is fast enough."""
    if arm.method == "classifier":
        return _classifier(arm, case, work, taken, hosts)
    seat = _Seat("small machine", taken["small_machine_usd"], _RULE_MS, 1)
    return _figures(seat, case, taken, math.inf, hours=taken["rule_hours"])


def _classifier(
    arm: Arm, case: Case, work: WorkToDo, taken: Mapping[str, Range], hosts: Sequence[Host]
) -> Figures:
    name, encoder = _encoder_for(case.languages)
    flop = encoder.flop(min(case.prompt_tokens, encoder.context_tokens))
    seat = _find_seat(case, taken, flop, hosts)
    pairs = work.pairs(arm)
    missing = max(0.0, _ENOUGH_LABELS - (pairs or case.labelled_pairs))
    labelling = product(work.labelling_minutes, missing / _MINUTES_AN_HOUR)
    each = 1000 / seat.answer.median
    found = _figures(seat, case, taken, each, hours=total(taken["classifier_hours"], labelling))
    source = AdviceSource(
        name=f"Encoder: {name}", reference=encoder.source, observed_at=encoder.observed_at
    )
    spoken = encoder.languages
    made_for = ", ".join(spoken) if len(spoken) <= _FEW_LANGUAGES else f"{len(spoken)} languages"
    return replace(
        found,
        model=f"a linear head on {name}",
        context_tokens=encoder.context_tokens,
        request_tokens=case.prompt_tokens,
        languages=spoken,
        pairs=pairs,
        how=(f"{found.how[0]}, with {name} ({made_for})",),
        facts=(source, *sources_of(*(seat.host.facts if seat.host else ()))),
    )


def _figures(
    seat: _Seat, case: Case, taken: Mapping[str, Range], rate: float, *, hours: Range
) -> Figures:
    """On these machines, each of which answers so many requests a second."""
    host, month = seat.host, seat.month_usd
    carries = exact(min(rate, 1e6) * _MONTH_SECONDS / taken["peak_over_mean"].median)
    is_own = host.is_own if host else bool(case.hardware)
    return Figures(
        once_usd=NOTHING,
        month_usd=month,
        latency_ms=seat.answer,
        update_days=taken["prompt_days"],
        effort_hours=hours,
        fixed_month_usd=month,
        request_usd=NOTHING,
        place="own" if case.on_premise_only or is_own else "rented",
        model="a rule",
        context_tokens=_ANY_LENGTH,
        machines=Machines(
            MachineSteps(seat.usd_a_machine, carries), host.count if host else math.inf
        ),
        how=(f"no language model; {_describe_seat(seat)}",),
    )


def _encoder_for(languages: Sequence[str]) -> tuple[str, SentenceEncoder]:
    """The smallest encoder that was made for all of the languages; the one made for most where none was."""
    known = sentence_encoders()
    fitting = [name for name, each in known.items() if set(languages) <= set(each.languages)]
    name = fitting[0] if fitting else max(known, key=lambda name: len(known[name].languages))
    return name, known[name]


def _find_seat(case: Case, taken: Mapping[str, Range], flop: float, hosts: Sequence[Host]) -> _Seat:
    """The cheapest machines that answer within a stated limit; the cheapest of all where none do."""
    limit = case.latency_p95_ms.limit if "latency_p95_ms" in case.stated else math.inf
    peak = case.requests_per_month / _MONTH_SECONDS * taken["peak_over_mean"].median
    on_cpu = _arithmetic_ms(flop, product(taken["cpu_gflops"], 1e9))
    small = _Seat("small machine", taken["small_machine_usd"], on_cpu, _num(peak, on_cpu))
    most = math.inf if on_cpu.median > limit else small.month_usd.median / HOURS_A_MONTH
    may = [host for host in hosts if host.gpus == 1 and host.usd_per_hour.median < most]
    seats = sorted([small, *_on_gpus(taken, flop, peak, may)], key=lambda s: s.month_usd.median)
    return next((seat for seat in seats if seat.answer.median <= limit), seats[0])


def _on_gpus(
    taken: Mapping[str, Range], flop: float, peak: float, hosts: Sequence[Host]
) -> Iterator[_Seat]:
    """Each GPU of which there are enough."""
    for host in hosts:
        rate = product(taken["prefill_utilisation"], host.tflops * 1e12)
        answer = total(_arithmetic_ms(flop, rate), taken["encoder_gpu_ms"])
        if (num := _num(peak, answer)) <= host.count:
            price = product(host.usd_per_hour, HOURS_A_MONTH)
            yield _Seat(host.name, price, answer, num, host)


def _num(peak: float, answer: Range) -> int:
    """Machines for so many requests a second in the busiest hour."""
    return max(1, math.ceil(peak * answer.median / 1000))


def _arithmetic_ms(flop: float, flop_per_second: Range) -> Range:
    """Milliseconds of so much arithmetic; the fast end is the low one."""
    rate = flop_per_second
    return Range(
        low=1000 * flop / rate.high, median=1000 * flop / rate.median, high=1000 * flop / rate.low
    )


def _describe_seat(seat: _Seat) -> str:
    if seat.host is None:
        return f"{count_of(seat.num, 'small machine')} without a GPU"
    many = f"{seat.num} x ({seat.where})" if seat.num > 1 else seat.where
    return f"{many}, {seat.host.standing}"
