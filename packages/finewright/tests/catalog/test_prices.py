"""The packaged facts hold together; a file of prices is refused with the line of each mistake."""

import json
import runpy
from datetime import date
from pathlib import Path
from statistics import median

import pytest

from finewright.catalog.price_file import parse_prices, prices_text, read_prices
from finewright.catalog.prices import (
    api_named,
    digest,
    gpu_named,
    machines_of,
    merge_prices,
    prices,
    read_packaged_prices,
)
from finewright.errors import DataError
from finewright.schema.catalog import API, Machine, PriceCatalog
from finewright.schema.cost import Range

TODAY = date(2026, 11, 27)
NEWEST = date(2026, 12, 1)
"""The last day on which somebody looked a packaged fact up."""

MACHINE = """\
machines:
  - provider: runpod
    sku: my pod
    gpu: L4
    tier: secure
    usd_per_hour: 0.5
    method: list price
    source: https://example.org/prices
    observed_at: 2026-11-20
"""


def mistakes(text: str, today: date | None = None) -> list[str]:
    with pytest.raises(DataError) as raised:
        parse_prices(text, "own.yaml", read_packaged_prices(), today=today)
    return str(raised.value).splitlines()


def without(key: str) -> str:
    return "".join(line for line in MACHINE.splitlines(keepends=True) if f" {key}:" not in line)


def changed(key: str, value: str) -> str:
    lines = MACHINE.splitlines(keepends=True)
    return "".join(f"    {key}: {value}\n" if f" {key}:" in line else line for line in lines)


def test_every_fact_has_a_source_and_a_day_that_is_not_ahead():
    for section in PriceCatalog.model_fields:
        rows = getattr(read_packaged_prices(), section)
        assert rows, section
        for row in rows:
            assert len(row.source) > 10
            assert date(2025, 1, 1) <= row.observed_at <= NEWEST, row.key()


@pytest.mark.parametrize(
    "provider",
    [p.name for p in read_packaged_prices().providers if "machines" in p.sells and p.name != "own"],
)
def test_every_provider_of_machines_has_some(provider: str):
    assert machines_of(read_packaged_prices(), provider=provider)


def test_there_are_three_hundred_machines_of_fifteen_providers_and_the_cards_of_two_years():
    rows = read_packaged_prices().machines
    assert len(rows) >= 300
    assert len({row.provider for row in rows}) >= 15
    assert sum(row.num_gpus > 1 for row in rows) >= 50
    cards = {"RTX 5090", "RTX PRO 6000 Server", "RTX A6000", "A10G", "L4", "B200", "B300"}
    assert cards | {"MI300X", "MI355X"} <= {row.gpu for row in rows}
    assert {"spot", "serverless", "reserved", "community"} <= {row.tier for row in rows}


def test_every_price_is_near_those_of_others_for_the_same_card():
    """An eighth to five times the middle of all offers: what is outside is a slip, not a market."""
    by_gpu: dict[str, list[float]] = {}
    paid = [row for row in read_packaged_prices().machines if row.tier != "free"]
    for row in paid:
        by_gpu.setdefault(row.gpu, []).append(row.usd_per_gpu_hour.median)
    for row in paid:
        middle = median(by_gpu[row.gpu])
        assert middle / 8 < row.usd_per_gpu_hour.median < 5 * middle, row.key()
        assert row.usd_per_hour.high <= 20 * row.usd_per_hour.low, row.key()
        assert row.num_gpus in (1, 2, 3, 4, 8, 16), row.key()


def test_a_table_of_machines_is_made_again_from_its_sources(tmp_path: Path):
    """Both collections' own formats, a row each, beside a row kept by hand."""
    script = Path(__file__).parents[4] / "benchmarks" / "machine_prices.py"
    main = runpy.run_path(str(script))["made"]
    (tmp_path / "prices.json").write_text(
        json.dumps(
            {
                "prices": [
                    {
                        "provider": "Nebius",
                        "gpu_label": label,
                        "vram_gb": gb,
                        "billing": "spot",
                        "usd_per_hr": usd,
                        "source_kind": "live",
                    }
                    for label, gb, usd in (("L40S", 48, 0.74), ("L40S", 24, 0.3), ("X1", 8, 1.0))
                ]
            }
        )
    )
    header = "gpu_type,provider,price_tier,per_gpu_hourly_usd,total_hourly_usd,region,gpu_count,sku"
    line = "L4,AWS EC2,12mo,0.7489,2.9956,us-east-1,4,g6.12xlarge"
    (tmp_path / "raw.csv").write_text(f"{header}\n{line}\n")
    rows, left = main(tmp_path / "prices.json", tmp_path / "raw.csv", [])
    assert [(r["provider"], r["sku"], r["tier"], r["usd_per_hour"]) for r in rows] == [
        ("nebius", "L40S", "spot", "0.74"),
        ("aws", "g6.12xlarge, 12 months", "reserved", "2.9956"),
    ]
    assert left == {"L40S 24 GB": 1, "X1 8 GB": 1}


