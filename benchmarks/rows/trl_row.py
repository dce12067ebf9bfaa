"""One row of train_speed.py: TRL's SFTTrainer with PEFT, at its defaults but for what the job fixes."""

import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
settings = json.loads(sys.argv[2])
os.environ["OMP_NUM_THREADS"] = str(job["threads"])

import torch  # noqa: E402 - the thread count must be set before
from datasets import Dataset  # noqa: E402
from peft import LoraConfig  # noqa: E402
from torch.utils.data import SequentialSampler  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback  # noqa: E402
from trl import SFTConfig, SFTTrainer  # noqa: E402


class Watch(TrainerCallback):
    """Seconds of each step, and its loss."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.losses: list[float] = []

    def on_step_begin(self, *args, **kwargs) -> None:
        self.started = time.perf_counter()

    def on_step_end(self, *args, **kwargs) -> None:
        self.seconds.append(time.perf_counter() - self.started)

    def on_log(self, args, state, control, logs=None, **kwargs) -> None:
        if logs and "loss" in logs:
            self.losses.append(logs["loss"])


torch.set_num_threads(job["threads"])
watch = Watch()
trainer = SFTTrainer(
    model=AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.bfloat16),
    args=SFTConfig(
        output_dir=tempfile.mkdtemp(),
        per_device_train_batch_size=job["batch_size"],
        max_length=job["max_length"],
        completion_only_loss=True,  # the mask travels with the rows; without this it is ignored
        max_steps=job["steps"],
        learning_rate=job["learning_rate"],
        lr_scheduler_type="constant",
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        use_cpu=not torch.cuda.is_available(),
        disable_tqdm=True,
        **settings,
    ),
    train_dataset=Dataset.from_list(job["rows"]),
    processing_class=AutoTokenizer.from_pretrained(job["model"]),
    peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
    callbacks=[watch],
)
trainer._get_train_sampler = lambda *_: SequentialSampler(trainer.train_dataset)
trainer.train()
size = job["batch_size"]
tokens = [
    sum(len(row["input_ids"]) for row in job["rows"][start : start + size])
    for start in range(0, job["steps"] * size, size)
]
print(
    json.dumps(
        {
            "tokens_per_second": sum(tokens[1:]) / sum(watch.seconds[1:]),
            "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
            "losses": watch.losses,
            "seconds": watch.seconds,
        }
    )
)
