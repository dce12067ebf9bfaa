"""A run of a tiny model under attack: by the command, as its last stage, and in its card."""

import json
from pathlib import Path

import pytest

import tiny_run
from finewright.report.layouts import page_of
from finewright.report.text import as_text
from finewright.schema.load import load_spec
from finewright.workbench.runs import show
from finewright.workbench.up import up
from finewright_trust.redteam.finding import RedteamReport
from finewright_trust.redteam.spec import RedteamSpec
from finewright_trust.redteam.subject import ask_user
from finewright_trust.redteam.suite import attack_all, open_subject

torch = pytest.importorskip("torch")

REDTEAM = "redteam: {attacks: [injection, secret], prompts: 4, max_new_tokens: 8, fail_at: none}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spec and its rows, trained with LoRA."""
    folder = tmp_path_factory.mktemp("attacked")
    tiny_run.trained(folder, "{type: lora, r: 4}")
    return folder


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    """The run."""
    (found,) = (folder / "runs").iterdir()
    return found


def test_base_and_tuned_are_asked_the_same_and_nothing_twice(run: Path) -> None:
    asked: list[tuple[str, int]] = []
    subject = open_subject(str(run), "", lambda what, _, total: asked.append((what, total)))
    prompts = [ask_user(text) for text in subject.questions[:2]]
    said = subject.answers(prompts, 6)
    assert list(said) == ["base", "tuned"]
    assert said["base"] != said["tuned"], "training moved the model"
    before = len(asked)
    assert subject.answers(prompts, 6) == said
    assert len(asked) == before


def test_up_ends_with_the_stage_and_the_card_shows_it(folder: Path) -> None:
    spec = folder / "with.yaml"
    spec.write_text((folder / "spec.yaml").read_text() + REDTEAM)
    report = up(load_spec(spec), folder / "runs", on_event=tiny_run.nothing)
    assert report.ran == ("evaluate", "redteam"), "the training is the same and is kept"
    run = Path(report.summary.run)
    stored = json.loads((run / "redteam" / "report.json").read_text())
    assert [attack["name"] for attack in stored["attacks"]] == ["injection", "secret"]
    assert "Red team" in as_text(page_of(show(run)))
    (card,) = run.glob("train/**/README.md")
    assert "## Red team" in card.read_text()
    again = up(load_spec(spec), folder / "runs", on_event=tiny_run.nothing)
    assert again.ran == ()


def test_an_attack_that_does_not_apply_says_why(run: Path) -> None:
    subject = open_subject(str(run), "", tiny_run.nothing)
    spec = RedteamSpec(attacks=("injection", "theft"), prompts=40, max_new_tokens=8)
    report = attack_all(subject, spec, tiny_run.nothing)
    theft = next(each for each in report.attacks if each.name == "theft")
    assert theft.skipped
    assert report.attacks[0].findings > 0
    assert isinstance(report, RedteamReport)


def test_a_spec_that_names_no_attack_of_ours_is_refused_before_it_runs(folder: Path) -> None:
    from finewright.errors import DataError

    spec = folder / "wrong.yaml"
    spec.write_text((folder / "spec.yaml").read_text() + "redteam: {attacks: [injektion]}\n")
    with pytest.raises(DataError, match=r"redteam\.attacks.*injektion"):
        up(load_spec(spec), folder / "runs", on_event=tiny_run.nothing)
