"""CSV files of machines: what is taken, what is left out, and what is refused."""

from pathlib import Path

import pytest

from finewright.catalog.prices import machines_of, prices, read_packaged_prices
from finewright.conformance.price_file import PriceFileConformance
from finewright.errors import DataError
from finewright.report.show import text_of
from finewright.schema.cost import Range
from finewright.workbench.price_files import ImportStatement, check_file, import_file
from price_files import GPUHUNT, PLAIN, SAID, SKYPILOT, TODAY, written

HEAD, *LINES = GPUHUNT.splitlines(keepends=True)


class TestGpuhunt(PriceFileConformance):
    name = "gpuhunt"
    example = "lambdalabs.csv"
    text = HEAD + "".join(LINES[:4])


class TestSkypilot(PriceFileConformance):
    name = "skypilot"
    example = "aws/vms.csv"
    text = "".join(SKYPILOT.splitlines(keepends=True)[:3])


class TestMachines(PriceFileConformance):
    name = "machines"
    example = "nebius.csv"
    text = PLAIN + "l4.1,NVIDIA L4,1,secure,eu-1,0.6\nl4.8,L4,8,,,4.5\n"


def plain(tmp_path: Path, folder: Path, rows: str, day: str = "2026-11-20", header: str = PLAIN):
    path = written(tmp_path / "plain.csv", header + rows)
    said = SAID._replace(provider="vast", observed_at=day)
    return import_file(path, folder, TODAY, said=said)


def plain_prices(folder: Path) -> dict[str, float]:
    rows = [row for row in prices(folder).machines if row.method.startswith("machines:")]
    return {row.sku: row.usd_per_hour.median for row in rows}


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
    before = machines_of(read_packaged_prices(), provider="aws")
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
        ("nan", "price: first in line 3: 'nan' is no number"),
        (
            '"0,80"',
            "price: first in line 3: '0,80' is no number; write a decimal point, and nothing",
        ),
        ("", "price: first in line 3: '' is no number"),
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


def test_each_kind_of_wrong_cell_is_counted_by_itself(tmp_path: Path, folder: Path):
    cells = ("-1", '"0,80"', "nan", '"1,20"', "-2")
    report = plain(tmp_path, folder, "".join(f"a,L4,1,secure,,{cell}\n" for cell in (*cells, 1)))
    assert list(report.left_out.values()) == [2, 2, 1]


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
    assert left_out["gpu_count: first in line 9: '' is no number"] == 1
    path = written(tmp_path / "aws" / "vms.csv", SKYPILOT + "x,192\n")
    assert import_file(path, folder, TODAY, said=SAID).left_out["machines without a GPU"] == 2
