"""The plugin table: names cost nothing, built-ins win, and packages can add their own."""

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from finewright import plugins
from finewright.errors import UnknownPlugin


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package on the path, as pip would leave it, that registers two scorers."""
    (tmp_path / "acme_scorers.py").write_text(
        "def shout(answer, expected):\n    return 1.0\n", encoding="utf-8"
    )
    info = tmp_path / "acme_scorers-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: acme-scorers\nVersion: 1.0\n", encoding="utf-8"
    )
    (info / "entry_points.txt").write_text(
        "[finewright.scorer]\nacme_shout = acme_scorers:shout\ntoken_f1 = acme_scorers:shout\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.parametrize("name", plugins.BUILTIN["scorer"])
def test_every_built_in_scorer_resolves_to_something_callable(name: str) -> None:
    assert callable(plugins.resolve("scorer", name))


@pytest.mark.usefixtures("installed")
def test_an_installed_package_adds_a_name() -> None:
    assert "acme_shout" in plugins.names("scorer")
    assert plugins.resolve("scorer", "acme_shout")("a", "b") == 1.0


@pytest.mark.usefixtures("installed")
def test_the_modules_of_a_kind_are_those_that_packages_add() -> None:
    assert "acme_scorers" in plugins.modules("scorer")
    assert not any(name.startswith("finewright.") for name in plugins.modules("scorer"))


def test_a_package_that_is_installed_while_finewright_runs_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "acme_shout" not in plugins.names("scorer")
    request.getfixturevalue("installed")
    assert "acme_shout" in plugins.names("scorer")


def test_a_path_that_cannot_be_seen_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    # a name too long for any file system fails for root as well, as no folder of mode 700 does
    monkeypatch.setattr(sys, "path", [*sys.path, f"/{'x' * 5000}"])
    assert plugins.BUILTIN["scorer"].keys() <= {*plugins.names("scorer")}


@pytest.mark.usefixtures("installed")
def test_a_package_cannot_replace_a_built_in_name() -> None:
    assert plugins.resolve("scorer", "token_f1")("yes", "no") == 0.0


def test_installed_packages_are_not_scanned_for_a_built_in_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def scan(kind: str) -> None:
        pytest.fail(f"scanned for {kind}")

    monkeypatch.setattr(plugins, "find_installed", scan)
    assert plugins.resolve("scorer", "numeric")("7", "7") == 1.0


def test_an_unknown_name_says_what_is_known_and_what_was_meant() -> None:
    with pytest.raises(UnknownPlugin, match="no scorer named 'rogue_l'") as e:
        plugins.resolve("scorer", "rogue_l")
    assert e.value.hint == "did you mean 'rouge_l'?"


def test_a_name_like_no_other_lists_the_names() -> None:
    with pytest.raises(UnknownPlugin) as e:
        plugins.resolve("method", "zzzzzz")
    known = (
        "distill, dpo, gkd, grpo, kto, label_text, labels, linear, orpo, ppo, reward, sft, simpo"
    )
    assert e.value.hint == f"use one of: {known}"


def test_names_are_sorted() -> None:
    found = plugins.names("scorer")
    assert found == sorted({*found, *plugins.BUILTIN["scorer"]})


def test_listing_names_imports_no_scorer_and_no_heavy_library() -> None:
    code = (
        "import sys; from finewright.plugins import names; names('scorer'); names('method');"
        "print([m for m in ('torch', 'numpy', 'finewright.evaluate.scorers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_packages_name_is_there() -> None:
    found = [
        point for kind in plugins.BUILTIN for point in entry_points(group=f"finewright.{kind}")
    ]
    assert {"rag", "serve", "genai-prices"} <= {point.name for point in found}
    for point in found:
        assert point.load() is not None
