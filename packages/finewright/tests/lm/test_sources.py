"""Finding a base model by its name: what is taken, what is refused, and in which words."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

import tiny
from finewright.catalog.models import read_packaged_models
from finewright.errors import FinewrightError, ModelError
from finewright.lm.sources import base_digest, check_name, folder_digest, locate, num_parameters

pytestmark = pytest.mark.torch

PACKAGED = next(iter(read_packaged_models()))


def shard(folder: Path) -> None:
    """Store the tiny model's weights again, in several files."""
    (folder / "model.safetensors").unlink()
    tiny.tiny_model("llama").save_pretrained(folder, max_shard_size="40KB")


def test_a_folder_is_found_by_absolute_and_by_relative_path(tiny_folder: Path) -> None:
    name = tiny_folder.name
    absolute = locate(str(tiny_folder), Path("elsewhere"))
    relative = locate(name, tiny_folder.parent)
    dotted = locate(f"./{name}", tiny_folder.parent)
    assert absolute.folder == relative.folder == tiny_folder
    assert dotted.folder.samefile(tiny_folder)
    assert absolute.sha256 == relative.sha256 == dotted.sha256
    assert (relative.name, relative.license) == (name, "unknown")


def test_the_digest_before_and_after_locating_is_the_same(tiny_folder: Path) -> None:
    name = str(tiny_folder)
    assert base_digest(name, tiny_folder) == locate(name, tiny_folder).sha256


@pytest.mark.parametrize(
    "name",
    [
        "model.safetensors",
        "config.json",
        "tokenizer.json",
        "chat_template.jinja",
        "merges.txt",
        "x.py",
    ],
)
def test_the_digest_covers_every_file_that_decides_what_is_computed(
    name: str, tiny_folder: Path
) -> None:
    path = tiny_folder / name
    path.touch()
    before = folder_digest(tiny_folder)
    path.write_bytes(path.read_bytes() + b" ")
    assert folder_digest(tiny_folder) != before


def test_the_digest_ignores_notes_and_the_folders_name(tiny_folder: Path) -> None:
    before = folder_digest(tiny_folder)
    (tiny_folder / "README.md").write_text("hello")
    moved = tiny_folder.rename(tiny_folder.with_name("moved"))
    assert folder_digest(moved) == before


def refusal(folder: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        locate(str(folder), folder)
    return caught.value


def test_a_folder_without_a_config_is_refused(tiny_folder: Path) -> None:
    (tiny_folder / "config.json").unlink()
    assert str(refusal(tiny_folder)) == f"{tiny_folder}: no model here: config.json is missing"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not readable JSON"),
        ("[]", "model_type is missing"),
        ('{"hidden_size": 32}', "model_type is missing"),
        ("\udcff", "not readable JSON"),
    ],
)
def test_a_folder_with_an_unusable_config_is_refused(
    text: str, words: str, tiny_folder: Path
) -> None:
    path = tiny_folder / "config.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert re.match(rf"{re.escape(str(path))}: .*{words}", str(refusal(tiny_folder)))


def test_a_folder_without_weights_is_refused(tiny_folder: Path) -> None:
    (tiny_folder / "model.safetensors").unlink()
    error = refusal(tiny_folder)
    assert str(error) == f"{tiny_folder}: no model.safetensors here, nor its index"
    assert error.hint == ""


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt"])
def test_a_folder_with_pickled_weights_alone_is_refused(name: str, tiny_folder: Path) -> None:
    (tiny_folder / "model.safetensors").rename(tiny_folder / name)
    assert "pickled weights are never loaded" in refusal(tiny_folder).hint


