"""GGUF -> safetensors, once: weights dequantised to bfloat16, with a tokenizer that is checked.

transformers reads a GGUF's vocabulary but not its pre-tokenizer name, and so splits text differently from
the model's own tokenizer for several families (SmolLM2: digits after two spaces or newlines become other
tokens). The names and patterns below are llama.cpp's (llama-vocab.cpp)."""

import logging
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import torch
from tokenizers import Regex, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    GgufConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from finewright.catalog.models import PackagedModel, chat_template
from finewright.errors import ModelError
from finewright.lm.chat import Chat, find_end_of_turn
from finewright.lm.trial import try_templates

_MAGIC = b"GGUF"
_GPT2_SPLIT_DIGITS = frozenset(
    {"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"}
)
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPLITS = {
    "llama-bpe": _WORDS % "{1,3}",
    "llama3": _WORDS % "{1,3}",
    "smaug-bpe": _WORDS % "{1,3}",
    "dbrx": _WORDS % "{1,3}",
    "qwen2": _WORDS % "",
    "deepseek-r1-qwen": _WORDS % "",
}
_GPT2_NAMES = frozenset({"", "default", "gpt-2", "phi-2", "olmo", "jais", "mpt"})
_CHECK_CONVERSATION = (
    {"role": "user", "content": "Count  2 apples:\n\n1, 2"},
    {"role": "assistant", "content": "  3.5 = x1"},
)

logger = logging.getLogger(__name__)


def is_gguf(path: Path) -> bool:
    """Does the file begin as a GGUF does?"""
    with path.open("rb") as file:
        return file.read(4) == _MAGIC


def convert(source: Path, folder: Path, packaged: PackagedModel | None) -> None:
    """Write a transformers folder (config, safetensors, tokenizer, template, generation config).

    Raises ModelError when the file cannot be read, or when a packaged model's tokenizer, template or
    end-of-turn token is not what the catalog says."""
    tokenizer = _tokenizer(source)
    if packaged and packaged.chat_template:
        tokenizer.chat_template = chat_template(packaged.chat_template)
    if tokenizer.chat_template:
        try_templates(tokenizer)
    model = _model(source)
    if packaged:
        check_packaged(tokenizer, packaged)
    model.generation_config = _generation_config(model, tokenizer)
    with redirect_stderr(StringIO()):  # it draws a bar, too
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _tokenizer(source: Path) -> PreTrainedTokenizerBase:
    pre = _pre_tokenizer_name(source)
    tokenizer = AutoTokenizer.from_pretrained(
        source.parent, gguf_file=source.name, trust_remote_code=False
    )
    if pre is None:
        return tokenizer
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pre not in SPLITS)
    if pre in _GPT2_SPLIT_DIGITS:
        parts = [pre_tokenizers.Digits(individual_digits=True), byte_level]
    elif pre in SPLITS:
        parts = [pre_tokenizers.Split(Regex(SPLITS[pre]), "isolated"), byte_level]
    else:
        parts = [byte_level]
        if pre not in _GPT2_NAMES:
            logger.warning("pre-tokenizer %r is not known here: token boundaries may differ", pre)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(parts)
    return tokenizer


def _pre_tokenizer_name(source: Path) -> str | None:
    """The `tokenizer.ggml.pre` of a byte-level BPE vocabulary; None for other kinds."""
    from gguf import GGUFReader

    try:
        fields = GGUFReader(source).fields
    except (ValueError, OSError, IndexError, KeyError) as error:
        raise ModelError(f"{source}: not a readable GGUF file: {error}") from None
    kind = fields.get("tokenizer.ggml.model")
    if kind is None:
        raise ModelError(f"{source}: the GGUF file holds no tokenizer")
    if kind.contents() != "gpt2":
        return None
    pre = fields.get("tokenizer.ggml.pre")
    return str(pre.contents()) if pre is not None else ""


def _model(source: Path) -> PreTrainedModel:
    try:
        # The loader draws bars on stderr whatever the log level is.
        with redirect_stderr(StringIO()):
            model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
                source.parent,
                gguf_file=source.name,
                dtype=torch.bfloat16,
                quantization_config=GgufConfig(dequantize=True),
                trust_remote_code=False,
            )
    except (ValueError, KeyError, OSError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"{source}: transformers cannot read this GGUF file: {reason}") from None
    model.config.__dict__.pop("quantization_config", None)
    model.config.__dict__.pop("_model_name_or_path", None)
    return model


def _generation_config(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> GenerationConfig:
    eos = [tokenizer.eos_token_id]
    ends = find_end_of_turn(tokenizer, eos) if tokenizer.chat_template else frozenset(eos)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else eos[0]
    return GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=sorted({*ends, *eos}),
        pad_token_id=pad,
        do_sample=False,
    )


def check_packaged(tokenizer: PreTrainedTokenizerBase, packaged: PackagedModel) -> None:
    """Compare tokens, template and end-of-turn token with the catalog. Raises ModelError."""
    ids = tuple(tokenizer(packaged.rendering, add_special_tokens=False)["input_ids"])
    if ids != packaged.rendering_ids:
        pairs = zip(ids, packaged.rendering_ids, strict=False)
        at = next((i for i, (a, b) in enumerate(pairs) if a != b), len(ids))
        raise ModelError(f"{packaged.title}: the tokenizer differs from the catalog at token {at}")
    text = Chat(tokenizer, frozenset()).render(_CHECK_CONVERSATION)
    if not packaged.rendering.startswith(text):
        raise ModelError(f"{packaged.title}: the chat template renders {text!r}")
    ends = {tokenizer.decode([t]) for t in find_end_of_turn(tokenizer, [])}
    if ends != {packaged.end_of_turn}:
        raise ModelError(f"{packaged.title}: turns end with {ends}, not {packaged.end_of_turn}")
