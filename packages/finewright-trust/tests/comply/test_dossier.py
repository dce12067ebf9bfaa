"""The dossier of a tiny run: its links and digests, what people answer, its stage, and what it refuses."""

import json
import os
import re
import shutil
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

import tiny_run
from cli.conftest import Finewright
from finewright.schema.load import load_spec
from finewright.store.rundir import open_run
from finewright.store.speclock import lock_of
from finewright.workbench.up import up
from finewright_trust.comply.compute import measure_compute
from finewright_trust.comply.report import ComputeMeter

from .dossiers import broken_links, links, wrong_digests

pytest.importorskip("torch")
TRESTLE = os.environ.get("FINEWRIGHT_TRESTLE", "")
"""The Python of an environment with compliance-trestle."""


def control(report: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in report["controls"] if each["id"] == name)


def test_every_link_opens_every_digest_holds_and_the_run_is_whole(
    report: dict[str, Any], run: Path, finewright: Finewright
) -> None:
    folder = run / "comply"
    assert broken_links(folder) == []
    assert wrong_digests(folder) == []
    assert len(list(links(folder))) > 100
    assert finewright("verify", str(run)).code == 0
    assert {"index.html", "index.md", "oscal.json", "report.json"} <= {
        path.name for path in folder.iterdir()
    }


def test_a_dossier_elsewhere_links_back_to_the_run(run: Path, finewright: Finewright) -> None:
    before = sorted(path for path in run.rglob("*"))
    assert finewright("comply", str(run), "--regime", "all", "--out", "dossier").code == 0
    assert broken_links(Path("dossier")) == []
    assert wrong_digests(Path("dossier")) == []
    assert sorted(path for path in run.rglob("*")) == before


def test_a_changed_file_is_seen_by_its_digest(report: dict[str, Any], run: Path) -> None:
    (run / "comply" / "comply.yaml").write_text("changed")
    assert set(wrong_digests(run / "comply")) == {"comply.yaml"}


def test_the_day_is_the_one_that_was_asked_for(report: dict[str, Any]) -> None:
    assert report["today"] == "2026-12-05"
    assert control(report, "R10")["status"] == "later"
    assert control(report, "R10")["start"] == "2027-12-02"


def test_evidence_is_auto_human_or_missing(report: dict[str, Any]) -> None:
    (provenance, *_) = control(report, "R10.10")["evidence"]
    assert (provenance["kind"], provenance["link"]) == ("auto", "../data/ledger.jsonl")
    (quality,) = control(report, "R10.17")["evidence"]
    assert quality["kind"] == "human"
    assert quality["link"] == "written/R10.17/quality.txt"
    assert "Ada Lovelace" in quality["value"]
    (literacy,) = control(report, "R03")["evidence"]
    assert (literacy["kind"], literacy["value"]) == ("human", "a course for all staff")
    red = control(report, "R10.15")["evidence"][1]
    assert red["kind"] == "missing"
    assert "redteam" in red["hint"]


def test_documents_are_filled_from_records_and_people(report: dict[str, Any]) -> None:
    (annex,) = [each for each in report["documents"] if each["id"] == "annex-iv"]
    fields = {f["name"]: f for section in annex["sections"] for f in section["fields"]}
    assert fields["intended purpose"]["value"] == "To sort applications, ünder supervision."
    assert fields["intended purpose"]["kind"] == "human"
    assert (fields["licences"]["value"], fields["licences"]["kind"]) == ("CC0-1.0", "auto")
    assert fields["declaration"]["kind"] == "missing"
    assert fields["energy measured or estimated"]["value"] in ("measured", "estimated")


def test_figures_of_documents_are_those_of_the_run(report: dict[str, Any], run: Path) -> None:
    data = json.loads((run / "data" / "report.json").read_text())
    counts = data["counts"]
    said = f"rows_in {counts['rows_in']}, rows_kept {counts['rows_kept']}, rows_truncated 0"
    for document, name in (
        ("annex-xi", "curation: rows in, kept and dropped"),
        ("annex-xii", "curation"),
    ):
        assert _field(report, document, name)["value"] == said
    for document, name in (("annex-iv", "duplicates"), ("public-summary", "3.3 duplicates")):
        assert "groups 0" in _field(report, document, name)["value"]
    (part,) = report["compute"]["parts"]
    for document in ("annex-iv", "annex-xi"):
        found = _field(report, document, "training compute in FLOP")["value"]
        assert float(found) == pytest.approx(part["flops"], rel=0.01)


def _field(report: dict[str, Any], document: str, name: str) -> dict[str, Any]:
    (form,) = [each for each in report["documents"] if each["id"] == document]
    (found,) = [f for part in form["sections"] for f in part["fields"] if f["name"] == name]
    return dict(found)


def test_no_page_calls_anything_compliant(report: dict[str, Any], run: Path) -> None:
    for page in (run / "comply").rglob("*.*"):
        if page.suffix in (".html", ".md", ".json") and "evidence" not in page.parts:
            text = page.read_text(encoding="utf-8")
            assert not re.search(
                r"\b(is|are|was|fully|not|non)[ -]compliant\b", text, re.IGNORECASE
            )


