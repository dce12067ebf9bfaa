"""What is said of a found value, and never the value itself."""

from finewright.guard.privacy.find import SECRETS
from finewright.guard.privacy.internet import plain_email
from finewright.schema.privacy import FoundType

_LONG_ENOUGH = 6


def mask(type_: FoundType, value: str) -> str:
    """What a report shows of a value: of an e-mail `a***@e***.com`, of a secret nothing."""
    if type_ in SECRETS or len(value) < _LONG_ENOUGH:
        return "***"
    if type_ == "email":
        name, _, domain = plain_email(value).rpartition("@")
        return f"{name[0]}***@{domain[0]}***.{domain.rpartition('.')[2]}"
    return f"{value[0]}***"


def type_name(type_: FoundType) -> str:
    """The type in words."""
    special = {
        "iban": "IBAN",
        "ip": "IP address",
        "url": "link",
        "jwt": "JWT",
        "email": "e-mail address",
    }
    return special.get(type_, type_.replace("_", " "))


_MENDS = {
    "personal_data": "--action redact or drop, or data.personal_data.action in a spec",
    "secrets": "--secrets redact or drop, or data.secrets.action in a spec",
}
_NO_NUMBER = "which who reads a number there may not take (pseudonymise keeps numbers)"
_DONE = {
    "report": ("is left as it is", "are left as they are"),
    "redact": ("was redacted", "were redacted"),
    "pseudonymise": ("was replaced by a pseudonym", "were replaced by pseudonyms"),
    "drop": ("was left out with its row", "were left out with their rows"),
}


def mend_of(type_: FoundType) -> str:
    """Which option, and which key of a spec, does something about what is found."""
    return _MENDS["secrets" if type_ in SECRETS else "personal_data"]


def describe_found(
    type_: FoundType, spans: int, rows: int, action: str, num_retyped: int = 0
) -> str:
    """How often it was found, in how many rows, and what became of it; the row named beside it is the first.

    `num_retyped` were numbers, and texts stand for them."""
    if spans == 1:
        line = f"{type_name(type_)}: 1 in 1 row {_DONE[action][0]}"
        return f"{line}; it was a number and is a text, {_NO_NUMBER}" if num_retyped else line
    many = "1 row" if rows == 1 else f"{rows} rows"
    line = f"{type_name(type_)}: {spans} in {many} {_DONE[action][1]}, this one first"
    if not num_retyped:
        return line
    were = (
        "1 was a number and is a text"
        if num_retyped == 1
        else f"{num_retyped} were numbers and are texts"
    )
    return f"{line}; {were}, {_NO_NUMBER}"
