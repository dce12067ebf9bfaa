"""A spec with every unknown filled in: the middle case, and the cases that differ from it by one input."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from finewright.schema.cost import Range
from finewright_advice.catalog.advice import Advice
from finewright_advice.decide.spec import UNKNOWN, Aim, DecideSpec, Device

Point = Literal["low", "median", "high"]

POINTS = {
    "api_price": "prices of the API",
    "machine_price": "prices of machines",
    "api_speed": "speed of the API",
    "own_speed": "speed of a machine of one's own",
    "effort": "hours of people's work",
    "retraining": "days and runs of training again",
    "retrieved": "tokens that retrieval adds",
    "prior_prompt": "what prompting alone closes",
    "prior_rag": "what documents in the prompt close",
    "prior_ft": "what fine-tuning closes",
    "prior_classifier": "what a classifier closes",
    "api_ability": "how able the API's model is",
    "own_ability": "how able the open model is",
    "difficulty": "how hard the work is",
    "indexing": "what a large index costs",
    "tuning_gain": "what training closes of what a model lacks",
    "constrained_decoding": "what a grammar closes of a gap",
    "taught_pair_worth": "what a teacher's pair is worth",
    "classifier_floor": "from how many cases a classifier starts",
}
"""What no spec can know exactly: name -> in words."""

_TAKEN = {
    "base_model": "the best open model of the catalog for each method",
    "api_model": "the best API model of the catalog for each method",
    "difficulty": "usual; easy and hard are tried",
    "output": "free text",
    "languages": "any",
    "rule_share": "no rule is looked at",
    "labels": "two, where an answer is a label",
    "people_usd_per_hour": "40 to 160, as the assumption of that name has it; it is shown, and ranks nothing",
    "documents": "plain text",
    "document_tokens": "none comes with a request",
    "unlabelled_inputs": "none",
    "personal_data": "nothing; say it, for the law asks more where it is",
    "talks_to_people": "true where it converses, else false",
    "hardware": "none of your own: machines are rented",
    "commercial_use": "true: a licence for research alone is none",
    "users_per_month": "under 100 million",
    "domain": "none that the AI Act calls high-risk",
    "task": "any: the widest ranges of difficulty and of labelling time",
}
"""What is taken for an unknown input that is widened to no range."""
_WHOLE_FROM = 1000
_PAIRS_THAT_TELL = 300
"""Labelled pairs that may hold what must be known where no document does: what gate G6 calls comfortable."""
_COUNTS = (
    "requests_per_month",
    "fact_half_life_days",
    "corpus_tokens",
    "labelled_pairs",
    "tokens_in",
    "tokens_out",
)
_COUNTS_IF_STATED = ("document_tokens",)
_DEGREES = ("behaviour_gap", "knowledge_gap")
_CLAIMS = ("citations", "per_document_access", "erasure_duty", "on_premise_only")
_CHOICES = ("data_class",)
_CHOSEN = ("base_model", "api_model")
_LIMITS = {
    "latency_p95_ms": "latency_limit_ms",
    "once_budget_usd": "once_limit_usd",
    "month_budget_usd": "month_limit_usd",
    "effort_hours": "effort_limit_hours",
}


@dataclass(frozen=True, slots=True)
class Case:
    """One possible truth: every input has a value. `hardware` None: nobody said whether there is any."""

    task: str
    behaviour_gap: float
    knowledge_gap: float
    fact_half_life_days: float
    corpus_tokens: float
    labelled_pairs: float
    citations: bool
    per_document_access: bool
    erasure_duty: bool
    data_class: str
    on_premise_only: bool
    requests_per_month: float
    tokens_in: float
    tokens_out: float
    latency_p95_ms: Aim
    once_budget_usd: Aim
    month_budget_usd: Aim
    effort_hours: Aim
    hardware: tuple[str | Device, ...] | None
    domain: str
    base_model: str
    api_model: str
    horizon_months: int
    difficulty: str = UNKNOWN
    output: str = "text"
    languages: tuple[str, ...] = ()
    rule_share: float = 0.0
    labels: int = 2
    people_usd_per_hour: float | None = None
    documents: str = "text"
    unlabelled_inputs: float = 0.0
    document_tokens: float = 0.0
    personal_data: str = UNKNOWN
    talks_to_people: bool = False
    commercial_use: bool = True
    users_per_month: float = 0.0
    models: Mapping[str, str] = field(default_factory=dict)
    """The model of each arm, by the arm's name; an arm without one has the stated model of its host."""
    stated: frozenset[str] = frozenset()
    """The inputs that the user knows."""
    points: Mapping[str, Point] = field(default_factory=dict)

    @property
    def prompt_tokens(self) -> float:
        """Tokens of a prompt with the document that comes with it."""
        return self.tokens_in + self.document_tokens

    def at(self, name: str, value: Range) -> float:
        """The end of a range that this case takes: the middle, unless it says otherwise."""
        assert name in POINTS
        return float(getattr(value, self.points.get(name, "median")))


