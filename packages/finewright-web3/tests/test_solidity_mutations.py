"""Wrong versions of a function: what each kind changes, and where it finds nothing to change."""

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finewright_web3.solidity_mutations import not_compiling, without_guard

PAY = """\
function pay(address to, uint256 amount) external onlyRole(PAYER) nonReentrant returns (bool) {
    // Only a payer; require(x) and == and && in a comment stay.
    if (to == address(0)) {
        revert InvalidReceiver(address(0));
    }
    require(amount != 0, "no && amount; not == 0");
    balance[msg.sender] -= amount;
    emit Paid(to, amount);
    return true;
}"""


def kinds(mutate, code: str, seed: int = 0) -> dict[str, str]:
    return {broken.kind: broken.code for broken in mutate(code, Random(seed))}  # noqa: S311


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("access control", " onlyRole(PAYER)", ""),
        ("reentrancy", " nonReentrant", ""),
        (
            "zero address",
            "    if (to == address(0)) {\n        revert InvalidReceiver(address(0));\n    }\n",
            "",
        ),
        ("validation", '    require(amount != 0, "no && amount; not == 0");\n', ""),
    ],
)
def test_a_guard_is_dropped_and_nothing_else(kind, before, after):
    assert kinds(without_guard, PAY)[kind] == PAY.replace(before, after)


@pytest.mark.parametrize(
    ("kind", "code", "wrong"),
    [
        (
            "access control",
            "function f() public {\n    _checkOwner();\n    a = 1;\n}",
            "_checkOwner",
        ),
        ("access control", "function f() public restricted {\n    a = 1;\n}", " restricted"),
        ("initializer", "function f() public reinitializer(2) {}", "reinitializer(2)"),
        ("initializer", "function f() internal onlyInitializing {}", "onlyInitializing"),
        ("pause", "function f() public whenNotPaused {}", " whenNotPaused"),
        ("validation", "function f() {\n    if (a < 1) revert Low(a);\n    b;\n}", "revert"),
        (
            "zero address",
            'function f() {\n    require(a != address(0), "zero");\n    b;\n}',
            "address(0)",
        ),
        ("nonce", "function f() {\n    _useNonce(a);\n}", "_useNonce"),
        ("tx.origin", "function f() {\n    if (a != msg.sender) b;\n}", "msg.sender"),
        ("tx.origin", "function f() {\n    if (_msgSender() == a) b;\n}", "_msgSender"),
    ],
)
def test_each_kind_of_guard_is_found(kind, code, wrong):
    made = kinds(without_guard, code)
    assert list(made) == [kind]
    assert wrong not in made[kind]


@pytest.mark.parametrize(
    "code",
    [
        "function f() public { a = 1; }",
        "function _useNonce(address a) internal {\n    n[a]++;\n}",
        "function f() {\n    // require(a);\n    b = 'onlyOwner ';\n}",
        "function f() {\n    if (a) {\n        revert A();\n    } else {\n        b;\n    }\n}",
    ],
)
def test_without_a_guard_nothing_is_dropped(code):
    assert kinds(without_guard, code) == {}


@pytest.mark.parametrize(
    ("kind", "code", "wrong"),
    [
        ("semicolon", "function f() {\n    a = 1;\n}", "function f() {\n    a = 1\n}"),
        ("parenthesis", "function f() { a(b); }", "function f() { a(b; }"),
        ("brace", "function f() {\n    a = 1;\n}\n", "function f() {\n    a = 1;"),
        ("misspelled word", "function f() external {}", "function f() extern {}"),
        ("misspelled word", "function f(bytes32 a) {}", "function f(byte32 a) {}"),
        ("data location", "function f(bytes memory a) {}", "function f(bytes a) {}"),
        ("emit", "function f() { emit A(1); }", "function f() { A(1); }"),
        ("other languages", "function f() { a == b; }", "function f() { a === b; }"),
        ("other languages", "function f() { a && b; }", "function f() { a and b; }"),
        ("former Solidity", "function f() { a = gasleft(); }", "function f() { a = msg.gas; }"),
        (
            "returns",
            "function f() returns (uint) { return 1; }",
            "function f() { return 1; }",
        ),
        (
            "mistyped name",
            "function f(uint offer) { a = offer; }",
            "function f(uint offer) { a = ofefr; }",
        ),
    ],
)
def test_each_kind_of_breakage_changes_one_place(kind, code, wrong):
    assert kinds(not_compiling, code)[kind] == wrong


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("returns", "function f() returns (uint a) { a = 1; }"),
        ("other languages", "function f() { a <= b; c >= d; e = f; }"),
        ("mistyped name", "function amount() { super.xyz(); }"),
        ("emit", "function f() { /* emit A(1); */ }"),
        ("misspelled word", "function f() { a = 'external'; }"),
    ],
)
def test_a_breakage_that_has_no_place_is_not_made(kind, code):
    assert kind not in kinds(not_compiling, code)


@given(st.integers(0, 1000))
def test_comments_and_strings_are_never_changed(seed):
    kept = re.findall(r"//.*", PAY)
    for code in kinds(not_compiling, PAY, seed).values():
        assert re.findall(r"//.*", code) == kept
        assert '"no && amount; not == 0"' in code
        assert code != PAY


def test_a_seed_makes_the_same_mistakes():
    assert kinds(not_compiling, PAY, 3) == kinds(not_compiling, PAY, 3)
    assert len({str(kinds(not_compiling, PAY, seed)) for seed in range(5)}) > 1
