"""`catalog list | check | import | refresh`: what they say, what they write, and what they refuse."""

import json
import re
import sys
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from finewright.catalog import price_refresh
from finewright.catalog.prices import api_named, machines_of, packaged_prices, prices
from finewright.errors import DataError, MissingExtra
from finewright.report.show import text_of
from finewright.schema.catalog_report import CatalogList
from finewright.schema.cost import Range
from finewright.workbench.catalog import (
    ImportStatement,
    check_file,
    import_file,
    list_catalog,
    refresh,
)

TODAY = date(2026, 11, 25)
SAID = ImportStatement(source="https://example.org", observed_at="2026-11-20")

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

GPUHUNT = """\
instance_name,location,price,cpu,memory,gpu_count,gpu_name,gpu_memory,spot,disk_size,gpu_vendor,flags
gpu_1x_a100,us-east-1,1.29,30,200,1,A100,40.0,False,512,nvidia,
gpu_1x_a100,eu-west-1,1.49,30,200,1,A100,40.0,False,512,nvidia,
gpu_1x_a100,eu-west-2,1.99,30,200,1,A100,40.0,False,512,nvidia,
gpu_8x_a100,us-east-1,14.32,124,1800,8,A100,80.0,True,512,nvidia,
gpu_1x_rtx,us-east-1,0.50,14,46,1,RTX6000,24.0,False,512,nvidia,
cpu_4x,us-east-1,0.1,4,16,0,,,False,512,,
v5,us-east-1,3,4,16,1,tpu-v5,,False,512,google,
"""

