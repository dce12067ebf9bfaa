"""What a base model is called where this machine's paths mean nothing."""

import json
from pathlib import Path

import pytest

from finewright.lm.origin import ModelOrigin, origin_of
from finewright.lm.sources import LocalBase


@pytest.mark.parametrize(
    ("name", "called"),
    [
        (".", "my-model"),
        ("./", "my-model"),
        ("sub/..", "my-model"),
        ("../my-model", "my-model"),
        ("./sub/model.gguf", "model"),
        ("/models/v1.5", "v1.5"),
    ],
)
def test_a_local_folder_is_called_by_its_last_name(
    name: str, called: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my-model" / "sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "my-model")
    assert origin_of(LocalBase(name, Path(name), "0" * 64, "")) == ModelOrigin(called)


def test_a_folder_that_says_where_it_came_from_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"_name_or_path": "org/base"}))
    assert origin_of(LocalBase(".", tmp_path, "0" * 64, "")) == ModelOrigin("org/base")
    hub = LocalBase("org/other@c0ffee", tmp_path, "0" * 64, "", "c0ffee")
    assert origin_of(hub) == ModelOrigin("org/other", "c0ffee")
