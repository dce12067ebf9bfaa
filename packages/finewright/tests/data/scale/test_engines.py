"""Every part is worked on once, wherever that is, and what goes wrong there is said here in one line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from finewright.data.scale.engines import engine_named, local, ray
from finewright.data.scale.prepare import PrepareSettings
from finewright.errors import DataError, MissingExtra

from ..test_stage import run_stage  # noqa: TID252
from .made import contents, prepared, write
from .on_ray import Number, squared

NUMBERS = [Number(n) for n in (5, 1, 4, 7, 2)]


def made(workers: int, limit: int = 9) -> list[tuple[int, bytes]]:
    return sorted(local(NUMBERS, squared, limit, workers))


def test_this_process_and_others_make_the_same() -> None:
    assert made(1) == [(n, str(n * n).encode()) for n in (1, 2, 4, 5, 7)]
    assert made(2) == made(1)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_mistake_in_a_worker_is_raised_here_with_its_mend(workers: int) -> None:
    with pytest.raises(DataError, match="7 is too large") as raised:
        made(workers, limit=7)
    assert raised.value.hint == "take less"


def test_no_parts_are_no_work() -> None:
    assert list(local([], squared, 9, 1)) == []


def test_without_ray_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra) as raised:
        list(engine_named("ray")(NUMBERS, squared, 9, 1))
    assert (str(raised.value), raised.value.hint) == (
        "the engine `ray` needs Ray",
        'pip install "finewright[ray]"',
    )
    assert engine_named("ray") is ray


DATA = {
    "sources": [{"path": "rows-1.jsonl"}, {"path": "rows-2.jsonl", "license": "MIT"}],
    "personal_data": {"action": "pseudonymise", "key_file": "key"},
    "duplicates": {"exact": "drop", "near": "drop"},
    "eval_fraction": 0.2,
}


def write_sources(folder: Path) -> None:
    folder.mkdir()
    (folder / "key").write_bytes(b"0123456789abcdef")
    for number in (1, 2):
        path = write(folder / f"rows-{number}.jsonl", 150, seed=number)
        # A row that cannot be used refuses the run.
        rows = [
            row for row in path.read_text().splitlines() if row.endswith("]}") and "[]" not in row
        ]
        path.write_text("".join(f"{row}\n" for row in rows))


@pytest.fixture(scope="module")
def on_ray(tmp_path_factory: pytest.TempPathFactory) -> dict:
    pytest.importorskip("ray")
    folder = tmp_path_factory.mktemp("ray") / "project"
    write_sources(folder)
    (folder / "data.json").write_text(json.dumps({**DATA, "engine": "ray"}))
    script = Path(__file__).with_name("on_ray.py")
    subprocess.run([sys.executable, script, folder], check=True, capture_output=True)
    return json.loads((folder / "told.json").read_text())


def test_a_run_on_ray_is_the_same_to_the_byte(on_ray: dict) -> None:
    root = Path(on_ray["root"])
    folder = root.parents[1]
    result, local_root = run_stage(folder, DATA)
    there, here = (
        {path.relative_to(r).as_posix(): path.read_bytes() for path in (r / "data").rglob("*.*")}
        for r in (root, local_root)
    )
    assert {
        "data/train.jsonl",
        "data/eval.jsonl",
        "data/ledger.jsonl",
        "data/rejected.jsonl",
    } <= set(here)
    assert there == here
    assert on_ray["report"] == result.report.model_dump(mode="json")
    assert on_ray["report"]["personal_data"]["rows_changed"] > 10


def test_large_files_prepared_on_ray_are_the_same_to_the_byte(on_ray: dict, tmp_path: Path) -> None:
    folder = Path(on_ray["root"]).parents[1]
    prepared([folder / "rows-1.jsonl"], tmp_path / "local", PrepareSettings(slice_bytes=20_000))
    assert contents(folder / "prepared") == contents(tmp_path / "local")


def test_the_part_of_a_killed_worker_is_made_anew(on_ray: dict) -> None:
    folder = Path(on_ray["root"]).parents[1]
    assert (folder / "tried-5").exists()
    assert on_ray["killed"] == ["made"]


def test_ray_says_what_went_wrong_in_one_line(on_ray: dict) -> None:
    assert on_ray["squares"] == [[3, "9"], [8, "64"]]
    assert on_ray["wrong"] == ["DataError", "8 is too large", "take less"]
    kind, what, hint = on_ray["no cluster"]
    assert (kind, hint) == ("StageError", "correct RAY_ADDRESS, or unset it to use this machine")
    assert what.startswith("the cluster of RAY_ADDRESS=nonsense cannot be reached: ")
    kind, what, _ = on_ray["broken"]
    assert (kind, what[:30]) == ("StageError", "Ray broke off: KeyError: 3")