# gpu, tier -> dollars per GPU and hour, as the survey of November 2026 has them
SURVEY = {
    "runpod": {
        ("RTX 4090", "community"): 0.34,
        ("L40S", "community"): 0.79,
        ("A100 80GB PCIe", "community"): 1.19,
        ("A100 80GB SXM", "community"): 1.39,
        ("H100 PCIe", "community"): 1.99,
        ("H100 SXM", "community"): 2.69,
        ("H200", "community"): 3.59,
        ("B200", "community"): 5.98,
        ("RTX 4090", "secure"): 0.74,
        ("L40S", "secure"): 1.09,
        ("A100 80GB PCIe", "secure"): 1.79,
        ("H100 PCIe", "secure"): 2.89,
        ("H100 SXM", "secure"): 3.99,
        ("H200", "secure"): 4.59,
    },
    "lambda": {
        ("A10", "on_demand"): 1.29,
        ("A100 40GB", "on_demand"): 1.99,
        ("A100 80GB SXM", "on_demand"): 2.79,
        ("H100 PCIe", "on_demand"): 3.29,
        ("GH200", "on_demand"): 2.29,
        ("B200", "on_demand"): 6.99,
    },
    "gcp": {("H100 SXM", "spot"): 6.57, ("H100 SXM", "on_demand"): 10.98},
    "aws": {("H100 SXM", "on_demand"): 6.88},
    "azure": {("H100 SXM", "on_demand"): 12.29},
    "coreweave": {("H100 SXM", "on_demand"): 6.16},
    "colab": {("T4", "free"): 0},
    "kaggle": {("T4", "free"): 0, ("P100", "free"): 0},
}


@pytest.mark.parametrize("provider", SURVEY)
def test_a_price_is_the_one_that_was_surveyed(provider: str):
    for (gpu, tier), dollars in SURVEY[provider].items():
        rows = machines_of(read_packaged_prices(), provider=provider, gpu=gpu, tiers=[tier])
        medians = [row.usd_per_gpu_hour.median for row in rows]
        assert any(abs(median - dollars) < 0.005 for median in medians), (gpu, tier)


def test_a_market_has_a_range_not_a_price():
    (row,) = machines_of(read_packaged_prices(), provider="vast", gpu="H100 SXM")
    assert row.usd_per_hour == Range(low=2.40, median=2.67, high=6.15)


def test_free_notebooks_say_their_limits():
    kaggle = machines_of(read_packaged_prices(), provider="kaggle")
    assert {row.max_session_hours for row in kaggle} == {12}
    assert {row.max_hours_per_week for row in kaggle} == {30}
    (colab,) = machines_of(read_packaged_prices(), provider="colab")
    assert colab.max_session_hours == 12


@pytest.mark.parametrize(
    ("model", "rates"),
    [
        ("gpt-6-luna", (0.10, 0.50)),
        ("gpt-6.1-terra", (1, 5)),
        ("gpt-6.1-sol", (2, 10)),
        ("claude-haiku-5-5", (0.10, 0.50)),
        ("claude-sonnet-5-5", (2, 10)),
        ("claude-opus-5-5", (4, 20)),
        ("gemini-3.5-flash", (1.5, 9)),
        ("mistral-large-2512", (0.5, 1.5)),
        ("mistral-small-2603", (0.15, 0.6)),
        ("ft:gpt-4.1-mini", (0.8, 3.2)),
    ],
)
def test_an_api_price_is_the_one_that_was_surveyed(model: str, rates: tuple[float, float]):
    api = api_named(read_packaged_prices(), model)
    assert (api.usd_per_million_in.median, api.usd_per_million_out.median) == rates


