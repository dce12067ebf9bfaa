"""`catalog list | check | import | refresh`: what they say, what they write, and what they refuse."""

import json
import re
from datetime import date
from pathlib import Path

import pytest
import yaml

from finewright import plugins
from finewright.catalog.prices import api_named, prices, read_packaged_prices
from finewright.errors import DataError, MissingExtra, UnknownPlugin
from finewright.report.show import text_of
from finewright.schema.catalog_report import CatalogList
from finewright.workbench.catalog import list_catalog
from finewright.workbench.price_files import check_file, import_file, refresh

TODAY = date(2026, 11, 25)

OWN = """\
# my prices
apis:
  - provider: openai
    model: gpt-6-luna
    usd_per_million_in: 0.2
    usd_per_million_out: 0.6
    source: our contract
    observed_at: 2026-03-01
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "prices.d"


def listed(folder: Path, **asked: str) -> CatalogList:
    return list_catalog(folder, TODAY, **asked)


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_list_shows_prices_their_age_and_what_ends(folder: Path):
    text = text_of(listed(folder))
    (line,) = [
        line for line in text.splitlines() if line.startswith("runpod RTX 4090") and "comm" in line
    ]
    assert re.split(" {2,}", line) == [
        "runpod RTX 4090",
        "1 x RTX 4090",
        "community",
        "any",
        "0.34",
        "2026-09-25 aging",
    ]
    assert "2.67 (2.4-6.15)" in text
    assert "2027-01-06, in 42 days: OpenAI self-serve fine-tuning" in text
    assert "rows are stale, over 180 days old (the oldest 389 days): colab, kaggle" in text


def test_the_same_list_on_the_same_day_is_the_same_bytes(folder: Path):
    assert listed(folder).model_dump_json() == listed(folder).model_dump_json()


def test_years_later_every_price_is_stale(folder: Path):
    late = list_catalog(folder, date(2029, 1, 1))
    assert {age.level for age in late.ages.values()} == {"stale"}
    assert late.ending == ()


def test_a_part_can_be_asked_for(folder: Path):
    h100 = listed(folder, gpu="h100 sxm").catalog
    assert {row.gpu for row in h100.machines} == {"H100 SXM"}
    assert [row.name for row in h100.gpus] == ["H100 SXM"]
    assert h100.apis == ()
    openai = listed(folder, provider="openai").catalog
    assert openai.machines == ()
    assert {row.provider for row in openai.apis} == {"openai"}
    apis = listed(folder, section="apis").catalog
    assert apis.apis == read_packaged_prices().apis
    assert apis.machines == ()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"section": "machine"}, "unknown section 'machine'; did you mean 'machines'"),
        ({"provider": "amazon"}, "unknown provider 'amazon'"),
        ({"gpu": "H1000 SXM"}, "unknown GPU 'H1000 SXM'"),
    ],
)
def test_what_is_not_in_the_catalog_is_said(asked: dict[str, str], told: str, folder: Path):
    with pytest.raises(DataError, match=told):
        listed(folder, **asked)


def test_the_users_files_are_named(folder: Path):
    mine = written(folder / "mine.yaml", OWN)
    report = listed(folder)
    assert report.files == (str(mine),)
    assert api_named(report.catalog, "gpt-6-luna").usd_per_million_in.median == 0.2


def test_a_check_says_what_a_file_would_replace_and_what_is_old(tmp_path: Path, folder: Path):
    path = written(tmp_path / "mine.yaml", OWN)
    report = check_file(path, folder, TODAY)
    assert report.rows == {"apis": 1}
    assert report.replaced == ("apis: openai gpt-6-luna",)
    assert "stale" in report.problems[0].message
    assert "mine.yaml: 1 api: usable\nreplaces apis: openai gpt-6-luna" in text_of(report)
    assert not folder.exists()


def test_a_check_of_a_mistake_names_file_line_and_key(tmp_path: Path, folder: Path):
    path = written(tmp_path / "mine.yaml", OWN.replace("    source: our contract\n", ""))
    with pytest.raises(DataError) as raised:
        check_file(path, folder, TODAY)
    assert str(raised.value).startswith(f"{path}:3: apis.0.source: required key is missing")
    assert raised.value.exit_code == 2


def test_a_file_in_the_folder_can_be_checked_against_the_others(folder: Path):
    path = written(folder / "mine.yaml", OWN)
    assert check_file(path, folder, TODAY).rows == {"apis": 1}


def test_a_row_of_ones_own_over_a_newer_one_is_said(tmp_path: Path, folder: Path):
    mine = written(folder / "mine.yaml", OWN)
    told = "apis: your own rows stand over newer ones: openai gpt-6-luna (2026-03-01, the catalog's"
    assert told in text_of(listed(folder))
    assert told in text_of(check_file(mine, folder, TODAY))


def test_a_yaml_file_is_imported_as_it_is(tmp_path: Path, folder: Path):
    path = written(tmp_path / "My Prices.yaml", OWN)
    report = import_file(path, folder, TODAY)
    assert report.written == str(folder / "my-prices.yaml")
    assert (folder / "my-prices.yaml").read_text().endswith(OWN)
    assert api_named(prices(folder), "gpt-6-luna").usd_per_million_out.median == 0.6
    assert import_file(path, folder, TODAY).written == report.written


def test_a_file_that_the_user_wrote_is_not_overwritten(tmp_path: Path, folder: Path):
    kept = written(folder / "mine.yaml", OWN)
    path = written(tmp_path / "mine.yaml", OWN.replace("0.2", "0.3"))
    with pytest.raises(DataError, match="was not made by an import"):
        import_file(path, folder, TODAY)
    assert kept.read_text() == OWN


def test_nothing_is_written_for_a_file_with_a_mistake(tmp_path: Path, folder: Path):
    path = written(tmp_path / "mine.yaml", OWN.replace("0.2", "-0.2"))
    with pytest.raises(DataError, match="must not be negative"):
        import_file(path, folder, TODAY)
    assert not folder.exists()


def test_yaml_that_takes_the_place_of_another_says_what_is_gone(tmp_path: Path, folder: Path):
    import_file(written(tmp_path / "a" / "mine.yaml", OWN), folder, TODAY)
    other = written(tmp_path / "b" / "mine.yaml", OWN.replace("gpt-6-luna", "gpt-7"))
    told = "these rows that mine.yaml had are in it no more: openai gpt-6-luna (2026-03-01)"
    assert told in text_of(import_file(other, folder, TODAY))


def test_a_report_is_json(folder: Path):
    data = json.loads(listed(folder).model_dump_json())
    assert data["catalog"]["machines"][0]["usd_per_hour"] == {
        "low": 0.34,
        "median": 0.34,
        "high": 0.34,
    }
    assert data["ages"]["machines"]["level"] == "stale"


def test_an_import_beside_which_another_file_could_not_be_read_writes_nothing(
    tmp_path: Path, folder: Path
):
    def one(path: Path, section: str, **row: object) -> Path:
        seen = {"source": "their page", "observed_at": "2026-11-01"}
        return written(path, yaml.safe_dump({section: [{**row, **seen}]}))

    provider = {"title": "Neo", "sells": ["machines"]}
    path = one(tmp_path / "a.yaml", "providers", name="neo5", **provider)
    done = Path(import_file(path, folder, TODAY).written)
    before = done.read_text()
    machine = {"sku": "a", "gpu": "L4", "tier": "spot", "usd_per_hour": 1, "method": "list"}
    one(folder / "b.yaml", "machines", provider="neo5", **machine)
    one(path, "providers", name="neo6", **provider)
    with pytest.raises(DataError, match=r"b.yaml:.*unknown provider 'neo5'"):
        import_file(path, folder, TODAY)
    assert done.read_text() == before


def test_without_the_package_prices_of_others_are_refused_with_its_extra(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(plugins, "find_installed", lambda kind: [])
    csv = written(tmp_path / "vms.csv", "sku,gpu,usd_per_hour\na,L4,1\n")
    advice, prices = 'pip install "finewright[advice]"', 'pip install "finewright[prices]"'
    for refused, mend in (
        (lambda: import_file(csv, folder, TODAY), advice),
        (lambda: import_file(csv, folder, TODAY, format="machines"), advice),
        (lambda: import_file(tmp_path, folder, TODAY), advice),
        (lambda: check_file(csv, folder, TODAY), advice),
        (lambda: refresh(folder, TODAY), prices),
    ):
        with pytest.raises(MissingExtra, match="not installed") as e:
            refused()
        assert e.value.hint == mend
    assert import_file(written(tmp_path / "mine.yaml", OWN), folder, TODAY).format == "prices"


def test_an_unknown_format_says_which_there_are(tmp_path: Path, folder: Path):
    with pytest.raises(UnknownPlugin, match="no price file named 'skypilt'") as e:
        import_file(written(tmp_path / "x.csv", "a\n"), folder, TODAY, format="skypilt")
    assert "skypilot" in e.value.hint
