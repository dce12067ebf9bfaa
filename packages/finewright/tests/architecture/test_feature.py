"""A feature is a folder and a line: a toy one, of another package, gets its key, verb, page and reference."""

import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from finewright.conformance.feature import FeatureConformance
from finewright.feature import Feature, features
from finewright.table import CORE
from installed import ROOT, Site

if TYPE_CHECKING:
    import subprocess

# Nothing of another package is installed, and no package lies in a clone.
ABSENT = (
    "plugins.find_installed = lambda kind: []; plugins._PACKAGES_HERE = plugins.Path('nowhere')"
)
EXAMPLE = (ROOT / "docs" / "features.md").read_text(encoding="utf-8")
RUN = """\
name: bot
base_models: [smollm2-135m-instruct]
data: {sources: [{path: rows.jsonl}]}
"""

WITHOUT = """
import sys
from finewright import plugins

built_in, installed = plugins.BUILTIN["feature"], plugins.find_installed
modules = {point.name: point.module for point in installed("feature")}
modules |= {name: target.partition(":")[0] for name, target in built_in.items()}
gone = list(modules) if sys.argv[1] == "all" else sys.argv[1].split("+")
folders = {modules[name].rpartition(".")[0] for name in gone}

class Deleted:
    def find_spec(self, name, path=None, target=None):
        if name in folders or name.startswith(tuple(f"{folder}." for folder in folders)):
            raise ModuleNotFoundError(f"deleted: {name}")

for name in gone:
    built_in.pop(name, None)
plugins.find_installed = lambda kind: [point for point in installed(kind) if point.name not in gone]
sys.meta_path.insert(0, Deleted())
sys.argv = ["finewright", *sys.argv[2:]]
from finewright.cli.main import main
main()
"""


def brought(kind: str) -> dict[str, str]:
    """Name -> the package that brings it."""
    text = resources.files("finewright").joinpath("packages.json").read_text(encoding="utf-8")
    found: dict[str, str] = json.loads(text)[kind]
    return found


Python = Callable[..., "subprocess.CompletedProcess[str]"]


class TestEveryFeature(FeatureConformance):
    @pytest.fixture(params=[*CORE, *features().values()], ids=lambda feature: feature.name)
    def feature(self, request: pytest.FixtureRequest) -> Feature:
        feature: Feature = request.param
        return feature


@pytest.fixture
def python(tmp_path: Path) -> Python:
    """Python in a folder where the toy package is installed."""
    site = Site(tmp_path)
    site.install("toy")
    return site.python


@pytest.fixture
def finewright_command(python: Python) -> Python:
    return lambda *arguments: python("-m", "finewright", *arguments)


def test_a_toy_has_a_verb_with_its_options_and_its_exit_code(
    finewright_command: Python, tmp_path: Path
) -> None:
    (tmp_path / "toy.yaml").write_text("name: bot\ntoy: {to: 4}\n")
    lines = [line.split(maxsplit=1) for line in finewright_command("--help").stdout.splitlines()]
    assert ["toy", "Count to the number of the spec."] in lines
    shown = finewright_command("toy", "--help").stdout
    for flag in (
        "--set KEY=VALUE",
        "--step <int range>  By how many.  [default: 1; x>=1]",
        "--json",
    ):
        assert flag in shown
    counted = finewright_command("toy", "toy.yaml", "--set", "toy.to=5", "--step", "2", "--json")
    assert (counted.returncode, counted.stderr) == (0, "")
    assert json.loads(counted.stdout)["numbers"] == [1, 3, 5]
    assert finewright_command("toy", "toy.yaml", "--step", "2").returncode == 2


def test_a_toy_has_a_text_and_a_page(finewright_command: Python, tmp_path: Path) -> None:
    (tmp_path / "toy.yaml").write_text("name: bot\ntoy: {to: 2}\n")
    shown = finewright_command("toy", "toy.yaml", "--html", "toy.html")
    assert (shown.returncode, shown.stderr) == (0, "")
    _, _, printed = EXAMPLE.partition("$ finewright toy toy.yaml --set toy.to=2\n")
    assert shown.stdout == printed.partition("```")[0]
    page = (tmp_path / "toy.html").read_text()
    assert page.startswith("<!DOCTYPE html>\n<!-- A page about a count, made by finewright. -->\n")
    assert "Counted for bot." in page
    refused = finewright_command("toy", "toy.yaml", "--html", "toy.yaml")
    assert refused.returncode == 2
    assert "toy.yaml: this is toy.yaml, which is read and never written to" in refused.stderr


