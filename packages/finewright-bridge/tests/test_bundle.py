"""A bundle installs without a network, and is refused where it is not whole."""

import hashlib
import json
import platform
import shutil
import subprocess
import sys
import tarfile
from base64 import urlsafe_b64encode
from dataclasses import replace
from datetime import date
from importlib.metadata import Distribution, distribution
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement

from finewright.errors import DataError, FetchError, SpecError
from finewright.feature import Session
from finewright.schema.load import load_spec
from finewright_bridge.launch.bundle import (
    BundleTarget,
    Platform,
    gather_wheels,
    keep_marked,
    target_environment,
    write_bundle,
)
from finewright_bridge.launch.bundle_command import bundle, want
from finewright_bridge.launch.options import BundleOptions
from finewright_bridge.launch.upload import collect

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
MACHINE: Platform = "linux/arm64" if platform.machine() == "aarch64" else "linux/amd64"
HAS_NAMESPACES = (
    shutil.which("unshare")
    and not subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False).returncode
)


def needed_of(name: str) -> dict[str, Distribution]:
    """The installed libraries that a package needs here, all the way down."""
    found: dict[str, Distribution] = {}
    todo = [Requirement(text) for text in distribution(name).requires or []]
    while todo:
        requirement = todo.pop()
        if requirement.name.lower() in found or not (
            requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        ):
            continue
        found[requirement.name.lower()] = library = distribution(requirement.name)
        todo += [Requirement(text) for text in library.requires or []]
    return found


def pack(library: Distribution, folder: Path) -> Path:
    """The wheel that an installed library came from, made again of its files."""
    name = library.metadata["Name"].replace("-", "_")
    told = (library.read_text("WHEEL") or "").splitlines()
    tags = [line.partition(": ")[2].split("-") for line in told if line.startswith("Tag: ")]
    tag = "-".join(".".join(dict.fromkeys(parts)) for parts in zip(*tags, strict=True))
    path = folder / f"{name}-{library.version}-{tag}.whl"
    info = f"{name}-{library.version}.dist-info"
    lines = []
    with ZipFile(path, "w", ZIP_STORED) as archive:
        for file in library.files or []:
            kept = ".." not in file.parts and "__pycache__" not in file.parts
            if kept and file.name not in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json"):
                content = Path(str(file.locate())).read_bytes()
                to = (
                    f"{info}/{'/'.join(file.parts[1:])}"
                    if file.parts[0].endswith(".dist-info")
                    else str(file)
                )
                archive.writestr(to, content)
                digest = urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
                lines.append(f"{to},sha256={digest},{len(content)}")
        archive.writestr(f"{info}/RECORD", "\n".join([*lines, f"{info}/RECORD,,"]) + "\n")
    return path


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that stands for the index: the wheels of what the core needs, and a lock file of them."""
    folder = tmp_path_factory.mktemp("index")
    lines = []
    for library in needed_of("finewright").values():
        digest = hashlib.sha256(pack(library, folder).read_bytes()).hexdigest()
        lines.append(
            f"{library.metadata['Name']}=={library.version} \\\n    --hash=sha256:{digest}\n"
        )
    (folder / "locked.txt").write_text("".join(lines))
    return folder


@pytest.fixture
def wanted(index: Path, monkeypatch: pytest.MonkeyPatch) -> BundleTarget:
    """The core alone, of that index."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_CONSTRAINT", raising=False)
    core = {"finewright": frozenset[str]()}
    # What is installed here may be for the glibc of this machine.
    return BundleTarget(MACHINE, PYTHON, index / "locked.txt", "", core, glibc=99)


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """A spec of the quickest kind: of labels, without a language model."""
    rows = [
        {"prompt": f"{word} {i}", "completion": word} for i in range(6) for word in ("card", "loan")
    ]
    folder = tmp_path / "specs"
    folder.mkdir()
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = folder / "labels.yaml"
    path.write_text(
        "name: labels\nbase_models: [words]\n"
        "data: {sources: [{path: rows.jsonl}]}\ntrain: {method: linear}\n"
    )
    return path


