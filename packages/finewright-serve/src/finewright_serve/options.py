"""What is typed after `finewright serve`."""

from pathlib import Path
from typing import Annotated, Literal

from finewright.schema.options import CommandOptions, Overrides, argument, option


class ServeOptions(CommandOptions):
    """What is served, and where."""

    targets: Annotated[tuple[str, ...], argument("RUN_OR_MODEL")] = option(
        (), "Runs, base models, .gguf files, embedders, or https://HOST/v1#MODEL."
    )
    spec: Path | None = option(None, "A YAML file with `name` and `serve`.")
    overrides: Overrides = ()
    host: str = option("", "Address to listen at; default: 127.0.0.1, this machine alone.")
    port: int | None = option(None, "Port to listen at; default: 8000.", ge=0, le=65535)
    draft_model: str = option(
        "", "A smaller model of the same vocabulary that guesses ahead, of all that are named here."
    )
    new_key: Literal["user", "train", "admin"] | None = option(
        None, "Make a key of this role, write it to stdout, and end."
    )
    project: str = option(
        "",
        "Of a key that is made: whose files, jobs and tuned models it shares; default: a project of its own.",
        pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$",
    )
