"""Signatures, calldata and risks: the ABI specification's example, eth-abi's encoder, and refusals."""

import re
import time

import pytest
import yaml
from eth_abi import encode

from finewright.sdk import DataError, npm_file, read_sets
from finewright_web3.agent.abi import checksummed, decode_call, keccak, read_signature
from finewright_web3.agent.knowledge import Knowledge, Transaction, standards
from finewright_web3.agent.risks import find_risks

WORD = 32
ME, FRIEND, STRANGER = (f"0x{digit * 40}" for digit in "123")
LOOKS_LIKE_FRIEND = "0x2222" + "9" * 32 + "2222"
USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"


def words(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(WORD, "big") for number in numbers)


def test_an_example_of_the_specification_is_decoded():
    # docs.soliditylang.org, ABI specification, "Use of Dynamic Types"
    data = words(0x123, 0x80) + b"1234567890".ljust(WORD, b"\0") + words(0xE0, 2, 0x456, 0x789, 13)
    call = bytes.fromhex("8be65246") + data + b"Hello, world!".ljust(WORD, b"\0")
    found = decode_call(read_signature("f(uint256 a,uint32[] b,bytes10 c,bytes d)"), call)
    assert found.arguments == {
        "a": 0x123,
        "b": [0x456, 0x789],
        "c": b"1234567890",
        "d": b"Hello, world!",
    }
    assert found.is_canonical


def test_keccak_and_checksums_are_those_of_their_standards():
    assert keccak(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert read_signature("transfer(address,uint256)").selector.hex() == "a9059cbb"
    assert checksummed(USDC.lower()) == USDC
    # EIP-55's own
    assert checksummed("0x" + "5aaeb6053f3e94c9b9a09f33669435e7ef1beaed") == (
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    )


@pytest.mark.network
def test_the_table_of_tokens_is_the_packages_own():
    sdk = read_sets("finewright_web3")["erc7730"].packages[0]
    path = "dist/formats/tokenAmount.js"
    text = npm_file(sdk.name, sdk.version, sdk.integrity, path).decode()
    table = text.partition("KNOWN_TOKENS = ")[2].partition("};")[0] + "}"
    named = yaml.safe_load(re.sub(r"//.*", "", table).replace("'", '"'))
    ours = {
        chain: {at: t.model_dump() for at, t in own.items()}
        for chain, own in standards().tokens.items()
    }
    assert ours == named


@pytest.mark.parametrize("cut", [1, 31, 32, 63])
def test_calldata_that_is_cut_is_refused(cut):
    signature = read_signature("transfer(address to,uint256 amount)")
    call = signature.selector + encode(["address", "uint256"], [ME, 5])
    with pytest.raises(DataError, match="no call of transfer"):
        decode_call(signature, call[:-cut])


def test_pointers_that_unfold_to_more_than_they_hold_are_refused_at_once():
    signature = read_signature("f(uint256[][][][] a)")
    own = 60
    level = words(own, *[WORD * own] * own)
    call = signature.selector + words(WORD) + level * 3 + words(own, *range(own))
    started = time.process_time()
    with pytest.raises(DataError, match="unfolds"):
        decode_call(signature, call)
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    "text",
    ["f(", "f(uint7 a)", "f(uint256[0])", "f" + "(" * 9, "f(a b c)", "x" * 3000, "f(,)", ")(", ""],
)
def test_no_signature_is_refused(text):
    with pytest.raises(DataError):
        read_signature(text)


def test_a_megabyte_is_refused():
    signature = read_signature("f(bytes)")
    with pytest.raises(DataError, match="bytes, the most are"):
        decode_call(signature, signature.selector + bytes(1_000_000))


def risks(signature: str, *values: object, to: str = USDC) -> set[str]:
    found = read_signature(signature)
    data = found.selector + encode([p.type for p in found.parameters], list(values))
    call = Transaction(1, ME, to, 0, data)
    return {risk.name for risk in find_risks(Knowledge(), call, frozenset({FRIEND}))}


@pytest.mark.parametrize(
    ("signature", "values", "expected"),
    [
        ("approve(address,uint256)", (FRIEND, 5), set()),
        ("approve(address,uint256)", (STRANGER, 5), {"unknown_spender"}),
        ("approve(address,uint256)", (STRANGER, 0), set()),
        ("approve(address,uint256)", (FRIEND, 2**256 - 1), {"unlimited_approval"}),
        ("transfer(address,uint256)", (LOOKS_LIKE_FRIEND, 5), {"look_alike_address"}),
        ("setApprovalForAll(address,bool)", (FRIEND, True), {"approval_for_all"}),
        ("setApprovalForAll(address,bool)", (STRANGER, False), set()),
        ("transferOwnership(address)", (FRIEND,), {"ownership_change"}),
        ("upgradeTo(address)", (FRIEND,), {"proxy_upgrade"}),
        ("nobodyKnowsThis(uint8)", (1,), {"unreadable_call"}),
    ],
)
def test_risks_are_named(signature, values, expected):
    assert risks(signature, *values) == expected


def test_a_risk_within_a_call_is_named():
    approve = read_signature("approve(address,uint256)")
    inner = approve.selector + encode(["address", "uint256"], [STRANGER, 2**256 - 1])
    assert risks("multicall(bytes[])", [inner]) == {"unlimited_approval", "unknown_spender"}
