"""LitGPT: its own `finetune_lora`, with the config that `export-config` writes and rows that are tokens.

LitGPT keeps weights in a form of its own: its converter makes it of the base, for models of which it has a
configuration by name, and `litgpt_adapter.py` makes PEFT's file of the LoRA weights that it stores. Its
fine-tuning never clips gradients, so `train.max_grad_norm` must say so."""

import csv
import math
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from finewright.errors import StageError
from finewright.schema.common import Problem
from finewright.schema.train import TrainSettings
from finewright.store.atomic import write_json, write_text
from finewright.train.backends import BackendJob, BackendRun, BackendStep
from finewright_bridge.translate.backends.process import (
    Ended,
    missing,
    python_of,
    run_framework,
    tokens_of,
    versions_in,
    write_rows,
)
from finewright_bridge.translate.convert import UNCLIPPED
from finewright_bridge.translate.outward import training_config
from finewright_bridge.translate.rows_out import SourcesWritten

_PACKAGES = ("litgpt", "lightning", "torch")
_ROWS, _ADAPTER = "finewright_rows", "finewright_adapter"
"""What our two modules are called in its process."""
_ANSWER_TOKENS = 8
"""LitGPT wants to know how long its example answer is; none is asked for."""


class LitGPT:
    """LitGPT's LoRA fine-tuning."""

    def problems(self, spec: TrainSettings) -> Iterator[Problem]:
        """It fine-tunes with LoRA, by SFT alone, where its Python has it."""
        if spec.method != "sft":
            yield Problem(
                level="error",
                key="train.backend",
                message=f"litgpt trains sft for finewright, and not {spec.method}",
                hint="train.backend trl trains dpo too",
            )
        if spec.max_grad_norm < UNCLIPPED:
            yield Problem(
                level="error",
                key="train.max_grad_norm",
                message="LitGPT's fine-tuning never clips gradients",
                hint=f"set it to {UNCLIPPED:g}, which clips nothing, for every framework alike",
            )
        yield from missing("litgpt", "litgpt")

    def train(self, job: BackendJob) -> BackendRun:
        """Convert the base, train by `python -m litgpt finetune_lora`, and write a PEFT adapter."""
        for name, source in ((_ROWS, "litgpt_rows.py"), (_ADAPTER, "litgpt_adapter.py")):
            shutil.copyfile(Path(__file__).with_name(source), job.scratch / f"{name}.py")
        write_rows(job.scratch / "rows.jsonl", map(tokens_of, job.rows))
        checkpoint = _converted(job)
        config = _config(job, checkpoint)
        path = job.folder / "backend.yaml"
        write_text(path, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
        ended = _run(job, "-m", "litgpt", "finetune_lora", "--config", str(path))
        out = job.scratch / "output"
        _run(job, "-m", _ADAPTER, str(path), str(job.scratch / "adapter"))
        write_json(job.scratch / "adapter/adapter_config.json", _peft_config(job))
        steps, seconds = _steps(out, job.spec.gradient_accumulation)
        versions = versions_in(python_of("litgpt"), _PACKAGES)
        return BackendRun(
            steps=steps,
            seconds=seconds,
            peak_gib=ended.peak_gib,
            adapter=job.scratch / "adapter",
            versions=", ".join(f"{name} {version}" for name, version in versions.items()),
        )


def _run(job: BackendJob, *arguments: str) -> Ended:
    return run_framework(job, arguments, {"PYTHONPATH": str(job.scratch)})


def _converted(job: BackendJob) -> Path:
    """The base as LitGPT keeps it, under the name that LitGPT has a configuration by."""
    name = job.origin.rpartition("/")[2]
    folder = job.scratch / "checkpoint"
    folder.mkdir()
    for file in job.base.iterdir():
        if file.is_file():
            (folder / file.name).symlink_to(file)
    dtype = "bfloat16" if job.spec.dtype == "bf16" else "float32"
    words = ("--model_name", name, "--dtype", dtype)
    try:
        _run(job, "-m", "litgpt", "convert_to_litgpt", str(folder), *words)
    except StageError as error:
        raise StageError(
            f"{job.name}: LitGPT does not convert it as {name}: {error}", hint=error.hint
        ) from None
    return folder


def _config(job: BackendJob, checkpoint: Path) -> Mapping[str, Any]:
    train = job.spec.model_copy(update={"max_steps": job.steps})
    spec = job.run_spec.model_copy(update={"base_models": (str(job.base),), "train": train})
    rows = {
        "class_path": f"{_ROWS}.Tokens",
        "init_args": {"path": str(job.scratch / "rows.jsonl")},
    }
    keys = training_config(
        "litgpt", spec, SourcesWritten({"data": rows}, {}, ()), job.scratch / "litgpt.yaml"
    )
    return {
        **keys,
        "data": rows,
        "checkpoint_dir": str(checkpoint),
        "out_dir": str(job.scratch / "output"),
        "precision": "bf16-true" if job.spec.dtype == "bf16" else "32-true",
        "devices": 1,
        "logger_name": "csv",
        # Twice the rows, as LitGPT ends within a pass where it is told of one.
        "train": {**keys["train"], "epochs": 2, "save_interval": None, "log_interval": 1},
        "eval": {
            "interval": job.steps + 1,
            "max_new_tokens": _ANSWER_TOKENS,
            "max_iters": 1,
            "initial_validation": False,
            "final_validation": False,
        },
    }


def _peft_config(job: BackendJob) -> Mapping[str, Any]:
    adapter = job.spec.adapter
    assert adapter.type == "lora"
    modules = adapter.target_modules
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": adapter.r,
        "lora_alpha": adapter.alpha,
        "lora_dropout": adapter.dropout,
        "target_modules": modules if modules == "all-linear" else list(modules),
    }


def _steps(output: Path, parts: int) -> tuple[list[BackendStep], float]:
    """What LitGPT logged of each step, and the seconds of all its iterations; it logs no gradient's norm."""
    files = sorted((output / "logs").rglob("metrics.csv"))
    if not files:
        return [], 0.0
    with files[-1].open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get("loss")]
    seconds = sum(float(row["iter_time"]) for row in rows)
    logged = [row for row in rows if int(float(row["iter"])) % parts == 0]
    # It logs the rate after the scheduler's step, which is the next one's.
    rates = [math.nan, *(float(row["learning_rate"]) for row in logged)]
    losses = [float(row["loss"]) for row in logged]
    both = zip(losses, rates, strict=False)
    return [BackendStep(loss, rate, math.nan, {}) for loss, rate in both], seconds


BACKEND = LitGPT()
