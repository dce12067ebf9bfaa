"""What an audit's answer is worth: its patch stands in the contract, and use and attack of it are run.

Covered: one function is patched, in a contract that is sound but for it. Not covered: a patch that stops this
exploit and not another of the same flaw, beyond what the calls by chance find."""

import json
from functools import lru_cache
from typing import Any, NamedTuple

from finewright.sdk import ColumnScorer, DataError
from finewright_web3.audit.contracts import HOLE
from finewright_web3.audit.rows import SOUND
from finewright_web3.behaviour import judge_answer
from finewright_web3.compiler import Compiled, compile_sources
from finewright_web3.evm import Chain, Reverted
from finewright_web3.solidity_syntax import Contract, parse

_PURSE_WEI = 100 * 10**18
"""What a scene may spend: they spend up to 40 ether."""
_CALLER = "0x" + "11" * 20
_KEYS = {"contract", "exploit", "reference", "scaffold", "use"}
_YES = (1).to_bytes(32, "big")


class AuditAnswer(NamedTuple):
    """What an answer says: the class of the flaw, its function, and the function without it."""

    kind: str
    function: str
    patch: str


class PatchVerdict(NamedTuple):
    """Whether a patch compiles, keeps what everyone may do, and stops the exploit."""

    compiles: bool
    keeps: bool
    stops: bool

    @property
    def is_good(self) -> bool:
        """All of it."""
        return self.compiles and self.keeps and self.stops


def read_answer(text: str) -> AuditAnswer | None:
    """The answer's three texts; None where it is not JSON of that form."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    parts = [said.get(key) for key in ("class", "function", "patch")] if isinstance(said, dict) else []
    return AuditAnswer(*parts) if parts and all(isinstance(part, str) for part in parts) else None


def audit_patch(answer: str, check: str) -> float:
    """1 for a patch that compiles, keeps the behaviour and stops the exploit; for a sound contract, for `none`."""
    said, told = read_answer(answer), read_check(check)
    if said is None or told["class"] == SOUND:
        return float(said is not None and said.kind == SOUND)
    return float(judge_patch(said.patch, check).is_good)


def read_check(check: str) -> dict[str, Any]:  # Any: the ground's keys and those of audits
    """The row's `check`; DataError where it is not one that `solidity-audit` writes."""
    try:
        told = json.loads(check)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict) or not _KEYS <= told.keys():
        raise DataError(
            f"check: {check[:40]!r} has not the keys {', '.join(sorted(_KEYS))}",
            hint="rows of the set solidity-audit have them",
        )
    return told


@lru_cache(maxsize=4096)
def judge_patch(patch: str, check: str) -> PatchVerdict:
    """What the patch does in the contract of a row with a flaw. The same patch is run once."""
    told = read_check(check)
    if not _is_one_function(patch):
        return PatchVerdict(compiles=False, keeps=False, stops=False)
    compiled = compile_sources({"patched.sol": told["scaffold"].replace(HOLE, patch)})
    if compiled.errors:
        return PatchVerdict(compiles=False, keeps=False, stops=False)
    return PatchVerdict(
        compiles=True,
        keeps=scene_succeeds(compiled, told["use"]) and judge_answer(patch, check).behaves == 1,
        stops=not scene_succeeds(compiled, told["exploit"]),
    )


def scene_succeeds(compiled: Compiled, name: str) -> bool:
    """Whether the scene's `run()` ends with true, called with a purse by an account of its own."""
    scene, chain = compiled.contracts[name], Chain()
    chain.fund(_CALLER, 10 * _PURSE_WEI)
    at = chain.deploy(scene.bytecode, sender=_CALLER)
    if isinstance(at, Reverted):
        return False
    told = bytes.fromhex(scene.selectors["run()"])
    outcome = chain.call(at, told, sender=_CALLER, value=_PURSE_WEI)
    return outcome.ok and outcome.output == _YES


def _is_one_function(patch: str) -> bool:
    """A patch that closes the contract, or brings another function, could answer for the exploit as well."""
    try:
        (part,) = parse(f"contract Patched {{{patch}}}", "patch").parts
    except (DataError, ValueError):
        return False
    members = part.members if isinstance(part, Contract) else ()
    return len(members) == 1 and members[0].block >= 0 and members[0].words[0] == "function"


audit_patch_scorer = ColumnScorer("check", audit_patch)
