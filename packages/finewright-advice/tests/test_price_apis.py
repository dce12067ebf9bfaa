"""Prices of APIs from a CSV of one's own and from litellm's map."""

import json
from datetime import date
from pathlib import Path

import pytest

from finewright.catalog.prices import api_named, prices, read_packaged_prices
from finewright.conformance.price_file import PriceFileConformance
from finewright.errors import DataError
from finewright.workbench.price_files import import_file
from price_files import APIS, LITELLM, SAID, TODAY, litellm, written


class TestApis(PriceFileConformance):
    name = "apis"
    example = "contract.csv"
    text = APIS + "openai,gpt-6-luna,0.08,0.4,0.008,0.4\nours,our-model,1,2,,\n"


class TestLitellm(PriceFileConformance):
    name = "litellm"
    example = "model_prices.json"
    text = json.dumps({name: LITELLM[name] for name in ("gpt-6-luna", "gemini/gemini-9")})


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
    with pytest.raises(DataError, match="provider: first in line 2: '' is no name of a provider"):
        import_file(path, folder, TODAY, said=SAID)
    assert import_file(path, folder, TODAY, said=SAID._replace(provider="ours")).rows["apis"] == 1


def test_an_older_map_does_not_replace_newer_prices_of_apis(tmp_path: Path, folder: Path):
    old = SAID._replace(observed_at="2026-01-01")
    report = import_file(litellm(tmp_path), folder, TODAY, said=old)
    assert report.left_out["older than the catalog's (2026-01-01)"] == 1
    luna = api_named(read_packaged_prices(), "openai/gpt-6-luna")
    assert api_named(prices(folder), "openai/gpt-6-luna") == luna


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
