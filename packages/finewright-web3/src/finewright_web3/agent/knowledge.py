"""What the agent knows of contracts: functions by selector as ERC-7730 explains them, and tokens by address.

Of a protocol are only the contracts that its own descriptor lists. A selector found elsewhere is explained as
a standard's or by that selector alone, and the contract stays unknown."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import yaml
from pydantic import Field

from finewright.sdk import DataError, Model
from finewright_web3.agent.abi import (
    SELECTOR,
    CallSignature,
    Decoded,
    Value,
    decode_call,
    read_signature,
)
from finewright_web3.erc7730 import ContractFunction

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_CONTRACT = re.compile(r"\d+:0x[0-9a-fA-F]{40}")


class Transaction(NamedTuple):
    """A transaction that is not signed, by its chain's id."""

    chain_id: int
    sender: str
    to: str
    value: int
    calldata: bytes


class KnownFunction(Model):
    """A function with its intent, its arguments' labels, and the argument that names an amount's token.

    `contracts` are `chain id:address`; empty for a function of a standard."""

    protocol: str
    signature: str
    intent: str
    labels: dict[str, str] = Field({})
    tokens: dict[str, str] = Field({})
    contracts: tuple[str, ...] = ()

    @property
    def parsed(self) -> CallSignature:
        """The signature, read."""
        return read_signature(self.signature)


class Token(Model):
    """A token's ticker and decimals."""

    symbol: str
    decimals: int


class ReadCall(NamedTuple):
    """A call that could be read. `is_listed`: its contract is one that the protocol lists."""

    transaction: Transaction
    function: KnownFunction
    decoded: Decoded
    is_listed: bool


class _Standards(Model):
    functions: tuple[KnownFunction, ...]
    tokens: dict[int, dict[str, Token]]


class Knowledge:
    """Functions and tokens to look up."""

    def __init__(self, functions: Iterable[KnownFunction] = ()) -> None:
        self._functions: dict[bytes, list[KnownFunction]] = {}
        self._contracts: dict[str, str] = {}
        for function in (*functions, *standards().functions):
            self._functions.setdefault(function.parsed.selector, []).append(function)
            self._contracts.update((at.lower(), function.protocol) for at in function.contracts)

    def protocol_at(self, chain_id: int, address: str) -> str:
        """The protocol that lists this contract; empty where none does."""
        return self._contracts.get(f"{chain_id}:{address.lower()}", "")

    def read(self, transaction: Transaction) -> ReadCall:
        """The call that a transaction makes. Raises DataError, of one line, where it cannot be read."""
        selector = transaction.calldata[:SELECTOR]
        if len(selector) < SELECTOR:
            raise DataError("no calldata that names a function")
        found = self._functions.get(selector, [])
        if not found:
            raise DataError(f"unknown function 0x{selector.hex()}")
        here = f"{transaction.chain_id}:{transaction.to.lower()}"
        listed = [f for f in found if here in map(str.lower, f.contracts)]
        # Of a contract that nobody lists a standard's words say less, and nothing wrong.
        unbound = sorted((f for f in found if not f.contracts), key=lambda f: -len(f.labels))
        function = (listed or unbound or found)[0]
        decoded = decode_call(function.parsed, transaction.calldata)
        return ReadCall(transaction, function, decoded, bool(listed))

    def token_at(self, chain_id: int, address: str) -> Token | None:
        """The token of that contract, where it is in the table."""
        return _tokens().get((chain_id, address.lower()))


def known_functions(functions: Sequence[ContractFunction]) -> list[KnownFunction]:
    """Those of the registry whose signature is whole, with labels for arguments that its ABI names, and
    the contracts whose address is one."""
    found = []
    for function in functions:
        if not function.signature.startswith("0x"):
            parsed = read_signature(function.signature)
            labels = {a.name: a.label for a in function.arguments if _has(parsed, a.name)}
            tokens = {
                a.name: a.token
                for a in function.arguments
                if a.name in labels and (a.token == "@.to" or _has(parsed, a.token))  # noqa: S105 - a path
            }
            found.append(
                KnownFunction(
                    protocol=function.protocol,
                    signature=function.signature,
                    intent=function.intent,
                    labels=labels,
                    tokens=tokens,
                    contracts=tuple(c for c in function.contracts if _CONTRACT.fullmatch(c)),
                )
            )
    return found


def value_at(arguments: Mapping[str, Value], path: str) -> Value | None:
    """The argument at `order.maker`; None where there is none."""
    found: Value = dict(arguments)
    for name in path.split("."):
        if not isinstance(found, dict) or name not in found:
            return None
        found = found[name]
    return found


def token_argument(call: ReadCall, argument: str) -> str | None:
    """The address of the contract of the token that an amount is of."""
    path = call.function.tokens.get(argument, "")
    found = call.transaction.to if path == "@.to" else value_at(call.decoded.arguments, path)
    return found if isinstance(found, str) and _ADDRESS.fullmatch(found) else None


@cache
def standards() -> _Standards:
    """The functions of standards, and the tokens."""
    text = files("finewright_web3.agent").joinpath("standards.yaml").read_text(encoding="utf-8")
    return _Standards.model_validate(yaml.load(text, Loader=yaml.CSafeLoader))  # noqa: TID251 - our own file


@cache
def _tokens() -> Mapping[tuple[int, str], Token]:
    listed = standards().tokens.items()
    return {(chain, at): token for chain, tokens in listed for at, token in tokens.items()}


def _has(signature: CallSignature, path: str) -> bool:
    """Whether the signature names this argument; of a list's items there is no one value."""
    parts = signature.parameters
    for name in path.split("."):
        found = next((p for p in parts if p.name == name), None)
        if found is None or (found.dims and "." in path):
            return False
        parts = found.parts
    return True
