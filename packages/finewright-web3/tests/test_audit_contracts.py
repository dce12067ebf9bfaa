"""Marked contracts: which lines stand where, what is one function, and which classes there are."""

import re

import pytest

from finewright.sdk import DataError
from finewright_web3.audit.contracts import HOLE, kit, protocols, read_protocol, scaffold

MARKED = """// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

contract Till {
    uint256 public sum;

    function put(uint256 more) external {
        //[
        require(more > 0, "nothing");
        //| guard Nothing
        //| access Anyone
        //: require(sum == 0);
        //: require(more == 1);
        //]
        sum += more;
    }
}

//! scene
contract Scene {
    Till target = new Till();
}

contract Use is Scene {}

/// Not needed by the others.
contract Nothing is Scene {
    Coin coin;
}
"""
SCENE = "contract Scene {\n    Till target = new Till();\n}"
CLASSES = {
    *("access", "cast", "delegatecall", "front-running", "guard", "initialiser", "oracle"),
    *("reentrancy", "replay", "rounding", "tx.origin", "unchecked-call"),
}


def test_a_mark_gives_the_sound_function_and_one_for_each_flaw():
    till = read_protocol(MARKED, "till", kit())
    assert (till.name, till.contract) == ("till", "Till")
    assert "//" not in till.source.replace("// SPDX", "")
    start = "function put(uint256 more) external {\n"
    assert [flaw[:2] for flaw in till.flaws] == [("guard", "Nothing"), ("access", "Anyone")]
    assert {flaw.fixed.code for flaw in till.flaws} == {
        f'{start}    require(more > 0, "nothing");\n    sum += more;\n}}'
    }
    assert [flaw.flawed.code for flaw in till.flaws] == [
        f"{start}    sum += more;\n}}",
        f"{start}    require(sum == 0);\n    require(more == 1);\n    sum += more;\n}}",
    ]


def test_a_scaffold_has_one_hole_and_what_its_roots_need():
    till = read_protocol(MARKED, "till", kit())
    for_use = scaffold(till, till.flaws[0].fixed, ["Use"])
    assert for_use.count(HOLE) == 1
    assert "require(more > 0" not in for_use
    assert for_use.endswith(f"{SCENE}\n\ncontract Use is Scene {{}}\n")
    assert "contract Coin" not in for_use
    assert "contract Coin" in scaffold(till, till.flaws[0].fixed, ["Nothing"])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("//! scene", "// scene", "till: has no line '//! scene'"),
        ("        //]\n", "", "till:14: 'sum += more;' is not expected here"),
        ("        sum += more;\n", "        //[\n", "till: the last '//[' does not end"),
        ("//| guard Nothing", "//| guard", "till:10: '//| guard' is not expected here"),
        ("        //[\n", "", "till:9: '//| guard Nothing' is not expected here"),
        ("require(sum == 0);", "require(sum == 0); }", "till: a '}' that nothing opens"),
        ("sum == 0);\n        //: require(more == 1", 'more > 0, "nothing"', "changes 0 functions"),
        ("contract Till", "library Till", "till: has no contract"),
    ],
)
def test_a_mark_that_fits_nowhere_is_named_with_its_line(old, new, message):
    with pytest.raises(DataError, match=re.escape(message)):
        read_protocol(MARKED.replace(old, new, 1), "till", kit())


def test_every_class_is_trained_on_in_several_protocols_and_held_out_in_two():
    for side, fewest in (("seen", 3), ("held_out", 2)):
        of_class = {kind: set() for kind in CLASSES}
        for protocol in protocols(side).values():
            for flaw in protocol.flaws:
                of_class[flaw.kind].add(protocol.name)
        assert min(map(len, of_class.values())) >= fewest
    assert not protocols("seen").keys() & protocols("held_out").keys()
