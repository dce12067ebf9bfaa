"""The gates: a rule never scores, it drops an arm, or adds a duty, a warning or an advice, and says why.

G1-G10 are the rules of the sources in `catalog/advice.yaml`; G11 holds an arm to the limits of the spec,
G12 to what its model can read."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from typing import NamedTuple

from finewright.report.cells import apart, number
from finewright.schema.cost import Range
from finewright_advice.catalog.advice import Advice
from finewright_advice.catalog.laws import read_packaged_laws
from finewright_advice.decide import needs
from finewright_advice.decide.arms import (
    ARMS,
    AT_API,
    SELF_HOSTED,
    TRAINED,
    TUNED,
    WITH_PASSAGES,
    WITHOUT_MODEL,
    Arm,
    Figures,
    Measure,
    figure_of,
)
from finewright_advice.decide.case import Case, InputSwing
from finewright_advice.decide.facts import (
    PAIRS_COMFORTABLE,
    PAIRS_NEEDED,
    Excess,
    Gate,
    GateVerdict,
    Ground,
    arms_of,
    duties,
    in_words,
    unknown,
)
from finewright_advice.decide.results import RuleFinding

SMALL_CORPUS_TOKENS = 200_000
_LIMITS = "G11"
_READ_ANEW = (Arm("rag", "api"), Arm("rag", "self-hosted"))
_SHARE_OF_CONTEXT = 0.5
_HIGH, _LOW = 2, 1
LIMITED: tuple[tuple[str, str, Measure], ...] = (
    ("once_budget_usd", "USD before the first answer", "once_usd"),
    ("month_budget_usd", "USD a month", "month_usd"),
    ("latency_p95_ms", "ms an answer", "latency_ms"),
    ("effort_hours", "hours of work", "effort_hours"),
)
"""What the spec may limit: the input, its unit in words, and the figure that it limits."""


def findings(ground: Ground) -> list[RuleFinding]:
    """What every gate finds in a case, in the order of the rules.

    An arm that is dropped by one rule is named by every other that drops it, and warned of by none; over a
    limit is none that cannot be at all, for it has no figures."""
    left = remaining(ground)
    verdicts = [(rule, verdict) for rule, gate in _GATES.items() for verdict in gate(ground)]
    never = {arm for _, verdict in verdicts if verdict.cannot for arm in verdict.arms}
    return [
        _finding(rule, concerned, ground.advice)
        for rule, verdict in verdicts
        if (concerned := _concerning(verdict, left)) is not None
        and not (rule == _LIMITS and never.issuperset(verdict.arms))
    ]


class Drop(NamedTuple):
    """A rule that drops an arm, and what it says."""

    rule: str
    verdict: GateVerdict


def drops(ground: Ground) -> dict[Arm, list[Drop]]:
    """Every arm that a gate drops, with all that drops it."""
    found: dict[Arm, list[Drop]] = {}
    for rule, gate in _GATES.items():
        for verdict in gate(ground):
            for arm in verdict.arms if verdict.effect == "dropped" else ():
                found.setdefault(arm, []).append(Drop(rule, verdict))
    return found


def remaining(ground: Ground) -> list[Arm]:
    """The arms that no gate drops."""
    dropped = drops(ground)
    return [arm for arm in ARMS if arm not in dropped]


def uncertain(
    base: Sequence[RuleFinding],
    swings: Iterable[InputSwing],
    found_in: Callable[[Case], Sequence[RuleFinding]],
) -> list[RuleFinding]:
    """What would drop an arm that is left if an unknown input turned out to be at one of its ends."""
    known = {name for finding in base if finding.effect == "dropped" for name in finding.arms}
    found: dict[tuple[str, tuple[str, ...]], RuleFinding] = {}
    for case, condition in _ends_of_unknown(swings):
        for finding in found_in(case):
            arms = tuple(name for name in finding.arms if name not in known)
            if finding.effect == "dropped" and arms and (finding.rule, arms) not in found:
                reason = f"{condition}: {finding.reason}"
                update = {"certain": False, "reason": reason, "arms": arms}
                found[finding.rule, arms] = finding.model_copy(update=update)
    return list(found.values())


def _ends_of_unknown(swings: Iterable[InputSwing]) -> Iterator[tuple[Case, str]]:
    """The case at either end of each unknown input, and when it is so."""
    for swing in swings:
        if swing.is_unknown and swing.key in Case.__slots__:
            yield swing.low, f"if {swing.key} is {swing.low_text}"
            yield swing.high, f"if {swing.key} is {swing.high_text}"


def _concerning(verdict: GateVerdict, left: Sequence[Arm]) -> GateVerdict | None:
    if verdict.effect == "dropped" or not verdict.arms:
        return verdict
    arms = [arm for arm in verdict.arms if arm in left]
    return verdict._replace(arms=arms) if arms else None


def _finding(rule: str, verdict: GateVerdict, advice: Advice) -> RuleFinding:
    return RuleFinding.model_validate(
        {
            "rule": rule,
            "effect": verdict.effect,
            "arms": tuple(arm.name for arm in verdict.arms),
            "reason": verdict.reason,
            "sources": verdict.sources or advice.rules[rule].sources,
            "cannot": verdict.cannot,
        }
    )


def _on_premise(ground: Ground) -> Iterator[GateVerdict]:
    if ground.case.on_premise_only:
        why = "nothing may leave your machines, and an API is elsewhere"
        yield GateVerdict("dropped", AT_API, why)


def _volatile(ground: Ground) -> Iterator[GateVerdict]:
    case = ground.case
    for arm in arms_of("ft"):
        days = ground.figures[arm].update_days.median
        if case.knowledge_gap > 0 and case.fact_half_life_days < days:
            yield GateVerdict(
                "dropped",
                [arm],
                f"half of the facts change within {case.fact_half_life_days:g} days and training again takes"
                f" {days:.0f}: a fine-tuned model would answer from old facts; retrieval can be added to it",
            )
    yield from _too_fast(ground)


def _too_fast(ground: Ground) -> Iterator[GateVerdict]:
    """Facts that change faster than documents are read anew."""
    case = ground.case
    days = min(ground.figures[arm].update_days.median for arm in _READ_ANEW)
    if case.corpus_tokens > 0 and case.knowledge_gap > 0 and case.fact_half_life_days <= days:
        why = (
            f"half of the facts change within {case.fact_half_life_days:g} days, and new documents are found"
            f" after {days:g}: what changes so fast is asked of its source with each request"
        )
        yield GateVerdict("warning", WITH_PASSAGES, why)


def _rights(ground: Ground) -> Iterator[GateVerdict]:
    case = ground.case
    if not (case.per_document_access or case.erasure_duty):
        return
    why = (
        "weights answer every user alike"
        if case.per_document_access
        else "weights cannot unlearn a text"
    )
    if case.knowledge_gap > 0:
        yield GateVerdict(
            "dropped", arms_of("ft"), f"{why}, so the knowledge must come through retrieval"
        )
    if case.per_document_access:
        yield GateVerdict(
            "dropped",
            arms_of("prompt+long-context"),
            "one prompt with all documents shows every user what only some may see",
        )
    yield GateVerdict(
        "duty",
        TRAINED,
        "keep documents with access rules or personal data out of the training rows, and train on form and"
        " behaviour; what is erased leaves the rows, and what was trained on it is trained again",
    )


def _citations(ground: Ground) -> Iterator[GateVerdict]:
    if ground.case.citations:
        sent = ground.case.document_tokens > 0
        arms = [a for a in ARMS if not (a.has_passages or (sent and a.is_language_model))]
        yield GateVerdict(
            "dropped", arms, "an answer can only cite a passage that is in its prompt"
        )


def _corpus(ground: Ground) -> Iterator[GateVerdict]:
    tokens = ground.case.corpus_tokens
    if tokens == 0:
        yield GateVerdict(
            "dropped",
            WITH_PASSAGES,
            "there are no documents that all answers rest on, to search or to prompt with",
            cannot=True,
        )
        return
    for arm in arms_of("prompt+long-context"):
        room = _SHARE_OF_CONTEXT * ground.figures[arm].context_tokens
        if tokens > room:
            whole, half = apart(tokens, room)
            why = (
                f"{whole} tokens of documents do not fit into half of the model's context ({half})"
            )
            yield GateVerdict("dropped", [arm], why, cannot=tokens > 2 * room)
        elif tokens > SMALL_CORPUS_TOKENS:
            why = f"{tokens:,.0f} tokens are over the {SMALL_CORPUS_TOKENS:,} up to which a cached prompt"
            yield GateVerdict("warning", [arm], f"{why} is advised over an index")
        else:
            index = [Arm("rag", arm.host), Arm("rag+ft", arm.host)]
            why = f"{tokens:,.0f} tokens of documents fit into a cached prompt: no index is needed"
            yield GateVerdict("advice", index, f"{why} for their size; the cost of tokens decides")


def _pairs(ground: Ground) -> Iterator[GateVerdict]:
    few: dict[str, list[Arm]] = defaultdict(list)
    for arm in TUNED:
        taught = ground.figures[arm].pairs
        pairs = ground.case.labelled_pairs if taught is None else taught
        if pairs < PAIRS_NEEDED:
            why = f"{pairs:.0f} labelled pairs; fine-tuning starts at {PAIRS_NEEDED}"
            yield GateVerdict("dropped", [arm], why)
        elif pairs < PAIRS_COMFORTABLE:
            why = (
                f"{pairs:.0f} labelled pairs are enough to try: look at the slope over 25, 50 and 100 % of"
                " them"
            )
            few[why].append(arm)
    for why, arms in few.items():
        yield GateVerdict("warning", arms, why)


def _machines(ground: Ground) -> Iterator[GateVerdict]:
    misfits: dict[str, list[Arm]] = defaultdict(list)
    for arm in ARMS:
        misfits[ground.figures[arm].misfit].append(arm)
    misfits.pop("", None)
    for reason, arms in misfits.items():
        yield GateVerdict("dropped", arms, reason)
    if not ground.case.on_premise_only:
        return
    if ground.case.hardware is None:
        why = (
            "nobody said which machine is yours: money and latency are those of a like one for rent"
        )
        yield GateVerdict("warning", SELF_HOSTED, why)
    if ground.case.hardware == ():
        why = "its small machine without a GPU must be yours too, and nobody named one"
        yield GateVerdict("warning", WITHOUT_MODEL, why)


def _facts_by_training(ground: Ground) -> Iterator[GateVerdict]:
    case = ground.case
    if case.knowledge_gap >= _HIGH and case.behaviour_gap <= _LOW:
        yield GateVerdict(
            "warning",
            arms_of("ft"),
            "fine-tuning learns new facts slowly and makes up more of them once it has; measure it on"
            " questions whose facts were in no training row",
        )


def _ends(ground: Ground) -> Iterator[GateVerdict]:
    for arm in ARMS:
        figures = ground.figures[arm]
        if arm.is_tuned and arm.host == "api":
            yield from _tuning_at_api(arm, figures, ground.today)
        elif figures.ends:
            why = f"{figures.model} is switched off on {figures.ends}, within the horizon: plan for another"
            yield GateVerdict("warning", [arm], why)


def _tuning_at_api(arm: Arm, figures: Figures, today: date) -> Iterator[GateVerdict]:
    closes = figures.tuning_ends
    if figures.can_fine_tune is False:
        why = f"{figures.model} cannot be fine-tuned at its provider"
        yield GateVerdict("dropped", [arm], why, cannot=True)
    elif figures.ends and not (closes and closes <= today):
        why = f"{figures.model} and what is trained from it are switched off on {figures.ends}"
        yield GateVerdict("dropped", [arm], f"{why}, within the horizon; an open model stays yours")
    elif closes:
        of = figures.tuning_closes or f"no new job, from {closes} on"
        why = f"its provider's fine-tuning closes: {of}"
        yield GateVerdict("dropped", [arm], f"{why}; so it could not be trained again")
    elif figures.can_fine_tune is None:
        why = f"nobody in the catalog says that {figures.model} can be fine-tuned"
        why += "; name a model that can be, or an open one"
        yield GateVerdict("dropped", [arm], why, cannot=True)


def _law(ground: Ground) -> Iterator[GateVerdict]:
    """Each duty that holds; what is forbidden drops every arm."""
    laws = read_packaged_laws()
    kinds: dict[str, Sequence[Arm]] = {
        "all": (),
        "tuned": TUNED,
        "trained": TRAINED,
        "outside": [arm for arm in ARMS if ground.figures[arm].is_outside],
    }
    for name, duty in duties(ground.case, laws):
        why = in_words(duty, laws, ground.today)
        if name == "prohibition":
            title = laws.domains[ground.case.domain].title
            yield GateVerdict("dropped", ARMS, f"{title}: {why}", (duty.source,))
        else:
            yield GateVerdict("duty", kinds[duty.arms], why, (duty.source,))
    for what in unknown(ground.case, laws):
        yield GateVerdict("advice", [], what)


def _limits(ground: Ground) -> Iterator[GateVerdict]:
    """The middle of each figure against the limit; that its high end is over it shows in the utility."""
    for limited in LIMITED:
        for arm in ARMS:
            for over in _excess(ground.case, ground.figures[arm], *limited):
                yield GateVerdict("dropped", [arm], over.reason)


def excesses(case: Case, figures: Figures) -> tuple[Excess, ...]:
    """Each stated limit that an arm's figures are over."""
    return tuple(over for limited in LIMITED for over in _excess(case, figures, *limited))