def test_a_toy_has_a_key_in_the_spec(finewright_command: Python, tmp_path: Path) -> None:
    schema = json.loads(finewright_command("schema").stdout)
    assert schema["$defs"]["CountSpec"]["properties"]["to"]["default_reason"] == "a toy"
    assert schema["properties"]["toy"]["description"] == "How far `finewright toy` counts"
    (tmp_path / "run.yaml").write_text(f"{RUN}toy: {{upper_bound: 2}}\n")
    wrong = finewright_command("check", "run.yaml")
    assert wrong.returncode == 2
    lines = wrong.stderr.splitlines()
    assert lines[0] == "error: run.yaml:4: toy.upper_bound: unknown key; did you mean 'to'?"
    (tmp_path / "run.yaml").write_text(f"{RUN}toy: {{to: 2}}\n")
    assert json.loads(finewright_command("toy", "run.yaml", "--json").stdout)["numbers"] == [1, 2]


def test_a_toy_has_its_part_of_the_reference(python: Python) -> None:
    beside = f"import sys; sys.path.insert(0, {str(ROOT / 'docs')!r})"
    reference = python("-c", f"{beside}; import generate; print(generate.reference())").stdout
    assert "| `toy.to` | `3` | The last number | a toy |" in reference
    assert "### finewright toy\n" in reference
    assert "for `decide` and for `rag` and for `release` and for `serve` and for `toy`" in reference
    assert "| `toy` | `toy` | `toy` | Count to a number. |" in reference


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (
            '            "toy",',
            '            "check",',
            "brings a command 'check', which there is already",
        ),
        (
            "FEATURE = Feature(",
            "import nowhere\nFEATURE = Feature(",
            "cannot be loaded: No module named",
        ),
        (
            '"toy",\n            "Count',
            '"toy --often",\n            "Count',
            "brings `toy --often`, which fits no command",
        ),
    ],
)
def test_a_feature_that_cannot_be_is_one_line(
    finewright_command: Python, tmp_path: Path, old: str, new: str, what: str
) -> None:
    module = tmp_path / "site" / "finewright_toy" / "feature.py"
    module.write_text(module.read_text().replace(old, new))
    found = finewright_command("--help")
    assert found.returncode == (2 if what else 0)
    assert what in found.stderr
    assert found.stderr.count("\n") == (2 if what else 0)


def test_a_library_that_a_feature_needs_is_named_before_anything_runs(
    finewright_command: Python, tmp_path: Path
) -> None:
    module = tmp_path / "site" / "finewright_toy" / "feature.py"
    module.write_text(
        module.read_text().replace("    reports=", "    needs={'nowhere': 'tune'}, reports=")
    )
    refused = finewright_command("toy", "no.yaml")
    assert refused.returncode == 3
    assert refused.stderr == (
        "error: `toy` needs nowhere, which is not installed\n"
        ' hint: pip install "finewright[tune]"\n'
    )


def test_a_feature_with_the_name_of_a_key_of_the_core_is_refused(
    finewright_command: Python, tmp_path: Path
) -> None:
    points = tmp_path / "site" / "finewright_toy-1.0.dist-info" / "entry_points.txt"
    points.write_text("[finewright.feature]\ntrain = finewright_toy.feature:FEATURE\n")
    refused = finewright_command("schema")
    assert refused.returncode == 2
    assert "the feature 'train' has the name of a key of finewright's own" in refused.stderr


@pytest.mark.parametrize("gone", ["data", "rag", "cost", "bakeoff", "measure", "measure+decide"])
def test_a_feature_whose_folder_and_line_are_deleted_is_gone(python: Python, gone: str) -> None:
    schema = python("-c", WITHOUT, gone, "schema")
    assert (schema.returncode, schema.stderr) == (0, "")
    there = set(features()) - set(gone.split("+"))
    assert there & {"tune", "decide"} <= json.loads(schema.stdout)["properties"].keys()
    if gone != "data":  # that key is the core's
        assert gone not in json.loads(schema.stdout)["properties"]