def test_who_made_it_is_in_the_manifest_and_on_no_page(
    run: Path, finewright: Finewright, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITLAB_CI", "true")
    monkeypatch.setenv("GITLAB_USER_LOGIN", "grace-hopper@navy.example")
    finewright("comply", str(run), "--answers", "answers.yaml")
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["stages"]["comply"]["actor"]["ci"]["started_by"] == "grace-hopper"
    pages = [*(run / "comply").rglob("*.html"), *(run / "comply").glob("*.json")]
    assert not any("grace-hopper" in page.read_text(encoding="utf-8") for page in pages)


def test_init_writes_answers_that_are_read_again(run: Path, finewright: Finewright) -> None:
    assert finewright("comply", str(run), "--role", "deployer", "--init", "new.yaml").code == 0
    found = yaml.safe_load(Path("new.yaml").read_text(encoding="utf-8"))["comply"]
    assert found["roles"] == ["deployer"]
    assert found["system"]["eu_market"] is None
    again = finewright("comply", str(run), "--answers", "new.yaml", "--json")
    assert json.loads(again.out)["roles"] == ["deployer"]


def test_the_stage_writes_it_where_the_spec_asks(trained: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained.parents[1], tmp_path / "asked"))
    shutil.rmtree(folder / "runs")
    spec = folder / "spec.yaml"
    test = '{"prompt": "the red 90", "completion": "red"}\n'
    (folder / "test.jsonl").write_text(test)
    text = spec.read_text().replace("evaluate: {", "evaluate: {data: [{path: test.jsonl}], ")
    spec.write_text(text + "comply: {roles: [modifier]}\n")
    done = up(load_spec(spec), folder / "runs", on_event=tiny_run.nothing)
    assert done.ran[-1] == "comply"
    dossier = Path(done.summary.run) / "comply"
    assert broken_links(dossier) == []
    assert wrong_digests(dossier) == []
    assert "Dossier" in next((dossier.parent / "train").rglob("README.md")).read_text()


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ("name: x\ncomply: {rols: [provider]}\n", "answers.yaml:2: comply.rols: unknown key"),
        ("name: x\ncomply: {roles: [owner]}\n", "answers.yaml:2: comply.roles.0"),
        ("name: x\ncomply: {system: {uses: [recrutment]}}\n", "did you mean 'recruitment'?"),
        ("name: x\ncomply: {evidence: {R99: [{text: a}]}}\n", "no control 'R99'"),
        ("name: x\ncomply: {evidence: {R03: [{by: me}]}}\n", "give a text or a file"),
        ("name: x\ncomply: {evidence: {R03: [{file: gone.pdf}]}}\n", "gone.pdf: there is no such"),
        ("name: x\ncomply: {regimes: [sr-11-7]}\n", "rescinded on 2026-04-17"),
        ("name: x\ncomply: {regimes: [gdpr]}\n", "no regime 'gdpr'"),
    ],
)
def test_wrong_answers_are_refused_in_a_line_and_leave_nothing(
    answers: str, said: str, run: Path, finewright: Finewright
) -> None:
    Path("answers.yaml").write_text(answers)
    result = finewright("comply", str(run), "--answers", "answers.yaml")
    assert result.code == 2
    assert said in result.err
    assert "Traceback" not in result.err
    assert not (run / "comply").exists()
    assert not list(run.glob("*.tmp")) + list(run.glob(".*.tmp"))


def test_a_damaged_or_untrained_run_is_refused(run: Path, finewright: Finewright) -> None:
    (run / "data" / "train.jsonl").write_text("{}")
    result = finewright("comply", str(run))
    assert (result.code, "damaged: data/train.jsonl" in result.err) == (2, True)
    assert not (run / "comply").exists()
    (run / "train" / "report.json").unlink()
    result = finewright("comply", str(run))
    assert (result.code, "the stage 'train' has not finished" in result.err) == (2, True)
    assert "`finewright up` runs the missing stages" in result.err
    unknown = finewright("comply", str(run), "--role", "owner")
    assert unknown.code == 2


def test_oscal_has_an_observation_for_each_control_and_no_verdict(
    report: dict[str, Any], run: Path
) -> None:
    oscal = json.loads((run / "comply" / "oscal.json").read_text())["assessment-results"]
    (result,) = oscal["results"]
    open_facts = [each for each in report["controls"] if each["status"] != "no"]
    assert len(result["observations"]) == len(open_facts)
    assert "findings" not in result
    ids = [result["uuid"], oscal["uuid"], *(each["uuid"] for each in result["observations"])]
    assert len(ids) == len(set(ids))
    assert date.fromisoformat(result["start"][:10]) == date(2026, 12, 5)


@pytest.mark.skipif(
    not TRESTLE, reason="FINEWRIGHT_TRESTLE names no Python with compliance-trestle"
)
def test_compliance_trestle_accepts_the_oscal_results(report: dict[str, Any], run: Path) -> None:
    check = Path(__file__).with_name("trestle_check.py")
    command = [TRESTLE, str(check), str(run / "comply" / "oscal.json")]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(found.stdout) == sum(each["status"] != "no" for each in report["controls"])


def test_training_of_parents_counts_and_a_lost_parent_is_named(
    trained: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(trained.parents[1], tmp_path / "line"))
    shutil.rmtree(folder / "runs")
    parent = tiny_run.trained(folder, "{type: lora, r: 4}")
    child = tiny_run.trained(folder, "{type: lora, r: 2}", base=str(parent))
    alone, both = (_meter(run) for run in (parent, child))
    assert both.uncounted == ()
    assert len(both.parts) == 2
    assert both.total > alone.total
    assert alone.total in [part.flops for part in both.parts]
    shutil.rmtree(parent)
    lost = _meter(child)
    assert lost.uncounted[0].startswith(f"training of {parent.name}: its folder is not found")


def _meter(folder: Path) -> ComputeMeter:
    run = open_run(folder)
    return measure_compute(run, lock_of(run), {})
