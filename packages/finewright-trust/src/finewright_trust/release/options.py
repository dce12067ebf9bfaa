"""What `finewright release` and `finewright gate` can be given."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from finewright.schema.options import (
    CommandOptions,
    Flag,
    OneBaseModel,
    Overrides,
    RunPath,
    Runs,
    argument,
    option,
)


class ReleaseOptions(CommandOptions):
    """Which run, by which policy, who agrees, and where the bundle goes."""

    run: RunPath
    policy: Path | None = option(
        None,
        "A file of `name` and `release`: `finewright policy` prints one. Default: the run's own, or that.",
    )
    out: Path | None = option(
        None, "The new folder of the bundle. Default: release/bundle in the run."
    )
    exports: Annotated[tuple[Path, ...], Flag("--export")] = option(
        (), "A folder of `finewright export` to release with it; repeatable."
    )
    accept: tuple[str, ...] = option((), "Take a red rule upon you, by name; repeatable.")
    approve: bool = option(
        False, "Sign that exactly this may be released, and release nothing yet."
    )
    by: str = option("", "Who accepts or approves: your name.")
    reason: str = option("", "Why.")
    key: Path | None = option(
        None,
        "The private key (EC, PEM) that signs the bundle. Default: your own, made at first use.",
    )
    certificates: Annotated[tuple[Path, ...], Flag("--certificate")] = option(
        (), "The key's certificate (PEM), then those of who issued it; repeatable."
    )
    base_model: OneBaseModel = ""

    @model_validator(mode="after")
    def _says_who(self) -> Self:
        if (self.accept or self.approve) and not self.by.strip():
            raise ValueError("who accepts or approves has a name: --by NAME")
        if self.accept and not self.reason.strip():
            raise ValueError("a red rule is accepted for a reason: --reason TEXT")
        if not (self.accept or self.approve) and (self.by or self.reason):
            raise ValueError("--by and --reason are of --accept or --approve, and neither is given")
        if self.accept and self.approve:
            raise ValueError("accept first, look at what stands, then approve")
        if self.certificates and self.key is None:
            raise ValueError("a certificate is of a key: --key FILE")
        return self


class GateOptions(CommandOptions):
    """A change, and the run that it is held against."""

    change: Annotated[Path, argument("SPEC_OR_RUN")] = option(
        ..., "The changed spec, which is trained, or a run of it."
    )
    base: Path = option(..., "The run that the change came from: its rows, its answers.")
    margin: float = option(
        0.05, "So much worse on all rows is as good, in shares of 1.", ge=0, lt=1
    )
    confidence: float = option(
        0.95, "Of the bound, and of all tests of parts together.", gt=0.5, lt=1
    )
    markdown: Path | None = option(None, "Write the table to this new file, for a pull request.")
    overrides: Overrides = Field(default=())
    runs: Runs = Path("runs")
    base_model: OneBaseModel = ""
