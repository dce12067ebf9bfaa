"""What a gate found and what was released: typed, so that a terminal, a page and JSON show the same."""

from typing import Literal

from pydantic import AwareDatetime, Field

from finewright.schema.common import Artifact, Model, Problem
from finewright.store.actor import Actor
from finewright.store.signing import Signature
from finewright_trust.release.compared import ComparedPart

Status = Literal["green", "red", "not measured", "does not apply"]


class Decision(Model):
    """A person who takes a red rule upon them, or who signs what is released; signed by a key of theirs.

    `subject` is the digest of the very files and the policy that it is about."""

    kind: Literal["acceptance", "approval"]
    rule: str = ""
    by: str
    reason: str = ""
    made: AwareDatetime
    actor: Actor
    subject: str
    signature: Signature | None = None


class Outcome(Model):
    """What became of a rule. `command` measures what nobody did, or mends what is red."""

    rule: str
    status: Status
    says: str
    command: str = ""
    required: bool = True
    accepted: Decision | None = None
    parts: tuple[ComparedPart, ...] = ()

    @property
    def passes(self) -> bool:
        """Whether it does not stand in the way."""
        is_free = self.status == "not measured" and not self.required
        is_fine = self.status in ("green", "does not apply")
        return is_fine or is_free or self.accepted is not None


class ReleaseReport(Model):
    """Every rule of the policy with what became of it, who agreed, and the bundle where there is one.

    `subject` is what approvals are signed over; `key` the SHA-256 of the key that the bundle is signed by."""

    run: str
    base_model: str
    policy: str
    outcomes: tuple[Outcome, ...]
    left_out: tuple[str, ...] = ()
    subject: str
    approvals: tuple[Decision, ...] = ()
    approvals_needed: int = 0
    void: tuple[str, ...] = Field((), description="Decisions that count no longer, and why.")
    bundle: str = ""
    files: tuple[Artifact, ...] = ()
    key: str = ""
    public_key: str = ""
    seconds: float = 0.0
    problems: tuple[Problem, ...] = ()

    @property
    def red(self) -> tuple[Outcome, ...]:
        """The rules that stand in the way."""
        return tuple(each for each in self.outcomes if not each.passes)

    @property
    def passed(self) -> bool:
        """Whether it was released."""
        return bool(self.bundle)


class BundleReport(Model):
    """What is wrong with a bundle, whose key signed it, and what its own papers say."""

    bundle: str
    files: int
    key: str = Field(description="The file of the key or certificate that it was held against.")
    prover: str = Field("", description="The key that signed the statement of provenance.")
    release: ReleaseReport | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def passed(self) -> bool:
        """Every file is there as it was signed, and no other."""
        return not self.problems


class GateReport(Model):
    """A change against the run that it came from, on that run's rows."""

    base: str
    change: str
    margin: float
    confidence: float
    parts: tuple[ComparedPart, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def passed(self) -> bool:
        """No worse on all rows by any metric, and worse in no part."""
        return all(each.verdict == "no worse" for each in self.parts)
