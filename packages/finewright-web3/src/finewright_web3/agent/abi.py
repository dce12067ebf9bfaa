"""Calls of contracts by their ABI: signatures read, selectors, and calldata decoded.

The bytes are decoded by eth-abi; here are the bounds. Calldata that is cut, whose pointers lead astray, or
that unfolds to more than it holds is refused with one line. Keccak-256 is the EVM's own."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import pyrevm
from eth_abi.codec import ABICodec
from eth_abi.decoding import ContextFramesBytesIO
from eth_abi.exceptions import DecodingError, ParseError
from eth_abi.registry import registry

from finewright.sdk import DataError

MOST_CALLDATA = 128 * 1024
"""Bytes: what a node's pool takes of a transaction."""
SELECTOR = 4
_LOWER = 7
"""EIP-55: from the next hex digit of the hash on, the address has a capital."""
_MOST_SIGNATURE, _MOST_DEPTH, _MOST_PARAMETERS, _MOST_IN_ARRAY = 2_000, 6, 40, 1_000
_READS = 12
"""How often a byte may be read: eth-abi looks at heads and pointers more than once at each level."""
# calldatasize push0 push0 calldatacopy calldatasize push0 keccak256 push0 mstore push1 32 push0 return
_KECCAK_CODE = bytes.fromhex("365f5f37365f205f5260205ff3")
_HASHER, _ASKER = "0x" + "11" * 20, "0x" + "22" * 20
_TYPE = re.compile(
    r"(?:u?int(?:8|16|24|32|40|48|56|64|72|80|88|96|104|112|120|128|136|144|152|160|168|176|184|192|200|208"
    r"|216|224|232|240|248|256)?|address|bool|string|bytes(?:[1-9]|[12][0-9]|3[0-2])?)"
)
_TOKEN = re.compile(r"\s*(?:(?P<sign>[(),])|(?P<dims>(?:\[\d*\])+)|(?P<word>[A-Za-z_$][\w$]*))")

Value = bool | int | str | bytes | list["Value"] | dict[str, "Value"]


class Parameter(NamedTuple):
    """A parameter: its name, or its place where it has none, its type, and the parts of a tuple."""

    name: str
    base: str
    dims: str = ""
    parts: tuple["Parameter", ...] = ()

    @property
    def type(self) -> str:
        """As a selector is made from it."""
        inner = (
            f"({','.join(part.type for part in self.parts)})" if self.base == "tuple" else self.base
        )
        return inner + self.dims


class CallSignature(NamedTuple):
    """A function's name and parameters."""

    name: str
    parameters: tuple[Parameter, ...]

    @property
    def canonical(self) -> str:
        """`transfer(address,uint256)`."""
        return f"{self.name}({','.join(p.type for p in self.parameters)})"

    @property
    def selector(self) -> bytes:
        """The four bytes that a call begins with."""
        return keccak(self.canonical.encode())[:SELECTOR]


class Decoded(NamedTuple):
    """The arguments by name; `is_canonical`: written as the ABI writes them, to the byte."""

    arguments: dict[str, Value]
    is_canonical: bool


@lru_cache(maxsize=4096)
def keccak(data: bytes) -> bytes:
    """Keccak-256, which is not SHA3-256."""
    evm = pyrevm.EVM()
    evm.insert_account_info(_HASHER, pyrevm.AccountInfo(code=_KECCAK_CODE))
    return bytes(evm.message_call(_ASKER, _HASHER, calldata=data, is_static=True))


def checksummed(address: bytes | str) -> str:
    """The address with the capitals of EIP-55."""
    digits = (address.hex() if isinstance(address, bytes) else address[2:]).lower()
    marks = keccak(digits.encode()).hex()
    return "0x" + "".join(
        d.upper() if int(m, 16) > _LOWER else d for d, m in zip(digits, marks, strict=False)
    )


@lru_cache(maxsize=4096)
def read_signature(text: str) -> CallSignature:
    """The function that `name(type name, (type, ...)[] name)` declares. Raises DataError, of one line."""
    if len(text) > _MOST_SIGNATURE:
        raise DataError(f"a signature of more than {_MOST_SIGNATURE:,} characters")
    name, found, rest = text.partition("(")
    if not found or not re.fullmatch(r"[A-Za-z_$][\w$]*", name):
        raise DataError(f"not a function's signature: {text[:60]!r}")
    reader = _Reader(f"({rest}", text)
    parameters = reader.parameters(0)
    reader.end()
    return CallSignature(name, parameters)


