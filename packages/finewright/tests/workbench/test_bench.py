"""`bench` trains as `train` would, says what it trained on, and refuses bad input in one line."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import tiny
from finewright.errors import DataError, ModelError, SpecError
from finewright.report.show import text_of
from finewright.schema.bench import BenchReport
from finewright.workbench.bench import BenchLoad, bench

pytestmark = pytest.mark.torch


def load_of(data: Path | None = None, **fields: Any) -> BenchLoad:
    chosen = {"steps": 3, "batch_size": 2, "max_length": 256, "threads": 1}
    return BenchLoad(data=data, **{**chosen, **fields})


def run(base: Path | str, load: BenchLoad) -> BenchReport:
    return bench(str(base), load, lambda *_: None)


def write_rows(path: Path, answers: list[str]) -> Path:
    rows = [{"prompt": f"Question {i}", "completion": text} for i, text in enumerate(answers)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench") / "tiny-llama"
    tiny.tiny_model("llama").save_pretrained(folder)
    tiny.tiny_tokenizer().save_pretrained(folder)
    return folder


@cache
def of_random_tokens(base: Path) -> BenchReport:
    """Without a network and beside other work, in a folder that stays as it was."""
    here = base.parent / "here"
    here.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        patch.setattr("finewright.lm.runtime.cores_others_use", lambda: 1.5)
        report = run(base, load_of())
    assert not list(here.iterdir())
    return report


def test_without_a_network_it_trains_random_tokens_and_says_why(base: Path) -> None:
    report = of_random_tokens(base)
    assert report.rows.source == "random tokens of mixed lengths"
    (why,) = report.rows.problems
    assert (why.level, "the solidity set is not used: " in why.message) == ("info", True)
    assert (report.rows.counts.rows_in, report.rows.counts.rows_kept) == (6, 6)


def test_the_settings_are_the_defaults_of_train_and_a_busy_machine_is_told(base: Path) -> None:
    report = of_random_tokens(base)
    assert (report.train.learning_rate, report.train.adapter.r) == (1e-3, 16)
    assert (report.train.micro_batch_tokens, report.train.threads) == (1024, 1)
    assert report.train.dtype in report.machine.gemm_gflops
    (problem,) = report.problems
    assert problem.message.startswith("other programs kept 1.5 cores busy")


def test_the_report_as_text_names_speed_peak_and_rows(base: Path) -> None:
    lines = text_of(of_random_tokens(base)).splitlines()
    assert any(line.startswith(f"{base}: 0M parameters, ") for line in lines)
    assert "random tokens of mixed lengths: 6 rows read, 6 kept" in lines
    figures = {line.split("  ")[0] for line in lines}
    assert {"tokens/s", "useful GFLOP/s", "share of peak", "seconds to first step"} <= figures


def test_only_steps_after_warm_up_are_timed_and_rows_that_are_too_long_are_counted(
    base: Path, tmp_path: Path
) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", ["long " * 400, *["yes"] * 10])
    seen: list[int] = []
    report = bench(
        str(base),
        load_of(rows, steps=5),
        lambda kind, fields: seen.append(fields["step"]) if kind == "metric" else None,
    )
    assert seen == [1, 2, 3, 4, 5]
    assert report.rows.counts.rows_dropped == {"overlong": 1}
    assert (report.warm_up_steps, report.speed.steps) == (2, 3)
    assert run(base, load_of(rows, steps=2)).warm_up_steps == 1
    speed = report.speed
    assert speed.slowest <= speed.median <= speed.fastest
    assert 0 < speed.trained_tokens < speed.tokens < 10 * 256
    flops = speed.median * speed.flops_per_token / 1e9
    assert speed.useful_gflops == pytest.approx(flops, rel=0.01, abs=1e-3)


def test_too_few_rows_are_refused_with_the_mend(base: Path, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", ["yes"] * 5)
    with pytest.raises(DataError) as refused:
        run(base, load_of(rows))
    assert str(refused.value) == (
        f"{rows}: 5 of 5 rows have at most 256 tokens, and 3 steps of 2 rows need 6"
    )
    assert refused.value.hint == "lower --steps or --batch-size, or raise --max-length"


@pytest.mark.parametrize("steps", [1, 0, -3])
def test_one_step_is_too_few(steps: int, base: Path) -> None:
    with pytest.raises(SpecError, match=f"--steps {steps}: the first step is warm-up"):
        run(base, load_of(steps=steps))


def test_bad_rows_and_unknown_models_are_refused_before_anything_is_loaded(
    base: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"nowhere\.jsonl: there is no such file"):
        run(base, load_of(tmp_path / "nowhere.jsonl"))
    with pytest.raises(ModelError, match="unknown base model 'smollm3'"):
        run("smollm3", load_of())
