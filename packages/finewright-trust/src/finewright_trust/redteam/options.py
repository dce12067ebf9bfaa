"""What `finewright redteam` can be given."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import model_validator

from finewright.schema.options import CommandOptions, Flag, OneBaseModel, argument, option
from finewright_trust.redteam.finding import Severity
from finewright_trust.redteam.spec import RedteamSpec

_USUAL = RedteamSpec()


class RedteamOptions(CommandOptions):
    """What is attacked, with what, and where the findings go."""

    target: Annotated[str, argument("RUN_OR_URL")] = option(
        ..., "A run folder, or a served model: https://HOST/v1#MODEL."
    )
    attacks: Annotated[tuple[str, ...], Flag("--attack")] = option(
        (), "An attack by name; repeatable. Default: all that apply."
    )
    prompts: int = option(_USUAL.prompts, "Prompts of each finding, sampled by the seed.", ge=4)
    max_prompt_tokens: int = option(
        _USUAL.max_prompt_tokens, "Longer prompts are not sampled, and counted.", ge=64
    )
    max_new_tokens: int = option(_USUAL.max_new_tokens, "Longest answer in tokens.", ge=8)
    seed: int = option(_USUAL.seed, "Seed of what is sampled.")
    fail_at: Severity = option(_USUAL.fail_at, "Exit code 2 from this severity on; none: never.")
    data: Path | None = option(
        None, "Of an address: rows whose questions its users ask. Default: general questions."
    )
    unguarded_key: str = option(
        "",
        "Of an address: the environment variable with a key that the server's guards are not for; "
        "everything is asked with guards off and on.",
    )
    sarif: Path | None = option(None, "Write the findings to this new file, SARIF 2.1.0.")
    base_model: OneBaseModel = ""

    @property
    def is_address(self) -> bool:
        """Is the target an address?"""
        return self.target.startswith(("http://", "https://"))

    @model_validator(mode="after")
    def _of_an_address(self) -> Self:
        for flag, given in (("data", self.data), ("unguarded-key", self.unguarded_key)):
            if given and not self.is_address:
                raise ValueError(f"--{flag} is for an address, and {self.target} is none")
        return self

    def spec(self) -> RedteamSpec:
        """The same as the section of a spec has it."""
        shared = RedteamSpec.model_fields.keys() & type(self).model_fields.keys()
        return RedteamSpec(**{name: getattr(self, name) for name in shared})
