"""A converted model in the cache is loaded as it was converted, or not at all."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from finewright.errors import ModelError
from finewright.fetch.cache import cache_dir
from finewright.lm import converted
from finewright.lm.converted import check_conversion, note_conversion
from finewright.lm.sources import CONVERTER_VERSION, locate
from finewright.store.atomic import sha256_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a conversion of `model.gguf` left in the cache."""
    gguf = tmp_path / "model.gguf"
    gguf.write_bytes(b"GGUF...")
    made = cache_dir() / "models" / f"{sha256_file(gguf)}-v{CONVERTER_VERSION}"
    made.mkdir(parents=True)
    (made / "config.json").write_text('{"model_type": "llama"}')
    (made / "model.safetensors").write_bytes(bytes(range(256)) * 4096)
    note_conversion(made, {"gguf_sha256": sha256_file(gguf)})
    return made


def zero(folder: Path) -> None:
    """A part of the weights becomes zeros; size and time of change stay as they were."""
    path = folder / "model.safetensors"
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(1000)
        file.write(bytes(4096))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("was_met", [False, True])
@pytest.mark.parametrize(
    "harm",
    [
        zero,
        lambda folder: (folder / "model.safetensors").write_bytes(b"short"),
        lambda folder: (folder / "model.safetensors").unlink(),
        lambda folder: (folder / "modeling_x.py").write_text("print('planted')"),
        lambda folder: (folder / "sub").mkdir(),
        lambda folder: (folder / "config.json").write_text('{"model_type": "qwen2"}'),
    ],
)
def test_a_changed_cache_is_refused(
    harm: Callable[[Path], object], was_met: bool, folder: Path, tmp_path: Path
) -> None:
    if was_met:
        assert locate("model.gguf", tmp_path).folder == folder
    harm(folder)
    with pytest.raises(ModelError, match="is not as the conversion left it") as caught:
        locate("model.gguf", tmp_path)
    assert f"remove {folder}" in caught.value.hint


def test_what_was_checked_is_not_hashed_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_conversion(folder)
    monkeypatch.setattr(converted, "sha256_file", lambda path: pytest.fail(f"hashed {path}"))
    check_conversion(folder)


def test_a_cache_of_an_earlier_version_is_noted_as_it_is_first_met(folder: Path) -> None:
    path = folder / "origin.json"
    path.write_text(json.dumps({"gguf_sha256": "0", "converter_version": 1}))
    check_conversion(folder)
    zero(folder)
    with pytest.raises(ModelError, match="is not as the conversion left it"):
        check_conversion(folder)
