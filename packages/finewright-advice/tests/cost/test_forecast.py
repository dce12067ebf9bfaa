"""`cost` answers without weights, by a trace without weights, and by real steps where weights are."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from finewright.errors import DataError, ModelError, SpecError
from finewright.lm import runtime
from finewright.schema.cost import CostReport
from finewright.schema.load import load_spec
from finewright.schema.methods import SFTSpec
from finewright.workbench.check import check
from finewright.workbench.past import past_runs
from finewright_advice.cost import steps as cost_steps
from finewright_advice.cost.forecast import cost
from finewright_advice.cost.model import describe_model
from finewright_advice.cost.spec import CostSpec
from published import QWEN_7B

TODAY = date(2026, 11, 25)


def spec_in(folder: Path, base: str, **train: Any) -> Path:
    rows = [{"prompt": f"Question {i}", "completion": "an answer " * 8} for i in range(20)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    spec = {
        "name": "shop",
        "base_models": [base],
        "data": {"sources": [{"path": "rows.jsonl"}]},
        "train": {"batch_size": 4, "prove_elsewhere": False, **train},
    }
    path = folder / "run.yaml"
    path.write_text(json.dumps(spec))
    return path


def ask(path: Path, **options: Any) -> CostReport:
    chosen = {"trace": False, "calibrate": False, "runs": path.parent / "runs", **options}
    return cost(load_spec(path), today=TODAY, **chosen)


def config_only(folder: Path, config: dict[str, Any]) -> Path:
    model = folder / "model"
    model.mkdir()
    (model / "config.json").write_text(json.dumps(config))
    return spec_in(folder, "./model")


def test_a_config_alone_is_enough(tmp_path: Path) -> None:
    (candidate,) = ask(config_only(tmp_path, QWEN_7B)).candidates
    assert candidate.parameters == 7_615_616_512
    assert candidate.work.tokens_tier == "from characters"
    assert {found.tier for found in candidate.memory} == {"formula"}
    assert candidate.machines[0].machine == "this machine"
    assert candidate.machines[0].hours is None
    assert any(row.fits == "yes" for row in candidate.machines)


@pytest.mark.parametrize("name", ["Qwen2.5-7B", "qwen/qwen2.5-7b-instruct"])
def test_a_model_of_the_catalog_needs_no_files(tmp_path: Path, name: str) -> None:
    """Of the same config as the folder has the same comes out, and where it is from is said."""
    (planned,) = (found := ask(spec_in(tmp_path, name))).candidates
    (tmp_path / "folder").mkdir()
    (known,) = ask(config_only(tmp_path / "folder", QWEN_7B)).candidates
    assert (planned.parameters, planned.memory) == (known.parameters, known.memory)
    assert any(
        "not on this machine: its shape is the catalog's" in p.message for p in found.problems
    )
    with pytest.raises(ModelError, match="not on this machine") as caught:
        ask(spec_in(tmp_path, name), trace=True)
    assert "copy the model's folder" in caught.value.hint


def test_what_is_told_of_the_spec_has_its_file_and_line(tmp_path: Path) -> None:
    path = config_only(tmp_path, {**QWEN_7B, "max_position_embeddings": 32768})
    path.write_text(
        path.read_text().replace('"batch_size"', '"max_length": 99999999, "batch_size"')
    )
    (told,) = (p for p in ask(path).problems if p.key == "train.max_length")
    assert (told.level, told.file, told.row) == ("warning", str(path), 1)
    (tmp_path / "model" / "model.safetensors").touch()
    (same,) = (p for p in check(load_spec(path)).problems if p.key == "train.max_length")
    assert (same.level, same.file, same.row) == ("info", str(path), 1)  # it counts no tokens


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not readable JSON: the file is empty"),
        ('{"a": 1,\n', "not readable JSON: wrong at line 2, column 1"),
        ("[" * 100_000, "not readable JSON"),
    ],
)
def test_a_broken_config_is_one_line_with_its_mend(tmp_path: Path, text: str, told: str) -> None:
    path = config_only(tmp_path, {})
    (tmp_path / "model" / "config.json").write_text(text)
    with pytest.raises(ModelError) as caught:
        ask(path)
    assert str(caught.value) == f"{tmp_path / 'model' / 'config.json'}: {told}"
    assert "copy the model's config.json" in caught.value.hint


def test_a_folder_without_config_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(ModelError, match=r"model: no config\.json here") as caught:
        ask(spec_in(tmp_path, "./model"))
    assert "\n" not in str(caught.value)


def test_an_open_model_that_is_nearly_spelled_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="unknown base model 'Qwen3-8'; did you mean 'Qwen3-8B'"):
        describe_model("Qwen3-8", tmp_path)


def test_a_budget_is_written_as_people_write_it() -> None:
    assert CostSpec.model_validate({"budget_usd": "5k"}).budget_usd == 5000


def test_rows_that_the_method_cannot_take_are_refused(tmp_path: Path) -> None:
    path = config_only(tmp_path, QWEN_7B)
    path.write_text(path.read_text().replace('"batch_size"', '"method": "dpo", "batch_size"'))
    with pytest.raises(DataError, match=r"train\.method"):
        ask(path)


@pytest.mark.torch
def test_the_trace_and_the_formula_agree_on_a_model_without_weights(tmp_path: Path) -> None:
    shallow = {**QWEN_7B, "num_hidden_layers": 2}
    (candidate,) = ask(config_only(tmp_path, shallow), trace=True).candidates
    for on in ("gpu", "cpu"):
        formula, trace = (
            next(m for m in candidate.memory if (m.on, m.tier) == (on, tier))
            for tier in ("formula", "trace")
        )
        # the formula of a CPU is of bfloat16; a CPU that has no fast one is traced in float32
        alike = on == "gpu" or runtime.fast_bf16()
        if alike and (on == "gpu" or candidate.machines[0].needs.tier == "trace"):
            assert formula.tensors_gib.low < trace.tensors_gib.median < formula.tensors_gib.high


@pytest.mark.torch
def test_real_steps_tell_memory_and_time(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cost_steps, "SECONDS", 0.2)
    report = ask(spec_in(tmp_path, str(tiny_folder), threads=1, dtype="fp32"), calibrate=True)
    (candidate,) = report.candidates
    assert candidate.work.tokens_tier == "counted"
    here = candidate.machines[0]
    assert (here.needs.tier, here.hours_tier) == ("micro-steps", "calibration")
    assert here.hours is not None
    assert here.hours.low < here.hours.median < here.hours.high


@pytest.mark.torch
def test_real_steps_of_bfloat16_weights_that_all_learn_leave_no_hooks_behind(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cost_steps, "SECONDS", 0.2)
    train = {"threads": 1, "dtype": "bf16", "adapter": {"type": "none"}}
    report = ask(spec_in(tmp_path, str(tiny_folder), **train), calibrate=True)
    assert report.candidates[0].machines[0].hours is not None


@pytest.mark.torch
def test_real_steps_without_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no weights here"):
        ask(config_only(tmp_path, QWEN_7B), calibrate=True)


@pytest.mark.torch
def test_past_runs_of_the_same_work_tell_the_time(tiny_folder: Path, tmp_path: Path) -> None:
    from finewright.workbench.up import up

    path = spec_in(tmp_path, str(tiny_folder), threads=1, max_steps=2)
    up(load_spec(path), tmp_path / "runs", on_event=lambda *_: None, through="train")
    here = ask(path).candidates[0].machines[0]
    assert here.hours_tier == "past runs"
    assert here.hours is not None
    assert len(ask(path).residuals) == 1
    other = spec_in(tmp_path, str(tiny_folder), threads=1, max_steps=2, memory="lean")
    assert ask(other).residuals == ()


def test_no_runs_folder_is_no_past(tmp_path: Path) -> None:
    assert past_runs(tmp_path / "none", "m", SFTSpec()) == []


def test_another_framework_holds_its_whole_batch_of_logits(tmp_path: Path) -> None:
    path = config_only(tmp_path, QWEN_7B)
    own, other = ask(path), ask(path, framework="transformers")
    assert "whole logits" in other.framework
    assert not own.framework
    (candidate,) = other.candidates
    (needs,) = candidate.memory
    head = next(term.gib for term in needs.terms if term.name == "head")
    longest = (
        candidate.work.tokens.median / candidate.work.parts
    )  # rows are alike: none is filled up
    assert head == pytest.approx(longest * 152_064 * 14 / 2**30, rel=0.05)
    t4 = [row for row in candidate.machines if row.gpu == "T4"]
    assert all("float16" in row.notes[0] for row in t4)
    assert all(row.needs.number_bytes == 2 for row in t4)


@pytest.mark.parametrize(
    ("train", "options", "said"),
    [
        ({}, {"trace": True}, "--trace and --calibrate look at finewright's own steps"),
        ({"adapter": {"type": "prefix"}}, {}, "adapters of type prefix are not estimated"),
    ],
)
def test_what_is_not_known_of_another_framework_is_refused(
    tmp_path: Path, train: dict[str, Any], options: dict[str, Any], said: str
) -> None:
    config_only(tmp_path, QWEN_7B)
    path = spec_in(tmp_path, "./model", **train)
    with pytest.raises(SpecError, match=said):
        ask(path, framework="trl", **options)
