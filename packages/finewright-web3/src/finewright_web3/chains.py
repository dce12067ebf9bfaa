"""Blockchains by their EIP-155 ids, as they are shown to people."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict


class Chain(BaseModel):
    """A blockchain by the name that wallets show, and the ticker of its native currency."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    native: str


@cache
def chains() -> Mapping[int, Chain]:
    """The chains of the registry's contracts that are told apart, by id."""
    text = files("finewright_web3").joinpath("chains.yaml").read_text(encoding="utf-8")
    listed = yaml.load(text, Loader=yaml.CSafeLoader)  # noqa: TID251 - our own file, safe loader
    return {number: Chain.model_validate(facts) for number, facts in listed.items()}
