"""How long an answer of a target may be where nobody says."""

from pathlib import Path
from shutil import copytree

import pytest
import yaml

from finewright.cli.commands import PredictOptions
from finewright.workbench.predict import predicting_by
from finewright.workbench.systems import measured_length

_KEPT = Path(__file__).parents[1] / "golden" / "kept" / "2026-11-27-tiny-293e"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of an earlier version that was measured with answers of up to 40 tokens."""
    folder = Path(copytree(_KEPT, tmp_path / "run"))
    lock = yaml.safe_load((folder / "spec.lock.yaml").read_text())
    lock["spec"]["evaluate"]["max_new_tokens"] = 40
    (folder / "spec.lock.yaml").write_text(yaml.safe_dump(lock))
    return folder


def test_a_run_answers_as_long_as_it_was_measured_with(run: Path) -> None:
    assert measured_length(str(run)) == 40


def test_a_model_answers_as_long_as_a_spec_says_by_default(tmp_path: Path) -> None:
    assert measured_length("smollm2-135m-instruct") == measured_length(str(tmp_path)) == 256


@pytest.mark.parametrize(("named", "length"), [({}, 40), ({"max_new_tokens": 7}, 7)])
def test_predict_takes_the_length_that_is_named_before_the_run_s(
    run: Path, named: dict[str, int], length: int
) -> None:
    options = PredictOptions(target=str(run), path=Path("q.jsonl"), out=Path("a.jsonl"), **named)
    assert predicting_by(options).max_new_tokens == length