def test_the_replacement_of_the_models_that_end_cannot_be_fine_tuned():
    assert api_named(read_packaged_prices(), "openai/gpt-6-luna").can_fine_tune is False


@pytest.mark.parametrize(
    ("device", "name"),
    [
        ("Tesla T4", "T4"),
        ("Tesla P100-PCIE-16GB", "P100"),
        ("NVIDIA A10", "A10"),
        ("NVIDIA L4", "L4"),
        ("NVIDIA L40S", "L40S"),
        ("NVIDIA GeForce RTX 3090", "RTX 3090"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("NVIDIA A100-SXM4-40GB", "A100 40GB"),
        ("NVIDIA A100 80GB PCIe", "A100 80GB PCIe"),
        ("NVIDIA A100-SXM4-80GB", "A100 80GB SXM"),
        ("NVIDIA H100 PCIe", "H100 PCIe"),
        ("NVIDIA H100 80GB HBM3", "H100 SXM"),
        ("NVIDIA H200", "H200"),
        ("NVIDIA B200", "B200"),
        ("NVIDIA GH200 480GB", "GH200"),
        ("AMD Instinct MI300X", "MI300X"),
        ("rtx4090", "RTX 4090"),
        ("a100-80gb", "A100 80GB PCIe"),
    ],
)
def test_a_gpu_is_known_by_the_name_its_driver_gives(device: str, name: str):
    assert gpu_named(read_packaged_prices(), device).name == name


def test_no_name_stands_for_two_gpus():
    names = [
        name.casefold() for gpu in read_packaged_prices().gpus for name in (gpu.name, *gpu.aliases)
    ]
    assert len(names) == len(set(names))


def test_gpus_without_bfloat16_train_at_their_float16_rate():
    assert gpu_named(read_packaged_prices(), "T4").training_tflops == 65
    assert gpu_named(read_packaged_prices(), "A100 40GB").training_tflops == 312


def test_a_program_finds_less_memory_than_is_sold():
    shares = [gpu.memory_gib / gpu.vram_gib for gpu in read_packaged_prices().gpus]
    assert min(shares) == pytest.approx(0.91)
    assert max(shares) < 1
    assert gpu_named(read_packaged_prices(), "L40S").memory_gib == 44.42
    assert gpu_named(read_packaged_prices(), "A10").memory_gib == pytest.approx(0.91 * 24)


def test_an_unknown_name_is_said_with_what_was_meant():
    with pytest.raises(DataError, match="unknown GPU 'L41S'; did you mean 'L40S'"):
        gpu_named(read_packaged_prices(), "L41S")
    with pytest.raises(DataError, match="unknown provider 'runpot'; did you mean 'runpod'"):
        machines_of(read_packaged_prices(), provider="runpot")
    with pytest.raises(
        DataError, match="unknown API model 'gpt-6-lunar'; did you mean 'gpt-6-luna'"
    ):
        api_named(read_packaged_prices(), "gpt-6-lunar")


def test_a_good_file_is_read():
    found = parse_prices(MACHINE, "own.yaml", read_packaged_prices(), today=TODAY)
    assert found.machines[0].usd_per_hour == Range(low=0.5, median=0.5, high=0.5)
    assert found.machines[0].num_gpus == 1


@pytest.mark.parametrize("key", ["source", "observed_at", "method", "usd_per_hour", "tier", "gpu"])
def test_what_is_missing_is_named_with_its_line(key: str):
    (line,) = mistakes(without(key))
    assert line.startswith(f"own.yaml:2: machines.0.{key}: required key is missing")


def test_a_missing_source_or_day_says_what_to_write():
    assert mistakes(without("source"))[0].endswith(
        "; say who says so, such as the address of the price page"
    )
    assert mistakes(without("observed_at"))[0].endswith(
        "; say the day you saw it, such as 2026-11-25"
    )


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        (
            "usd_per_hour",
            "-0.5",
            "own.yaml:6: machines.0.usd_per_hour: must not be negative, and -0.5 is",
        ),
        (
            "usd_per_hour",
            "{low: 2, median: 1, high: 3}",
            "own.yaml:6: machines.0.usd_per_hour: must have low <= median <= high",
        ),
        (
            "usd_per_hour",
            "{low: 1, median: .nan, high: 3}",
            "own.yaml:6: machines.0.usd_per_hour: must have low <= median <= high",
        ),
        (
            "usd_per_hour",
            "cheap",
            "own.yaml:6: machines.0.usd_per_hour: must be a number such as 0.34",
        ),
        (
            "usd_per_hour",
            "yes",
            "own.yaml:6: machines.0.usd_per_hour: must be a number such as 0.34",
        ),
        (
            "usd_per_hour",
            "{low: yes, median: 2, high: 3}",
            "own.yaml:6: machines.0.usd_per_hour: must be a number such as 0.34",
        ),
        (
            "usd_per_hour",
            "{low: 1, median: 2}",
            "own.yaml:6: machines.0.usd_per_hour.high: required key",
        ),
        ("usd_per_hour", ".inf", "own.yaml:6: machines.0.usd_per_hour: must be finite"),
        ("usd_per_hour", "0", "own.yaml:2: machines.0: usd_per_hour must be more than 0, unless"),
        (
            "usd_per_hour",
            "1000000000",
            "own.yaml:2: machines.0: usd_per_hour must be dollars an hour",
        ),
        ("gpu", "L41S", "own.yaml:4: machines.0.gpu: unknown gpu 'L41S'; did you mean 'L40S'?"),
        (
            "provider",
            "runpot",
            "own.yaml:2: machines.0.provider: unknown provider 'runpot'; did you mean 'runpod'?",
        ),
        ("tier", "spots", "own.yaml:5: machines.0.tier: must be 'on_demand', 'spot', "),
        (
            "observed_at",
            "2026",
            "own.yaml:9: machines.0.observed_at: must be a day such as 2026-11-25",
        ),
        ("observed_at", "2026-13-40", "own.yaml:9: machines.0.observed_at: must be a valid date"),
        ("observed_at", "yesterday", "own.yaml:9: machines.0.observed_at: must be a day such as"),
        ("source", '""', "own.yaml:8: machines.0.source: must have at least 3 character(s)"),
        (
            "observed_at",
            "2026-11-28",
            "own.yaml:9: machines.0.observed_at: 2026-11-28 is after today",
        ),
    ],
)
def test_a_wrong_value_is_told_with_file_line_and_key(key: str, value: str, told: str):
    text = (
        MACHINE.replace("  - provider: runpod", f"  - {key}: {value}")
        if key == "provider"
        else None
    )
    (line,) = mistakes(text or changed(key, value), TODAY)
    assert line.startswith(told)