class InputSwing(NamedTuple):
    """An input, its case at either end, and how the ends read."""

    key: str
    is_unknown: bool
    low: Case
    high: Case
    low_text: str
    high_text: str


def middle(spec: DecideSpec, advice: Advice) -> Case:
    """The spec with the middle of what each unknown is widened to; unknown claims are taken for false."""
    return Case(**_values(spec, advice), **_fixes_of_spec(spec))


def list_assumptions(spec: DecideSpec, advice: Advice) -> dict[str, str]:
    """Unknown input -> what was taken for it, in words."""
    found = {key: _range_text(_range_of_unknown(advice, key)) for key in _keys_with_range()}
    for key, name in _LIMITS.items():
        found[key] = f"a limit of {_range_text(_range_of_unknown(advice, name))}"
    found |= dict.fromkeys(
        _CLAIMS, "false; true is tried, in a quarter of the samples in which it can be"
    )
    for key in _CHOICES:
        low, median, high = getattr(advice.widened, key)
        found[key] = f"{median}; {low} and {high} are tried"
    return {key: text for key, text in (found | _TAKEN).items() if _unknown(spec, key)}


def swings(spec: DecideSpec, base: Case, advice: Advice) -> Iterator[InputSwing]:
    """Every input at both of its ends.

    Unknown inputs take the ends they are widened to; known counts half and double, known degrees a step
    down and up, for who states them is not sure either. Known claims and choices stay."""
    stated = (key for key in _COUNTS_IF_STATED if not _unknown(spec, key) and getattr(base, key))
    for key in (*_keys_with_range(), *stated):
        yield _number_swing(spec, base, key, advice)
    for key, low, high in _ends(advice):
        if _unknown(spec, key):
            yield _swing(key, base, low, high)
    for key in POINTS:
        low_case = replace(base, points={**base.points, key: "low"})
        high_case = replace(base, points={**base.points, key: "high"})
        yield InputSwing(key, True, low_case, high_case, "low", "high")


def _ends(advice: Advice) -> Iterator[tuple[str, Any, Any]]:  # Any: fields of Case
    """What an unknown limit, claim or choice may be at its two ends."""
    for key, name in _LIMITS.items():
        ends = _range_of_unknown(advice, name)
        yield key, Aim(limit=ends.low), Aim(limit=ends.high)
    yield from ((key, False, True) for key in _CLAIMS)
    for key in _CHOICES:
        low, _, high = getattr(advice.widened, key)
        yield key, low, high


def goes_together(case: Case, base: Case) -> bool:
    """Whether the answers of a case can be true of one task at once, as far as what is stated is: an answer
    that is a label cites nothing, no document has rules or rights where there is none, and what must be known
    stands somewhere."""
    return all(rule(case) or not rule(base) for rule in _RULES)


def _can_cite(case: Case) -> bool:
    is_label = case.output == "label" or case.task == "classify"
    return not case.citations or not (is_label or not _has_documents(case))


def _can_have_rights(case: Case) -> bool:
    return case.corpus_tokens > 0 or not (case.per_document_access or case.erasure_duty)


def _can_be_known(case: Case) -> bool:
    has_source = _has_documents(case) or case.labelled_pairs >= _PAIRS_THAT_TELL
    return case.knowledge_gap == 0 or has_source


def _has_documents(case: Case) -> bool:
    return case.corpus_tokens > 0 or case.document_tokens > 0


_RULES = (_can_cite, _can_have_rights, _can_be_known)


def alone(swing: InputSwing, base: Case) -> InputSwing | None:
    """The swing with each end that cannot be as the base has it; None where neither can be."""
    now = _describe_value(getattr(base, swing.key, ""))
    if not goes_together(swing.low, base):
        swing = swing._replace(low=base, low_text=now)
    if not goes_together(swing.high, base):
        swing = swing._replace(high=base, high_text=now)
    return None if swing.low == base == swing.high else swing


