"""`serve.theft` and `serve.alarms` of the spec."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from finewright.schema.common import Model, default

_OWN_HOSTS = {"localhost", "127.0.0.1", "::1"}


class TheftSpec(Model):
    """An alarm where a key's questions are not like harmless ones any more."""

    reference: Annotated[
        str, Field(min_length=1, description="File of `finewright guard theft`, which knows them.")
    ]
    action: Literal["log", "slow", "block"] = default(
        "log",
        "What becomes of the key: nothing, one answer in `seconds`, or 403 for `hours`",
        "what is asked for the first time is no theft; look first",
    )
    seconds: float = default(
        10.0, "Time from answer to answer of a key that is slowed", "a person reads so long", gt=0
    )
    hours: float = default(
        24.0, "How long a key is slowed or blocked", "a day's limits are over then", gt=0
    )
    except_keys: tuple[Annotated[str, Field(min_length=1, max_length=64)], ...] = default(
        (), "Ids of keys, or projects, that it is not for", "none"
    )


class AlarmsSpec(Model):
    """Where alarms go, beside the log, the audit and /metrics."""

    webhook: Annotated[
        str,
        Field(
            pattern=r"^https?://[^\s/@]+(/\S*)?$",
            description="Address that gets each alarm as JSON, signed as Standard Webhooks have it.",
        ),
    ]
    secret_env: Annotated[
        str,
        Field(
            pattern=r"^\w{1,64}$", description="Environment variable with the secret that signs."
        ),
    ]

    @model_validator(mode="after")
    def _is_private(self) -> Self:
        found = urlsplit(self.webhook)
        if found.scheme == "http" and found.hostname not in _OWN_HOSTS:
            raise ValueError(
                "webhook: alarms would go over an unencrypted connection; use https://"
            )
        return self
