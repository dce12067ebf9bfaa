"""The chain in memory, with bytecode that is written by hand."""

from finewright_web3.evm import CallResult, LocalChain

ANN = "0x" + "a1" * 20
# PUSH1 32 PUSH1 12 PUSH1 0 CODECOPY PUSH1 32 PUSH1 0 RETURN, then the code of the contract.
DEPLOYS = bytes.fromhex("6020600c60003960206000f3")
TELLS_VALUE = bytes.fromhex("3460005260206000f3").ljust(32, b"\0")
SPINS = bytes.fromhex("5b600056").ljust(32, b"\0")
REVERTS = bytes.fromhex("60006000fd").ljust(32, b"\0")


def test_a_contract_is_deployed_and_told_what_is_sent():
    chain = LocalChain()
    chain.fund(ANN, 10)
    till = chain.deploy(DEPLOYS + TELLS_VALUE, sender=ANN)
    assert chain.call(till, b"", sender=ANN, value=7) == CallResult(True, (7).to_bytes(32, "big"))
    assert not chain.call(till, b"", sender=ANN, value=7).ok


def test_what_reverts_or_never_ends_is_not_ok():
    chain = LocalChain()
    for code in (REVERTS, SPINS):
        address = chain.deploy(DEPLOYS + code, sender=ANN)
        assert chain.call(address, b"", sender=ANN) == CallResult(False, b"")
    assert chain.deploy(REVERTS, sender=ANN) is None
