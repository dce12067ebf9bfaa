"""The `decide` section of the spec: what is known of a task before there is data or a model.

Every value may be `unknown`, and is so when it is left out; what is unknown is widened, never guessed."""

from typing import Annotated, Literal, Self, TypeAlias, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from finewright.schema.amounts import COUNT, DAYS, MILLISECONDS, SHARE, TOKENS, as_written
from finewright.schema.common import Model, default
from finewright_advice.catalog.advice import unknown_language
from finewright_advice.catalog.laws import domain_named
from finewright_advice.schema.money import Criterion, Method, Profile

Unknown = Literal["unknown"]
UNKNOWN: Unknown = "unknown"

Task = Literal["answer", "extract", "classify", "write", "code", "converse"]

Documents = Literal["text", "tables", "scans"]
Output = Literal["text", "json", "label"]
Difficulty = Literal["easy", "usual", "hard"]
PersonalData = Literal["none", "personal", "special"]

_MOST_TOKENS = 100_000_000
# strict: pydantic would take `yes` for 1, and the number is mostly a count of money or people's time.
_Degree = Annotated[int, Field(ge=0, le=3, strict=True)]
_Number = Annotated[int, Field(ge=0, le=10**12, strict=True)]
_Count = Annotated[_Number, as_written(COUNT, _Number)]
_MOST_PAIRS = 1_000_000_000
_NumPairs = Annotated[int, Field(ge=0, le=_MOST_PAIRS, strict=True)]
_Pairs = Annotated[_NumPairs, as_written(COUNT, _NumPairs)]
_Volume = Annotated[_Number, as_written(TOKENS, _Number)]
_NumTokens = Annotated[int, Field(ge=1, le=_MOST_TOKENS, strict=True)]
_Tokens = Annotated[_NumTokens, as_written(COUNT, _NumTokens)]
_Amount = Annotated[float, Field(ge=0, le=1e12, strict=True, allow_inf_nan=False)]
_Positive = Annotated[float, Field(gt=0, le=1e9, strict=True, allow_inf_nan=False)]
_Rate = Annotated[float, Field(ge=0.001, le=1e9, strict=True, allow_inf_nan=False)]
_Days = Annotated[_Rate, as_written(DAYS, _Rate)]
_Part = Annotated[float, Field(ge=0, le=1, strict=True, allow_inf_nan=False)]
_Share = Annotated[_Part, as_written(SHARE, _Part)]
_Wage = Annotated[_Rate, as_written(COUNT, _Rate)]
_NumLabels = Annotated[int, Field(ge=2, le=10_000, strict=True)]
_Labels = Annotated[_NumLabels, as_written(COUNT, _NumLabels)]


def _check_language(code: object) -> object:
    """The code; raises ValueError, with the code that was meant, for what is no language's."""
    if isinstance(code, str) and (what := unknown_language(code)):
        raise ValueError(what)
    return code


_Language = Annotated[str, Field(pattern=r"^[a-z]{2}$"), BeforeValidator(_check_language)]
Claim: TypeAlias = Annotated[bool, Field(strict=True)] | Unknown


class Aim(Model):
    """What is wanted of a figure, and the most that is borne: utility 1 at the target, 0 at the limit."""

    target: Annotated[_Amount, as_written(COUNT, _Amount)] = default(
        0.0, "As good as it need be", "less is better down to nothing"
    )
    limit: Annotated[_Positive, as_written(COUNT, _Positive)] = Field(
        description="The most that is borne."
    )

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.target >= self.limit:
            raise ValueError(f"target {self.target:g} must be below limit {self.limit:g}")
        return self


class Device(Model):
    """A machine that is yours and in no catalog, by its maker's data sheet."""

    name: Annotated[str, Field(min_length=1, description="What you call it.")]
    memory_gib: _Rate = Field(description="Memory that a model may use.")
    bandwidth_gb_s: _Rate = Field(description="Memory bandwidth, GB/s.")
    tflops: _Rate = Field(description="Dense 16-bit rate, TFLOP/s.")
    watts: _Rate = Field(description="Power under load.")


_Limit: TypeAlias = Aim | _Positive | Unknown
Bound: TypeAlias = Annotated[_Limit, as_written(COUNT, _Limit)]
"""A limit alone, or a target and a limit."""
TimeBound: TypeAlias = Annotated[_Limit, as_written(MILLISECONDS, _Limit)]

_WIDENED = "unknown is widened to a range"


