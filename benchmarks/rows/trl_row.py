"""TRL's SFTTrainer with PEFT, at its defaults but for what the job fixes."""

import torch
from datasets import Dataset
from job import print_figures, read_job
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer  # type: ignore[attr-defined] # it loads its names late
from watch import Watch, keep_order

job, settings = read_job()
watch = Watch()
trainer = SFTTrainer(
    model=AutoModelForCausalLM.from_pretrained(job.model, dtype=torch.bfloat16),
    args=SFTConfig(
        **{
            "output_dir": job.scratch,
            "per_device_train_batch_size": job.batch_size,
            "max_length": job.max_length,
            # the mask travels with the rows; without this it is ignored
            "completion_only_loss": True,
            "max_steps": len(job.batches),
            "learning_rate": job.learning_rate,
            "lr_scheduler_type": "constant",
            "logging_steps": 1,
            "save_strategy": "no",
            "report_to": "none",
            "use_cpu": not torch.cuda.is_available(),
            "disable_tqdm": True,
            **settings,
        }
    ),
    train_dataset=Dataset.from_list([row._asdict() for row in job.rows]),
    processing_class=AutoTokenizer.from_pretrained(job.model),
    peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
    callbacks=[watch],
)
keep_order(trainer)
trainer.train()
print_figures(job, watch.seconds, watch.losses, ("trl", "peft", "transformers", "torch"))
