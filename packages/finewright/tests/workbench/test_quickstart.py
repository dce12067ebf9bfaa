"""What the quickstart writes, runs and shows: held-out questions with the answers of two systems."""

import json
import shlex
from pathlib import Path

import pytest

from finewright.errors import MissingExtra
from finewright.evaluate.score import check_metrics
from finewright.feature import Session
from finewright.report.show import text_of
from finewright.schema.load import load_spec
from finewright.schema.load_section import load_section
from finewright.schema.rag import RagSpec
from finewright.workbench import quickstart as module
from finewright.workbench.quickstart import (
    _ANSWERS_SERVED,
    BASE_MODEL,
    TASKS,
    quickstart,
    replay,
    spec_text,
)
from finewright_serve.spec import ServeSpec
from finewright_trust.comply.spec import ComplySpec
from finewright_trust.release.policy import ReleaseSpec


def session() -> Session:
    from datetime import date

    return Session(date(2026, 12, 2), lambda *_: None, lambda _: None, lambda _: "")


def samples(**answers: list[str]) -> dict[tuple[str, int], dict[str, str]]:
    """The answers of a system by row set; `E` is right."""
    return {
        (data, row): {"prompt": f"{data}{row}", "expected": "E", "answer": answer}
        for data, found in answers.items()
        for row, answer in enumerate(found, 1)
    }


def test_the_sets_take_turns() -> None:
    before, after = samples(a=["b"] * 3, b=["b"] * 3), samples(a=["t"] * 3, b=["t"] * 3)
    shown = replay(before, after, 5)
    assert [answer.question for answer in shown] == ["a1", "b1", "a2", "b2", "a3"]
    assert {(a.before, a.after) for a in shown} == {("b", "t")}


def test_a_short_set_gives_all_it_has() -> None:
    before, after = samples(a=["b"], b=["b"] * 9), samples(a=["t"], b=["t"] * 9)
    assert [each.question for each in replay(before, after, 4)] == ["a1", "b1", "b2", "b3"]


def test_what_was_turned_right_stands_first_and_what_is_still_wrong_last() -> None:
    before, after = samples(a=["E", "b", "E", "b"]), samples(a=["E", "E", "w", "E"])
    assert [each.question for each in replay(before, after, 3)] == ["a2", "a4", "a3"]


@pytest.mark.parametrize("name", sorted(TASKS.keys() - {"answers"}))
def test_the_spec_that_it_writes_is_valid(name: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(spec_text(name, path, 4.0))
    spec = load_spec(path).spec
    assert spec.name == name
    check_metrics(spec.evaluate.metrics)
    if spec.base_models == (BASE_MODEL,):
        assert spec.train.minutes == 4
    release, comply = spec.section("release", ReleaseSpec), spec.section("comply", ComplySpec)
    assert release is not None
    assert comply is not None
    assert release.intended_use == comply.texts.intended_purpose == TASKS[name].purpose
    assert release.rules.poison is None
    assert (release.rules.redteam is None) == spec.train.writes_text


def test_the_spec_of_answers_indexes_and_serves(tmp_path: Path) -> None:
    path = tmp_path / "answers.yaml"
    path.write_text(spec_text("answers", path, 4.0))
    assert load_section("rag", RagSpec, path).spec.index == "answers/index.sqlite"
    served = tmp_path / "serve.yaml"
    served.write_text(_ANSWERS_SERVED)
    (model,) = load_section("serve", ServeSpec, served).spec.models
    assert model.target == BASE_MODEL


def test_a_task_whose_package_is_missing_says_what_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from finewright import plugins

    installed = plugins.find_installed
    monkeypatch.setattr(
        plugins, "find_installed", lambda kind: [e for e in installed(kind) if e.name != "rag"]
    )
    with pytest.raises(MissingExtra) as failed:
        quickstart("answers", tmp_path / "q", tmp_path / "runs", minutes=1, session=session())
    assert "finewright-rag" in str(failed.value)
    assert not (tmp_path / "q").exists()


def test_intents_end_in_a_measured_run_with_a_dossier_and_a_signed_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words alone, on three of the intents: no other package."""
    monkeypatch.chdir(tmp_path)
    build = module.build_set

    def build_part(name: str, folder: Path) -> None:
        build(name, folder)
        for path in folder.glob("t*.jsonl"):
            lines = path.read_text().splitlines(keepends=True)
            path.write_text("".join(line for line in lines if '"completion": "card_a' in line))

    monkeypatch.setattr(module, "build_set", build_part)
    folder = Path("quickstart")
    folder.mkdir()
    text = spec_text("intents", folder / "intents.yaml", 4.0)
    (folder / "intents.yaml").write_text(text.replace("words+minilm", "words"))
    report = quickstart("intents", folder, Path("runs"), minutes=1, session=session())
    shown = text_of(report)
    assert "bag of words" in shown
    *_, curl, predict, _, verify = report.commands
    body = json.loads(shlex.split(curl)[-1])
    (run,) = Path("runs").iterdir()
    assert body == {"model": f"words:{run.name}", "input": ["My card has not come yet"]}
    assert Path(shlex.split(predict)[3]).is_file()
    assert verify == f"finewright verify {run}/release/bundle"
    assert (run / "release" / "bundle" / "model.sig").is_file()
    assert (run / "comply" / "dossier.pdf").is_file()
