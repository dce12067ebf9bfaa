"""The `data.personal_data` and `data.secrets` sections of the spec, and what was found."""

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, StringConstraints, field_validator, model_validator

from finewright.schema.common import Model, Problem, RowCounts, default, errors_of

BankType = Literal["sort_code", "account_number", "pin", "cvv", "bic", "customer_number"]
PersonalType = Literal[
    "name", "email", "phone", "address", "iban", "card", "national_id", "date_of_birth", "ip",
    "url", "crypto_address", BankType,
]  # fmt: skip
SecretType = Literal[
    "cloud_key", "forge_token", "chat_token", "payment_key", "model_key", "package_token",
    "service_key", "private_key", "jwt", "ethereum_key", "wallet_key", "mnemonic",
    "connection_string", "password", "secret_value",
]  # fmt: skip
OwnType = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]*$", max_length=40)]
"""The name of a pattern of the user's own."""
FoundType = PersonalType | SecretType | OwnType
Action = Literal["off", "report", "redact", "pseudonymise", "drop"]
_DEFAULT_TYPES: tuple[PersonalType, ...] = (
    "email", "phone", "iban", "card", "national_id", "date_of_birth", "ip",
    "sort_code", "account_number", "pin", "cvv", "customer_number",
)  # fmt: skip


class OwnPattern(Model):
    """A kind of personal data of one's own."""

    name: OwnType = Field(
        description="What it is called in reports and marks, e.g. contract_number."
    )
    pattern: str = Field(
        description="A regular expression without look-around and back references.", min_length=1
    )
    words: tuple[Annotated[str, Field(min_length=1)], ...] = default(
        (),
        "Words of which one must stand in the 60 characters before it, or the 30 after",
        "the pattern alone",
    )
    action: Action | None = default(
        None, "What becomes of what is found", "that of the other kinds"
    )


def check_own_names(patterns: tuple[OwnPattern, ...]) -> tuple[OwnPattern, ...]:
    """The patterns. Raises ValueError for a name that is taken."""
    names = [*get_args(PersonalType), *get_args(SecretType)]
    for each in patterns:
        if each.name in names:
            raise ValueError(f"{each.name!r} is the name of another kind; choose another")
        names.append(each.name)
    return patterns


class PersonalDataSpec(Model):
    """What is looked for in the rows, and what becomes of it."""

    action: Action = default(
        "report", "What becomes of what is found", "changing rows is your decision"
    )
    types: tuple[PersonalType, ...] = default(
        _DEFAULT_TYPES,
        "What counts as personal data here",
        "these have a form that can be checked, or a word beside them; names, addresses, links, BICs and"
        " wallets are yours to add",
        min_length=1,
    )
    patterns: tuple[OwnPattern, ...] = default((), "Kinds of your own", "none")
    key_file: str = default(
        "",
        "A file whose bytes (16 or more) make the pseudonyms: the same file, the same pseudonyms",
        "a fresh key that is thrown away, so that nobody can go back",
    )
    ner: str = default(
        "",
        "Folder of a spaCy pipeline that finds names as well",
        "without one a small tagger of our own finds names (docs/name-tagger.md)",
    )

    @model_validator(mode="after")
    def _is_ner_of_use(self) -> Self:
        if self.ner and "name" not in self.types:
            raise ValueError("`ner` finds names, and `types` does not list `name`: add it")
        return self

    @field_validator("patterns")
    @classmethod
    def _distinct_names(cls, patterns: tuple[OwnPattern, ...]) -> tuple[OwnPattern, ...]:
        return check_own_names(patterns)

    @property
    def actions(self) -> dict[FoundType, Action]:
        """What becomes of each type that is looked for."""
        found: dict[FoundType, Action] = dict.fromkeys(self.types, self.action)
        found |= {each.name: each.action or self.action for each in self.patterns}
        return {type_: action for type_, action in found.items() if action != "off"}

    def replace_actions(self, action: Action) -> Self:
        """The section with this action in place of every other but `off`."""
        own = (
            p.model_copy(update={"action": action}) for p in self.patterns if p.name in self.actions
        )
        new = "off" if self.action == "off" else action
        return self.model_copy(update={"action": new, "patterns": tuple(own)})


class SecretsSpec(Model):
    """Keys, tokens and passwords in the rows."""

    action: Literal["off", "report", "redact", "drop"] = default(
        "report", "What becomes of a row with a secret", "changing rows is your decision"
    )


class PrivacyFinding(Model):
    """A found value: where it stands, and never what it says.

    `start` and `end` are offsets in the text as it was read, `new_start` and `new_end` in the text that
    goes on (the same where nothing changed; absent when the row was dropped). `digest` is keyed: it tells
    repeats of a value, and nothing of the value to who has not the key. `preview` is masked. `is_retyped`: it
    was a number, and a text stands for it."""

    file: str
    row: int
    key: str
    start: int
    end: int
    new_start: int | None
    new_end: int | None
    type: FoundType
    confidence: float
    why: str
    digest: str
    preview: str
    is_retyped: bool = False


class TypeCount(Model):
    """How often a type was found, how many different values those are, and in how many rows."""

    spans: int
    values: int
    rows: int


class PrivacyReport(Model):
    """What personal data and which secrets were found, and what became of the rows."""

    counts: RowCounts
    personal_action: str
    secrets_action: str
    rows_changed: int
    found: dict[FoundType, TypeCount]
    findings: tuple[PrivacyFinding, ...]
    not_looked_for: tuple[PersonalType, ...] = ()
    problems: tuple[Problem, ...] = ()
    out: str = ""

    @property
    def passed(self) -> bool:
        """Could every row be looked at? What was found does not stop it."""
        return not errors_of(self.problems)