def _excess(case: Case, figures: Figures, key: str, what: str, field: Measure) -> Iterator[Excess]:
    if key not in case.stated:
        return
    limit, figure = getattr(case, key).limit, figure_of(figures, field)
    if figure.median > limit:
        yield Excess(figure.median / limit, _over(figure, limit, what))


def _over(figure: Range, limit: float, what: str) -> str:
    shown, over = apart(figure.median, limit)
    best = f"; at best {number(figure.low)}" if figure.low <= limit else ""
    return f"takes {shown} {what}, over your limit of {over}{best}"


def _context(ground: Ground) -> Iterator[GateVerdict]:
    """Prompt, documents in it and answer, against what the model reads at once.

    An encoder cuts what it does not read; one that reads less than half of a text is dropped."""
    for arm in ARMS:
        figures = ground.figures[arm]
        if figures.request_tokens > figures.context_tokens:
            whole, room = apart(figures.request_tokens, figures.context_tokens)
            if not arm.is_language_model:
                is_most = figures.request_tokens * _SHARE_OF_CONTEXT <= figures.context_tokens
                why = f"{figures.model} reads the first {room} of {whole} tokens"
                yield GateVerdict(
                    "warning" if is_most else "dropped", [arm], why, cannot=not is_most
                )
                continue
            why = (
                f"prompt and answer of {whole} tokens do not fit into the {room} of {figures.model}"
            )
            yield GateVerdict("dropped", [arm], why, cannot=True)


_GATES: dict[str, Gate] = {
    "G1": _on_premise,
    "G2": _volatile,
    "G3": _rights,
    "G4": _citations,
    "G5": _corpus,
    "G6": _pairs,
    "G7": _machines,
    "G8": _facts_by_training,
    "G9": _ends,
    "G10": _law,
    "G11": _limits,
    "G12": _context,
    "G13": needs.no_model,
    "G14": needs.form,
    "G15": needs.languages,
    "G16": needs.teacher,
    "G17": needs.useful,
    "G18": needs.third_parties,
    "G19": needs.licences,
}