@pytest.mark.skipif(
    not HAS_NAMESPACES, reason="no network namespace may be made here (unshare -rn)"
)
def test_a_bundle_installs_and_runs_without_a_network(
    wanted: BundleTarget, spec: Path, tmp_path: Path
) -> None:
    out = tmp_path / "bundle"
    done_with = write_bundle(wanted, [(spec, collect(load_spec(spec), ()))], out, archive=True)
    assert {wheel.name for wheel in done_with.wheels} >= {"finewright", "pydantic", "typer"}
    with tarfile.open(tmp_path / "bundle.tar") as archive:
        archive.extractall(tmp_path / "there", filter="data")
    there, target = tmp_path / "there" / "bundle", tmp_path / "installed"
    cut_off = ["unshare", "-rn"]
    install = ["bash", str(there / "install.sh"), str(target)]
    environment = {"PYTHON": sys.executable, "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        [*cut_off, *install], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    command = f"source {target}/env.sh && finewright schema && ls {target}/specs/labels"
    shown = subprocess.run(
        [*cut_off, "bash", "-c", command],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert '"title": "RunSpec"' in shown
    assert shown.split()[-2:] == ["labels.yaml", "rows.jsonl"]
    again = subprocess.run(
        [*cut_off, *install], env=environment, capture_output=True, text=True, check=False
    )
    assert (again.returncode, "is there already" in again.stderr) == (2, True)
    wheel = next((there / "wheels").glob("finewright-*.whl"))
    wheel.write_bytes(wheel.read_bytes() + b"x")
    changed = subprocess.run(
        [*install[:-1], str(tmp_path / "other")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert changed.returncode == 1
    assert f"{wheel.relative_to(there)}: FAILED" in changed.stdout
    assert not (tmp_path / "other").exists()


def test_its_bill_of_materials_is_cyclonedx(
    wanted: BundleTarget, spec: Path, tmp_path: Path
) -> None:
    write_bundle(wanted, [(spec, collect(load_spec(spec), ()))], tmp_path / "bundle", archive=False)
    text = (tmp_path / "bundle" / "sbom.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    found = {c["name"]: c for c in json.loads(text)["components"]}
    for line in (tmp_path / "bundle" / "requirements.txt").read_text().splitlines():
        name, _, rest = line.partition("==")
        assert found[name]["hashes"][0]["content"] == rest.partition("sha256:")[2]
    assert found["pydantic"]["licenses"] == [{"expression": "MIT"}]


def test_a_requirement_that_nobody_has_ends_it(
    wanted: BundleTarget, index: Path, spec: Path, tmp_path: Path
) -> None:
    lines = wanted.locked.read_text().splitlines(keepends=True)
    shorter = index / "shorter.txt"
    at = next(i for i, line in enumerate(lines) if line.lower().startswith("typer=="))
    shorter.write_text("".join(lines[:at] + lines[at + 2 :]))
    (typer,) = index.glob("typer-*.whl")
    typer.rename(index / "typer.away")
    try:
        missing = replace(wanted, locked=shorter)
        with pytest.raises(FetchError, match=r"typer.*No matching distribution"):
            write_bundle(
                missing, [(spec, collect(load_spec(spec), ()))], tmp_path / "bundle", archive=False
            )
    finally:
        (index / "typer.away").rename(typer)
    assert not (tmp_path / "bundle").exists()


def test_another_file_than_the_locked_one_ends_it(
    wanted: BundleTarget, index: Path, spec: Path, tmp_path: Path
) -> None:
    other = index / "other.txt"
    text = wanted.locked.read_text()
    first = text[text.index("sha256:") :][:71]
    other.write_text(text.replace(first, "sha256:" + "0" * 64))
    with pytest.raises(FetchError, match="locked wheels"):
        write_bundle(
            replace(wanted, locked=other),
            [(spec, collect(load_spec(spec), ()))],
            tmp_path / "b",
            archive=False,
        )
    assert not (tmp_path / "b").exists()


def test_a_wheel_that_another_asks_for_more_exactly_is_fetched_again(
    wanted: BundleTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, folder = tmp_path / "index", tmp_path / "wheels"
    index.mkdir()
    folder.mkdir()

    def make(name: str, version: str, *requires: str) -> None:
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        text += "".join(f"Requires-Dist: {each}\n" for each in requires)
        with ZipFile(index / f"{name}-{version}-py3-none-any.whl", "w") as archive:
            archive.writestr(f"{name}-{version}.dist-info/METADATA", text)
            archive.writestr(
                f"{name}-{version}.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n"
            )

    make("top", "1", "solver", "toolkit[blas]==1")
    make("solver", "1", "blas")
    make("toolkit", "1", 'blas==1.*; extra == "blas"')
    make("blas", "1.3")
    make("blas", "2")
    (tmp_path / "locked.txt").write_text("")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setattr("finewright_bridge.launch.bundle.build_wheel", lambda *_: None)
    target = replace(
        wanted, locked=tmp_path / "locked.txt", torch="top", packages={"top": frozenset()}
    )
    found = {wheel.name: wheel.version for wheel in gather_wheels(target, folder)}
    assert found == {"top": "1", "solver": "1", "toolkit": "1", "blas": "1.3"}


def test_markers_are_read_for_the_target() -> None:
    locked = (
        "# made\n"
        "a==1 ; python_full_version < '3.12' \\\n    --hash=sha256:aa\n"
        "b==1 ; sys_platform == 'win32' \\\n    --hash=sha256:bb\n"
        "c==1 ; platform_machine == 'aarch64' \\\n    --hash=sha256:cc \\\n    --hash=sha256:dd\n"
        "d==1 \\\n    --hash=sha256:ee\n"
    )

    def kept(python: str, name: Platform) -> list[str]:
        wanted = BundleTarget(name, python, Path(), "", {})
        lines = keep_marked(locked, target_environment(wanted)).splitlines()
        assert all(line.partition("--hash=")[2] for line in lines)
        return [line[0] for line in lines]

    assert kept("3.11", "linux/amd64") == ["a", "d"]
    assert kept("3.13", "linux/arm64") == ["c", "d"]


def test_what_the_hub_has_is_refused(spec: Path, wanted: BundleTarget, tmp_path: Path) -> None:
    text = (
        spec.read_text().replace("[words]", "[org/model]").replace("method: linear", "method: sft")
    )
    spec.write_text(text)
    with pytest.raises(SpecError, match=r"base_models\.0: org/model of the hub"):
        write_bundle(
            wanted, [(spec, collect(load_spec(spec), ()))], tmp_path / "bundle", archive=False
        )
    assert not (tmp_path / "bundle").exists()


def test_a_clone_says_what_setup_installs(tmp_path: Path) -> None:
    found = want(BundleOptions(out=tmp_path, platform="linux/arm64", python="3.13"))
    assert found.packages["finewright"] >= {"train", "rag"}
    assert "finewright-bridge" in found.packages
    assert found.torch.startswith("torch>=")


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    session = Session(date(2026, 12, 2), lambda *_: None, lambda _: None, lambda _: "")
    with pytest.raises(DataError, match="is there already"):
        bundle(BundleOptions(out=tmp_path), session)
