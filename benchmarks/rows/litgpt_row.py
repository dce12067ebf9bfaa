"""LitGPT's own model, LoRA and chunked cross-entropy in bf16-true: a plain loop around its parts.

Its command line reads texts, not tokens, so the loop of its `finetune lora` is repeated here with the
job's batches: padded to the longest row, head in chunks, one optimiser step a batch."""

import os
import sys
import time
from pathlib import Path

import lightning
import torch
from job import IGNORED, Row, print_figures, read_job
from litgpt.config import name_to_config
from litgpt.lora import GPT, Config, mark_only_lora_as_trainable
from litgpt.scripts.convert_hf_checkpoint import convert_hf_checkpoint
from litgpt.utils import chunked_cross_entropy, load_checkpoint
from torch.nn.utils.rnn import pad_sequence

NAMES = {"smollm2-135m-instruct": "SmolLM2-135M-Instruct", "gemma3-270m": "Gemma-3-270m"}
ADAPTED = ("lora_query", "lora_key", "lora_value", "lora_projection", "lora_mlp")


def know_gemma_270m() -> None:
    """LitGPT has Gemma 3 from 1B up; the 270M differs from that in sizes alone."""
    local = [int((layer + 1) % 6 != 0) for layer in range(18)]
    name_to_config[NAMES["gemma3-270m"]] = {
        **name_to_config["Gemma-3-1b-it"],
        "name": NAMES["gemma3-270m"],
        "n_layer": 18,
        "n_embd": 640,
        "intermediate_size": 2048,
        "sliding_window_indices": local,
        "rope_indices": local,
        # LitGPT's Gemma 3 has its general 1e-5, and with it another loss: 2.922 for 2.901 in float32
        "norm_eps": 1e-6,
    }


def converted(model: Path, name: str, folder: Path) -> Path:
    """The checkpoint as LitGPT keeps it, made once by its own converter."""
    checkpoint = folder / "lit_model.pth"
    if not checkpoint.exists():
        folder.mkdir(parents=True, exist_ok=True)
        for file in model.iterdir():
            (folder / file.name).unlink(missing_ok=True)
            (folder / file.name).symlink_to(file)
        convert_hf_checkpoint(folder, model_name=name, dtype="bfloat16")
        # begin again, or the conversion would count in the peak memory
        os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606
    return checkpoint


def padded(rows: list[Row]) -> tuple[torch.Tensor, torch.Tensor]:
    """Input ids and labels (B, T), padded on the right as LitGPT's collator does."""
    ids = pad_sequence([torch.tensor(row.input_ids) for row in rows], batch_first=True)
    labels = [torch.tensor(row.labels) for row in rows]
    return ids, pad_sequence(labels, batch_first=True, padding_value=IGNORED)


job, settings = read_job()
if job.model_name not in NAMES:
    raise SystemExit(f"LitGPT has no configuration for {job.model_name}")
know_gemma_270m()
name = NAMES[job.model_name]
fabric = lightning.Fabric(devices=1, precision="bf16-true")
checkpoint = converted(Path(job.model), name, Path(settings["checkpoints"]) / name)
config = Config.from_name(name, lora_r=16, lora_alpha=32, **dict.fromkeys(ADAPTED, True))
with fabric.init_module():
    model = GPT(config)
mark_only_lora_as_trainable(model)
model = fabric.setup_module(model)
load_checkpoint(fabric, model, checkpoint, strict=False)
model.max_seq_length = job.max_length
model.train()
parameters = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(parameters, lr=job.learning_rate, weight_decay=0.0, fused=True)
optimizer = fabric.setup_optimizers(optimizer)
seconds, losses = [], []
for batch in job.batches:
    started = time.perf_counter()
    ids, labels = (tensor.to(fabric.device) for tensor in padded(batch))
    logits = model(ids, lm_head_chunk_size=128)
    logits[-1] = logits[-1][..., :-1, :]
    loss = chunked_cross_entropy(logits, labels[..., 1:])
    fabric.backward(loss)
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    optimizer.zero_grad()
    losses.append(loss.item())
    seconds.append(time.perf_counter() - started)
print_figures(job, seconds, losses, ("litgpt", "lightning", "torch"))
