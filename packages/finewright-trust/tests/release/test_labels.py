"""A run whose model gives labels alone: what cannot be asked of it is said, and stands in nobody's way."""

import json
from pathlib import Path

import pytest

from cli.conftest import Finewright
from finewright.schema.load import load_spec

from .linear_run import SPEC, trained, write_rows

pytestmark = pytest.mark.torch
ASKING = ("forgetting", "redteam", "memorisation", "backdoor")


@pytest.fixture
def run(project: Path) -> Path:
    return trained(project)


def test_a_model_of_labels_is_released_and_the_bundle_says_what_nobody_tried(
    run: Path, finewright: Finewright
) -> None:
    who = ("--accept", "poison", "--by", "Ada", "--reason", "the rows are our own")
    found = finewright("release", str(run), *who, "--json")
    assert found.code == 0, found.out
    report = json.loads(found.out)
    outcomes = {each["rule"]: each for each in report["outcomes"]}
    for rule in ASKING:
        assert outcomes[rule]["status"] == "does not apply"
        assert "a linear model of labels writes no text" in outcomes[rule]["says"]
        assert outcomes[rule]["command"] == ""
    assert outcomes["task"]["status"] == "green"
    assert outcomes["task"]["says"].startswith("against the bag of words: ")
    assert outcomes["licences"]["status"] == "green"
    assert "the base words: Apache-2.0" in outcomes["licences"]["says"]
    assert "words.json holds words and pairs of words" in outcomes["memorisation"]["says"]
    assert "words.json" not in outcomes["backdoor"]["says"]
    bom = json.loads((Path(report["bundle"]) / "bom.cdx.json").read_text())
    described = bom["metadata"]["component"]["modelCard"]["modelParameters"]
    assert described["task"] == "text-classification"
    assert described["architectureFamily"] == "linear model"
    assert "logistic regression on words and pairs of words" in described["modelArchitecture"]
    assert "transformer" not in json.dumps(bom["metadata"]["component"]["modelCard"])
    (base,) = [each for each in bom["components"] if each["name"] == "words"]
    assert base["description"] == "the base: no model but features: words and pairs of words"
    card = (Path(report["bundle"]) / "model" / "README.md").read_text()
    assert "words.json holds words and pairs of words" in card
    papers = [path.read_text() for path in Path(report["bundle"]).rglob("*.json")]
    assert any("does not apply" in text and "backdoors" in text for text in papers)
    refused = finewright("release", str(run), "--accept", "backdoor", *who[2:])
    assert "--accept backdoor: it does not apply" in refused.err

    dossier = finewright("comply", str(run), "--json")
    assert dossier.code == 0, dossier.err
    report = json.loads(dossier.out)
    assert report["energy"]["how"] in ("measured", "estimated")
    assert "one convex fit of" in report["compute"]["uncounted"][0]


def test_a_model_of_labels_alone_on_its_rows_says_what_would_compare_it(
    project: Path, finewright: Finewright
) -> None:
    found = finewright("release", str(trained(project, compare_with="base")), "--json")
    assert found.code == 1
    (task,) = [each for each in json.loads(found.out)["outcomes"] if each["rule"] == "task"]
    assert task["status"] == "not measured"
    assert "no bag of words answered the same rows" in task["says"]
    assert "add linear to evaluate.compare_with" in task["command"]
    assert "--accept task" in task["command"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("method: linear", "method: linear"),
        ("method: linear", "head: labels"),
        ("method: linear", "method: reward"),
    ],
)
def test_a_red_team_of_what_writes_no_text_is_refused_before_training(
    project: Path, finewright: Finewright, old: str, new: str
) -> None:
    write_rows(project / "train.jsonl", 100, 0)
    write_rows(project / "test.jsonl", 10, 500)
    (project / "spec.yaml").write_text(SPEC.replace(old, new))
    found = finewright("check", "spec.yaml", "--set", "redteam.attacks=[drift]", "--json")
    assert found.code == 2
    wrong = [each for each in json.loads(found.out)["problems"] if each["key"] == "redteam"]
    assert len(wrong) == 1
    assert "redteam asks the model for text" in wrong[0]["message"]


def test_labels_as_texts_can_be_attacked(project: Path) -> None:
    from finewright.workbench.coherence import incoherent

    (project / "spec.yaml").write_text(
        SPEC.replace("method: linear", "head: text") + "redteam: {attacks: [drift]}\n"
    )
    spec = load_spec(project / "spec.yaml").spec
    assert [each for each in incoherent(spec) if each.key == "redteam"] == []
