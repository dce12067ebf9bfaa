"""`comply` of a run spec, or of a file of its own that is kept from run to run: what only people can say."""

from collections.abc import Iterator
from datetime import date
from difflib import get_close_matches
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from finewright.sdk import Model, Problem, default
from finewright_trust.comply.controls import control_ids, regimes, uses

Role = Literal["provider", "deployer", "modifier"]
Output = Literal["text", "code", "image", "audio", "video"]


def _question(what: str) -> Any:  # Any: as `default`
    return default(None, what, "only you know it")


def _open(what: str) -> Any:  # Any: as `default`
    return default("", what, "only you can write it")


class SystemFacts(Model):
    """What the records of a run cannot say of the system that the model becomes part of."""

    uses: tuple[str, ...] = default(
        (),
        "What it is used for, by the names of docs/comply.md; `other`: none of these",
        "only you know it",
    )
    eu_market: bool | None = _question(
        "Is it placed on the market or used in the Union, or is its output?"
    )
    on_market: date | None = _question("The day on which it is, or will be, placed on the market")
    generates: tuple[Output, ...] = default(
        (), "What it generates", "a language model generates text"
    )
    talks_to_people: bool | None = _question("Does it talk to people directly?")
    obvious_ai: bool | None = _question("Is it obvious to them that it is an AI system?")
    public_interest_text: bool | None = _question(
        "Is its text published to inform of public matters?"
    )
    editorial_control: bool | None = _question("Does a person review it and answer for it?")
    deep_fakes: bool | None = _question("Does it make deep fakes?")
    intimate_imagery: bool | None = _question(
        "Could it make intimate material of real people, or of abuse, without reasonable safeguards?"
    )
    profiles_people: bool | None = _question("Does it profile natural persons?")
    exemption_6_3: bool | None = _question("Do you claim the exemption of Article 6(3)?")
    design_changed: bool | None = _question(
        "Has its design changed since it was placed on the market?"
    )
    public_authority: bool | None = _question("Is it for public authorities?")
    rebranded: bool | None = _question("Is it another's high-risk system under your name?")
    substantially_modified: bool | None = _question("Is it another's, substantially modified?")
    repurposed: bool | None = _question("Is it another's, turned to a purpose of Annex III?")
    significant_change: bool | None = _question(
        "Did the training change the model's generality, capabilities or systemic risk significantly?"
    )
    base_is_gpai: bool | None = _question("Is the base a general-purpose model?")
    base_systemic: bool | None = _question("Is the base one with systemic risk?")
    base_flops: float | None = _question("Training compute of the base in FLOP")
    open_source: bool | None = _question(
        "Is the model released under a free licence, with weights, architecture and use made public?"
    )
    outside_eu: bool | None = _question("Are you established outside the Union?")
    personal_data: bool | None = _question("Are there personal data in what it was trained on?")
    special_categories: bool | None = _question(
        "Are special categories of personal data processed to find or fix bias?"
    )
    sme: bool | None = _question("Are you a small, medium-sized or small mid-cap company?")
    turnover_eur: float | None = _question("Worldwide turnover of the year before, in euro")
    eu_financial_entity: bool | None = _question("Are you a financial entity under DORA?")
    uk_bank: bool | None = _question(
        "Are you a UK bank, building society or investment firm that SS1/23 covers?"
    )
    third_party_service: bool | None = _question("Does another company run any of it for you?")
    critical_function: bool | None = _question("Does it support a critical or important function?")
    california: bool | None = _question("Is it made available to people in California?")
    agentic: bool | None = _question("Does it call tools or act by itself?")

    @field_validator("uses")
    @classmethod
    def _are_known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in uses():
                near = get_close_matches(name, uses(), 1)
                mend = f"did you mean {near[0]!r}?" if near else "docs/comply.md lists them"
                raise ValueError(f"no use {name!r}; {mend}")
        return names


class WrittenTexts(Model):
    """What people write once for the documents."""

    provider: str = _open("Name and address of the provider")
    contact: str = _open("Who answers questions, and how to reach them")
    intended_purpose: str = _open("What it is for")
    persons_affected: str = _open("Who is affected by its output")
    instructions: str = _open("Instructions for use, or where they are")
    interface: str = _open("What its users see and do")
    design_rationale: str = _open("Why it was designed so, and what was assumed")
    metrics_rationale: str = _open("Why these metrics fit the purpose")
    human_oversight: str = _open("Who watches over it, and how they can stop it")
    foreseeable_misuse: str = _open("How it could be misused, and what is done about that")
    limits: str = _open("What it must not be used for")
    risk_management: str = _open(
        "The risks that were found, and the residual ones that were accepted"
    )
    planned_changes: str = _open("Changes that are determined beforehand")
    monitoring: str = _open("How it is watched once it is in use")
    standards: str = _open("Standards that were applied, or the solutions instead")
    declaration: str = _open("The EU declaration of conformity, or where it is")
    acceptable_use: str = _open("The policy of acceptable use")
    distribution: str = _open("How and when it is released")
    copyright_policy: str = _open("How copyright is respected, opt-outs included")
    data_narrative: str = _open("What the training data are, in words for the public")
    illegal_content: str = _open("How illegal content is kept out of the data")
    disclosure: str = _open("What people are told when they meet the AI")
    marking: str = _open("How output is marked, and how the mark is found")


class WrittenEvidence(Model):
    """What a person gives as evidence of a control: a text, or a file beside this one."""

    text: str = ""
    file: str = ""
    by: str = Field("", description="Who answers for it.")
    day: date | None = Field(None, description="The day of it.")

    @model_validator(mode="after")
    def _is_something(self) -> Self:
        if not self.text and not self.file:
            raise ValueError("give a text or a file")
        return self


class ComplySpec(Model):
    """Under which rules, in which roles, and what people say."""

    file: str = default(
        "",
        "A file with these keys, kept from run to run; then no other key is here",
        "they are here",
    )
    roles: tuple[Role, ...] = default(
        (), "provider of a system, deployer of one, modifier of a model", "only you know them"
    )
    regimes: tuple[str, ...] = default(
        ("eu-ai-act",), "The regimes by id, or all", "the one that most have to look at"
    )
    system: SystemFacts = default(SystemFacts(), "Facts of the system", "unknown until you say so")
    texts: WrittenTexts = default(
        WrittenTexts(), "Texts for the documents", "missing until you write them"
    )
    evidence: dict[str, tuple[WrittenEvidence, ...]] = default(
        {}, "Id of a control -> evidence that people give for it", "records answer many without"
    )

    @model_validator(mode="after")
    def _is_one_place(self) -> Self:
        if self.file and self.model_fields_set - {"file"}:
            raise ValueError("with `file`, the other keys are in that file")
        return self


def faults(spec: ComplySpec) -> Iterator[Problem]:
    """A regime or a control that nobody knows."""
    for number, name in enumerate(spec.regimes):
        if name != "all" and (name not in regimes() or regimes()[name].gone):
            gone = regimes()[name].gone if name in regimes() else f"no regime {name!r}"
            yield _error(f"comply.regimes.{number}", gone, name, [*regimes(), "all"])
    for name in spec.evidence:
        if name not in control_ids():
            yield _error("comply.evidence", f"no control {name!r}", name, sorted(control_ids()))


def _error(key: str, message: str, name: str, choices: list[str]) -> Problem:
    near = get_close_matches(name, choices, 1)
    hint = (
        f"did you mean {near[0]!r}?" if near else "`finewright comply RUN --regime all` lists them"
    )
    return Problem(level="error", key=key, message=message, hint=hint)
