"""An embedder by its name; a name that leads nowhere is one line."""

from pathlib import Path

import pytest

from finewright.errors import FetchError, ModelError, UnknownPlugin
from finewright.lm.embedders.load import load_embedder


def test_none_is_no_embedder():
    assert load_embedder("none", Path) is None


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("wordlama", UnknownPlugin, "no embedder named 'wordlama'; did you mean 'wordllama'"),
        ("./models/bge", ModelError, "there is no such folder"),
        ("bge/small", ModelError, "there is no such folder"),
        ("https://host/v1", FetchError, "not the address of a model"),
    ],
)
def test_a_name_that_leads_nowhere_is_one_line(tmp_path, name, error, said):
    with pytest.raises(error, match=said):
        load_embedder(name, tmp_path.joinpath)


def test_an_empty_folder_is_no_model(tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "bge").mkdir()
    with pytest.raises(ModelError, match=r"bge: no model\.safetensors here"):
        load_embedder("bge", tmp_path.joinpath)
