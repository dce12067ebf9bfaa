"""`finewright import` and `finewright export-config`: their options, and the one call that each is."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from finewright.feature import Session
from finewright.schema.options import CommandOptions, Flag, SpecOptions, argument, option
from finewright_bridge.translate.tables import PeerName

LeftOut = Annotated[
    tuple[str, ...],
    Flag("--leave-out", metavar="KEY"),
    Field(description="Go on without this key, which cannot be carried; repeatable."),
]


class ImportConfigOptions(CommandOptions):
    """A peer's config, whose it is where its keys do not tell, and where the spec goes."""

    config: Annotated[
        Path, argument("CONFIG"), Field(description="Another framework's config, YAML or JSON.")
    ]
    peer: PeerName | None = option(None, "Whose config it is.")
    method: Literal["sft", "dpo", "orpo", "simpo", "kto", "reward", "grpo", "ppo"] | None = option(
        None, "The method, where the file does not name it."
    )
    out: Path | None = option(None, "The spec to write; CONFIG.spec.yaml here.")
    left_out: LeftOut = ()


class ExportConfigOptions(SpecOptions):
    """A spec, whose config it becomes, and where that goes."""

    to: PeerName = option(..., "Whose config it becomes.")
    out: Path | None = option(None, "The config to write; NAME.PEER.yaml or .json here.")
    left_out: LeftOut = ()


def import_config(options: ImportConfigOptions, session: Session) -> BaseModel:
    """What was written, and what became of every key."""
    from finewright_bridge.translate.inward import import_config as run

    return run(
        options.config,
        options.out,
        named=options.peer,
        method=options.method or "",
        without=options.left_out,
    )


def export_config(options: ExportConfigOptions, session: Session) -> BaseModel:
    """What was written, and what became of every key."""
    from finewright_bridge.translate.outward import export_config as run

    return run(options.spec, options.to, options.out, options.overrides, options.left_out)