def test_an_index_that_names_pickles_is_refused(tiny_folder: Path) -> None:
    weights = tiny_folder / "model.safetensors"
    names = dict.fromkeys(load_file(weights), "pytorch_model.bin")
    weights.rename(tiny_folder / "decoy.safetensors")
    (tiny_folder / "pytorch_model.bin").write_bytes(b"pickle")
    index = {"metadata": {}, "weight_map": names}
    (tiny_folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "pickled weights are never loaded" in refusal(tiny_folder).hint


def test_a_missing_shard_is_refused(tiny_folder: Path) -> None:
    shard(tiny_folder)
    first, *_ = sorted(tiny_folder.glob("model-*.safetensors"))
    first.unlink()
    assert first.name in str(refusal(tiny_folder))


def test_a_typo_in_a_packaged_name_is_mended() -> None:
    with pytest.raises(ModelError) as caught:
        check_name(PACKAGED[:-1], Path())
    assert f"did you mean {PACKAGED!r}?" in str(caught.value)
    assert PACKAGED in caught.value.hint


def test_a_name_like_nothing_lists_what_there_is() -> None:
    with pytest.raises(ModelError, match=r"^unknown base model 'zzz'$") as caught:
        check_name("zzz", Path())
    assert PACKAGED in caught.value.hint


@pytest.mark.parametrize("name", ["./missing", "/missing/model", "~/missing", "missing.gguf"])
def test_a_path_that_leads_nowhere_says_so(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no such file or folder"):
        locate(name, tmp_path)


def test_a_file_that_is_no_gguf_by_name_is_refused(tiny_folder: Path) -> None:
    with pytest.raises(ModelError, match=r"a file must be a \.gguf"):
        locate(str(tiny_folder / "model.safetensors"), tiny_folder)


@pytest.mark.parametrize("content", [b"", b"GG", b"PK\x03\x04 a zip", b"<html>not found</html>"])
def test_a_file_that_is_no_gguf_by_content_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(content)
    with pytest.raises(ModelError, match="not a GGUF file"):
        locate("model.gguf", tmp_path)


@pytest.mark.parametrize("content", [b"GGUF", b"GGUF\x03\0\0\0" + b"\xff" * 40])
def test_a_damaged_gguf_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.gguf: not a readable GGUF file"):
        locate("model.gguf", tmp_path)


@pytest.mark.parametrize("find", [locate, base_digest])
def test_a_name_that_climbs_is_no_hub_id(
    find: Callable[[str, Path], object], tmp_path: Path
) -> None:
    for name in ("org/model/extra", "org/..", "-org/model", "org/mo del", "https://x/y"):
        with pytest.raises(FinewrightError):
            find(name, tmp_path)


@pytest.mark.parametrize("variable", ["FINEWRIGHT_OFFLINE", "HF_HUB_OFFLINE"])
def test_a_hub_id_offline_is_one_clear_error(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FINEWRIGHT_OFFLINE")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv(variable, "1")
    with pytest.raises(ModelError) as caught:
        locate("some-org/some-model", tmp_path)
    assert str(caught.value) == (
        "base model 'some-org/some-model' is not on this machine and FINEWRIGHT_OFFLINE or"
        " HF_HUB_OFFLINE is set"
    )
    assert "copy the model's folder here" in caught.value.hint


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_parameters_are_counted_as_torch_counts_them(family: str, tmp_path: Path) -> None:
    model = tiny.tiny_model(family)
    model.save_pretrained(tmp_path)
    assert num_parameters(tmp_path) == sum(p.numel() for p in model.parameters())


def test_parameters_in_several_files_are_counted_once(tiny_folder: Path) -> None:
    whole = num_parameters(tiny_folder)
    shard(tiny_folder)
    assert len(list(tiny_folder.glob("*.safetensors"))) > 1
    assert num_parameters(tiny_folder) == whole


def test_weights_that_transformers_does_not_read_are_not_counted(tiny_folder: Path) -> None:
    whole = num_parameters(tiny_folder)
    shutil.copy(tiny_folder / "model.safetensors", tiny_folder / "consolidated.safetensors")
    assert num_parameters(tiny_folder) == whole


@pytest.mark.parametrize("content", [b"", b"1234", b"\xff" * 64, (9).to_bytes(8, "little") + b"{"])
def test_a_damaged_header_is_a_model_error(content: bytes, tiny_folder: Path) -> None:
    (tiny_folder / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.safetensors: "):
        num_parameters(tiny_folder)


def test_another_metadata_is_not_counted(tiny_folder: Path) -> None:
    path = tiny_folder / "model.safetensors"
    whole = num_parameters(tiny_folder)
    save_file(load_file(path), path, metadata={"format": "pt", "note": "x" * 100})
    assert num_parameters(tiny_folder) == whole
