"""Risks of a call by name, each found by a rule, none by a model.

Covered: approvals (unlimited, to an unknown spender, for a whole collection), approvals by signature
(ERC-2612, Permit2), upgrades of proxies, changes of owners and roles, delegatecalls, addresses that look like
one in the address book, contracts that nobody lists, and calls within calls. Not covered: what the called
code does."""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from finewright.sdk import DataError
from finewright_web3.agent.abi import SELECTOR, Value, addresses_in
from finewright_web3.agent.knowledge import Knowledge, ReadCall, Transaction, value_at

Name = Literal[
    "unlimited_approval",
    "unknown_spender",
    "approval_for_all",
    "approval_by_signature",
    "proxy_upgrade",
    "ownership_change",
    "delegatecall",
    "look_alike_address",
    "unknown_contract",
    "unreadable_call",
]

UNLIMITED = 2**159
"""No token has a supply like that: half of what Permit2's 160 bits hold."""
_ENDS = 4
"""Hex digits at each end that people compare, and that a poisoner mines for."""
_MOST_DEPTH, _MOST_INNER = 3, 16

_SPENDERS = {
    "approve(address,uint256)": ("spender", "amount"),
    "approve(address,address,uint160,uint48)": ("spender", "amount"),
    "increaseAllowance(address,uint256)": ("spender", "addedValue"),
    "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)": ("spender", "value"),
    "permit(address,((address,uint160,uint48,uint48),address,uint256),bytes)": (
        "permitSingle.spender",
        "permitSingle.details.amount",
    ),
}
_UPGRADES = r"upgradeTo|upgradeToAndCall|upgrade|upgradeAndCall|changeAdmin|setImplementation"
_OWNERS = (
    r"transferOwnership|renounceOwnership|acceptOwnership|grantRole|swapOwner|removeOwner"
    r"|addOwnerWithThreshold|changeThreshold|setOwner"
)


class Risk(NamedTuple):
    """A risk and what speaks for it."""

    name: Name
    why: str


def find_risks(
    knowledge: Knowledge, transaction: Transaction, contacts: frozenset[str] = frozenset()
) -> tuple[Risk, ...]:
    """The risks of a transaction, each name once. `contacts` are addresses that its sender trusts."""
    trusted = frozenset(address.lower() for address in contacts)
    found = {risk.name: risk for risk in _risks(knowledge, transaction, trusted, 0)}
    return tuple(found.values())


def _risks(
    knowledge: Knowledge, transaction: Transaction, contacts: frozenset[str], depth: int
) -> Iterator[Risk]:
    yield from _look_alikes([transaction.to], contacts)
    if not transaction.calldata:
        return
    try:
        call = knowledge.read(transaction)
    except DataError as error:
        yield Risk("unreadable_call", str(error))
        return
    is_trusted = call.is_listed or transaction.to.lower() in contacts
    is_token = knowledge.token_at(transaction.chain_id, transaction.to) is not None
    if not (is_trusted or is_token or depth):
        yield Risk("unknown_contract", f"{transaction.to} is of no protocol that is known")
    yield from _approvals(knowledge, call, contacts)
    yield from _powers(call)
    yield from _look_alikes(list(addresses_in(dict(call.decoded.arguments))), contacts)
    if depth < _MOST_DEPTH:
        for inner in _inner_calls(call)[:_MOST_INNER]:
            yield from _risks(knowledge, inner, contacts, depth + 1)


def _approvals(knowledge: Knowledge, call: ReadCall, contacts: frozenset[str]) -> Iterator[Risk]:
    canonical, values = call.function.parsed.canonical, list(call.decoded.arguments.values())
    spender: Value | None = None
    if canonical == "setApprovalForAll(address,bool)" and values[1]:
        spender = values[0]
        yield Risk("approval_for_all", f"{spender!s} may move the whole collection")
    elif canonical in _SPENDERS:
        spender, amount = _spender(call, *_SPENDERS[canonical])
        if not amount:
            return  # An allowance is taken back.
        if isinstance(amount, int) and amount >= UNLIMITED:
            yield Risk("unlimited_approval", f"{spender!s} may move all that there ever will be")
    if _is_signed(call):
        yield Risk("approval_by_signature", "whoever holds the signature may use it")
    if not isinstance(spender, str) or spender.lower() in contacts:
        return
    if not knowledge.protocol_at(call.transaction.chain_id, spender):
        yield Risk("unknown_spender", f"{spender} is of no protocol that is known")


def _spender(call: ReadCall, spender: str, amount: str) -> tuple[Value | None, Value | None]:
    """By name; protocols name the arguments of ERC-20's functions otherwise, and there the place tells."""
    arguments = call.decoded.arguments
    named = value_at(arguments, spender), value_at(arguments, amount)
    if None not in named:
        return named
    first, second = list(arguments.values())[:2]
    return first, second


def _is_signed(call: ReadCall) -> bool:
    """A call of `permit`, or one that has a permit with it."""
    if call.function.parsed.name == "permit":
        return True
    inner = call.decoded.arguments
    return any(re.search(r"(?i)permit", name) and bool(value) for name, value in inner.items())


def _powers(call: ReadCall) -> Iterator[Risk]:
    name = call.function.parsed.name
    if re.fullmatch(_UPGRADES, name):
        yield Risk("proxy_upgrade", f"{name} puts other code behind the contract")
    if re.fullmatch(_OWNERS, name):
        yield Risk("ownership_change", f"{name} changes who commands the contract")
    if call.decoded.arguments.get("operation") == 1 and name.startswith("execTransaction"):
        yield Risk("delegatecall", "foreign code runs with the rights of the account")


def _look_alikes(addresses: list[str], contacts: frozenset[str]) -> Iterator[Risk]:
    for address in addresses:
        own = address.lower()
        for contact in contacts - {own}:
            is_alike = own[2:][:_ENDS] == contact[2:][:_ENDS] and own[-_ENDS:] == contact[-_ENDS:]
            if is_alike and own not in contacts:
                yield Risk("look_alike_address", f"{address} begins and ends as {contact} does")


def _inner_calls(call: ReadCall) -> list[Transaction]:
    """The calls in arguments of bytes: to the argument `to`, or, without one, to the contract itself."""
    outer = call.transaction
    to = value_at(call.decoded.arguments, "to")
    at = to if isinstance(to, str) and to.startswith("0x") else outer.to
    return [
        Transaction(outer.chain_id, outer.to, at, 0, data)
        for data in _bytes_in(dict(call.decoded.arguments))
        if len(data) >= SELECTOR and (len(data) - SELECTOR) % 32 == 0
    ]


def _bytes_in(value: Value) -> Iterator[bytes]:
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _bytes_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _bytes_in(inner)
