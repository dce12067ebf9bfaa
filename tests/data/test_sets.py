"""Building a set: what lies in the folder, what is never overwritten, and the real one."""

import base64
import hashlib
import io
import json
import tarfile
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from finewright import __version__
from finewright.catalog.sets import DataSets, PackagedSet
from finewright.data import sets
from finewright.data.sets import build_set
from finewright.errors import DataError, UnknownPlugin

from .registry import CHAINS, embedded, many

FILES = [
    "provenance.json",
    "test_seen.jsonl",
    "test_unseen.jsonl",
    "test_unseen_protocols.jsonl",
    "train.jsonl",
]


def tarball(member: str, text: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo(member)
        info.size = len(text.encode())
        archive.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PackagedSet:
    """A catalog whose one set comes from a hand-made package that is in the cache already."""
    package = tarball("package/r.js", embedded(many("Alpha", 8), many("Beta", 4), many("Eps", 2)))
    digest = hashlib.sha512(package).digest()
    cached = tmp_path / "cache" / "packages" / f"{digest.hex()}.tgz"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(package)
    packaged = PackagedSet(
        title="By hand",
        package="by-hand",
        registry="npm",
        version="1.0.0",
        integrity=f"sha512-{base64.b64encode(digest).decode()}",
        member="package/r.js",
        license="CC0-1.0",
        license_note="",
        source="a test",
        observed_at=date(2026, 1, 2),
        chains=CHAINS,
    )
    monkeypatch.setenv("FINEWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sets, "data_sets", lambda: DataSets(sets={"erc7730": packaged}))
    return packaged


def test_the_folder_holds_the_splits_and_their_provenance(tmp_path, catalog):
    out = tmp_path / "deep" / "out"
    report = build_set("erc7730", out)
    assert sorted(path.name for path in out.iterdir()) == FILES
    provenance = json.loads((out / "provenance.json").read_text())
    for name in ("package", "version", "integrity", "license", "source", "title"):
        assert provenance[name] == getattr(catalog, name)
    assert provenance["observed_at"] == "2026-01-02"
    assert provenance["finewright"] == __version__
    assert provenance["settings"]["functions_seen"] == 90
    assert provenance["dropped"] == {}
    assert sorted(provenance["files"]) == FILES[1:]
    for name, told in provenance["files"].items():
        content = (out / name).read_bytes()
        assert told == {
            "rows": content.count(b"\n"),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
    assert report.written
    assert report.folder == str(out)


def test_a_folder_that_has_the_set_is_left_alone(tmp_path, catalog):
    build_set("erc7730", tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    report = build_set("erc7730", tmp_path / "out")
    assert not report.written
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == before


def test_files_with_other_content_are_never_overwritten(tmp_path, catalog):
    (tmp_path / "train.jsonl").write_text("mine\n")
    with pytest.raises(DataError, match=r"train\.jsonl would be overwritten") as caught:
        build_set("erc7730", tmp_path)
    assert "--out" in caught.value.hint
    assert (tmp_path / "train.jsonl").read_text() == "mine\n"
    assert not (tmp_path / "provenance.json").exists()


def test_a_build_that_was_cut_off_is_completed(tmp_path, catalog):
    build_set("erc7730", tmp_path / "out")
    (tmp_path / "out" / "provenance.json").unlink()
    assert build_set("erc7730", tmp_path / "out").written
    assert (tmp_path / "out" / "provenance.json").exists()


def test_an_unknown_set_is_told_what_was_meant():
    with pytest.raises(UnknownPlugin, match="did you mean 'erc7730'") as caught:
        build_set("erc7730s", Path("out"))
    assert caught.value.hint == "known: erc7730"


@pytest.mark.network
def test_the_real_set_is_fetched_and_built_with_disjoint_splits(tmp_path, monkeypatch):
    monkeypatch.setenv("FINEWRIGHT_CACHE", str(tmp_path / "cache"))
    build_set("erc7730", tmp_path / "out")
    rows = {
        name: [json.loads(line) for line in (tmp_path / "out" / name).read_bytes().splitlines()]
        for name in FILES[1:]
    }
    train, seen = rows["train.jsonl"], rows["test_seen.jsonl"]
    unseen, strangers = rows["test_unseen.jsonl"], rows["test_unseen_protocols.jsonl"]
    assert [len(train), len(seen), len(unseen), len(strangers)] == [450, 90, 45, 30]
    names = {row["meta"]["function"].casefold() for row in train}
    assert names == {row["meta"]["function"].casefold() for row in seen}
    assert not names & {row["meta"]["function"].casefold() for row in (*unseen, *strangers)}
    protocols = {row["meta"]["protocol"] for row in train}
    assert not protocols & {row["meta"]["protocol"] for row in strangers}
    asked = Counter(row["messages"][1]["content"] for part in rows.values() for row in part)
    assert set(asked.values()) == {1}
    intents = Counter(json.loads(row["messages"][2]["content"])["intent"] for row in train)
    assert max(intents.values()) <= 0.07 * 450