def decode_call(signature: CallSignature, calldata: bytes) -> Decoded:
    """The arguments in calldata whose selector is the signature's. Raises DataError, of one line."""
    if len(calldata) > MOST_CALLDATA:
        raise DataError(f"calldata of {len(calldata):,} bytes, the most are {MOST_CALLDATA:,}")
    if calldata[:SELECTOR] != signature.selector:
        raise DataError(f"calldata that does not begin as a call of {signature.canonical}")
    types, data = [p.type for p in signature.parameters], calldata[SELECTOR:]
    codec = ABICodec(registry)
    codec.stream_class = _bounded_stream(_READS * (len(data) + 32 * len(types)))
    try:
        values = codec.decode(types, data)
        is_canonical = codec.encode(types, values) == data
    except (DecodingError, ParseError, UnicodeDecodeError, OverflowError, RecursionError) as error:
        why = " ".join(str(error).split())[:120]
        raise DataError(f"calldata that is no call of {signature.canonical}: {why}") from None
    return Decoded(_named(signature.parameters, values), is_canonical)


def addresses_in(value: Value) -> Iterator[str]:
    """The addresses among decoded values, in their order."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from addresses_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from addresses_in(inner)
    elif isinstance(value, str) and re.fullmatch(r"0x[0-9a-fA-F]{40}", value):
        yield value


def _named(parameters: Sequence[Parameter], values: Sequence[object]) -> dict[str, Value]:
    return {p.name: _value(p, p.dims, v) for p, v in zip(parameters, values, strict=True)}


def _value(parameter: Parameter, dims: str, value: object) -> Value:
    if dims:
        assert isinstance(value, Sequence)  # as eth-abi gives arrays
        return [_value(parameter, dims.rpartition("[")[0], item) for item in value]
    if parameter.base == "tuple":
        assert isinstance(value, tuple)
        return _named(parameter.parts, value)
    if parameter.base == "address":
        return checksummed(str(value))
    assert isinstance(value, bool | int | str | bytes)
    return value


def _bounded_stream(most: int) -> type[ContextFramesBytesIO]:
    """A stream that refuses to be read more often than an honest encoding is.

    Arrays of arrays may all point at the same bytes: a kilobyte then unfolds to gigabytes."""

    class Bounded(ContextFramesBytesIO):
        left = most

        def read(self, size: int | None = -1) -> bytes:
            found = super().read(size)
            self.left -= max(len(found), 1)
            if self.left < 0:
                raise DecodingError("it unfolds to more than it holds")
            return found

    return Bounded


class _Reader:
    """Reads parameters from left to right."""

    def __init__(self, rest: str, whole: str) -> None:
        self._rest, self._whole, self._count = rest, whole, 0

    def parameters(self, depth: int) -> tuple[Parameter, ...]:
        """What stands between two brackets."""
        if depth > _MOST_DEPTH:
            raise DataError(f"a signature of more than {_MOST_DEPTH} tuples in each other")
        self._take("(")
        found: list[Parameter] = []
        while not self._skips(")"):
            if found:
                self._take(",")
            found.append(self._parameter(len(found), depth))
        names = [p.name for p in found]
        is_named = len(set(names)) == len(names)
        return tuple(p if is_named else p._replace(name=str(i)) for i, p in enumerate(found))

    def end(self) -> None:
        """Nothing may follow."""
        if self._rest.strip():
            raise self._fault()

    def _parameter(self, place: int, depth: int) -> Parameter:
        self._count += 1
        if self._count > _MOST_PARAMETERS:
            raise DataError(f"a signature of more than {_MOST_PARAMETERS} parameters")
        self._skip_word("tuple")
        parts = self.parameters(depth + 1) if self._peek("sign") == "(" else ()
        base = "tuple" if parts else self._word()
        base = {"uint": "uint256", "int": "int256"}.get(base, base)
        if base != "tuple" and not _TYPE.fullmatch(base):
            raise DataError(f"no type of the ABI: {base[:40]!r} in {self._whole[:60]!r}")
        dims = self._peek("dims")
        self._rest = self._rest[len(self._rest) - len(self._rest.lstrip()) + len(dims) :]
        sizes = re.findall(r"\d+", dims)
        if dims.count("[") > _MOST_DEPTH or any(not 0 < int(s) <= _MOST_IN_ARRAY for s in sizes):
            raise DataError(f"an array of a size that is not read: {dims[:40]}")
        for word in ("indexed", "calldata", "memory"):
            self._skip_word(word)
        return Parameter(self._word() if self._peek("word") else str(place), base, dims, parts)

    def _peek(self, kind: str) -> str:
        found = _TOKEN.match(self._rest)
        return (found[kind] or "") if found else ""

    def _word(self) -> str:
        word = self._peek("word")
        if not word:
            raise self._fault()
        self._take(word)
        return word

    def _skip_word(self, word: str) -> None:
        if self._peek("word") == word:
            self._take(word)

    def _skips(self, sign: str) -> bool:
        if self._peek("sign") != sign:
            return False
        self._take(sign)
        return True

    def _take(self, text: str) -> None:
        rest = self._rest.lstrip()
        if not rest.startswith(text):
            raise self._fault()
        self._rest = rest.removeprefix(text)

    def _fault(self) -> DataError:
        return DataError(f"not a function's signature: {self._whole[:60]!r}")
