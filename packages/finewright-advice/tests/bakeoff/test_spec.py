"""The sections of a bake-off and of a search, and a spec that is changed as if it had been written so."""

from pathlib import Path

import pytest

from finewright.errors import SpecError
from finewright.schema.load import LoadedSpec, change_spec, load_spec
from finewright_advice.tune.spec import SearchRange

SPEC = """\
name: bot
base_models: [a, b]
data: {sources: [{path: rows.jsonl}]}
bakeoff: {eta: 3}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    return path


@pytest.fixture
def loaded(path: Path) -> LoadedSpec:
    return load_spec(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{low: 2, high: 1}", "low must be below high, and 2 is not below 1"),
        ("{low: 0, high: 1, log: true}", "log needs low above 0, and it is 0"),
        ("{low: 0.1, high: 1, log: true, step: 0.1}", "log and step do not go together"),
        ("{low: 1, high: 9, step: 0.5}", "between whole numbers the step is one too"),
        ("{low: 1}", "high: required key is missing"),
        ("3", "must be keys with values or a list, not 3"),
        ("{low: .nan, high: 1}", "finite number"),
    ],
)
def test_a_space_that_makes_no_sense_is_one_line(path: Path, text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        load_spec(path, [f"tune.parameters={{learning_rate: {text}}}"])


def test_a_range_of_whole_numbers_is_told_from_one_of_numbers() -> None:
    assert SearchRange(low=1, high=9).is_whole
    assert not SearchRange(low=1.0, high=9.0).is_whole


def test_a_changed_spec_is_the_one_that_its_text_says(loaded: LoadedSpec, tmp_path: Path) -> None:
    values = {"base_models": ["c"], "train.adapter.r": 4, "evaluate.data": [{"path": "t.jsonl"}]}
    other = change_spec(loaded, values, without=("bakeoff",))
    assert other.spec.base_models == ("c",)
    assert other.spec.train.adapter.model_dump()["r"] == 4
    assert other.spec.bakeoff is None
    assert "train.adapter.r" in other.set_keys
    again = tmp_path / "again.yaml"
    again.write_text(other.text)
    assert load_spec(again).spec == other.spec
    assert loaded.spec.base_models == ("a", "b")  # the old one is as it was
    assert loaded.spec.bakeoff is not None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"train.epochs": -1}, "^here: train.epochs: must be greater than 0, not -1$"),
        ({"train.epoch": 1}, "^here: train.epoch: unknown key; did you mean 'epochs'"),
        ({"name.first": "x"}, "^here: name is a plain value and has no 'first'"),
    ],
)
def test_a_change_that_is_wrong_says_where(
    loaded: LoadedSpec, values: dict[str, object], message: str
) -> None:
    with pytest.raises(SpecError, match=message.replace("'", ".")):
        change_spec(loaded, values, where="here")