def test_a_command_of_a_package_that_is_not_installed_is_one_line_with_its_extra(
    python: Python,
) -> None:
    code = f"{ABSENT}; from finewright.cli.main import main; main()"
    refused = python("-c", f"from finewright import plugins; {code}", "migrate", "openai")
    assert (refused.returncode, refused.stdout) == (3, "")
    assert refused.stderr == (
        "error: the feature 'migrate' comes with finewright-bridge, which is not installed\n"
        ' hint: pip install "finewright[bridge]"\n'
    )


def test_a_word_of_a_package_that_is_not_installed_is_one_line_with_its_extra(
    python: Python,
) -> None:
    code = f"{ABSENT}; from finewright.cli.main import main; main()"
    refused = python("-c", f"from finewright import plugins; {code}", "keys", "list")
    assert (refused.returncode, refused.stdout) == (3, "")
    assert refused.stderr == (
        "error: the command 'keys' comes with finewright-serve, which is not installed\n"
        ' hint: pip install "finewright[serve]"\n'
    )


def test_a_library_that_is_not_installed_is_one_line_with_its_extra(
    python: Python, tmp_path: Path
) -> None:
    (tmp_path / "rows.jsonl").write_text('{"prompt": "Q", "completion": "A"}\n')
    (tmp_path / "run.yaml").write_text(RUN)
    code = "import sys; sys.modules['stdnum'] = None; from finewright.cli.main import main; main()"
    refused = python("-c", code, "check", "run.yaml")
    assert (refused.returncode, refused.stdout) == (3, "")
    assert refused.stderr.startswith(
        "error: this needs stdnum, which is not installed\n hint: pip install "
    )
    assert "[data]" in refused.stderr


def test_a_key_of_a_package_that_is_not_installed_is_said(python: Python, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"prompt": "Q", "completion": "A"}\n')
    (tmp_path / "run.yaml").write_text(RUN + "tune: {trials: 3}\n")
    code = f"{ABSENT}; from finewright.cli.main import main; main()"
    refused = python("-c", f"from finewright import plugins; {code}", "check", "run.yaml")
    assert refused.stderr == (
        "error: run.yaml:4: tune: unknown key; it is of a package that is not installed:"
        ' pip install "finewright[tune]"\n'
    )


@pytest.mark.parametrize("package", ["advice", "bridge", "rag", "serve", "trust", "web3"])
def test_a_package_that_is_removed_is_missed_by_no_other(python: Python, package: str) -> None:
    (name, *_) = [n for n, by in brought("feature").items() if by.partition("[")[0] == package] or [
        ""
    ]
    without = f"""
import sys
from finewright import plugins
gone, there = "finewright_{package}", plugins.find_installed
class Deleted:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == gone:
            raise ModuleNotFoundError(f"deleted: {{name}}")
sys.meta_path.insert(0, Deleted())
plugins.find_installed = lambda kind: [p for p in there(kind) if p.module.partition(".")[0] != gone]
from finewright.cli.main import main
main()
"""
    for arguments in (["--help"], ["schema"], ["data", "list"], ["doctor", "--help"]):
        ended = python("-c", without, *arguments)
        assert (ended.returncode, ended.stderr) == (0, "")
    if name:
        refused = python("-c", without, name)
        assert refused.returncode == 3
        assert f"comes with finewright-{package}, which is not installed" in refused.stderr


def test_the_core_works_without_any_feature(python: Python, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(RUN)
    (tmp_path / "rows.jsonl").write_text('{"prompt": "Q", "completion": "A"}\n')
    checked = python("-c", WITHOUT, "all", "check", "run.yaml", "--json")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert [p["level"] for p in json.loads(checked.stdout)["problems"]] == ["warning"]
    assert python("-c", WITHOUT, "all", "runs", "list").stdout == "no runs yet\n"
    assert "  cost" not in python("-c", WITHOUT, "all", "--help").stdout
