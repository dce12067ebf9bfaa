"""Benchmark steps are training steps: the same model, losses and settings, on rows of any origin."""

from pathlib import Path

import pytest
import torch

import tiny
from finewright.lm.adapters.kinds import adapter_tensors
from finewright.lm.example import Example
from finewright.lm.sources import LocalBase
from finewright.schema.adapter import LoraSpec
from finewright.schema.methods import SFTSpec
from finewright.train.bench import gemm_gflops, synthetic_rows, trial_steps
from finewright.train.load import load_for_training
from finewright.train.loop import train
from finewright.train.methods.setup import Setup, method_of
from finewright.train.schedule import schedule_of
from finewright.train.state import make_optimizer

pytestmark = pytest.mark.torch

ROWS = [Example((row,)) for row in tiny.random_rows([9, 4, 14, 7, 3, 11, 5], prompt=2)]


def base_of(folder: Path) -> LocalBase:
    return LocalBase("tiny", folder, "", "unknown")


def spec_of(**fields: object) -> SFTSpec:
    chosen = {"learning_rate": 0.01, "batch_size": 3, "max_steps": 3, "dtype": "fp32", "threads": 1}
    return SFTSpec(**{**chosen, "adapter": LoraSpec(r=4), **fields})


@pytest.mark.parametrize("fields", [{}, {"micro_batch_tokens": 16}, {"max_grad_norm": 0.01}])
def test_steps_are_those_of_the_training_loop(tiny_folder: Path, fields: dict[str, object]) -> None:
    spec = spec_of(**fields)
    done = list(trial_steps(load_for_training(base_of(tiny_folder), spec), spec, ROWS))

    lm = load_for_training(base_of(tiny_folder), spec)
    method = method_of(spec, Setup(lm))
    true = train(
        lm,
        method,
        ROWS,
        schedule_of(spec, [row.num_tokens for row in ROWS]),
        make_optimizer(lm, method, weight_decay=spec.weight_decay),
        max_grad_norm=spec.max_grad_norm,
        micro_batch_tokens=spec.micro_batch_tokens,
    )
    assert [(s.loss, s.tokens) for s in done] == [(s.loss, s.tokens) for s in true]
    assert len(done) == 3


def test_the_model_is_loaded_with_the_adapter_of_the_seed(tiny_folder: Path) -> None:
    drawn = [
        adapter_tensors(load_for_training(base_of(tiny_folder), spec_of(seed=seed)).adapters)
        for seed in (1, 1, 2)
    ]
    first = {name: t for name, t in drawn[0].items() if "lora_A" in name}
    assert all(torch.equal(t, drawn[1][name]) for name, t in first.items())
    assert not any(torch.equal(t, drawn[2][name]) for name, t in first.items())


def test_lean_memory_loses_no_digit(tiny_folder: Path) -> None:
    losses = []
    for memory in ("fast", "lean"):
        spec = spec_of(memory=memory)
        lm = load_for_training(base_of(tiny_folder), spec)
        losses.append([step.loss for step in trial_steps(lm, spec, ROWS)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_synthetic_rows_are_mixed_whole_and_the_same_every_time() -> None:
    rows = synthetic_rows(200, max_length=1024)
    lengths = sorted(row.num_tokens for row in rows)
    assert rows == synthetic_rows(200, max_length=1024)
    assert rows != synthetic_rows(200, max_length=1024, seed=1)
    assert lengths[0] >= 8
    assert lengths[-1] == 1024
    assert 200 < lengths[100] < 300
    assert all(_learned_share(row) == pytest.approx(0.6, abs=0.07) for row in rows)


def _learned_share(example: Example) -> float:
    (row,) = example.sequences
    return sum(row.trained) / row.num_tokens


def test_no_synthetic_row_is_longer_than_asked() -> None:
    assert max(row.num_tokens for row in synthetic_rows(50, max_length=16)) == 16


def test_the_matrix_product_gives_a_speed() -> None:
    assert gemm_gflops("fp32") > 0
