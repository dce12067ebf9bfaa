"""What a patch is worth: it stands in the contract of its row, where use and attack are run.

Covered: one function is patched, and keeps possible what the scene's `Use` does. Not covered: a change that
`Use` does not see, and a patch that stops this exploit but not another of the same flaw."""

import json
from functools import lru_cache
from typing import Any, NamedTuple

from finewright.sdk import DataError, column_scorer
from finewright_web3.audit.contracts import HOLE
from finewright_web3.compiler import Compiled, compile_sources
from finewright_web3.evm import LocalChain
from finewright_web3.solidity_syntax import Contract, parse

_CALLER = "0x" + "11" * 20
_PURSE_WEI = 100 * 10**18
"""What a scene gets: the dearest spends 40 ether."""
_YES = (1).to_bytes(32, "big")
_KEYS = ("exploit", "scaffold", "use")


class PatchVerdict(NamedTuple):
    """Whether a patch compiles, keeps what everyone may do, and stops the exploit."""

    compiles: bool = False
    keeps: bool = False
    stops: bool = False

    @property
    def is_good(self) -> bool:
        """All of it."""
        return all(self)


def audit_patch(answer: str, check: str) -> float:
    """1 for a patch that compiles, keeps the use and stops the exploit of its row's `check`, otherwise 0."""
    return float(judge_patch(answer, check).is_good)


audit_scorer = column_scorer("check", audit_patch)
"""The same as a metric of the score card."""


@lru_cache(maxsize=4096)
def judge_patch(patch: str, check: str) -> PatchVerdict:
    """What the function does in the contract of its row, which is run once. DataError for another column."""
    parts = _read_check(check)
    if not _is_one_function(patch):
        return PatchVerdict()
    compiled = compile_sources({"patched.sol": parts["scaffold"].replace(HOLE, patch)})
    if compiled.errors:
        return PatchVerdict()
    keeps, attacked = (scene_succeeds(compiled, parts[key]) for key in ("use", "exploit"))
    return PatchVerdict(compiles=True, keeps=keeps, stops=not attacked)


def scene_succeeds(compiled: Compiled, name: str) -> bool:
    """Whether the scene's `run()` ends with true, called with a purse by an account without code.

    Raises DataError where there is no such scene."""
    scene, chain = compiled.contracts.get(name), LocalChain()
    if scene is None or "run()" not in scene.selectors:
        raise DataError(
            f"check: the scaffold has no contract {name!r} with a function run()",
            hint="name contracts of the scaffold in `use` and `exploit`",
        )
    chain.fund(_CALLER, 2 * _PURSE_WEI)
    address = chain.deploy(scene.bytecode, sender=_CALLER)
    if address is None:
        return False
    run = bytes.fromhex(scene.selectors["run()"])
    outcome = chain.call(address, run, sender=_CALLER, value=_PURSE_WEI)
    return outcome.output == _YES


def _read_check(check: str) -> dict[str, str]:
    try:
        parts: Any = json.loads(check)
    except (ValueError, RecursionError):
        parts = None
    if not isinstance(parts, dict) or not all(isinstance(parts.get(key), str) for key in _KEYS):
        raise DataError(
            f"check: {check[:40]!r} does not name {', '.join(_KEYS)}",
            hint="use the column `check` of the rows of solidity-audit",
        )
    return parts


def _is_one_function(patch: str) -> bool:
    """A patch that closes the contract, or brings something else along, could answer for the exploit."""
    try:
        parts = parse(f"contract Patched {{\n{patch}\n}}", "patch").parts
    except (DataError, IndexError):
        return False
    members = parts[0].members if len(parts) == 1 and isinstance(parts[0], Contract) else ()
    return len(members) == 1 and members[0].words[0] == "function" and members[0].block >= 0
