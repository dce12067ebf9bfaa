"""Unsloth on its CPU backend (unsloth/_cpu_init.py); `checkpointing` "unsloth" is its default."""

from unsloth import FastLanguageModel  # isort: skip - it patches what is imported after it

import torch
from datasets import Dataset
from job import print_figures, read_job
from trl import SFTConfig, SFTTrainer  # type: ignore[attr-defined] # it loads its names late
from watch import Watch, keep_order

LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

job, settings = read_job()
watch = Watch()
checkpointing = settings.pop("checkpointing", "unsloth")
model, tokenizer = FastLanguageModel.from_pretrained(
    job.model,
    max_seq_length=job.max_length,
    load_in_4bit=False,
    use_gradient_checkpointing=checkpointing,
)
model = FastLanguageModel.get_peft_model(
    model,
    r=16,
    lora_alpha=32,
    lora_dropout=0.0,
    target_modules=LINEARS,
    use_gradient_checkpointing=checkpointing,
)
trainer = SFTTrainer(
    model=model,
    processing_class=tokenizer,
    train_dataset=Dataset.from_list([row._asdict() for row in job.rows]),
    args=SFTConfig(
        output_dir=job.scratch,
        per_device_train_batch_size=job.batch_size,
        max_length=job.max_length,
        completion_only_loss=True,
        gradient_checkpointing=bool(checkpointing),
        max_steps=len(job.batches),
        learning_rate=job.learning_rate,
        lr_scheduler_type="constant",
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        use_cpu=not torch.cuda.is_available(),
        disable_tqdm=True,
    ),
    callbacks=[watch],
)
keep_order(trainer)
trainer.train()
print_figures(
    job, watch.seconds, watch.losses, ("unsloth", "unsloth_zoo", "trl", "transformers", "torch")
)
