"""A catalog of SkyPilot in one command: every provider's file, bad lines told, new providers taken."""

from datetime import date
from pathlib import Path

import pytest
import yaml

from finewright.catalog.price_file import read_prices
from finewright.catalog.prices import prices, read_packaged_prices
from finewright.errors import DataError
from finewright.report.show import text_of
from finewright.workbench.price_files import ImportStatement, import_file

TODAY = date(2026, 11, 27)
SAID = ImportStatement("github.com/skypilot-org/skypilot-catalog", "2026-11-20")
HEADER = (
    "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,Price,Region,GpuInfo,SpotPrice\n"
)
SEEN = {"source": "their page", "observed_at": "2026-11-01"}


def written(path: Path, section: str, seen: dict[str, str], **row: object) -> Path:
    """A file of prices with one row."""
    path.parent.mkdir(exist_ok=True)
    row = {"sells": ["machines"], **row} if section == "providers" else row
    path.write_text(yaml.safe_dump({section: [{**row, **seen}]}))
    return path


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """Lines as SkyPilot has them: a known provider, a new one, one of which nothing can be used."""
    lines = {
        "verda": "1H100.80S.32V,H100,1.0,32,185,2.29,FIN-02,,0.8\n1B200.30V,B200,1.0,30,184,x,FIN-03,,\n"
        "8V,H100,8.0,1,1,-3,FIN-01,,\nCPU.4V,,,4,16,0.02,FIN-01,,\n",
        "seeweb": "ECS2GPU3,L40S,2,32,120,1.9,it-fr2,,\n",
        "gone": "v6e,tpu-v6e-8,1,1,1,20,us,,\n",
    }
    for provider, text in lines.items():
        (tmp_path / "v8" / provider).mkdir(parents=True)
        (tmp_path / "v8" / provider / "vms.csv").write_text(HEADER + text)
    return tmp_path / "v8"


def test_a_whole_catalog_is_imported_in_one_command(catalog: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    done = import_file(catalog, own, TODAY, said=SAID)
    assert done.rows == {"machines": 3, "providers": 1}
    assert done.bad_lines == (
        "verda: line 3: Price: 'x' is no number",
        "verda: line 4: Price: '-3' is no number from 0 on",
    )
    assert any("TPUs: not by us" in why for why in done.left_out)
    seeweb = read_prices(own / "skypilot-seeweb.yaml", read_packaged_prices())
    assert [(m.provider, m.gpu, m.num_gpus, m.usd_per_hour.median) for m in seeweb.machines] == [
        ("seeweb", "L40S", 2, 1.9)
    ]


def test_bad_lines_are_counted_and_all_listed_on_request(catalog: Path, tmp_path: Path) -> None:
    path = catalog / "verda" / "vms.csv"
    path.write_text(HEADER + "ok,H100,1,1,1,2.0,A,,\n" + "bad,H100,1,1,1,x,A,,\n" * 7)
    done = import_file(path, tmp_path / "own", TODAY, said=SAID)
    few = text_of(done)
    assert "7 lines with a wrong cell" in few
    assert "and 2 more: --bad-lines lists all" in few
    every = text_of(done.model_copy(update={"lists_all": True}))
    assert "line 9: Price: 'x' is no number" in every


def test_a_name_that_is_nearly_a_providers_is_refused(catalog: Path, tmp_path: Path) -> None:
    said = SAID._replace(provider="runpd")
    with pytest.raises(DataError, match="did you mean 'runpod'"):
        import_file(catalog / "seeweb" / "vms.csv", tmp_path / "own", TODAY, said=said)


def test_a_folder_without_prices_is_told_how_it_must_lie(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no prices in it") as caught:
        import_file(tmp_path, tmp_path / "own", TODAY, said=SAID)
    assert "PROVIDER/vms.csv" in str(caught.value.hint)


def test_a_new_provider_stays_known_whatever_is_imported_or_taken_away(
    catalog: Path, tmp_path: Path
) -> None:
    own, path = tmp_path / "own", catalog / "seeweb" / "vms.csv"
    plain = tmp_path / "seeweb.csv"
    plain.write_text("sku,gpu,usd_per_hour\nl4,L4,0.4\n")
    for each in (path, path, plain, path, plain):
        import_file(each, own, TODAY, said=SAID)
        assert "seeweb" in {row.provider for row in prices(own).machines}
    (own / "machines-seeweb.yaml").unlink()
    assert [row.num_gpus for row in prices(own).machines if row.provider == "seeweb"] == [2]


def test_a_provider_of_the_users_own_file_stays_as_it_is_there(
    catalog: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    for title in ("Seeweb", "Seeweb of Italy"):
        written(own / "mine.yaml", "providers", SEEN, name="seeweb", title=title, is_host=True)
        import_file(catalog / "seeweb" / "vms.csv", own, TODAY, said=SAID)
        assert [(p.title, p.is_host) for p in prices(own).providers if p.name == "seeweb"] == [
            (title, True)
        ]


def test_a_folder_is_not_of_one_provider(catalog: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a folder names the provider of each file itself"):
        import_file(catalog, tmp_path / "own", TODAY, said=SAID._replace(provider="gcp"))
    assert not (tmp_path / "own").exists()
