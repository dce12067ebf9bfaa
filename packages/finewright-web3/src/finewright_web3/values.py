"""Made-up values for the arguments of a contract call, drawn alike on every Python and machine.

Blockchains by their EIP-155 ids, as they are shown to people."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from random import Random
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict


class Chain(BaseModel):
    """A blockchain by the name that wallets show, and the ticker of its native currency."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    native: str


Item = TypeVar("Item")

_TOKENS = ("USDC", "USDT", "DAI", "WETH", "WBTC", "LINK", "UNI", "AAVE", "stETH")
_UNLIMITED_SHARE = 0.2
_WHOLE_SHARE = 0.5
_NAMED_KINDS = (
    ("small", r"(?i)threshold|index|month|mode$|support|percent"),
    ("bool", r"approved|achieved|^_?wrap$|^should|^use[A-Z]|AsCollateral"),
    ("link", r"(?i)ur[il]$|description|metadata"),
    ("bytes", r"(?i)hash|proof|key|signature|root|cred|salt|payload|datas?$|message|scriptpub"),
    ("date", r"(?i)deadline|expir|until|timestamp"),
    ("address", r"(?i)addr|owner|recipient|receiver|spender|operator$|account$|delegate|from$"),
    ("word", r"(?i)name$"),
)
_TYPED_KINDS = {"bool": "bool", "address": "address", "bytes": "bytes", "bytes32": "bytes"}


def kind_of(display: str, name: str, signature: str) -> str:
    """The kind of an argument by its ERC-7730 format; a raw one tells by its type or its name."""
    if display != "raw":
        return display
    leaf = name.rpartition(".")[2]
    typed = re.search(rf"\b(\w+)[\[\]\d]*\s+{re.escape(leaf)}\b", signature)
    by_name = (kind for kind, names in _NAMED_KINDS if re.search(names, leaf))
    return _TYPED_KINDS.get(typed[1] if typed else "") or next(by_name, "raw")


def make_up(kind: str, unit: str, rng: Random) -> str:
    """A value of that kind as a wallet would print it; a kind that is not known is a number."""
    if kind == "allowance" and rng.random() < _UNLIMITED_SHARE:
        return "unlimited"
    if kind in {"tokenAmount", "allowance"}:
        is_whole = rng.random() < _WHOLE_SHARE
        amount = str(1 + _below(rng, 9999)) if is_whole else _decimal(rng, 900)
        return f"{amount} {unit or one_of(rng, _TOKENS)}"
    if kind == "amount":
        return f"{_decimal(rng, 64)} {unit}"
    if kind == "unit":
        return f"{_decimal(rng, 20)}{'' if unit == '%' else ' '}{unit}".strip()
    return _PLAIN.get(kind, _draw_number)(rng)


def one_of(rng: Random, choices: Sequence[Item]) -> Item:
    """An item at random."""
    return choices[_below(rng, len(choices))]


def _below(rng: Random, bound: int) -> int:
    # Of Random's methods only random() is promised to give the same numbers on every Python.
    return int(rng.random() * bound)


def _hex(rng: Random, num_digits: int) -> str:
    return "".join(one_of(rng, "0123456789abcdef") for _ in range(num_digits))


def _decimal(rng: Random, bound: int) -> str:
    """A positive decimal below `bound` with one or two places."""
    places = 1 + _below(rng, 2)
    return f"{(1 + _below(rng, bound * 10**places - 1)) / 10**places:.{places}f}"


def _draw_number(rng: Random) -> str:
    return str(_below(rng, one_of(rng, (20, 1000, 100_000))))


def _address(rng: Random) -> str:
    return f"0x{_hex(rng, 4)}..{_hex(rng, 4)}"


def _bytes(rng: Random) -> str:
    return f"0x{_hex(rng, 8)}"


def _date(rng: Random) -> str:
    return f"{2025 + _below(rng, 3)}-{1 + _below(rng, 12):02}-{1 + _below(rng, 28):02}"


_PLAIN: dict[str, Callable[[Random], str]] = {
    "address": _address,
    "addressName": _address,
    "bytes": _bytes,
    "calldata": _bytes,
    "bool": lambda rng: one_of(rng, ("true", "false")),
    "date": _date,
    "enum": lambda rng: str(_below(rng, 5)),
    "link": lambda rng: f"ipfs://{_hex(rng, 8)}",
    "small": lambda rng: str(1 + _below(rng, 12)),
    "word": lambda rng: f"{one_of(rng, ('alpha', 'north', 'delta', 'prime'))}-{_below(rng, 100)}",
}


@cache
def chains() -> Mapping[int, Chain]:
    """The chains of the registry's contracts that are told apart, by id."""
    text = files("finewright_web3").joinpath("chains.yaml").read_text(encoding="utf-8")
    listed = yaml.load(text, Loader=yaml.CSafeLoader)  # noqa: TID251 - our own file, safe loader
    return {number: Chain.model_validate(facts) for number, facts in listed.items()}
