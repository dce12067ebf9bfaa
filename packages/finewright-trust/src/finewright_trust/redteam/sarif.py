"""Findings as SARIF 2.1.0 (OASIS), which code hosts and security tools read."""

import json
from typing import Any

from finewright import __version__
from finewright_trust.redteam.finding import AttackFinding, RedteamReport, Severity

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: dict[Severity, str] = {
    "critical": "error",
    "high": "error",
    "medium": "warning",
    "low": "note",
    "none": "none",
}
_SCORES: dict[Severity, str] = {
    "critical": "9.5",
    "high": "8.0",
    "medium": "5.5",
    "low": "2.0",
    "none": "0.0",
}
"""`security-severity`, in the middle of CVSS's bands, by which code hosts sort."""


def as_sarif(report: RedteamReport) -> str:
    """A run of the tool, with a rule for each thing tried and a result for each; what came to nothing is a
    result of the kind `pass`."""
    driver = {
        "name": "finewright redteam",
        "version": __version__,
        "rules": [_rule(found) for found in report.findings],
    }
    results = [_result(found, number, report) for number, found in enumerate(report.findings)]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    whole = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _id(found: AttackFinding) -> str:
    return f"{found.attack}/{found.name}"


def _rule(found: AttackFinding) -> dict[str, Any]:
    mends = "\n".join(f"- {mend.what} {mend.command}".rstrip() for mend in found.mends)
    return {
        "id": _id(found),
        "shortDescription": {"text": found.title},
        "help": {"text": mends or "nothing to fix"},
        "properties": {
            "tags": ["security", found.owasp, found.atlas],
            "security-severity": _SCORES[found.severity],
        },
    }


def _result(found: AttackFinding, number: int, report: RedteamReport) -> dict[str, Any]:
    rates = {r.system: {"hits": r.hits, "trials": r.trials} for r in found.rates}
    return {
        "ruleId": _id(found),
        "ruleIndex": number,
        "kind": "pass" if found.severity == "none" else "fail",
        "level": _LEVELS[found.severity],
        "message": {"text": f"{found.title}: {found.says}. Again: {found.again}"},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": report.subject}},
                "logicalLocations": [{"name": report.systems[-1], "kind": "object"}],
            }
        ],
        "properties": {"rates": rates, "figures": {f.name: f.value for f in found.figures}},
    }
