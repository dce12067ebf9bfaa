"""Tiny models of every family as GGUF files: llama.cpp chooses the tokens that transformers does."""

import copy
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers.processors import TemplateProcessing
from transformers import AutoModelForCausalLM

import tiny
from finewright.errors import ModelError, StoreError
from finewright.lm.chat import Chat, find_end_of_turn
from finewright_bridge.export import gguf_file
from finewright_bridge.export.gguf_file import write_model
from finewright_bridge.export.gguf_tokenizer import _pre_tokenizer
from finewright_bridge.export.gguf_weights import Weight
from finewright_bridge.export.parity import Prompt
from finewright_bridge.export.proof import ask_llamacpp

pytestmark = pytest.mark.torch
pytest.importorskip("xllamacpp")

# What of a family's tiny model llama.cpp has no word for is set as the family's own models have it.
CHANGES = {
    "mistral": {"sliding_window": None},
    "phi4_mini": {"sliding_window": None},
    "qwen3_moe": {"mlp_only_layers": [], "norm_topk_prob": True},
    "gemma3_text": {
        "num_hidden_layers": 6,
        "layer_types": ["sliding_attention"] * 5 + ["full_attention"],
    },
}
FAMILIES = (
    *("llama", "mistral", "mixtral", "qwen2", "qwen3", "qwen3_moe"),
    *("gemma2", "gemma3_text", "phi3", "phi4_mini", "deepseek_v3"),
)
PROMPTS = [
    Prompt((5, 9, 33), ""),
    Prompt((10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120), ""),
]


def model_of(family):
    config = copy.deepcopy(tiny.tiny_model(family).config)
    for key, value in CHANGES.get(family, {}).items():
        setattr(config, key, value)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() == 1:
                    parameter.add_(0.2 * torch.randn_like(parameter))
    return model


def chat():
    tokenizer = tiny.tiny_tokenizer()
    return Chat(tokenizer, find_end_of_turn(tokenizer, []))


def written(model, folder, quantization="f32", ours=None):
    model.save_pretrained(folder)
    path = folder / "model.gguf"
    write_model(path, folder, ours or chat(), quantization, "tiny")
    return path


def asked(path, prompts=PROMPTS, conversations=()):
    return ask_llamacpp(path, None, prompts, conversations, max_new_tokens=8)


def gap(model, prompt, ids):
    """How far the farthest token lies below transformers' own choice in its place."""
    with torch.no_grad():
        logits = model(torch.tensor([[*prompt.ids, *ids]])).logits[0]
    there = logits[len(prompt.ids) - 1 : -1]
    return float((there.max(-1).values - there[range(len(ids)), list(ids)]).max())


@pytest.mark.parametrize("family", FAMILIES)
def test_llama_cpp_chooses_the_same_tokens(family, tmp_path):
    model = model_of(family)
    answers = asked(written(model, tmp_path)).answers
    assert all(answer.ids for answer in answers)
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        assert gap(model, prompt, answer.ids) < 1e-3


def test_eight_bits_are_near(tmp_path):
    model = model_of("llama")
    answers = asked(written(model, tmp_path, "q8_0")).answers
    assert max(gap(model, p, a.ids) for p, a in zip(PROMPTS, answers, strict=True)) < 0.3


@pytest.mark.parametrize("begins", [False, True])
def test_text_and_conversations_become_the_same_tokens(begins, tmp_path):
    """Also where a template begins with a token that llama.cpp takes away and adds again."""
    ours = chat()
    if begins:
        tokenizer, first = ours.tokenizer, ours.tokenizer.eos_token
        tokenizer.bos_token = first
        tokenizer.chat_template = "{{ bos_token }}" + tokenizer.chat_template
        tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
            single=f"{first} $A", special_tokens=[(first, tokenizer.eos_token_id)]
        )
    messages = [{"role": "user", "content": "the red 12 apples, and\n\n3 more"}]
    shown = ours.prompt(messages)
    prompt = Prompt(tuple(ours.tokens(shown).ids), shown.text)
    found = asked(
        written(model_of("llama"), tmp_path, ours=ours), [prompt], [{"messages": messages}]
    )
    assert (prompt.ids[0] == ours.tokenizer.bos_token_id) == begins
    assert found.tokens == found.conversations == [prompt.ids]


@pytest.mark.parametrize(
    ("family", "key", "value", "what"),
    [
        ("qwen3_moe", "norm_topk_prob", False, "always normalises"),
        ("gemma3_text", "layer_types", ["full_attention"] * 6, "of another kind"),
        ("llama", "model_type", "glm4", "cannot be written as GGUF"),
    ],
)
def test_what_llama_cpp_would_compute_otherwise_is_refused(family, key, value, what, tmp_path):
    import json

    model_of(family).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(ModelError, match=what):
        write_model(tmp_path / "model.gguf", tmp_path, chat(), "f32", "tiny")


def test_a_file_that_is_no_model_is_one_line(tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ModelError, match=r"llama\.cpp cannot run it") as caught:
        asked(path)
    assert "\n" not in str(caught.value)


def deepseek(last: str) -> dict[str, object]:
    patterns = (r"\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+", last)
    steps: list[dict[str, object]] = [{"type": "Split", "pattern": {"Regex": p}} for p in patterns]
    return {"pretokenizers": [*steps, {"type": "ByteLevel", "use_regex": False}]}


def test_a_way_of_cutting_text_is_known_by_all_of_it() -> None:
    last = (
        "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
        "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"
    )
    assert _pre_tokenizer(deepseek(last)) == "deepseek-v3"
    with pytest.raises(ModelError, match="no name"):
        _pre_tokenizer(deepseek(last.replace("A-Z", "A-Y")))


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "base"
    tiny.tiny_model("llama").save_pretrained(folder)
    chat, path = tiny.tiny_chat(), tmp_path / "base.gguf"
    most, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(StoreError, match=r"^\S*base.gguf: (the disk is full|File too large)"):
            write_model(path, folder, chat, "f32", "base")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))


def test_weights_that_go_while_they_are_read_are_no_fault_of_what_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, passes = tmp_path / "base", []
    tiny.tiny_model("llama").save_pretrained(folder)
    read = gguf_file.weights

    def weights(*given: Any) -> Iterator[Weight]:
        passes.append(1)
        found = read(*given)
        yield next(found)
        if len(passes) == 2:
            (folder / "model.safetensors").unlink()
        yield from found

    monkeypatch.setattr(gguf_file, "weights", weights)
    with pytest.raises(StoreError, match=r"^\S*model.safetensors: ") as caught:
        write_model(tmp_path / "base.gguf", folder, tiny.tiny_chat(), "f32", "base")
    assert "disk is full" not in str(caught.value)


def test_weights_that_are_cut_are_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "base"
    tiny.tiny_model("llama").save_pretrained(folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(
        ModelError, match=r"^\S*model.safetensors: not a readable safetensors file: "
    ):
        write_model(tmp_path / "base.gguf", folder, tiny.tiny_chat(), "f32", "base")
