"""The cache: where it is, and that only the pinned file ever lies in it."""

import hashlib
from pathlib import Path

import pytest

from finewright.errors import FetchError, StoreError
from finewright.fetch.cache import Pin, cache_dir, fetch_pinned
from finewright.store.atomic import sha256_file

CONTENT = b"the package"
PIN = Pin("demo 1.0 (test)", "demo.whl", hashlib.sha256(CONTENT).hexdigest(), sha256_file)


def leaves(content: bytes, *names: str):
    def download(folder: Path) -> None:
        for name in names:
            (folder / name).write_bytes(content)

    return download


def never(folder: Path) -> None:
    pytest.fail("nothing should be fetched")


@pytest.mark.parametrize(
    ("own", "shared", "expected"),
    [
        ("{tmp}/own", "{tmp}/shared", "own"),
        ("", "{tmp}/shared", "shared/finewright"),
        ("", "relative", "home/.cache/finewright"),
        ("", "", "home/.cache/finewright"),
        ("~/mine", "", "home/mine"),
    ],
)
def test_the_cache_is_where_the_variables_say(tmp_path, monkeypatch, own, shared, expected):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FINEWRIGHT_CACHE", own.format(tmp=tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", shared.format(tmp=tmp_path))
    assert cache_dir() == tmp_path / expected
    assert cache_dir().is_dir()


def test_a_cache_that_cannot_be_made_is_one_line_with_the_mend(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("FINEWRIGHT_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(StoreError, match="cannot be used: Not a directory") as caught:
        fetch_pinned(PIN, never)
    assert "FINEWRIGHT_CACHE" in caught.value.hint


def test_a_file_is_fetched_once(cache):
    path = fetch_pinned(PIN, leaves(CONTENT, "any-name.whl"))
    assert path == cache / "packages" / "demo.whl"
    assert path.read_bytes() == CONTENT
    assert fetch_pinned(PIN, never) == path
    assert list(path.parent.iterdir()) == [path]


def test_a_file_with_another_digest_never_enters_the_cache(cache):
    with pytest.raises(FetchError) as caught:
        fetch_pinned(PIN, leaves(b"another package", "demo.whl"))
    assert PIN.digest in str(caught.value)
    assert hashlib.sha256(b"another package").hexdigest() in str(caught.value)
    assert list((cache / "packages").iterdir()) == []


def test_a_damaged_file_is_fetched_anew(cache):
    path = fetch_pinned(PIN, leaves(CONTENT, "demo.whl"))
    path.write_bytes(CONTENT[:3])
    assert fetch_pinned(PIN, leaves(CONTENT, "demo.whl")).read_bytes() == CONTENT


@pytest.mark.parametrize("names", [(), ("a.whl", "b.whl")])
def test_a_client_that_leaves_not_one_file_is_refused(cache, names):
    with pytest.raises(FetchError, match=f"left {len(names)} files"):
        fetch_pinned(PIN, leaves(CONTENT, *names))


def test_offline_says_what_is_missing_and_where_to_put_it(cache, monkeypatch):
    monkeypatch.setenv("FINEWRIGHT_OFFLINE", "1")
    with pytest.raises(FetchError, match=r"demo 1\.0 \(test\) is not in the cache") as caught:
        fetch_pinned(PIN, never)
    assert str(cache / "packages" / "demo.whl") in caught.value.hint


def test_offline_a_cached_file_is_used_and_a_damaged_one_named(cache, monkeypatch):
    path = fetch_pinned(PIN, leaves(CONTENT, "demo.whl"))
    monkeypatch.setenv("FINEWRIGHT_OFFLINE", "1")
    assert fetch_pinned(PIN, never) == path
    path.write_bytes(b"")
    with pytest.raises(FetchError, match="is damaged in the cache"):
        fetch_pinned(PIN, never)
