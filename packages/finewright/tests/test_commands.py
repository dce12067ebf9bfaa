"""`import finewright as fw`: every command of `finewright --help`, as a function that returns its report."""

import json
from datetime import date
from pathlib import Path

import pytest

import finewright as fw
from finewright.cli.verbs import verbs
from finewright.errors import DataError, FinewrightError, MissingExtra, SpecError, StoreError
from finewright.feature import features
from finewright.plugins import BUILTIN, install_command
from finewright.table import command_named


def words(table: dict[str, "object"], before: str = "") -> list[str]:
    found = []
    for word, verb in table.items():
        found += [before + word] if verb.action else []
        found += words(verb.inner, f"{before}{word} ")
    return found


def test_every_command_of_the_help_has_its_name_here() -> None:
    names = words(verbs())
    assert {"check", "data check", "rag ask", "serve", "migrate openai"} <= {*names}
    assert [command_named(name)[1].name for name in names] == names


def test_a_command_gives_its_report(tmp_path: Path) -> None:
    rows = [{"prompt": f"Say {n}", "completion": f"It is {n}."} for n in range(3)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    report = fw.command("data check", path=tmp_path / "rows.jsonl")
    assert report.passed
    assert "A page about data" in report._repr_html_()


def test_dated_facts_are_read_by_the_day_that_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    prices = {"section": "apis", "provider": "openai"}
    monkeypatch.setenv("FINEWRIGHT_TODAY", "2026-11-28")
    early = fw.command("catalog list", **prices)
    monkeypatch.setenv("FINEWRIGHT_TODAY", "2028-02-29")
    late = fw.command("catalog list", **prices)
    assert (early.today, late.today) == (date(2026, 11, 28), date(2028, 2, 29))
    aged = date(2028, 2, 29) - date(2026, 11, 28)
    assert late.ages["apis"].age_days - early.ages["apis"].age_days == aged.days
    assert (early.ages["apis"].level, late.ages["apis"].level) == ("fresh", "stale")


def test_what_is_no_day_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINEWRIGHT_TODAY", "28.11.2026")
    with pytest.raises(SpecError, match=r"FINEWRIGHT_TODAY=28\.11\.2026: is no day"):
        fw.command("catalog list")


@pytest.mark.parametrize(
    ("name", "options", "what"),
    [
        ("data chek", {}, "there is no command 'data chek'"),
        ("data check", {"pth": "x"}, "data check: "),
        ("verify", {}, "verify: run: Field required"),
        ("export", {"run": "x", "to": "hub"}, "export: to: Input should be "),
        ("export", {"run": "x", "to": "merged", "prompt": 3}, "export: prompt: no such option"),
    ],
)
def test_what_it_cannot_be_given_is_one_line(
    name: str, options: dict[str, object], what: str
) -> None:
    with pytest.raises(FinewrightError) as error:
        fw.command(name, **options)
    assert str(error.value).startswith(what)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("export", "bridge", "export"),
        ("tune", "advice", "tune"),
        ("migrate openai", "bridge", "bridge"),
    ],
)
def test_a_command_of_a_package_that_is_not_installed_names_its_extra(
    name: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_packages = [each for each in features().values() if each.name not in BUILTIN["feature"]]
    assert name in [command.name for each in of_packages for command in each.commands]
    monkeypatch.setattr("finewright.plugins.find_installed", lambda kind: [])
    features.cache_clear()
    with pytest.raises(MissingExtra, match=f"comes with finewright-{package}, ") as error:
        fw.command(name)
    features.cache_clear()
    assert error.value.hint == f'pip install "finewright[{extra}]"'


def test_a_package_is_installed_from_the_clone_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    packages = Path(__file__).parents[2]
    assert install_command("advice[tune]") == 'pip install "finewright[tune]"'
    monkeypatch.setattr("finewright.plugins._PACKAGES_HERE", packages)
    assert install_command("web3") == f"pip install --editable {packages}/finewright-web3"
    tuning = f"pip install --editable '{packages}/finewright-advice[tune]'"
    assert install_command("advice[tune]") == tuning
    assert install_command("[train]") == f"pip install --editable '{packages}/finewright[train]'"


def test_export_is_the_command(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nowhere"):
        fw.export(tmp_path / "nowhere", "merged")
    with pytest.raises(DataError, match="export: to"):
        fw.export(tmp_path / "nowhere", "paper")
