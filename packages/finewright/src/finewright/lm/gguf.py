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
from finewright.lm.gguf_header import read_header
from finewright.lm.trial import try_templates
from finewright.store.jail import Jailed, Limits, run_jailed

_MAGIC = b"GGUF"
_CPU_SECONDS, _MEMORY_MIB = 4.0, 384
_MOST_CPU_SECONDS, _MOST_MEMORY_MIB = 120.0, 4096
"""What a small header may take, and the largest: gguf's reader takes 18 s and 1 to 1.6 GiB for 262,144 tokens
with as many merges (11 MB)."""
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
    """Whether the file begins as a GGUF does."""
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
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            source.parent, gguf_file=source.name, trust_remote_code=False
        )
    except _UNREADABLE as error:
        raise _unread(source, error) from None
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
    """The `tokenizer.ggml.pre` of a byte-level BPE vocabulary; None for other kinds.

    The header is read in the jail first: what reads it here takes its lengths and types as they stand."""
    megabytes = source.stat().st_size / 1e6
    cpu_seconds = min(_CPU_SECONDS + 3 * megabytes, _MOST_CPU_SECONDS)
    limits = Limits(cpu_seconds, int(min(_MEMORY_MIB + 150 * megabytes, _MOST_MEMORY_MIB)))
    try:
        found = run_jailed(read_header, str(source.absolute()), limits=limits, needs=("gguf",))
    except Jailed as error:
        raise ModelError(f"{source}: not a readable GGUF file: {error}") from None
    match found:
        case {"model": None}:
            raise ModelError(f"{source}: the GGUF file holds no tokenizer")
        case {"model": "gpt2", "pre": pre}:
            return str(pre or "")
    return None


# What transformers raises over a header whose values are of other types than it takes them for.
_UNREADABLE = (ValueError, LookupError, OSError, NotImplementedError, TypeError, AttributeError)


def _unread(source: Path, error: Exception) -> ModelError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return ModelError(f"{source}: transformers cannot read this GGUF file: {reason}")


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
    except _UNREADABLE as error:
        raise _unread(source, error) from None
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