class DecideSpec(Model):
    """What the advice is a function of, beside the dated facts of the catalog."""

    task: Task | Unknown = default(UNKNOWN, "What kind of work it is", _WIDENED)
    difficulty: Difficulty | Unknown = default(
        UNKNOWN, "How hard the work is beside other work of its kind", _WIDENED
    )
    output: Output | Unknown = default(
        UNKNOWN, "What an answer is: free text, strict JSON, or one of a few labels", "free text"
    )
    languages: tuple[_Language, ...] | Unknown = default(
        UNKNOWN, "Languages of questions and documents, as ISO 639-1 codes", "any model will do"
    )
    rule_share: _Share | Unknown = default(
        UNKNOWN,
        "Share of the cases that a fixed rule gets right: a pattern, a table, a list of words",
        "no rule is looked at",
    )
    labels: _Labels | Unknown = default(
        UNKNOWN, "How many different labels there are, where an answer is one of them", "two"
    )
    behaviour_gap: _Degree | Unknown = default(
        UNKNOWN,
        "How far a prompted model is from the form, tone or skill that is wanted: 0 none to 3 far",
        _WIDENED,
    )
    knowledge_gap: _Degree | Unknown = default(
        UNKNOWN, "How much of what it must know a model cannot know: 0 nothing to 3 most", _WIDENED
    )
    fact_half_life_days: _Days | Unknown = default(
        UNKNOWN, "Days after which half of the facts have changed", _WIDENED
    )
    corpus_tokens: _Volume | Unknown = default(
        UNKNOWN, "Size of the documents that all answers rest on; 0 for none", _WIDENED
    )
    documents: Documents | Unknown = default(
        UNKNOWN, "What the documents are: plain text, tables, or scans", "plain text"
    )
    unlabelled_inputs: _Count | Unknown = default(
        UNKNOWN,
        "Real inputs without an answer that you have, which a strong model may answer for training",
        "none",
    )
    labelled_pairs: _Pairs | Unknown = default(
        UNKNOWN, "Good examples of question and answer that you have", _WIDENED
    )
    citations: Claim = default(UNKNOWN, "Answers must name their source", _WIDENED)
    per_document_access: Claim = default(UNKNOWN, "Not every user may see every document", _WIDENED)
    erasure_duty: Claim = default(
        UNKNOWN, "Something in the documents may have to be erased on request", _WIDENED
    )
    data_class: Literal["public", "internal", "confidential", "regulated"] | Unknown = default(
        UNKNOWN, "How sensitive questions and documents are", _WIDENED
    )
    personal_data: PersonalData | Unknown = default(
        UNKNOWN,
        "Whether questions or documents are about persons; special: health, origin, belief and the like",
        "one line says what the law would ask",
    )
    talks_to_people: Claim = default(
        UNKNOWN,
        "People talk with it directly, be they customers or your own staff",
        "they do where it converses",
    )
    on_premise_only: Claim = default(UNKNOWN, "Nothing may leave your own machines", _WIDENED)
    commercial_use: Claim = default(
        UNKNOWN,
        "It is used in a business or for money, not for research alone",
        "a licence that forbids commercial use is taken to forbid yours",
    )
    users_per_month: _Count | Unknown = default(
        UNKNOWN,
        "Users a month of all your products and services, which some licences set a limit to",
        "under 100 million",
    )
    requests_per_month: _Count | Unknown = default(UNKNOWN, "How often it is asked", _WIDENED)
    tokens_in: _Tokens | Unknown = default(
        UNKNOWN, "Tokens of a prompt: instructions and question, without documents", _WIDENED
    )
    document_tokens: _Volume | Unknown = default(
        UNKNOWN,
        "Tokens of a document that comes with each request, another one each time, and stands whole in its"
        " prompt",
        "none comes with a request",
    )
    tokens_out: _Tokens | Unknown = default(UNKNOWN, "Tokens of an answer", _WIDENED)
    latency_p95_ms: TimeBound = default(
        UNKNOWN, "How long 95 of 100 whole answers may take, in milliseconds", _WIDENED
    )
    once_budget_usd: Bound = default(UNKNOWN, "US dollars before the first answer", _WIDENED)
    month_budget_usd: Bound = default(UNKNOWN, "US dollars a month", _WIDENED)
    effort_hours: Bound = default(
        UNKNOWN, "Hours of people's work before the first answer", _WIDENED
    )
    people_usd_per_hour: _Wage | Unknown = default(
        UNKNOWN,
        "What an hour of people's work costs you, in US dollars",
        "a range is shown; it ranks nothing, for hours do",
    )
    hardware: tuple[str | Device, ...] | Literal["none"] | Unknown = default(
        UNKNOWN,
        "Your own machines, one by one: a GPU of the catalog by name, or a data sheet",
        _WIDENED,
    )
    domain: Annotated[str, AfterValidator(domain_named)] = default(
        UNKNOWN,
        "Field of use: one of the AI Act's areas, a product that other law rules, finance, or other",
        _WIDENED,
    )
    base_model: str = default(
        UNKNOWN,
        "Open model that would run at your place: one of the catalog, or a folder with a config.json",
        "the best of the catalog for each method",
    )
    api_model: str = default(
        UNKNOWN,
        "Model of an API, by its name in the catalog",
        "the best of the catalog for each method",
    )
    horizon_months: Annotated[int, Field(ge=1, le=120, strict=True)] = default(
        12, "How long it is to be in use", "one-off costs and end dates are seen against a year"
    )
    profile: Profile = default("startup", "Whose weights to take", "the least particular one")
    weights: dict[Criterion, _Amount] = default(
        {}, "Your own weights in place of the profile's, criterion by criterion", "the profile's"
    )
    measured_quality: dict[Method, _Share] = default(
        {},
        "Share of your own cases that a method got right, in place of the prior",
        "nothing was measured",
    )

    @model_validator(mode="after")
    def _weighs_something(self) -> Self:
        if len(self.weights) == len(get_args(Criterion)) and not any(self.weights.values()):
            raise ValueError("weights that are all 0 decide nothing; give one more than 0")
        return self
