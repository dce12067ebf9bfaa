"""The statements of a file, each with its own doc comment."""

import pytest

from finewright.errors import DataError
from finewright_web3.solidity_syntax import Contract, Statement, parse

FILE = """// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;
/// Free.
function free(uint a) pure returns (uint) { return a; }
/** @title A
 *  vault */
abstract contract Vault is Base(";") {
    using Math for uint256;
    /// Emitted.
    event Left(address to);
    /// Of no one.
    // A plain comment between changes nothing.
    mapping(address => uint256) private _owed;
    struct Point { uint x; uint y; }
    /// Called { by } anyone; "really".
    receive() external payable {}
    function open() external;
}
interface Empty {}
"""


def test_a_file_is_its_contracts_and_what_stands_between_them():
    unit = parse(FILE, "a.sol")
    assert unit.license == "MIT"
    pragma, free, vault, empty = unit.parts
    assert isinstance(pragma, Statement)
    assert isinstance(free, Statement)
    assert (free.name, free.natspec) == ("free", "Free.")
    assert isinstance(vault, Contract)
    assert (vault.kind, vault.name) == ("contract", "Vault")
    assert vault.natspec.split() == ["@title", "A", "vault"]
    assert empty == Contract("interface", "Empty", "", ())


def test_members_have_their_own_comments_and_end_where_their_block_does():
    vault = parse(FILE, "a.sol").parts[2]
    members = {member.words[0]: member for member in vault.members}
    assert list(members) == ["using", "event", "mapping", "struct", "receive", "function"]
    assert {kind: member.natspec for kind, member in members.items() if member.natspec} == {
        "event": "Emitted.",
        "mapping": "Of no one.",
        "receive": 'Called { by } anyone; "really".',
    }
    assert members["receive"].name == "receive"
    assert members["event"].name == "Left"
    sources = {kind: FILE[member.start : member.stop] for kind, member in members.items()}
    assert sources["struct"] == "struct Point { uint x; uint y; }"
    assert sources["receive"] == "receive() external payable {}"
    assert sources["function"] == "function open() external;"
    assert members["function"].block == -1
    assert FILE[members["receive"].block :].startswith("{}")


@pytest.mark.parametrize(
    "cut", ["contract A {", "contract A { /* ", 'contract A { string s = "', "}"]
)
def test_a_file_that_is_cut_is_refused_with_its_name(cut):
    with pytest.raises(DataError, match=r"a\.sol"):
        parse(cut, "a.sol")
