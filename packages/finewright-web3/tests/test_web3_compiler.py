"""The compiler's worker: what it makes of sources, and that nothing ends it for good."""

import pytest

from finewright_web3.compiler import _worker, compile_sources

pytestmark = pytest.mark.network  # the compiler is npm's

COIN = """abstract contract Base { uint256 public totalSupply; }
contract Coin is Base { function transfer(address, uint256) external returns (bool) {} }
"""
SOUND = "contract A { function f() external {} }"


def code_of(source: str) -> list[tuple[str, int]]:
    return [(fault.code, fault.line) for fault in compile_sources({"a.sol": source}).errors]


def test_a_contract_has_its_selectors_and_its_bytecode():
    built = compile_sources({"a.sol": COIN}).contracts["Coin"]
    # As every ERC-20 token has them.
    assert built.selectors == {
        "totalSupply()": "18160ddd",
        "transfer(address,uint256)": "a9059cbb",
    }
    assert built.bytecode[:2] == bytes.fromhex("6080")
    assert {each["name"] for each in built.abi} == {"totalSupply", "transfer"}


def test_a_source_may_import_another():
    made = compile_sources(
        {"a.sol": 'import "b.sol"; contract A is B {}', "b.sol": "contract B {}"}
    )
    assert made.contracts.keys() == {"A", "B"}


@pytest.mark.parametrize(
    ("source", "code", "line"),
    [
        ("contract A {\n  function f() external { g(); }\n}", "7576", 2),
        ("contract A {\n\n  uint256 x }", "2314", 3),
        ("pragma solidity 0.8.17;\ncontract A {}", "5333", 1),
        ('import "none.sol";', "6275", 1),
        ("/* \N{GREEK SMALL LETTER ALPHA} */\ncontract A is B {}", "7920", 2),
    ],
)
def test_a_fault_has_the_compilers_code_and_its_line(source, code, line):
    assert code_of(source) == [(code, line)]


def test_a_source_that_never_ends_is_a_fault_and_the_next_is_compiled():
    structs = [f"struct S{n} {{ S{n - 1} a; S{n - 1} b; }}" for n in range(1, 31)]
    # Its ABI has 2 ** 30 entries.
    function = "function f(S30 memory) external {}"
    endless = f"struct S0 {{ uint a; }} {' '.join(structs)} contract A {{ {function} }}"
    assert [f.code for f in compile_sources({"a.sol": endless}, timeout_s=2).errors] == ["stopped"]
    assert code_of(SOUND) == []


@pytest.mark.parametrize("deep", [("(", "1", ")"), ("-(", "a", ")"), ("a+", "a", "")])
def test_a_source_that_crashes_the_compiler_is_a_fault_and_the_next_is_compiled(deep):
    before, middle, after = deep
    code = f"contract A {{ int a = {before * 100_000}{middle}{after * 100_000}; }}"
    assert code_of(code) == [("stopped", 0)]
    assert code_of(SOUND) == []


def test_a_worker_that_was_killed_between_two_questions_starts_again():
    assert code_of(SOUND) == []
    process = _worker()._process
    process.kill()
    process.wait()
    assert code_of(SOUND) == []


def test_a_source_of_more_than_a_megabyte_is_refused():
    assert code_of("//" + "x" * 1_000_000) == [("size", 0)]
    assert code_of(f"//{'x' * 999_000}\n{SOUND}") == []


def test_half_of_a_surrogate_pair_is_refused():
    assert code_of('contract A { string s = "\ud800"; }') == [("encoding", 0)]