SKYPILOT = """\
InstanceType,vCPUs,MemoryGiB,AcceleratorName,AcceleratorCount,GPUInfo,Region,AvailabilityZone,Price,SpotPrice
p5.48xlarge,192,2048,H100,8,x,us-east-1,us-east-1a,55.04,20.5
p5.48xlarge,192,2048,H100,8,x,us-west-2,us-west-2a,59.96,
a2.part,8,64,T4,0.5,x,us-west-2,us-west-2a,0.2,
m5.large,2,8,,,x,us-west-2,us-west-2a,0.1,0.05
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
    assert apis.apis == packaged_prices().apis
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


def test_gpuhunts_csv_gives_a_range_over_its_regions(tmp_path: Path, folder: Path):
    path = written(tmp_path / "lambdalabs.csv", GPUHUNT)
    report = import_file(path, folder, TODAY, said=SAID)
    assert report.format == "gpuhunt"
    one, eight = [row for row in prices(folder).machines if row.method.startswith("gpuhunt")]
    assert one.provider == "lambda"
    assert one.gpu == "A100 40GB"
    assert one.usd_per_hour == Range(low=1.29, median=1.49, high=1.99)
    assert one.method == "gpuhunt: prices in 3 regions"
    assert (eight.gpu, eight.num_gpus, eight.tier) == ("A100 80GB PCIe", 8, "spot")
    assert eight.region == "us-east-1"
    assert report.left_out == {
        "GPU not in the catalog: RTX6000 24 GB": 1,
        "machines without a GPU": 2,
    }
    assert "GPU not in the catalog: RTX6000 24 GB" in text_of(report)


def test_regions_can_be_restricted(tmp_path: Path, folder: Path):
    path = written(tmp_path / "lambdalabs.csv", GPUHUNT)
    report = import_file(path, folder, TODAY, said=SAID._replace(region="eu-"))
    (row,) = [row for row in prices(folder).machines if row.method.startswith("gpuhunt")]
    assert row.usd_per_hour == Range(low=1.49, median=1.74, high=1.99)
    assert row.region == "eu-"
    assert report.left_out["region is not eu-..."] == 2


def test_skypilots_csv_gives_on_demand_and_spot(tmp_path: Path, folder: Path):
    path = written(tmp_path / "aws" / "vms.csv", SKYPILOT)
    report = import_file(path, folder, TODAY, said=SAID)
    assert report.written == str(folder / "skypilot-aws.yaml")
    found = {row.tier: row for row in prices(folder).machines if row.method.startswith("skypilot")}
    assert found["on_demand"].usd_per_hour == Range(low=55.04, median=57.5, high=59.96)
    assert found["spot"].usd_per_hour.median == 20.5
    assert found["spot"].usd_per_gpu_hour.median == pytest.approx(2.5625)
    assert report.left_out == {"machines with a part of a GPU": 1, "machines without a GPU": 1}
    assert report.replaced == ("machines: aws p5.48xlarge on_demand any",)
    before = machines_of(packaged_prices(), provider="aws")
    assert len(machines_of(prices(folder), provider="aws")) == len(before) + 1


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (ImportStatement(), "source: the file does not say it, so you must"),
        (SAID._replace(source="x"), "source: 'x' says nobody who says so"),
        (SAID._replace(observed_at=""), "observed_at: the file does not say it"),
        (SAID._replace(observed_at="today"), "observed_at: must be a day such as"),
        (SAID._replace(observed_at="2026-12-01"), "observed_at: 2026-12-01 is after today"),
        (SAID._replace(provider="lamda"), "unknown provider 'lamda'; did you mean 'lambda'"),
    ],
)
def test_a_csv_needs_what_it_does_not_say(
    said: ImportStatement, told: str, tmp_path: Path, folder: Path
):
    path = written(tmp_path / "lambdalabs.csv", GPUHUNT)
    with pytest.raises(DataError, match=told):
        import_file(path, folder, TODAY, said=said)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("-1.49", "price: first in line 3: '-1.49' is no number from 0 on"),
        ("nan", "price: first in line 3: 'nan' is no number from 0 on"),
        ("", "price: first in line 3: '' is no number from 0 on"),
        ("0", "price: first in line 3: 0 must be more than 0, unless the tier is free or own"),
        ("1e9", "price: first in line 3: 1e+09 must be dollars an hour: $1,000,000,000.00 an hour"),
    ],
)
def test_a_wrong_cell_of_a_csv_costs_its_row_alone_and_is_told_with_its_line(
    cell: str, told: str, tmp_path: Path, folder: Path
):
    path = written(tmp_path / "lambdalabs.csv", GPUHUNT.replace(",1.49,", f",{cell},"))
    report = import_file(path, folder, TODAY, said=SAID)
    assert [why for why in report.left_out if why.startswith(told)]
    one, _ = [row for row in prices(folder).machines if row.method.startswith("gpuhunt")]
    assert (one.usd_per_hour.low, one.usd_per_hour.high) == (1.29, 1.99)


def test_a_csv_of_which_no_row_can_be_used_is_refused(tmp_path: Path, folder: Path):
    text = "sku,gpu,usd_per_hour\na,L4,much\nb,XYZ,1\n"
    with pytest.raises(DataError, match=r"no row can be used: usd_per_hour: first in line 2.*XYZ"):
        import_file(written(tmp_path / "nebius.csv", text), folder, TODAY, said=SAID)
    assert not folder.exists()


def test_a_plain_csv_has_the_names_of_the_yaml(tmp_path: Path, folder: Path):
    text = (
        "sku,gpu,num_gpus,tier,region,usd_per_hour\n"
        "l4.1,NVIDIA L4,1,secure,eu-1,0.6\nl4.8,L4,8,,,4.5\nl4.2,L4,2,cheap,,1\nl4.x,L4,1.5,,,1\n"
    )
    report = import_file(written(tmp_path / "nebius.csv", text), folder, TODAY, said=SAID)
    assert report.format == "machines"
    assert len(report.left_out) == 2
    found = {row.sku: row for row in prices(folder).machines if row.sku.startswith("l4.")}
    assert (found["l4.1"].tier, found["l4.1"].region) == ("secure", "eu-1")
    assert (found["l4.8"].tier, found["l4.8"].region) == ("on_demand", "any")
    assert found["l4.8"].usd_per_gpu_hour.median == pytest.approx(4.5 / 8)


def test_a_plain_csv_has_reserved_machines_with_their_term(tmp_path: Path, folder: Path):
    header = "sku,gpu,tier,term_months,usd_per_hour\n"
    rows = "h,H100 SXM,reserved,12,2.1\nh,H100 SXM,reserved,36,1.6\nh,H100 SXM,reserved,,2\nh,L4,spot,3,1\n"
    report = plain(tmp_path, folder, rows, header=header)
    found = {m.sku: m for m in prices(folder).machines if m.method.startswith("machines:")}
    assert {sku: m.term_months for sku, m in found.items()} == {
        "h, 12 months": 12,
        "h, 36 months": 36,
    }
    assert {m.tier for m in found.values()} == {"reserved"}
    assert [line.partition(":")[0] for line in report.bad_lines] == ["line 4", "line 5"]


APIS = "provider,model,usd_per_million_in,usd_per_million_out,usd_per_million_cached,batch_share\n"


def test_a_csv_of_apis_has_batches_and_cached_tokens(tmp_path: Path, folder: Path):
    old = next(api for api in prices(folder).apis if api.model == "gpt-6-luna")
    rows = (
        "openai,gpt-6-luna,0.08,0.4,0.008,0.4\nours,our-model,1,2,,\nopenai,gpt-6.1-sol,1,two,,\n"
    )
    path = written(tmp_path / "contract.csv", APIS + rows + "openai,gpt-6.1-sol,1,2,,1.5\n")
    report = import_file(path, folder, TODAY, said=SAID)
    assert report.format == "apis"
    assert [line.partition(":")[0] for line in report.bad_lines] == ["line 4", "line 5"]
    found = {(api.provider, api.model): api for api in prices(folder).apis}
    mine = found["openai", "gpt-6-luna"]
    assert (mine.usd_per_million_in.median, mine.batch_share) == (0.08, 0.4)
    assert mine.context_tokens == old.context_tokens
    assert found["ours", "our-model"].usd_per_million_out.median == 2


def test_a_csv_of_apis_without_a_usable_row_or_a_provider_is_refused(tmp_path: Path, folder: Path):
    path = written(tmp_path / "a.csv", "model,usd_per_million_in,usd_per_million_out\nx,1,2\n")
    with pytest.raises(DataError, match="line 2: provider: '' is no name of a provider"):
        import_file(path, folder, TODAY, said=SAID)
    assert import_file(path, folder, TODAY, said=SAID._replace(provider="ours")).rows["apis"] == 1


def test_what_checks_a_csv_is_said(tmp_path: Path, folder: Path):
    path = written(tmp_path / "nebius.csv", PLAIN + "l4,L4,1,,,0.6\n")
    with pytest.raises(DataError, match="is checked as it is imported") as error:
        check_file(path, folder, TODAY)
    assert "catalog import" in error.value.hint
    with pytest.raises(DataError, match="these columns") as unknown:
        check_file(written(tmp_path / "x.csv", "a,b\n1,2\n"), folder, TODAY)
    assert "batch_share" in unknown.value.hint


def test_an_older_price_does_not_take_the_place_of_a_newer_one(tmp_path: Path, folder: Path):
    path = written(tmp_path / "aws" / "vms.csv", SKYPILOT)
    old = import_file(path, folder, TODAY, said=SAID._replace(observed_at="2026-01-01"))
    assert old.left_out["older than the catalog's (2026-01-01)"] == 1
    assert old.replaced == ()
    mine = written(folder / "mine.yaml", OWN)
    told = "apis: your own rows stand over newer ones: openai gpt-6-luna (2026-03-01, the catalog's"
    assert told in text_of(listed(folder))
    assert told in text_of(check_file(mine, folder, TODAY))


PLAIN = "sku,gpu,num_gpus,tier,region,usd_per_hour\n"


def plain(tmp_path: Path, folder: Path, rows: str, day: str = "2026-11-20", header: str = PLAIN):
    path = written(tmp_path / "plain.csv", header + rows)
    said = SAID._replace(provider="vast", observed_at=day)
    return import_file(path, folder, TODAY, said=said)


def plain_prices(folder: Path) -> dict[str, float]:
    rows = [row for row in prices(folder).machines if row.method.startswith("machines:")]
    return {row.sku: row.usd_per_hour.median for row in rows}


def test_a_second_import_for_a_provider_goes_over_the_first(tmp_path: Path, folder: Path):
    plain(tmp_path, folder, "a1,L4,1,,eu,0.5\na2,L4,2,,eu,1\n", day="2026-11-10")
    report = plain(tmp_path, folder, "b1,L4,1,,eu,0.6\na2,L4,2,,eu,1.2\n")
    assert plain_prices(folder) == {"a1": 0.5, "a2": 1.2, "b1": 0.6}
    assert "these rows of earlier imports stay in machines-vast.yaml: vast a1" in text_of(report)


def test_two_machines_of_one_name_are_refused_over_an_earlier_import_too(
    tmp_path: Path, folder: Path
):
    for _ in range(2):
        with pytest.raises(DataError, match="the same as"):
            plain(tmp_path, folder, "a1,L4,1,,eu,0.5\na1,L4,2,,eu,1\n")
        plain(tmp_path, folder, "a1,L4,1,,eu,0.4\n")
        assert plain_prices(folder) == {"a1": 0.4}


def test_rows_that_were_seen_later_stay_over_an_older_import(tmp_path: Path, folder: Path):
    plain(tmp_path, folder, "a1,L4,1,,eu,0.5\n")
    older = plain(tmp_path, folder, "a1,L4,1,,eu,0.9\nb1,L4,1,,eu,0.6\n", day="2026-01-01")
    assert plain_prices(folder) == {"a1": 0.5, "b1": 0.6}
    told = (
        "these rows stay as they are, for they were seen later: vast a1 on_demand eu (2026-11-20)"
    )
    assert told in text_of(older)
    before = (folder / "machines-vast.yaml").read_bytes()
    with pytest.raises(DataError, match=r"all its rows stay as they are.*vast a1"):
        plain(tmp_path, folder, "a1,L4,1,,eu,0.9\n", day="2026-01-01")
    assert (folder / "machines-vast.yaml").read_bytes() == before


def test_an_older_map_does_not_replace_newer_prices_of_apis(tmp_path: Path, folder: Path):
    old = SAID._replace(observed_at="2026-01-01")
    report = import_file(litellm(tmp_path), folder, TODAY, said=old)
    assert report.left_out["older than the catalog's (2026-01-01)"] == 1
    luna = api_named(packaged_prices(), "openai/gpt-6-luna")
    assert api_named(prices(folder), "openai/gpt-6-luna") == luna


def test_yaml_that_takes_the_place_of_another_says_what_is_gone(tmp_path: Path, folder: Path):
    import_file(written(tmp_path / "a" / "mine.yaml", OWN), folder, TODAY)
    other = written(tmp_path / "b" / "mine.yaml", OWN.replace("gpt-6-luna", "gpt-7"))
    told = "these rows that mine.yaml had are in it no more: openai gpt-6-luna (2026-03-01)"
    assert told in text_of(import_file(other, folder, TODAY))


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("x,L4,1,on_demand,eu,1,50", "line 2: cells: 1 more than the header names; a comma"),
        ("x,L4,0,on_demand,eu,1", "line 2: num_gpus: 0 is no number from 1 on"),
        ("x,L4,1,reserved,eu,1", "line 2: term_months: a reserved machine needs"),
        # The lowest known: $2.4 for an H100 SXM on demand; no spot row of a T4, $0.526 on demand.
        (
            "x,H100 SXM,8,,eu,0.01",
            "line 2: too low a price: $0.00125 an hour and GPU is under 20% of",
        ),
        ("x,H100 SXM,8,,eu,3.8", "line 2: too low a price: $0.475 an hour"),
        ("x,T4,1,spot,eu,0.052", "line 2: too low a price: $0.052 an hour and GPU is under 10% of"),
        ("x,P100,1,,eu,0.01", "line 2: too low a price: $0.01 an hour and GPU is under $0.02"),
    ],
)
def test_a_row_that_cannot_be_true_is_left_out_with_its_line(
    row: str, told: str, tmp_path: Path, folder: Path
):
    report = plain(tmp_path, folder, f"{row}\ngood,L4,1,,eu,0.5\n")
    assert [line for line in report.bad_lines if line.startswith(told)]
    assert plain_prices(folder) == {"good": 0.5}


def test_low_prices_that_may_be_true_and_empty_cells_at_the_end_are_taken(
    tmp_path: Path, folder: Path
):
    rows = "h,H100 SXM,8,,eu,3.9\nt,T4,1,spot,eu,0.053\no,H100 SXM,1,own,eu,0.01\nl,L4,1,,eu,0.5,\n"
    assert plain(tmp_path, folder, rows).bad_lines == ()
    assert plain_prices(folder) == {"h": 3.9, "t": 0.053, "o": 0.01, "l": 0.5}


def test_a_plain_row_of_another_provider_is_left_out(tmp_path: Path, folder: Path):
    header = "provider,sku,gpu,usd_per_hour\n"
    rows = "VastAI,a,L4,0.5\naws,b,L4,0.5\n,c,L4,0.5\n"
    report = plain(tmp_path, folder, rows, header=header)
    assert report.bad_lines == ("line 3: provider: 'aws' is not 'vast': --provider aws",)
    assert plain_prices(folder).keys() == {"a", "c"}


def test_several_prices_at_one_place_are_a_range_and_said(tmp_path: Path, folder: Path):
    report = plain(tmp_path, folder, "a,L4,1,,eu,0.5\na,L4,1,,eu,1.9\nb,L4,1,,eu,1\nb,L4,1,,us,2\n")
    found = {row.sku: row for row in prices(folder).machines if row.provider == "vast"}
    assert found["a"].usd_per_hour == Range(low=0.5, median=1.2, high=1.9)
    assert found["a"].method == "machines: 2 prices in 1 region"
    assert found["b"].method == "machines: prices in 2 regions"
    assert "became one row with their range: a on_demand (0.5 to 1.9)\n" in text_of(report) + "\n"


def test_a_skypilot_row_without_a_price_is_counted(tmp_path: Path, folder: Path):
    row = "p9,192,2048,H100,8,x,us-east-1,us-east-1a,,\n"
    path = written(tmp_path / "aws" / "vms.csv", SKYPILOT + row)
    left_out = import_file(path, folder, TODAY, said=SAID).left_out
    assert left_out["machines without a price"] == 1


def test_a_name_that_could_steer_the_terminal_is_not_imported(tmp_path: Path, folder: Path):
    path = written(tmp_path / "lambdalabs.csv", GPUHUNT.replace("gpu_8x_a100", "gpu\x1b[2J"))
    with pytest.raises(DataError, match="holds what cannot be printed"):
        import_file(path, folder, TODAY, said=SAID)
    assert not folder.exists()


def test_a_csv_of_something_else_and_a_missing_one_are_refused(tmp_path: Path, folder: Path):
    path = written(tmp_path / "x.csv", "a,b\n1,2\n")
    with pytest.raises(DataError, match="these columns are of no catalog we know"):
        import_file(path, folder, TODAY, said=SAID)
    with pytest.raises(DataError, match="no such file"):
        import_file(tmp_path / "none.csv", folder, TODAY, said=SAID)


def test_a_row_that_is_cut_off_is_told_or_counted(tmp_path: Path, folder: Path):
    path = written(tmp_path / "lambdalabs.csv", GPUHUNT + "x,us-east-1\n")
    path.write_text(path.read_text() + ",us-east-1,1.29,30,200,1,A100,40.0,False,512,nvidia,\n")
    left_out = import_file(path, folder, TODAY, said=SAID).left_out
    assert left_out["name: first in line 10: the machine has none"] == 1
    assert left_out["gpu_count: first in line 9: '' is no number from 0 on"] == 1
    path = written(tmp_path / "aws" / "vms.csv", SKYPILOT + "x,192\n")
    assert import_file(path, folder, TODAY, said=SAID).left_out["machines without a GPU"] == 2


LITELLM = {
    "sample_spec": {"mode": "one of: chat, embedding", "input_cost_per_token": 0.0},
    "gpt-6-luna": {
        "litellm_provider": "openai",
        "mode": "chat",
        "input_cost_per_token": 1.5e-7,
        "output_cost_per_token": 6e-7,
        "cache_read_input_token_cost": 1e-8,
        "input_cost_per_token_above_272k_tokens": 3e-7,
        "max_input_tokens": 1050000,
        "source": "https://developers.openai.com/api/docs/pricing",
    },
    "gemini/gemini-9": {
        "litellm_provider": "gemini",
        "mode": "chat",
        "input_cost_per_token": 1e-6,
        "output_cost_per_token": 2e-6,
        "deprecation_date": "2027-03-01",
    },
    "free": {
        "litellm_provider": "openai",
        "mode": "chat",
        "input_cost_per_token": 0,
        "output_cost_per_token": 0,
    },
    "elsewhere": {"litellm_provider": "novita", "mode": "chat", "input_cost_per_token": 1e-6},
    "embed": {"litellm_provider": "openai", "mode": "embedding", "input_cost_per_token": 1e-6},
}


def litellm(folder: Path, **more: object) -> Path:
    return written(folder / "model_prices.json", json.dumps(LITELLM | more))


def test_litellms_map_gives_prices_and_end_dates(tmp_path: Path, folder: Path):
    report = import_file(litellm(tmp_path), folder, TODAY, said=SAID)
    assert report.rows == {"apis": 2}
    assert report.left_out == {
        "no chat model": 2,
        "no price a token, or one of 0": 1,
        "another provider": 1,
    }
    luna = api_named(prices(folder), "openai/gpt-6-luna")
    assert (luna.usd_per_million_in.median, luna.usd_per_million_out.median) == (0.15, 0.6)
    assert luna.long_context is not None
    assert luna.long_context.usd_per_million_in.median == 0.3
    assert luna.long_context.usd_per_million_out.median == 0.6
    assert luna.can_fine_tune is False
    assert luna.source == "https://developers.openai.com/api/docs/pricing; https://example.org"
    nine = api_named(prices(folder), "google/gemini-9")
    assert nine.deprecation_date == date(2027, 3, 1)


def test_litellms_map_can_be_read_for_one_provider(tmp_path: Path, folder: Path):
    report = import_file(litellm(tmp_path), folder, TODAY, said=SAID._replace(provider="google"))
    assert report.written == str(folder / "litellm-google.yaml")
    assert report.rows == {"apis": 1}


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"input_cost_per_token": -1e-6}, "gpt-x: usd_per_million_in: must not be negative"),
        ({"input_cost_per_token": "cheap"}, "gpt-x: input_cost_per_token: must be a number"),
        ({"deprecation_date": "soon"}, "gpt-x: deprecation_date: must be a day such as"),
        ({"max_input_tokens": -3}, "gpt-x: context_tokens: "),
    ],
)
def test_a_wrong_row_of_the_map_is_told_with_its_model(
    row: dict[str, object], told: str, tmp_path: Path, folder: Path
):
    base = {
        "litellm_provider": "openai",
        "mode": "chat",
        "input_cost_per_token": 1e-6,
        "output_cost_per_token": 1e-6,
    }
    path = litellm(tmp_path, **{"gpt-x": base | row})
    with pytest.raises(DataError, match=told):
        import_file(path, folder, TODAY, said=SAID)
    assert not folder.exists()


@pytest.mark.parametrize("text", ["[1]", '{"a": 1}', "{", "[" * 100_000])
def test_json_of_something_else_is_refused(text: str, tmp_path: Path, folder: Path):
    path = written(tmp_path / "x.json", text)
    with pytest.raises(DataError, match=r"x\.json: (is not JSON|must be models)"):
        import_file(path, folder, TODAY, said=SAID)
    with pytest.raises(DataError, match=r"x\.json: (is not JSON|must be models)"):
        import_file(path, folder, TODAY)


def price(**rates: float | tuple[float, int, float]) -> SimpleNamespace:
    """A price as genai-prices has it: a Decimal, or one with a step; None for what is not said."""
    made: dict[str, object] = {"input_mtok": None, "output_mtok": None, "cache_read_mtok": None}
    for name, rate in rates.items():
        if isinstance(rate, tuple):
            tier = SimpleNamespace(start=rate[1], price=Decimal(str(rate[2])))
            made[name] = SimpleNamespace(base=Decimal(str(rate[0])), tiers=[tier])
        else:
            made[name] = Decimal(str(rate))
    return SimpleNamespace(**made)


def model(id: str, prices: SimpleNamespace, comment: str | None) -> SimpleNamespace:
    return SimpleNamespace(
        id=id,
        prices=prices,
        price_comments=comment,
        context_window=1000,
        get_prices=lambda _: prices,
    )


@pytest.fixture
def genai(monkeypatch):
    """Stand-ins for the package with the models that a test asks for."""

    def install(models: Sequence[SimpleNamespace], comment: str | None = None) -> None:
        provider = SimpleNamespace(id="openai", models=models, price_comments=comment)
        package, data, types = (
            ModuleType(name) for name in ("genai_prices", "genai_prices.data", "genai_prices.types")
        )
        vars(data)["providers"] = [provider]
        vars(types)["StartDateConstraint"] = type("StartDateConstraint", (), {})
        for module in (package, data, types):
            monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr(price_refresh, "version", lambda _: "9.9")

    return install


def test_a_refresh_brings_newer_prices_and_keeps_what_the_package_does_not_know(
    genai, folder: Path
):
    long = price(input_mtok=(0.3, 200_000, 0.6), output_mtok=(0.7, 200_000, 0.9))
    genai([model("gpt-6-luna", long, "verified on 2026-11-20 and due on 2026-12-24")])
    report = refresh(folder, TODAY)
    (change,) = report.changes
    assert (change.before, change.after) == ("0.1 / 0.5", "0.3 / 0.7")
    luna = api_named(prices(folder), "gpt-6-luna")
    assert luna.observed_at == date(2026, 11, 20)
    assert luna.can_fine_tune is False
    assert luna.long_context is not None
    assert luna.long_context.above_tokens == 200_000
    assert luna.long_context.usd_per_million_out.median == 0.9
    assert "written to" in text_of(report)
    again = refresh(folder, TODAY)
    assert (again.changes, again.written) == ((), "")
    assert again.left_alone["openai/gpt-6-luna"] == "unchanged"


def test_a_price_without_a_day_or_older_than_ours_is_left_alone(genai, folder: Path):
    genai(
        [
            model("gpt-6-luna", price(input_mtok=9, output_mtok=9), None),
            model("gpt-6.1-sol", price(input_mtok=9, output_mtok=9), "seen 2026-01-01"),
            model("gpt-4o", price(input_mtok=9), "seen 2026-11-20"),
        ]
    )
    alone = refresh(folder, TODAY).left_alone
    assert alone["openai/gpt-6-luna"] == "genai-prices does not say when it saw the price"
    assert alone["openai/gpt-6.1-sol"] == "the catalog's is newer (2026-10-14)"
    assert alone["openai/gpt-4o"] == "has no price a token"
    assert alone["google/gemini-3.5-flash"] == "not in genai-prices under this name"
    assert not folder.exists()


def test_the_providers_day_stands_in_for_the_models(genai, folder: Path):
    genai([model("gpt-6-luna", price(input_mtok=9, output_mtok=9), "no day")], "as of 2026-11-01")
    (change,) = refresh(folder, TODAY).changes
    assert change.observed_at == date(2026, 11, 1)


def test_models_can_be_added_and_stay_at_the_next_refresh(genai, folder: Path):
    genai([model("gpt-7", price(input_mtok=3, output_mtok=6), "seen 2026-11-20")])
    (change,) = refresh(folder, TODAY, also=["openai/gpt-7"]).changes
    assert (change.model, change.before) == ("gpt-7", "")
    genai(
        [
            model("gpt-7", price(input_mtok=3, output_mtok=6), "seen 2026-11-20"),
            model("gpt-6-luna", price(input_mtok=9, output_mtok=9), "seen 2026-11-21"),
        ]
    )
    refresh(folder, TODAY)
    assert api_named(prices(folder), "gpt-7").usd_per_million_in.median == 3
    assert api_named(prices(folder), "gpt-6-luna").usd_per_million_in.median == 9


@pytest.mark.parametrize("name", ["opena/gpt-7", "gpt-7", "openai/"])
def test_a_model_to_add_names_a_provider_of_the_catalog(name: str, genai, folder: Path):
    genai([])
    with pytest.raises(DataError, match="names no provider of the catalog"):
        refresh(folder, TODAY, also=[name])


def test_without_the_package_the_extra_is_named(monkeypatch, folder: Path):
    monkeypatch.setitem(sys.modules, "genai_prices.data", None)
    monkeypatch.setattr(price_refresh, "version", lambda _: "9.9")
    with pytest.raises(MissingExtra) as raised:
        refresh(folder, TODAY)
    assert "finewright[prices]" in raised.value.hint


def test_our_prices_are_those_of_the_package_that_they_name(folder: Path):
    pytest.importorskip("genai_prices")
    report = refresh(folder, TODAY)
    assert report.left_alone["openai/gpt-6.1-terra"] in {
        "unchanged",
        "the catalog's is newer (2026-10-26)",
    }


def test_a_report_is_json(folder: Path):
    data = json.loads(listed(folder).model_dump_json())
    assert data["catalog"]["machines"][0]["usd_per_hour"] == {
        "low": 0.34,
        "median": 0.34,
        "high": 0.34,
    }
    assert data["ages"]["machines"]["level"] == "stale"
