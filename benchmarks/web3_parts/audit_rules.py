"""What the rules of slither and solhint find in a function of a contract, by the classes of `solidity-audit`.

Both are programs of their own, with the rules that are on by default. They see the whole contract; what they
find outside of the function does not count. A rule whose finding is none of the classes is left out, such as
solhint's on every low-level call, which a sound contract may make."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finewright_web3.compiler import find_node, unpack_solc
from finewright_web3.solidity import Function

_SHIM = Path(__file__).with_name("solc_shim.js")
RULES = {
    "slither": {
        "arbitrary-send-eth": "access",
        "suicidal": "access",
        "unprotected-upgrade": "access",
        "controlled-delegatecall": "delegatecall",
        "delegatecall-loop": "delegatecall",
        "divide-before-multiply": "rounding",
        "reentrancy-balance": "reentrancy",
        "reentrancy-eth": "reentrancy",
        "reentrancy-no-eth": "reentrancy",
        "tx-origin": "tx.origin",
        "unchecked-lowlevel": "unchecked-call",
        "unchecked-send": "unchecked-call",
        "unchecked-transfer": "unchecked-call",
        "unused-return": "unchecked-call",
    },
    "solhint": {
        "avoid-tx-origin": "tx.origin",
        "check-send-result": "unchecked-call",
        "no-unchecked-calls": "unchecked-call",
        "reentrancy": "reentrancy",
    },
}
"""Rules by the class that they find; there are none for the other classes."""


def find_by_slither(slither: Path, source: str, function: Function, folder: Path) -> frozenset[str]:
    """The classes that slither's detectors find in the function."""
    contract, solc = folder / "contract.sol", folder / "solc"
    contract.write_text(source, encoding="utf-8")
    command = f'exec "{find_node()}" "{_SHIM}" "{unpack_solc()}" "$@"'
    solc.write_text(f"#!/bin/sh\n{command}\n", encoding="utf-8")
    solc.chmod(0o700)
    said = _run(
        [str(slither.absolute()), contract.name, "--solc", str(solc), "--json", "-"], folder
    )
    if not said["success"]:
        raise SystemExit(f"slither: {function.name}: {said['error']}")
    rules = RULES["slither"]
    return frozenset(
        rules[each["check"]]
        for each in said["results"].get("detectors", ())
        if each["check"] in rules and _function_of(each) == function.name
    )


def find_by_solhint(solhint: Path, source: str, function: Function, folder: Path) -> frozenset[str]:
    """The classes that solhint's recommended rules find in the function."""
    (folder / "contract.sol").write_text(source, encoding="utf-8")
    (folder / ".solhint.json").write_text('{"extends": "solhint:recommended"}', encoding="utf-8")
    program = [str(find_node()), str(solhint.absolute()), "--noPoster", "--disc"]
    said = _run([*program, "--formatter", "json", "contract.sol"], folder)
    first = source[: source.index(function.code)].count("\n") + 1
    last = first + function.code.count("\n")
    rules = RULES["solhint"]
    return frozenset(
        rules[each["ruleId"]]
        for each in said
        if each.get("ruleId") in rules and first <= each["line"] <= last
    )


def _run(command: list[str], folder: Path) -> Any:  # Any: the program's JSON
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if not done.stdout:
        raise SystemExit(f"{command[0]}: {done.stderr[-300:]}")
    return json.loads(done.stdout)


def _function_of(finding: Mapping[str, Any]) -> str:  # Any: slither's JSON
    """The function in which a rule found something: that of its first element."""
    first = finding["elements"][0]
    inside = first if first["type"] == "function" else first["type_specific_fields"]["parent"]
    return str(inside["name"])
