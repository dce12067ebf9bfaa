"""Gates G13 to G19: what the work needs: no model at all, a strict form, a language, pairs, a licence.

Limits that nobody stated: wide enough for the cheapest of the able ways, so that money still counts.

By a limit that all exceed, 70,000 dollars a month would be worth as little as 2.8 million, and the dearest
model would win by a hundredth of quality."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from finewright.catalog.licences import model_licence
from finewright_advice.catalog.advice import Advice
from finewright_advice.decide.arms import ARMS, AT_API, SELF_HOSTED, TRAINED, WITH_MODEL, Arm
from finewright_advice.decide.case import Case
from finewright_advice.decide.choice import ModelTrial
from finewright_advice.decide.criteria import labels_needed, quality_of
from finewright_advice.decide.facts import (
    PAIRS_COMFORTABLE,
    Effect,
    GateVerdict,
    Ground,
    arms_of,
    trust_of,
)
from finewright_advice.decide.spec import UNKNOWN, DecideSpec
from finewright_advice.estimate.money import product

_TIMES = 3.0
"""How many times the cheapest a budget is taken to be at least: its own utility is two thirds."""


_MOST_USD = 1e9
"""What a spec may state at most."""


_NEAR = 0.8
"""Of the best quality: what is less able is cheap for another reason."""


RULE_ENOUGH = 0.9
_LISTED = 20
"""Languages that are named one by one."""
USELESS = 0.1
"""Of the cases done well: below it nobody is helped, whatever it costs."""


def no_model(ground: Ground) -> Iterator[GateVerdict]:
    """What needs no language model: where a rule, or labels for a classifier, are there."""
    case = ground.case
    if "rule_share" not in case.stated:
        why = "nobody said which share of the cases a fixed rule gets right (rule_share)"
        yield GateVerdict("dropped", arms_of("rule"), why, cannot=True)
    elif case.rule_share < RULE_ENOUGH:
        why = f"a rule gets {case.rule_share:.0%} right, and is looked at from {RULE_ENOUGH:.0%} on"
        yield GateVerdict("dropped", arms_of("rule"), why)
    floor, (classifier,) = labels_needed(case, ground.advice), arms_of("classifier")
    taught = ground.figures[classifier].pairs
    if case.task != "classify":
        why = "a classifier answers with one of a few labels: `task: classify`"
        yield GateVerdict("dropped", arms_of("classifier"), why, cannot=True)
    elif (pairs := taught or case.labelled_pairs) < floor:
        of = f" of {case.labels} labels" if "labels" in case.stated else ""
        why = f"{pairs:.0f} labelled cases{of}; a classifier starts at about {floor:.0f}"
        yield GateVerdict("dropped", arms_of("classifier"), why)


def form(ground: Ground) -> Iterator[GateVerdict]:
    """What decoding gives where the form is strict."""
    if ground.case.output != "text":
        what = {"json": "JSON of a schema", "label": "one of the labels"}[ground.case.output]
        why = f"constrained decoding makes every answer {what}: train for content, not for form"
        yield GateVerdict("advice", WITH_MODEL, why)


def useful(ground: Ground) -> Iterator[GateVerdict]:
    """What hardly ever does the work is no answer, and has no break-even."""
    for arm in ARMS:
        figures = ground.figures[arm]
        share = quality_of(ground.case, arm, figures, ground.advice, ground.measured)
        if arm.method != "rule" and share < USELESS:
            done = f"{figures.model} does {share:.1%} of the cases well"
            why = f"{done}, under {USELESS:.0%}: no use at any price"
            yield GateVerdict("dropped", [arm], why, cannot=True)


def third_parties(ground: Ground) -> Iterator[GateVerdict]:
    """Whose machines are no offers, by the class of the data; where they are regulated, hosts of others'
    models, and training at a host."""
    shut = {
        "any": "",
        "companies": "machines that may be private persons' are no offers, to serve on or to train on",
        "alone": "machines of markets, of private persons and those that scale to zero are no offers",
    }[trust_of(ground.case)]
    if shut and not ground.case.on_premise_only:
        yield GateVerdict("advice", SELF_HOSTED, f"{_class_of(ground.case)} data: {shut}")
    if ground.case.data_class != "regulated":
        return
    for arm in AT_API:
        figures = ground.figures[arm]
        if figures.is_third_party or arm.is_tuned:
            where = "training at a host" if arm.is_tuned else f"a third party hosts {figures.model}"
            why = f"regulated data, and {where}: take its maker's own service, or a machine of one's own"
            yield GateVerdict("dropped", [arm], why)


def _class_of(case: Case) -> str:
    known = case.data_class in ("confidential", "regulated")
    return case.data_class if known else "special categories of personal"


def languages(ground: Ground) -> Iterator[GateVerdict]:
    """Whether a model was made for what is spoken."""
    wanted = set(ground.case.languages)
    for arm in ARMS:
        known = ground.figures[arm].languages
        if known is not None and (missing := sorted(wanted - set(known))):
            made = ", ".join(known) if len(known) <= _LISTED else f"{len(known)} languages"
            model = ground.figures[arm].model
            why = f"{model} was made for {made}, not for {', '.join(missing)}"
            yield GateVerdict("dropped", [arm], why)
    own = [arm for arm in WITH_MODEL if arm.host == "self-hosted"]
    unknown = [arm for arm in own if ground.figures[arm].languages is None]
    if unknown and wanted - {"en"}:
        yield GateVerdict("warning", unknown, "which languages its model was made for is unknown")


def licences(ground: Ground) -> Iterator[GateVerdict]:
    """Whether the licence of a model's weights allows the use, and on which conditions."""
    by_terms: dict[tuple[Effect, str], list[Arm]] = defaultdict(list)
    for arm in ARMS:
        figures = ground.figures[arm]
        if figures.licence is not None:
            said = _by_licence(ground.case, figures.model, figures.licence)
            by_terms[said].append(arm)
    for (effect, why), arms in by_terms.items():
        if why:
            yield GateVerdict(effect, arms, why)


