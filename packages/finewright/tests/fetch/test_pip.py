"""Wheels: what pip is asked, and how its complaints read."""

import hashlib
import sys
import zipfile

import pytest

from finewright.errors import FetchError, StoreError
from finewright.fetch.cache import pip_wheel, wheel_members

WHEEL = b"a wheel\n"
SHA256 = hashlib.sha256(WHEEL).hexdigest()


@pytest.fixture
def pip(client, monkeypatch):
    """Makes `python -m pip` a shell script."""

    def pip(script: str) -> None:
        monkeypatch.setattr(sys, "executable", str(client("python", script)))

    return pip


def test_pip_downloads_the_one_wheel_and_nothing_that_it_needs(cache, pip, tmp_path):
    pip(f'echo "$@" > {tmp_path}/asked; echo "a wheel" > "${{10}}/x.whl"')
    path = pip_wheel("demo", "1.0", SHA256)
    assert path == cache / "packages" / f"{SHA256}.whl"
    assert path.read_bytes() == WHEEL
    asked = (tmp_path / "asked").read_text().split()
    assert asked[:5] == ["-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    assert "--ignore-requires-python" in asked
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


@pytest.mark.parametrize(
    ("why", "hint"),
    [("CERTIFICATE_VERIFY_FAILED: self-signed", "PIP_CERT"), ("timed out", "proxy settings")],
)
def test_a_network_with_its_own_authority_is_told_where_to_name_it(cache, pip, why, hint):
    pip(f'echo "ERROR: {why}" >&2; exit 1')
    with pytest.raises(FetchError, match="could not be fetched") as caught:
        pip_wheel("demo", "1.0", SHA256)
    assert hint in caught.value.hint


@pytest.fixture
def wheel(tmp_path):
    path = tmp_path / "x.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("p/data/", b"")
        archive.writestr("p/data/b.json", b"2" * 1000)
        archive.writestr("p/data/a.json", b"1" * 1000)
        archive.writestr("p/a.py", b"")
    return path


def test_members_of_a_wheel_are_read_in_the_order_of_their_names(wheel):
    found = wheel_members(wheel, "p/data/*")
    assert list(found) == ["p/data/a.json", "p/data/b.json"]
    assert found["p/data/b.json"] == b"2" * 1000


def test_a_wheel_without_such_a_file_is_refused(wheel):
    with pytest.raises(FetchError, match=r"x\.whl: no file q/\* can be read"):
        wheel_members(wheel, "q/*")


@pytest.mark.parametrize("content", [b"", b"no zip at all"])
def test_a_file_that_is_no_wheel_is_refused(tmp_path, content):
    (tmp_path / "x.whl").write_bytes(content)
    with pytest.raises(FetchError, match="can be read in this package"):
        wheel_members(tmp_path / "x.whl", "*")


def test_a_damaged_member_is_refused(wheel):
    content = bytearray(wheel.read_bytes())
    start = content.index(b"p/data/b.json") + len(b"p/data/b.json")
    content[start : start + 4] = b"\xff\xff\xff\xff"
    wheel.write_bytes(content)
    with pytest.raises(FetchError, match="can be read in this package"):
        wheel_members(wheel, "p/data/*")
