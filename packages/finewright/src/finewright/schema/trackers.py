"""The `trackers` section of the spec: where else a run's parameters and figures are sent."""

from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, field_validator

from finewright.schema.common import Model, default


class TrackerSpec(Model):
    """One tracker, by name alone or with its settings. Credentials come from the environment."""

    name: str = Field(description="mlflow, tensorboard, wandb, or one of another package.")
    uri: str = default(
        "",
        "A server's address, or a folder beside the spec file",
        "trackers/NAME/RUN beside the folder of runs, or what the environment names",
    )
    project: str = default(
        "", "The project or experiment that the run is listed under", "the spec's name"
    )

    @field_validator("uri")
    @classmethod
    def _holds_no_secret(cls, uri: str) -> str:
        try:
            parts = urlsplit(uri)
            has_secret = parts.username is not None or parts.password is not None
        except ValueError as error:
            raise ValueError(f"no address: {error}") from None
        if has_secret:
            raise ValueError(
                "a name or password in an address ends up in the run folder; put it into the environment"
            )
        return uri


def _name_alone(value: Any) -> Any:  # Any: not validated yet
    return {"name": value} if isinstance(value, str) else value


TrackerEntry = Annotated[
    TrackerSpec, BeforeValidator(_name_alone, json_schema_input_type=str | TrackerSpec)
]
