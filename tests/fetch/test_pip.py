"""Wheels: what pip is asked, and how its complaints read."""

import hashlib
import sys

import pytest

from finewright.errors import FetchError, StoreError
from finewright.fetch.pip import pip_wheel

WHEEL = b"a wheel\n"
SHA256 = hashlib.sha256(WHEEL).hexdigest()


@pytest.fixture
def pip(client, monkeypatch):
    """Makes `python -m pip` a shell script."""

    def pip(script: str) -> None:
        monkeypatch.setattr(sys, "executable", str(client("python", script)))

    return pip


def test_pip_downloads_the_one_wheel_and_nothing_that_it_needs(cache, pip, tmp_path):
    pip(f'echo "$@" > {tmp_path}/asked; echo "a wheel" > "$9/x.whl"')
    path = pip_wheel("demo", "1.0", SHA256)
    assert path == cache / "packages" / f"{SHA256}.whl"
    assert path.read_bytes() == WHEEL
    asked = (tmp_path / "asked").read_text().split()
    assert asked[:5] == ["-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    assert asked[-1] == "demo==1.0"


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        (
            "ERROR: Could not find a version (from versions: 1.1)\n"
            "ERROR: No matching distribution found for demo==1.0\n",
            "ERROR: No matching distribution found for demo==1.0",
        ),
        (
            "WARNING: Retrying after connection broken by 'NewError('<urllib3 at 0x1>: refused')'\n"
            "ERROR: No matching distribution found for demo==1.0\n",
            "no connection: 'NewError('refused')'",
        ),
        ("something else\n\n", "something else"),
        ("", "pip gave no reason"),
    ],
)
def test_pips_telling_line_is_the_reason(cache, pip, stderr, said):
    pip(f"cat >&2 <<'END'\n{stderr}END\nexit 1")
    with pytest.raises(FetchError, match=r"demo 1\.0 \(PyPI\) could not be fetched") as caught:
        pip_wheel("demo", "1.0", SHA256)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_full_disk_is_not_blamed_on_the_network(cache, pip):
    pip('echo "ERROR: [Errno 28] No space left on device" >&2; exit 1')
    with pytest.raises(StoreError, match="the disk is full") as caught:
        pip_wheel("demo", "1.0", SHA256)
    assert "FINEWRIGHT_CACHE" in caught.value.hint