def test_a_name_cannot_steer_the_terminal():
    (line,) = mistakes(changed("sku", '"a\\e[2Jb"'))
    assert line.startswith("own.yaml:3: machines.0.sku: holds what cannot be printed: ")
    assert line.isprintable()


def test_an_unknown_key_says_what_was_meant():
    (line,) = mistakes(MACHINE + "    notes: hello\n")
    assert line == "own.yaml:10: machines.0.notes: unknown key; did you mean 'note'?"
    (line,) = mistakes("machine: []\n")
    assert line == "own.yaml:1: machine: unknown key; did you mean 'machines'?"


def test_all_mistakes_are_told_at_once_in_the_order_of_the_lines():
    text = changed("usd_per_hour", "-1").replace("    source: https://example.org/prices\n", "")
    lines = mistakes(text + "    colour: red\n")
    assert [line.partition(": ")[0] for line in lines] == ["own.yaml:2", "own.yaml:6", "own.yaml:9"]


def test_the_same_row_twice_is_refused():
    (line,) = mistakes(MACHINE + MACHINE.removeprefix("machines:\n"))
    assert line.startswith("own.yaml:10: machines.1: the same as own.yaml:2 (runpod, my pod, ")


@pytest.mark.parametrize("text", ["[]\n", "hello\n"])
def test_a_file_of_something_else_is_refused(text: str):
    (line,) = mistakes(text)
    assert line.startswith("own.yaml:1: must be lists of rows under providers, gpus, machines")


def test_yaml_that_is_none_is_refused_with_its_line():
    (line,) = mistakes(MACHINE + "  bad: [\n")
    assert line.startswith("own.yaml:1")


