"""The `data.personal_data` and `data.secrets` sections of the spec, and what was found."""

from typing import Literal

from finewright.schema.common import Model, default

PersonalType = Literal[
    "name", "email", "phone", "address", "iban", "card", "national_id", "date_of_birth", "ip",
    "url", "crypto_address",
]  # fmt: skip


class PersonalDataSpec(Model):
    """What is looked for in the rows, and what becomes of it."""

    action: Literal["off", "report", "redact", "pseudonymise", "drop"] = default(
        "report", "What becomes of what is found", "changing rows is your decision"
    )
    types: tuple[PersonalType, ...] = default(
        ("email", "phone", "iban", "card", "national_id", "date_of_birth", "ip"),
        "What counts as personal data here",
        "these have a form that can be checked; names, addresses, links and wallets are yours to add",
    )


class SecretsSpec(Model):
    """Keys, tokens and passwords in the rows."""

    action: Literal["off", "report", "redact", "drop"] = default(
        "report", "What becomes of a row with a secret", "changing rows is your decision"
    )
