"""Whether a rule applies: conditions over facts that may be unknown, days, and the most that a breach costs.

A fact is True, False, a day, a number, a list of words, or None where nobody knows it. Conditions follow
Kleene's strong three-valued logic: unknown only where the unknown facts could change the answer."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Literal

from finewright.sdk import Model

Facts = Mapping[str, Any]  # Any: see above
Condition = Mapping[str, Any]
"""fact -> what it must be, all of them. A list: one of its words is among the fact's. `before: DAY`: the
fact is an earlier day. `all`, `any`: of conditions; `not`: of one; `unless`: certainly not this one."""
Status = Literal["applies", "later", "no", "unknown"]
_WORDS = ("all", "any", "not", "unless")


class Grace(Model):
    """Another day from which a rule is in force, where this certainly holds."""

    when: dict[str, Any]  # Any: a Condition
    day: date


class FineTier(Model):
    """The most that a breach costs: so many euro, or that share of the turnover of the year before."""

    article: str
    eur: float
    turnover_share: float
    is_lower_for_small: bool = True
    """Of the two the lower counts for small companies, and the higher for all others."""


def holds(condition: Condition, facts: Facts) -> bool | None:
    """True, False, or None where what is unknown decides."""
    return _all(_term(name, wanted, facts) for name, wanted in condition.items())


def derive(facts: Facts, conditions: Mapping[str, Condition]) -> dict[str, Any]:
    """The facts with those that follow from them, in the order of the conditions."""
    found = dict(facts)
    for name, condition in conditions.items():
        found[name] = holds(condition, found)
    return found


def in_force(start: date | None, grace: Iterable[Grace], facts: Facts) -> date | None:
    """The day from which the rule is in force for who has these facts; None: it always was."""
    later = (each.day for each in grace if holds(each.when, facts) is True)
    return next(later, start)


def status(is_met: bool | None, start: date | None, today: date) -> Status:
    """What a rule is on a day, by its condition and the day from which it is in force."""
    if is_met is None:
        return "unknown"
    if not is_met:
        return "no"
    return "later" if start is not None and today < start else "applies"


def most_it_costs(tier: FineTier, facts: Facts) -> float | None:
    """In euro; None where neither the turnover nor the size of the company is known."""
    turnover, is_small = facts.get("turnover_eur"), facts.get("sme")
    if turnover is None or is_small is None:
        return None
    amounts = (tier.eur, tier.turnover_share * float(turnover))
    most = min(amounts) if is_small and tier.is_lower_for_small else max(amounts)
    return round(most, 2)


def facts_in(condition: Condition) -> set[str]:
    """The names of the facts that a condition asks for, and that leave it open where they are unknown."""
    found = set(condition) - set(_WORDS)
    for word in ("all", "any", "not"):
        inner = condition.get(word, ())
        for each in [inner] if isinstance(inner, Mapping) else inner:
            found |= facts_in(each)
    return found


def _term(name: str, wanted: Any, facts: Facts) -> bool | None:  # Any: as in a Condition
    if name in _WORDS:
        return _LOGIC[name](wanted, facts)
    fact = facts.get(name)
    if fact is None:
        return None
    if isinstance(wanted, Mapping):
        return bool(fact < wanted["before"])
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        return bool(set(wanted) & set(fact))
    return bool(fact == wanted)


def _all(terms: Iterable[bool | None]) -> bool | None:
    found = list(terms)
    if False in found:
        return False
    return None if None in found else True


def _not(term: bool | None) -> bool | None:
    return None if term is None else not term


def _any(conditions: Iterable[Condition], facts: Facts) -> bool | None:
    return _not(_all(_not(holds(each, facts)) for each in conditions))


_LOGIC: Mapping[str, Callable[[Any, Facts], bool | None]] = {
    "all": lambda conditions, facts: _all(holds(each, facts) for each in conditions),
    "any": _any,
    "not": lambda condition, facts: _not(holds(condition, facts)),
    "unless": lambda condition, facts: holds(condition, facts) is not True,
}
