"""The dossier as OSCAL assessment results (NIST OSCAL 1.1, https://pages.nist.gov/OSCAL), in JSON.

Each control is an observation with its evidence. There are no findings: a finding has to say that an
objective is satisfied or not, which only an assessor may."""

import uuid
from datetime import UTC, datetime, time
from typing import Any

from finewright import __version__
from finewright_trust.comply.report import ComplyReport, ControlState, FoundEvidence

_OSCAL = "1.1.3"
_OURS = "urn:finewright:comply"
_SPACE = uuid.uuid5(uuid.NAMESPACE_URL, _OURS)


def as_oscal(report: ComplyReport) -> dict[str, Any]:  # Any: JSON
    """The document; equal reports give equal identifiers."""
    moment = datetime.combine(report.today, time(), UTC).isoformat()
    controls = report.of("applies", "later", "unknown")
    links = {each.link: each for control in controls for each in control.evidence if each.link}
    results = {
        "uuid": _uuid(report, "result"),
        "title": f"Evidence for {report.name}",
        "description": "Which evidence exists as of the day. It judges no control as satisfied or not.",
        "start": moment,
        "end": moment,
        "reviewed-controls": {"control-selections": [{"include-controls": _ids(controls)}]},
        "observations": [_observation(report, control, moment) for control in controls],
    }
    return {
        "assessment-results": {
            "uuid": _uuid(report, "results"),
            "metadata": {
                "title": f"Dossier of {report.name}",
                "last-modified": moment,
                "version": __version__,
                "oscal-version": _OSCAL,
            },
            "import-ap": {"href": "#" + _uuid(report, "plan")},
            "results": [results],
            "back-matter": {
                "resources": [
                    {
                        "uuid": _uuid(report, "plan"),
                        "title": "The plan: every control of the regimes "
                        + ", ".join(report.regimes),
                    },
                    *(_resource(report, each) for each in links.values()),
                ]
            },
        }
    }


def _ids(controls: list[ControlState]) -> list[dict[str, str]]:
    return [{"control-id": _token(control)} for control in controls]


def _token(control: ControlState) -> str:
    return f"{control.regime}_{control.id}".lower()


def _observation(report: ComplyReport, control: ControlState, moment: str) -> dict[str, Any]:
    ways = {"auto": "TEST", "human": "EXAMINE"}
    methods = dict.fromkeys(ways[e.kind] for e in control.evidence if e.kind in ways)
    found = {
        "uuid": _uuid(report, f"control {control.id}"),
        "title": f"{control.id}: {control.article}",
        "description": control.duty,
        "props": [
            {"name": "status", "ns": _OURS, "value": control.status},
            {"name": "evidence", "ns": _OURS, "value": control.kind},
            {"name": "control-id", "ns": _OURS, "value": _token(control)},
        ],
        "methods": [*methods] or ["UNKNOWN"],
        "collected": moment,
    }
    evidence = [
        {"href": "#" + _uuid(report, f"file {each.link}"), "description": each.value or each.query}
        for each in control.evidence
        if each.link
    ]
    return {**found, "relevant-evidence": evidence} if evidence else found


def _resource(report: ComplyReport, evidence: FoundEvidence) -> dict[str, Any]:
    digest = [{"algorithm": "SHA-256", "value": evidence.sha256}]
    return {
        "uuid": _uuid(report, f"file {evidence.link}"),
        "title": evidence.link,
        "rlinks": [{"href": evidence.link, "hashes": digest}],
    }


def _uuid(report: ComplyReport, what: str) -> str:
    """Version 5, which OSCAL takes beside 4."""
    return str(uuid.uuid5(_SPACE, f"{report.run} {report.today} {what}"))
