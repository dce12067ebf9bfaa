"""What `comply` found: typed, so that the page, the documents and the OSCAL export say the same."""

from datetime import date
from typing import Literal

from pydantic import Field

from finewright.sdk import Model, Problem
from finewright_trust.comply.law import Status

Kind = Literal["auto", "human", "missing"]
"""auto: the run's own records have it; human: a person wrote it; missing: neither."""


class FoundEvidence(Model):
    """What answers a query: the value, the file that holds it and its digest, or what would bring it.

    `link` is relative to the dossier's folder; it is empty where evidence is missing."""

    query: str
    kind: Kind
    value: str = ""
    link: str = ""
    sha256: str = ""
    hint: str = ""


class ControlState(Model):
    """A control for these facts on this day. `start` is the day from which it is in force; `asks` are the
    facts that nobody stated and that decide; `fine_eur` the most that a breach costs, where that is known."""

    id: str
    regime: str
    article: str
    duty: str
    status: Status
    start: date | None
    asks: tuple[str, ...] = ()
    evidence: tuple[FoundEvidence, ...] = ()
    fine: str = ""
    fine_eur: float | None = None
    source: str
    reviewed_at: date | None
    reviewed_against: str = ""

    @property
    def kind(self) -> Kind:
        """The weakest of its evidence: missing where a part of it is."""
        kinds = {each.kind for each in self.evidence} or {"missing"}
        return "missing" if "missing" in kinds else "human" if "human" in kinds else "auto"


class ComputePart(Model):
    """Work that counts as training: a stage of a run in the lineage, its FLOP, and how they were found."""

    what: str
    flops: float
    how: str


class ComputeMeter(Model):
    """Training compute of the lineage against the criterion of the Commission's guidelines, C(2025) 7719.

    `threshold` None: the criterion is not engaged, as `point` says. `uncounted` is what could not be counted:
    with any of it the total is a floor."""

    parts: tuple[ComputePart, ...]
    total: float
    base: str
    base_flops: float | None
    base_source: str
    threshold: float | None
    point: str
    uncounted: tuple[str, ...] = ()

    @property
    def share(self) -> float | None:
        """Of the threshold that was reached."""
        return self.total / self.threshold if self.threshold else None

    @property
    def stated(self) -> str:
        """The total in FLOP as it may be quoted: empty where nothing could be counted."""
        least = "at least " if self.uncounted else ""
        return f"{least}{self.total:.2e}" if self.parts else ""


class EnergyUse(Model):
    """Energy of the stages in kWh, and whether it was measured or estimated; None where neither can be."""

    kwh: float | None
    how: Literal["measured", "estimated", "unknown"]
    basis: str


class DocumentField(Model):
    """A field of a document: what it holds, from where, or who has to write it."""

    name: str
    kind: Kind
    value: str
    source: str


class DocumentSection(Model):
    """A numbered part of a document."""

    title: str
    fields: tuple[DocumentField, ...]


class FilledDocument(Model):
    """A document that a regime asks for, filled in as far as the run and its people say."""

    id: str
    title: str
    article: str
    source: str
    sections: tuple[DocumentSection, ...]

    def count(self, kind: Kind) -> int:
        """How many of its fields are of the kind."""
        return sum(f.kind == kind for section in self.sections for f in section.fields)


class ComplyReport(Model):
    """The evidence that exists on a day; never a judgement that a law is met."""

    run: str
    name: str
    today: date
    roles: tuple[str, ...]
    regimes: dict[str, str] = Field(description="Id -> title.")
    controls: tuple[ControlState, ...]
    compute: ComputeMeter
    energy: EnergyUse
    documents: tuple[FilledDocument, ...]
    folder: str = Field("", description="Where the dossier is.")
    problems: tuple[Problem, ...] = ()

    def of(self, *statuses: Status) -> list[ControlState]:
        """The controls of these statuses."""
        return [each for each in self.controls if each.status in statuses]
