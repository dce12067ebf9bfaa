"""TRL: its own `sft` and `dpo` scripts, with the config that `export-config` writes.

SFT gets the rows as tokens and labels, which TRL takes as they are (`input_ids`, `labels`); DPO as
conversations, since TRL makes the tokens of pairs itself, by the same chat template. Rows stand in the
order of finewright's steps, and `train_sampling_strategy: sequential` (transformers 5) keeps it."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from finewright.errors import StageError
from finewright.lm import runtime
from finewright.schema.common import Problem
from finewright.schema.train import TrainSettings
from finewright.store.atomic import write_text
from finewright.train.backends import BackendJob, BackendRow, BackendRun, BackendStep
from finewright.train.by_backend import LOG
from finewright_bridge.translate.backends.process import (
    missing,
    python_of,
    run_framework,
    tokens_of,
    versions_in,
    write_rows,
)
from finewright_bridge.translate.outward import training_config
from finewright_bridge.translate.rows_out import SourcesWritten
from finewright_bridge.translate.sources import Json

_METHODS = ("sft", "dpo")
_PACKAGES = ("trl", "transformers", "peft", "torch")
_SECONDS = re.compile(r"'train_runtime': '?([0-9.]+)")
_LOGGED = ("loss", "learning_rate", "grad_norm")


class TRL:
    """TRL's SFTTrainer and DPOTrainer."""

    def problems(self, spec: TrainSettings) -> Iterator[Problem]:
        """It trains by two methods here, where its Python has it."""
        if spec.method not in _METHODS:
            yield Problem(
                level="error",
                key="train.backend",
                message=f"trl trains {' and '.join(_METHODS)} for finewright, and not {spec.method}",
                hint="`finewright export-config` writes its config of other methods",
            )
        yield from missing("trl", "trl")

    def train(self, job: BackendJob) -> BackendRun:
        """By `python -m trl.scripts.sft --config backend.yaml`."""
        versions = versions_in(python_of("trl"), _PACKAGES)
        if int(versions.get("transformers", "0").partition(".")[0]) < 5:  # noqa: PLR2004
            raise StageError(
                f"transformers {versions.get('transformers')} takes rows in no fixed order",
                hint="install transformers 5 there",
            )
        rows = (row_of(job.spec.method, row) for row in job.rows)
        write_rows(job.scratch / "rows.jsonl", rows)
        config = _config(job)
        text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
        write_text(job.folder / "backend.yaml", text)
        ended = run_framework(
            job,
            ["-m", f"trl.scripts.{job.spec.method}", "--config", str(job.folder / "backend.yaml")],
        )
        log = (job.folder / LOG).read_text(encoding="utf-8", errors="replace")
        alone = _SECONDS.findall(log)
        return BackendRun(
            steps=_steps(job.scratch / "output"),
            seconds=float(alone[-1]) if alone else ended.seconds,
            peak_gib=ended.peak_gib,
            adapter=job.scratch / "output",
            versions=", ".join(f"{name} {version}" for name, version in versions.items()),
        )


def row_of(method: str, row: BackendRow) -> Json:
    """The row as TRL reads it for the method: tokens and labels, or a pair of conversations."""
    if method == "sft":
        return tokens_of(row)
    prompt, rejected = row.row.prompt, row.row.rejected or ()
    pair = {
        "prompt": list(prompt),
        "chosen": list(row.row.messages[len(prompt) :]),
        "rejected": list(rejected[len(prompt) :]),
    }
    return pair | ({"tools": json.dumps(row.row.tools)} if row.row.tools else {})


def _config(job: BackendJob) -> Mapping[str, Any]:
    spec = job.run_spec.model_copy(update={"base_models": (str(job.base),)})
    files = [str(job.scratch / "rows.jsonl")]
    sources = {"datasets": [{"path": "json", "data_files": files, "split": "train"}]}
    keys = training_config("trl", spec, SourcesWritten(sources, {}, ()), job.scratch / "trl.yaml")
    is_bf16 = job.spec.dtype == "bf16"
    return {
        **keys,
        "model_name_or_path": str(job.base),
        "dtype": "bfloat16" if is_bf16 else "float32",
        "bf16": is_bf16,
        "use_cpu": not runtime.has_gpu(),  # else transformers refuses bf16
        "max_steps": job.steps,
        "max_length": None,
        "train_sampling_strategy": "sequential",
        "dataset_num_proc": 1,
        "output_dir": str(job.scratch / "output"),
        "logging_steps": 1,
        "save_strategy": "steps",
        "save_steps": job.steps,
        "save_only_model": True,
        "report_to": "none",
        "disable_tqdm": True,
    }


def _steps(output: Path) -> list[BackendStep]:
    """What the Trainer logged of each step, from the checkpoint of the last one."""
    states = sorted(output.glob("checkpoint-*/trainer_state.json"))
    if not states:
        return []
    logged = json.loads(states[-1].read_text(encoding="utf-8"))["log_history"]
    return [_step(entry) for entry in logged if "loss" in entry]


def _step(entry: Mapping[str, Any]) -> BackendStep:
    metrics = {
        key.replace("rewards/", ""): float(value)
        for key, value in entry.items()
        if key.startswith("rewards/") and isinstance(value, int | float)
    }
    loss, rate, norm = (float(entry.get(key, math.nan)) for key in _LOGGED)
    return BackendStep(loss, rate, norm, metrics)


BACKEND = TRL()
