"""What clients call a model: its name, and never a path."""

from pathlib import Path

from finewright_serve.model_ids import model_id


def test_a_name_stays_as_the_spec_has_it() -> None:
    assert model_id("words+minilm") == "words+minilm"
    assert model_id("hub:org/name@rev") == "hub-org/name@rev"


def test_of_a_folder_the_last_part(tmp_path: Path) -> None:
    assert model_id(str(tmp_path / "my model")) == "my-model"
