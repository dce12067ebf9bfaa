"""A chain in memory: contracts are deployed and called by made-up accounts, and nothing leaves it."""

from collections.abc import Mapping
from typing import NamedTuple

import pyrevm

_START_S = 1_700_000_000
"""November 2023: what is two days old is not before the first block."""
_MOST_GAS = 100_000_000
"""What a call may use, some tenth of a second of the EVM."""


class CallResult(NamedTuple):
    """What a call ended with; `output` is empty where it reverted."""

    ok: bool
    output: bytes


class LocalChain:
    """One EVM with its accounts."""

    def __init__(self) -> None:
        self._evm = pyrevm.EVM(gas_limit=10 * _MOST_GAS)
        self._evm.set_block_env(pyrevm.BlockEnv(number=100, timestamp=_START_S))

    def fund(self, account: str, wei: int) -> None:
        """Give an account so much."""
        self._evm.set_balance(account, wei)

    def deploy(self, code: bytes, *, sender: str) -> str | None:
        """The address of a contract without arguments; None where its constructor fails."""
        try:
            return str(self._evm.deploy(sender, code, gas=_MOST_GAS))
        except RuntimeError:  # pyrevm's only error: reverts and halts alike
            return None

    def place(self, address: str, code: bytes, storage: Mapping[int, int]) -> None:
        """Put a contract's code at an address, with what its slots hold."""
        self._evm.insert_account_info(address, pyrevm.AccountInfo(code=code))
        for slot, word in storage.items():
            self._evm.insert_account_storage(address, slot, word)

    def read_slot(self, address: str, slot: int) -> int:
        """What a contract's slot holds."""
        return int(self._evm.storage(address, slot))

    def call(self, to: str, data: bytes, *, sender: str, value: int = 0) -> CallResult:
        """What the contract answers; a call that reverts or halts is not ok, and changes nothing."""
        try:
            output = self._evm.message_call(sender, to, calldata=data, value=value, gas=_MOST_GAS)
        except RuntimeError:
            return CallResult(ok=False, output=b"")
        return CallResult(ok=True, output=bytes(output))
