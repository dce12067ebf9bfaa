"""Transactions that are made up: a function's arguments by their types and names, drawn by a seed."""

import re
from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

from eth_abi.abi import encode

from finewright_web3.agent.abi import Parameter, checksummed
from finewright_web3.agent.knowledge import KnownFunction, Transaction, standards
from finewright_web3.values import one_of

_KNOWN_SHARE, _UNLIMITED_SHARE = 0.7, 0.3
_UPGRADES = ("Ownable", "AccessControl", "Proxy")
_WORD_BITS = 256
_UNLIMITED = (1 << _WORD_BITS) - 1


def make_transaction(
    function: KnownFunction, spenders: Sequence[str], people: Sequence[str], rng: Random
) -> Transaction:
    """A call with made-up values: of a protocol's contract, or of a token for a standard's function."""
    tokens = standards().tokens
    chains = [
        c for c in function.contracts if int(c.partition(":")[0]) in tokens
    ] or function.contracts
    number, _, listed = (one_of(rng, chains) if chains else "1:").partition(":")
    chain = int(number)
    wanted = [at for at, t in tokens.get(chain, {}).items() if t.symbol == function.protocol]
    token = one_of(rng, wanted or [*tokens.get(chain, ("",))])
    to = listed or (one_of(rng, spenders) if function.protocol in _UPGRADES else token)
    maker = _Maker(function, spenders, people, token, rng)
    signature = function.parsed
    values = [maker.value(p, p.name, p.dims) for p in signature.parameters]
    data = signature.selector + encode([p.type for p in signature.parameters], values)
    value = maker.amount() if signature.name == "deposit" and not signature.parameters else 0
    return Transaction(chain, people[0], checksummed(to), value, data)


class _Maker(NamedTuple):
    """Makes up the arguments of a call."""

    function: KnownFunction
    spenders: Sequence[str]
    people: Sequence[str]
    token: str
    rng: Random

    def value(self, parameter: Parameter, path: str, dims: str) -> Any:  # Any: as eth-abi takes it
        """A value of the parameter's type."""
        if dims:
            size = dims.rpartition("[")[2].rstrip("]")
            inner = dims.rpartition("[")[0]
            return [self.value(parameter, path, inner) for _ in range(int(size or 1))]
        if parameter.base == "tuple":
            return tuple(self.value(p, f"{path}.{p.name}", p.dims) for p in parameter.parts)
        return self._leaf(parameter, path)

    def amount(self) -> int:
        """So much in base units."""
        known = [t[self.token] for t in standards().tokens.values() if self.token in t]
        decimals = known[0].decimals if known else 18
        return int(
            (1 + int(self.rng.random() * 9_999)) * 10 ** (decimals - int(self.rng.random() * 3))
        )

    def _leaf(self, parameter: Parameter, path: str) -> Any:  # Any: as eth-abi takes it
        base, rng = parameter.base, self.rng
        if base.startswith("bytes"):
            return bytes(int(rng.random() * 256) for _ in range(int(base[5:] or 8)))
        if re.match("u?int", base):
            return self._number(path, int(base.lstrip("uint")))
        others = {"address": self._address(path), "bool": rng.random() < _KNOWN_SHARE}
        return others.get(base, f"note {int(rng.random() * 100)}")

    def _number(self, path: str, bits: int) -> int:
        if path not in self.function.tokens:
            return int(self.rng.random() * (1 << min(bits - 1, 14)))
        is_approval = "pprov" in self.function.intent and bits == _WORD_BITS
        if is_approval and self.rng.random() < _UNLIMITED_SHARE:
            return _UNLIMITED
        return self.amount() & ((1 << (bits - 1)) - 1)

    def _address(self, path: str) -> str:
        rng = self.rng
        if path in self.function.tokens.values() and self.token and rng.random() < _KNOWN_SHARE:
            return self.token
        leaf = path.rpartition(".")[2]
        if leaf in {"owner", "from"}:
            return self.people[leaf == "from"]
        if leaf in {"spender", "operator"} and rng.random() < _KNOWN_SHARE:
            return one_of(rng, self.spenders)
        friend = self.people[1]
        poison = friend[:6] + make_address(rng)[6:-4] + friend[-4:]
        return one_of(rng, [friend, make_address(rng), poison])


def make_address(rng: Random) -> str:
    """An address, in small letters."""
    return "0x" + "".join(one_of(rng, "0123456789abcdef") for _ in range(40))
