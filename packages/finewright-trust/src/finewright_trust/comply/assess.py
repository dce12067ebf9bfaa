"""A run, the facts and the day -> the state of each control, the documents, compute and energy."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from finewright_trust.comply.compute import compute_facts
from finewright_trust.comply.controls import Control, Regime, add_classes
from finewright_trust.comply.evidence import Records
from finewright_trust.comply.law import (
    Facts,
    derive,
    facts_in,
    holds,
    in_force,
    most_it_costs,
    status,
)
from finewright_trust.comply.report import ControlState, FoundEvidence


def complete(facts: Facts, regime: Regime) -> dict[str, Any]:
    """The facts with all that follows from them under a regime."""
    return derive(compute_facts(add_classes(facts)), regime.facts)


def judge(
    regime: Regime, facts: Facts, today: date, records: Records | None = None
) -> Iterator[ControlState]:
    """Each control of the regime for these facts on that day; without records no evidence is looked for."""
    known = complete(facts, regime)
    for control in regime.controls:
        condition = {"all": [regime.when, control.when]}
        is_met = holds(condition, known)
        start = in_force(control.start or regime.start, control.grace, known)
        state = status(is_met, start, today)
        tier = regime.fines.get(control.fine)
        yield ControlState(
            id=control.id,
            regime=regime.id,
            article=control.article,
            duty=control.duty,
            status=state,
            start=start,
            asks=_asks(condition, known, regime) if is_met is None else (),
            evidence=_evidence(control, records) if records and state != "no" else (),
            fine=tier.article if tier else "",
            fine_eur=most_it_costs(tier, known) if tier else None,
            source=control.source or regime.source,
            reviewed_at=regime.reviewed_at,
            reviewed_against=regime.reviewed_against,
        )


def _evidence(control: Control, records: Records) -> tuple[FoundEvidence, ...]:
    return tuple(records.find(query, control.id) for query in control.evidence)


def _asks(condition: Mapping[str, Any], known: Facts, regime: Regime) -> tuple[str, ...]:
    """The facts of people on which it depends, where nobody stated them."""
    found: set[str] = set()
    open_names = sorted(facts_in(condition))
    while open_names:
        name = open_names.pop()
        if name in regime.facts and known.get(name) is None:
            open_names += sorted(facts_in(regime.facts[name]) - found)
        elif known.get(name) is None:
            found.add(_STATED_AS.get(name, name))
    return tuple(sorted(found))


_STATED_AS = {
    "use_classes": "uses",
    "over_third": "base_systemic",
    "over_1e25": "base_flops",
}
"""Facts that are computed -> what a person states instead."""


def count_states(controls: Sequence[ControlState]) -> dict[str, int]:
    """Kind of evidence -> how many of the controls that apply have it."""
    found = {"auto": 0, "human": 0, "missing": 0}
    for control in controls:
        if control.status == "applies":
            found[control.kind] += 1
    return found
