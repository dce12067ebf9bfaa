"""Every row of every regime: its days, its address, and that what its queries name exists in records."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import BaseModel

from finewright.schema.data import DataReport
from finewright.schema.evaluate import EvaluateReport
from finewright.schema.lock import Lock
from finewright.schema.train import TrainReport
from finewright.store.manifest import Manifest
from finewright_trust.comply.controls import Control, Regime, regimes
from finewright_trust.comply.documents import forms
from finewright_trust.comply.report import ComputeMeter, EnergyUse
from finewright_trust.comply.spec import ComplySpec
from finewright_trust.redteam.finding import RedteamReport

ISSUERS = {
    "eu-ai-act": "eur-lex.europa.eu",
    "dora": "eur-lex.europa.eu",
    "ca-ab-2013": "leginfo.legislature.ca.gov",
    "finos-aigf": "air-governance-framework.finos.org",
    "iso-42001": "www.iso.org",
    "nist-ai-rmf": "nvlpubs.nist.gov",
    "owasp-aisvs": "github.com/OWASP/AISVS",
    "sr-11-7": "www.federalreserve.gov",
    "ss1-23": "www.bankofengland.co.uk",
}
OLDEST = date(2016, 4, 27)
"""The General Data Protection Regulation, which a row of the AI Act's file is of."""
REPORTS: dict[str, type[BaseModel]] = {
    "data/report.json": DataReport,
    "train/report.json": TrainReport,
    "evaluate/report.json": EvaluateReport,
    "redteam/report.json": RedteamReport,
    "spec.lock.yaml": Lock,
    "manifest.json": Manifest,
    "dossier:compute.json": ComputeMeter,
    "dossier:energy.json": EnergyUse,
}
BY_LATER_STAGES = {
    "evaluate/samples.jsonl", "release/bundle/bom.cdx.json", "release/bundle/model.sig",
}  # fmt: skip


def controls() -> Iterator[tuple[Regime, Control]]:
    for regime in regimes().values():
        yield from ((regime, control) for control in regime.controls)


def queries() -> set[str]:
    found = {query for _, control in controls() for query in control.evidence}
    parts = [part for form in forms() for part in form.sections]
    return found | {query for part in parts for f in part.fields for query in f.fill}


@pytest.mark.parametrize("name", [*regimes()])
def test_a_regime_has_a_day_an_issuer_and_what_its_review_confirmed(name: str) -> None:
    regime = regimes()[name]
    assert regime.id == name
    assert date(2026, 11, 1) < regime.reviewed_at <= date.today()
    assert regime.review
    for source in {regime.source, *(c.source for c in regime.controls if c.source)}:
        address = urlsplit(source)
        assert address.scheme == "https"
        assert f"{address.netloc}{address.path}".startswith(ISSUERS[name]), source


def test_every_control_has_a_day_from_which_it_holds() -> None:
    for regime, control in controls():
        start = control.start or regime.start
        assert start is not None, control.id
        assert OLDEST < start < date(2031, 1, 1), control.id
        assert all(start < grace.day for grace in control.grace), control.id


def test_the_official_numbers_are_whole() -> None:
    """Counts by the issuers: NIST AI 100-1, ISO/IEC 42001 Table A.1, the templates of 2024/2956, FINOS."""
    count = {name: len(regime.controls) for name, regime in regimes().items()}
    nist = [control.article for control in regimes()["nist-ai-rmf"].controls]
    functions = [sum(a.startswith(f) for a in nist) for f in ("GOVERN", "MAP", "MEASURE", "MANAGE")]
    assert functions == [19, 18, 22, 13]
    assert count["iso-42001"] == 38
    assert sum(", B_" in control.article for control in regimes()["dora"].controls) == 15
    assert count["finos-aigf"] == 23
    assert count["ca-ab-2013"] == 12


@pytest.mark.torch
def test_every_query_names_evidence_that_a_run_can_have(trained: Path, dossier: Path) -> None:
    assert not _has(DataReport.model_json_schema(), "sources.*.licence")
    files = {path.relative_to(trained).as_posix() for path in trained.rglob("*") if path.is_file()}
    for query in sorted(queries() - {"human"}):
        name, _, field = query.partition("#")
        if query == "dossier:compute.json#stated":
            assert json.loads((dossier / "compute.json").read_text())["stated"]
        elif name.startswith("answer:"):
            assert _has(ComplySpec.model_json_schema(), name.removeprefix("answer:")), query
        elif name in REPORTS:
            assert not field or _has(REPORTS[name].model_json_schema(), field), query
        elif "*" in name:  # a kind of adapter's own file
            assert list(trained.glob(name)) or name.endswith("/config.json"), query
        else:
            assert name in files | BY_LATER_STAGES, query
            tree = json.loads((trained / name).read_text()) if field else {}
            assert not field or field.partition(".")[0] in tree, query


def _has(schema: dict[str, Any], field: str) -> bool:
    """Whether values that the schema describes can hold something at the dotted path."""
    return any(_reached(schema, schema, field.split(".")))


def _reached(whole: dict[str, Any], at: dict[str, Any], path: list[str]) -> Iterator[bool]:
    if "$ref" in at:
        at = whole["$defs"][at["$ref"].removeprefix("#/$defs/")]
    for each in (*at.get("anyOf", ()), *at.get("oneOf", ())):
        yield from _reached(whole, each, path)
    if not path:
        yield True
        return
    inner = [at.get("items"), at.get("additionalProperties")]
    there = inner if path[0] == "*" else [at.get("properties", {}).get(path[0])]
    for each in there:
        if isinstance(each, dict):
            yield from _reached(whole, each, path[1:])
