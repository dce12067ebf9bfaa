"""LLaMA-Factory's SFT workflow, as its command line runs it, on rows that are tokenised already."""

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from datasets import Dataset, DatasetDict
from job import print_figures, read_job

# It imports torchaudio for sound, which no text meets. The registry's torchaudio needs CUDA's libraries.
sys.modules["torchaudio"] = ModuleType("torchaudio")
sys.modules["torchaudio"].__spec__ = ModuleSpec("torchaudio", None)

from llamafactory.train.tuner import run_exp  # noqa: E402
from watch import Watch  # noqa: E402

job, settings = read_job()
rows = [
    {"input_ids": row.input_ids, "attention_mask": [1] * len(row.input_ids), "labels": row.labels}
    for row in job.rows
]
tokenized = Path(job.scratch) / "tokenized"
DatasetDict({"train": Dataset.from_list(rows)}).save_to_disk(str(tokenized))
watch = Watch()
run_exp(
    {
        "stage": "sft",
        "do_train": True,
        "model_name_or_path": job.model,
        "dataset": "unread",  # it asks for a name, and reads `tokenized_path` instead
        "tokenized_path": str(tokenized),
        "template": "default",
        "cutoff_len": job.max_length,
        "finetuning_type": "lora",
        "lora_rank": 16,
        "lora_alpha": 32,
        "lora_dropout": 0.0,
        "lora_target": "all",
        "bf16": True,
        "use_cpu": True,
        "disable_shuffling": True,
        "per_device_train_batch_size": job.batch_size,
        "max_steps": len(job.batches),
        "learning_rate": job.learning_rate,
        "lr_scheduler_type": "constant",
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "output_dir": str(Path(job.scratch) / "out"),
        "overwrite_output_dir": True,
        "disable_tqdm": True,
        **settings,
    },
    callbacks=[watch],
)
print_figures(job, watch.seconds, watch.losses, ("llamafactory", "transformers", "peft", "torch"))