def test_a_file_may_bring_the_gpu_and_the_provider_that_its_machines_name():
    text = MACHINE.replace("runpod", "basement").replace("gpu: L4", "gpu: X1") + (
        "providers:\n"
        "  - {name: basement, title: Ours, sells: [machines], source: our own, observed_at: 2026-11-01}\n"
        "gpus:\n"
        "  - {name: X1, vram_gib: 32, bf16_tflops: 100, fp16_tflops: 100, memory_bandwidth_gb_s: 900,\n"
        "     tdp_watts: 300, source: its box, observed_at: 2026-11-01}\n"
    )
    found = merge_prices(
        read_packaged_prices(), parse_prices(text, "own.yaml", read_packaged_prices())
    )
    assert [row.sku for row in machines_of(found, provider="basement", gpu="x1")] == ["my pod"]


def test_a_users_row_takes_the_place_of_the_packaged_one(tmp_path: Path):
    text = changed("sku", "RTX 4090").replace("gpu: L4", "gpu: RTX 4090")
    (tmp_path / "mine.yaml").write_text(text)
    found = machines_of(prices(tmp_path), provider="runpod", gpu="RTX 4090", tiers=["secure"])
    assert [row.usd_per_hour.median for row in found] == [0.5]
    assert len(prices(tmp_path).machines) == len(read_packaged_prices().machines)
    assert digest(prices(tmp_path)) != digest(read_packaged_prices())


@pytest.mark.parametrize("tflops", [1979, 733])
def test_a_rate_with_sparsity_is_refused(tflops: float):
    """H100's and L40S's, as their data sheets print them."""
    bandwidth = {1979: 3350, 733: 864}[tflops]
    text = (
        f"gpus:\n  - {{name: X1, vram_gib: 80, bf16_tflops: {tflops}, fp16_tflops: {tflops},"
        f" memory_bandwidth_gb_s: {bandwidth}, tdp_watts: 300, source: a sheet, observed_at: 2026-11-01}}\n"
    )
    (line,) = mistakes(text)
    assert line.startswith(
        f"own.yaml:2: gpus.0: {tflops} TFLOPS beside {bandwidth} GB/s is no dense"
    )


def test_a_price_of_tokens_by_the_token_times_a_billion_is_refused():
    text = (
        "apis:\n  - {provider: openai, model: x, usd_per_million_in: 20000, usd_per_million_out: 1,"
        " source: a slip, observed_at: 2026-11-01}\n"
    )
    (line,) = mistakes(text)
    assert line.startswith("own.yaml:2: apis.0: $20,000 a million tokens is over $10,000")


def test_files_are_read_in_the_order_of_their_names(tmp_path: Path):
    (tmp_path / "2.yaml").write_text(changed("usd_per_hour", "2"))
    (tmp_path / "1.yaml").write_text(changed("usd_per_hour", "1"))
    (row,) = [row for row in prices(tmp_path).machines if row.sku == "my pod"]
    assert row.usd_per_hour.median == 2


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path):
    assert prices(tmp_path / "none") == prices(None) == read_packaged_prices()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.write_bytes(b"a: b\nc: \xff\n"), ":2: is not UTF-8"),
    ],
)
def test_a_path_that_is_no_file_of_text_is_refused(make, told: str, tmp_path: Path):
    path = tmp_path / "p.yaml"
    make(path)
    with pytest.raises(DataError, match=told):
        read_prices(path, read_packaged_prices())


def test_what_is_written_is_read_again_as_the_same():
    text = prices_text(read_packaged_prices(), "all of it\nin two lines")
    assert text.startswith("# all of it\n# in two lines\n")
    assert parse_prices(text, "all.yaml", PriceCatalog()) == read_packaged_prices()


def test_an_empty_file_points_to_the_example_and_the_example_is_valid():
    with pytest.raises(DataError, match="the file is empty; it must be lists of rows") as caught:
        parse_prices("", "own.yaml", read_packaged_prices())
    assert caught.value.hint == 'docs/cost.md has an example under "Your own prices"'
    page = (Path(__file__).parents[4] / "docs" / "cost.md").read_text()
    example = (
        page.partition("## Your own prices\n")[2].partition("```yaml\n")[2].partition("```")[0]
    )
    found = parse_prices(example, "own.yaml", read_packaged_prices())
    assert (len(found.machines), len(found.apis)) == (1, 1)
    for key in Machine.model_fields | API.model_fields:
        assert f"`{key}`" in page