def _by_licence(case: Case, model: str, name: str) -> tuple[Effect, str]:
    """What a licence does to an arm, and why; no words where it asks for nothing."""
    licence = model_licence(name)
    if licence is None:
        why = f"what the licence of {model} allows is unknown ({name}): read it before it is used"
        return "warning", why
    of = f"{model} is under the {licence.title}"
    if case.commercial_use and not licence.is_commercial:
        sure = "" if "commercial_use" in case.stated else " (commercial_use is taken to be true)"
        return "dropped", f"{of}: {licence.conditions}; yours is commercial{sure}"
    asks = licence.conditions
    if licence.most_users:
        most = f"over {licence.most_users:,} users a month its maker must be asked"
        if case.users_per_month > licence.most_users:
            return "dropped", f"{of}: {most}, and you have {case.users_per_month:,.0f}"
        asks += f"; {most}"
    return "advice", f"{of}: {asks}" if asks else ""


def teacher(ground: Ground) -> Iterator[GateVerdict]:
    """Pairs that a stronger model could write."""
    case = ground.case
    if case.labelled_pairs >= PAIRS_COMFORTABLE or case.task == UNKNOWN:
        return
    arms = [arm for arm in TRAINED if ground.figures[arm].pairs]
    if arms:
        why = (
            "a strong model answers your unlabelled inputs and a small one is trained on that (distillation):"
            " check a sample by hand, and the teacher's terms of use"
        )
        yield GateVerdict("advice", arms, why)
    elif case.corpus_tokens and case.knowledge_gap:
        why = "pairs can be written from your documents by a model, and be checked: `finewright rag raft`"
        yield GateVerdict("advice", [], why)


def with_room(
    advice: Advice, spec: DecideSpec, tried: Mapping[Arm, Sequence[ModelTrial]]
) -> Advice:
    """The advice, whose ranges for unstated budgets are raised where their middle is below three times what
    the cheapest of the able asks; the same where none is."""
    rows = [row for each in tried.values() for row in each if not row.dropped]
    if not rows:
        return advice
    best = max(row.quality for row in rows)
    able = (row for row in rows if row.quality >= _NEAR * best)
    cheapest = min(able, key=lambda row: row.figures.month_usd.median).figures
    wider = advice.widened.model_copy()
    for key, name, least in (
        ("month_budget_usd", "month_limit_usd", cheapest.month_usd.median),
        ("once_budget_usd", "once_limit_usd", cheapest.once_usd.median),
    ):
        usual = getattr(wider, name)
        times = min(_TIMES * least / usual.median, _MOST_USD / usual.high)
        if getattr(spec, key) == UNKNOWN and times > 1:
            wider = wider.model_copy(update={name: product(usual, times)})
    return advice if wider == advice.widened else advice.model_copy(update={"widened": wider})