def join_cases(base: Case, changed: Mapping[str, Case]) -> Case:
    """The base with each named input as its own case has it."""
    points = {key: case.points[key] for key, case in changed.items() if key in case.points}
    values = {key: getattr(case, key) for key, case in changed.items() if key not in POINTS}
    return replace(base, points={**base.points, **points}, **values)


def _values(spec: DecideSpec, advice: Advice) -> dict[str, Any]:  # Any: fields of Case by name
    values: dict[str, Any] = {}
    for key in _keys_with_range():
        values[key] = float(_or(getattr(spec, key), _range_of_unknown(advice, key).median))
    for key in _CLAIMS:
        values[key] = getattr(spec, key) is True
    for key in _CHOICES:
        values[key] = _or(getattr(spec, key), getattr(advice.widened, key)[1])
    for key in _CHOSEN:
        values[key] = getattr(spec, key)
    for key, name in _LIMITS.items():
        values[key] = _aim(getattr(spec, key), _range_of_unknown(advice, name))
    return values


def _fixes_of_spec(spec: DecideSpec) -> dict[str, Any]:  # Any: fields of Case by name
    hardware = {UNKNOWN: None, "none": ()}.get(spec.hardware, spec.hardware)  # type: ignore[arg-type]
    stated = (key for key in DecideSpec.model_fields if getattr(spec, key) != UNKNOWN)
    return {
        "task": spec.task,
        "hardware": hardware,
        "domain": spec.domain,
        "difficulty": spec.difficulty,
        "personal_data": spec.personal_data,
        "output": _or(spec.output, "text"),
        "documents": _or(spec.documents, "text"),
        "languages": _or(spec.languages, ()),
        "rule_share": float(_or(spec.rule_share, 0.0)),
        "labels": int(_or(spec.labels, 2)),
        "people_usd_per_hour": _or(spec.people_usd_per_hour, None),
        "document_tokens": float(_or(spec.document_tokens, 0.0)),
        "unlabelled_inputs": float(_or(spec.unlabelled_inputs, 0.0)),
        "commercial_use": bool(_or(spec.commercial_use, True)),
        "users_per_month": float(_or(spec.users_per_month, 0.0)),
        "talks_to_people": _or(spec.talks_to_people, spec.task == "converse"),
        "horizon_months": spec.horizon_months,
        "stated": frozenset(stated),
    }


def _or(given: Any, otherwise: Any) -> Any:  # Any: of one field
    return otherwise if given == UNKNOWN else given


def _aim(given: Aim | float | str, widened: Range) -> Aim:
    if isinstance(given, Aim):
        return given
    return Aim(limit=widened.median if isinstance(given, str) else given)


def _number_swing(spec: DecideSpec, base: Case, key: str, advice: Advice) -> InputSwing:
    value = getattr(base, key)
    if _unknown(spec, key):
        ends = _range_of_unknown(advice, key)
        return _swing(key, base, ends.low, ends.high)
    if key in _DEGREES:
        return _swing(key, base, max(0.0, value - 1), min(3.0, value + 1), is_unknown=False)
    return _swing(key, base, value / 2, value * 2, is_unknown=False)


def _swing(
    key: str,
    base: Case,
    low: Any,
    high: Any,
    *,
    is_unknown: bool = True,  # Any: of the field
) -> InputSwing:
    low_case, high_case = (replace(base, **{key: value}) for value in (low, high))
    return InputSwing(
        key, is_unknown, low_case, high_case, _describe_value(low), _describe_value(high)
    )


def _keys_with_range() -> tuple[str, ...]:
    return (*_DEGREES, *_COUNTS)


def _range_of_unknown(advice: Advice, key: str) -> Range:
    found = getattr(advice.widened, key)
    assert isinstance(found, Range)
    return found


def _unknown(spec: DecideSpec, key: str) -> bool:
    return bool(getattr(spec, key) == UNKNOWN)


def _range_text(value: Range) -> str:
    median, low, high = map(_format_number, (value.median, value.low, value.high))
    return f"{median}; {low} to {high} is tried"


def _format_number(value: float) -> str:
    """The number as people write it, never with an exponent where it is large."""
    return f"{value:,.0f}" if abs(value) >= _WHOLE_FROM else f"{value:.6g}"


def _describe_value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Aim):
        return f"limit {_format_number(value.limit)}"
    return _format_number(value) if isinstance(value, int | float) else str(value)
