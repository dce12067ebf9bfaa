"""The `data.personal_data` and `data.secrets` sections of the spec, and what was found."""

from typing import Literal, Self

from pydantic import model_validator

from finewright.schema.common import Model, Problem, RowCounts, default, errors_of

PersonalType = Literal[
    "name", "email", "phone", "address", "iban", "card", "national_id", "date_of_birth", "ip",
    "url", "crypto_address",
]  # fmt: skip
SecretType = Literal[
    "cloud_key", "forge_token", "chat_token", "payment_key", "model_key", "package_token",
    "service_key", "private_key", "jwt", "ethereum_key", "wallet_key", "mnemonic",
    "connection_string", "password", "secret_value",
]  # fmt: skip
FoundType = PersonalType | SecretType


class PersonalDataSpec(Model):
    """What is looked for in the rows, and what becomes of it."""

    action: Literal["off", "report", "redact", "pseudonymise", "drop"] = default(
        "report", "What becomes of what is found", "changing rows is your decision"
    )
    types: tuple[PersonalType, ...] = default(
        ("email", "phone", "iban", "card", "national_id", "date_of_birth", "ip"),
        "What counts as personal data here",
        "these have a form that can be checked; names, addresses, links and wallets are yours to add",
        min_length=1,
    )
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
