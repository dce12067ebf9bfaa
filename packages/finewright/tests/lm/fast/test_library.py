"""The kernels that are loaded are those that this user built: nothing that was planted in the cache."""

import ctypes
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from finewright.errors import StoreError
from finewright.fetch.cache import cache_dir
from finewright.lm.fast import library

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")

PLANTED = """
#include <cstdio>
__attribute__((constructor)) static void run() { std::fclose(std::fopen("MARKER", "w")); }
extern "C" long fw_has_dots() { return 0; }
extern "C" long fw_has_tiles() { return 0; }
"""


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Kernels of one line, so that building them takes no seconds."""
    folder = tmp_path / "kernels"
    folder.mkdir()
    code = 'extern "C" long fw_has_dots() { return 1; }\nextern "C" long fw_has_tiles() { return 0; }\n'
    (folder / "one.cpp").write_text(code)
    monkeypatch.setattr(library, "_SOURCES", folder)
    return folder


def built() -> Path:
    return library._built(Path(shutil.which("g++") or ""))


def plant(target: Path, folder: Path) -> Path:
    """A library that leaves a marker when it is loaded, in the place of ours."""
    marker, source = folder / "ran", folder / "planted.cpp"
    source.write_text(PLANTED.replace("MARKER", str(marker)))
    target.unlink(missing_ok=True)
    subprocess.run(["g++", "-shared", "-fPIC", source, "-o", target], check=True)
    return marker


@pytest.mark.usefixtures("sources")
def test_a_planted_library_is_built_anew(tmp_path: Path) -> None:
    target = built()
    marker = plant(target, tmp_path)
    assert ctypes.CDLL(str(built())).fw_has_dots() == 1
    assert not marker.exists()
    # It is no dud: loaded, it leaves its marker.
    other = tmp_path / "other.so"
    plant(other, tmp_path)
    subprocess.run(
        [sys.executable, "-c", f"import ctypes; ctypes.CDLL({str(other)!r})"], check=True
    )
    assert marker.exists()


@pytest.mark.usefixtures("sources")
@pytest.mark.parametrize("said", ["", "no secret", "0" * 64, "é"])
def test_a_code_that_another_made_says_nothing(said: str, tmp_path: Path) -> None:
    target = built()
    marker = plant(target, tmp_path)
    target.with_suffix(".mac").write_text(said)
    ctypes.CDLL(str(built()))
    assert not marker.exists()


@pytest.mark.usefixtures("sources")
def test_what_was_built_is_loaded_and_not_built_again() -> None:
    target = built()
    before = target.stat()
    assert built() == target
    assert target.stat() == before
    assert target.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.usefixtures("sources")
def test_a_folder_that_others_can_write_to_is_not_loaded_from() -> None:
    (cache_dir() / "kernels").mkdir()
    (cache_dir() / "kernels").chmod(0o777)
    with pytest.raises(StoreError, match="others can write here"):
        built()


@pytest.mark.usefixtures("sources")
def test_another_user_builds_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    target = built()
    before = target.stat().st_ino
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "another"))
    assert built() == target
    assert target.stat().st_ino != before
