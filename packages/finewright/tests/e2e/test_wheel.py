"""The wheel of the core by itself, without the clone and without the libraries of its extras."""

import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import finewright

CORE = Path(finewright.__file__).parents[2]
SPEC = "name: t\nbase_models: [words]\ndata: {sources: [{path: rows.jsonl}]}\ntrain: {method: linear}\n"
# Without the folders that `site` adds: what is not in ours is not installed.
ALONE = "import sys; sys.path.append(sys.argv.pop(1)); from finewright.cli.main import main; main()"

Alone = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the wheel unpacks to."""
    folder = tmp_path_factory.mktemp("wheel")
    code = "import hatchling.build as b, sys; print(b.build_wheel(sys.argv[1]))"
    built = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        cwd=CORE,
        capture_output=True,
        text=True,
        check=True,
    )
    with zipfile.ZipFile(folder / built.stdout.split()[-1]) as wheel:
        wheel.extractall(folder / "site")
    for name in closure(metadata.distribution("finewright")):
        for file in metadata.files(name) or ():
            top = Path(file.parts[0])
            if top.name != ".." and not (link := folder / "site" / top).exists():
                link.symlink_to(Path(str(metadata.distribution(name).locate_file(top))))
    return folder / "site"


def closure(package: metadata.Distribution, found: frozenset[str] = frozenset()) -> frozenset[str]:
    """What the package needs, and what that needs, without extras."""
    for line in package.requires or ():
        needed = Requirement(line)
        if needed.name not in found and (
            not needed.marker or needed.marker.evaluate({"extra": ""})
        ):
            found = closure(metadata.distribution(needed.name), found | {needed.name})
    return found


@pytest.fixture
def alone(site: Path, tmp_path: Path) -> Alone:
    (tmp_path / "rows.jsonl").write_text('{"prompt": "Q", "completion": "A"}\n')
    (tmp_path / "spec.yaml").write_text(SPEC)

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-I", "-S", "-c", ALONE, str(site), *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def test_the_wheel_has_every_file_of_the_package(site: Path) -> None:
    def files(folder: Path) -> set[str]:
        found = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
        return {path.relative_to(folder).as_posix() for path in found}

    assert files(site / "finewright") == files(CORE / "src" / "finewright")


def test_help_and_doctor_work_and_doctor_names_what_installs_the_rest(
    alone: Alone, site: Path
) -> None:
    assert alone("--help").returncode == 0
    shown = alone("doctor", "--json")
    assert (shown.returncode, shown.stderr) == (2, "")
    (said,) = site.glob("finewright-*.dist-info/METADATA")
    extras = set(re.findall(r"^Provides-Extra: (\S+)", said.read_text(), re.M))
    named = set(re.findall(r"finewright\[([\w-]+)\]", shown.stdout))
    assert {"train", "advice", "bridge", "rag", "serve", "trust", "web3"} == named
    assert named <= extras


@pytest.mark.parametrize(
    "command",
    [
        "check spec.yaml",
        "plan spec.yaml",
        "quickstart",
        "data report rows.jsonl",
        "serve x",
        "keys list",
    ],
)
def test_a_command_whose_library_is_not_there_is_one_line_with_its_mend(
    command: str, alone: Alone, tmp_path: Path
) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())
    refused = alone(*command.split())
    assert (refused.returncode, refused.stdout) == (3, "")
    error, hint = refused.stderr.splitlines()
    assert error.startswith("error: ")
    assert re.fullmatch(r' hint: pip install "finewright\[(data|train|serve)\]"', hint)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
