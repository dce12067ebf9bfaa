"""The `data.poison` section of the spec, and what was found."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from pydantic import Field

from finewright.schema.common import Model, Problem, default, errors_of

FindingKind = Literal[
    "backdoor",
    "payload",
    "hidden_text",
    "role",
    "label",
    "answer",
    "pair",
    "conflict",
    "instruction",
]


class PoisonSpec(Model):
    """The search for rows that plant a behaviour."""

    action: Literal["off", "report", "quarantine"] = default(
        "off", "What becomes of suspicious rows", "the scan reads rows with the base model: minutes"
    )
    base_model: str = default(
        "smollm2-135m-instruct",
        "The model whose surprise weighs what was found; empty: none, then nothing is quarantined for"
        " an association alone",
        "small and packaged; what it finds surprising, a larger one does mostly too",
    )
    embedder: str = default(
        "minilm",
        "The embedder that says what rows mean, to find wrong labels, and exchanged answers where words do"
        " not tell; none: their words alone",
        "packaged; where a label has 13 rows it finds three of four wrong labels, and words two of three",
    )
    least_rows: int = default(
        3,
        "Rows from which a planted behaviour is looked for",
        "few rows are enough to plant one",
        ge=2,
    )


class TokenSurprise(NamedTuple):
    """-ln p of a token that covers the characters [start, end) of a text."""

    start: int
    end: int
    nats: float


class EvidenceRow(Model):
    """A row that a finding rests on, and the words of it that tell."""

    file: str
    row: int
    quote: str = ""


class PoisonFinding(Model):
    """One suspicion: what, why, how strong, and the rows it rests on.

    `level` is `high` where the rows should not train before somebody has looked at them."""

    kind: FindingKind
    level: Literal["high", "low"]
    reason: str
    score: float
    trigger: str = ""
    payload: str = ""
    num_rows: int
    evidence: tuple[EvidenceRow, ...] = ()


class PoisonReach(Model):
    """What of a kind that needs other rows as a measure can be found in this set at all.

    `share` of such rows would be found, were 3 % of the rows such; 0 where the set does not tell."""

    kind: FindingKind
    num_rows: int
    share: float
    says: str


class PoisonReport(Model):
    """What the search for planted behaviour found, strongest first."""

    rows_in: int
    rows_dropped: dict[str, int] = Field(
        default_factory=dict, description="Rows of these that could not be looked at, by reason."
    )
    rows_suspicious: int = Field(description="Rows of high findings.")
    findings: tuple[PoisonFinding, ...] = Field(
        (), description="All high findings, then the 20 strongest low ones."
    )
    num_low: int = Field(0, description="Low findings, also those not listed.")
    num_to_weigh: int = Field(
        0, description="Low associations, which a base model may make high: also those not listed."
    )
    reach: tuple[PoisonReach, ...] = Field(
        (), description="How many wrong labels, turned pairs and exchanged answers could be found."
    )
    weighed_by: str = Field(
        "", description="The base model whose surprise was used; empty: associations are unweighed."
    )
    rows_weighed: int = Field(0, description="Rows that the base model has read.")
    problems: tuple[Problem, ...] = ()

    @property
    def passed(self) -> bool:
        """Could every row be looked at? What was found does not stop it."""
        return not errors_of(self.problems)


@dataclass(frozen=True, slots=True)
class PoisonFindings:
    """The report, and for each suspicious row (an index) why it is."""

    report: PoisonReport
    why: dict[int, str]
