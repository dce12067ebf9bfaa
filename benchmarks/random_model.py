"""A model folder with random weights in a known shape, to measure sizes that cannot be fetched here.

    python benchmarks/random_model.py qwen2.5-1.5b FOLDER
    python benchmarks/train_speed.py --model FOLDER --peers trl,unsloth --max-length 2048 --batch-size 8

Speed and memory depend on shapes, not on what was learned. The tokenizer is SmolLM2's; the vocabulary and so
the head keep the shape's own size."""

import argparse
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedConfig, Qwen2Config

from finewright.lm.load_chat import load_chat
from finewright.lm.sources import locate

WIDTH_WITH_OWN_HEAD = 3584


def qwen(**sizes: int) -> PreTrainedConfig:
    return Qwen2Config(
        **sizes,
        vocab_size=151936,
        max_position_embeddings=32768,
        rms_norm_eps=1e-6,
        tie_word_embeddings=sizes["hidden_size"] < WIDTH_WITH_OWN_HEAD,
    )


SHAPES = {
    "qwen2.5-0.5b": lambda: qwen(
        hidden_size=896,
        intermediate_size=4864,
        num_hidden_layers=24,
        num_attention_heads=14,
        num_key_value_heads=2,
    ),
    "qwen2.5-1.5b": lambda: qwen(
        hidden_size=1536,
        intermediate_size=8960,
        num_hidden_layers=28,
        num_attention_heads=12,
        num_key_value_heads=2,
    ),
    "qwen2.5-3b": lambda: qwen(
        hidden_size=2048,
        intermediate_size=11008,
        num_hidden_layers=36,
        num_attention_heads=16,
        num_key_value_heads=2,
    ),
    "qwen2.5-7b": lambda: qwen(
        hidden_size=3584,
        intermediate_size=18944,
        num_hidden_layers=28,
        num_attention_heads=28,
        num_key_value_heads=4,
    ),
    "llama-3.1-8b": lambda: LlamaConfig(
        vocab_size=128256,
        hidden_size=4096,
        intermediate_size=14336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        max_position_embeddings=131072,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--layers", type=int, help="only so many")
    options = parser.parse_args()
    if options.folder.exists():
        sys.exit(f"{options.folder} is there already")
    torch.manual_seed(0)
    torch.set_default_device("cuda" if torch.cuda.is_available() else "cpu")
    config = SHAPES[options.shape]()
    if options.layers:
        fewer = {"num_hidden_layers": options.layers, "layer_types": None}
        config = type(config)(**config.to_dict() | fewer)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(options.folder)
    chat = load_chat(locate("smollm2-135m-instruct", Path.cwd()))
    chat.tokenizer.save_pretrained(options.folder)


if __name__ == "__main__":
    main()
