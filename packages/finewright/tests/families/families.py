"""The families whose chat templates are verified: their special tokens, and a tiny tokenizer of each.

The templates are the makers' own text (README.md says where each comes from). The tokenizers have the
family's special tokens and its way of cutting text, and a vocabulary trained on a few lines."""

# ruff: noqa: RUF001 - DeepSeek writes its marks with a wide bar

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

from finewright.lm.chat import Chat, find_end_of_turn

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Family:
    """What a checkpoint of the family declares.

    `adds_bos`: the tokenizer writes a bos of its own where it is not told otherwise. `eos_ids`: the end
    tokens of its generation_config.json. `cuts`: "words" as tiktoken does, "pieces" as SentencePiece does
    and with a blank before each text ("blank pieces"). `strips`: the sides on which its marks swallow
    blanks. `trims`: the template takes outer blanks off answers. `system`: rows may have a system prompt.
    `call`: how a tool call reads, empty where the template has no words for it; several calls of a turn
    stand between `calls_open` and `calls_close` with `calls_join` between them."""

    end_of_turn: str
    eos: str
    eos_ids: tuple[str, ...]
    pad: str
    marks: tuple[str, ...]
    bos: str = ""
    adds_bos: bool = False
    cuts: str = "words"
    strips: str = ""
    trims: bool = False
    call: str = ""
    calls_open: str = ""
    calls_join: str = ""
    calls_close: str = ""
    most_calls: int = 2
    system: bool = True
    text_beside_calls: bool = False


_CHATML = ("<|im_start|>", "<|im_end|>", "<|endoftext|>")
_HERMES = '<tool_call>\n{{"name": "{name}", "arguments": {arguments}}}\n</tool_call>'
_QWEN = Family(
    end_of_turn="<|im_end|>",
    eos="<|im_end|>",
    eos_ids=("<|im_end|>", "<|endoftext|>"),
    pad="<|endoftext|>",
    marks=_CHATML,
    call=_HERMES,
    calls_join="\n",
    text_beside_calls=True,
)
_LLAMA = Family(
    end_of_turn="<|eot_id|>",
    eos="<|eot_id|>",
    eos_ids=("<|end_of_text|>", "<|eom_id|>", "<|eot_id|>"),
    pad="<|finetune_right_pad_id|>",
    marks=(
        *("<|end_of_text|>", "<|eom_id|>", "<|eot_id|>", "<|start_header_id|>"),
        *("<|end_header_id|>", "<|python_tag|>", "<|finetune_right_pad_id|>"),
    ),
    bos="<|begin_of_text|>",
    adds_bos=True,
    trims=True,
    call='{{"name": "{name}", "parameters": {arguments}}}',
    most_calls=1,
)
_GEMMA = Family(
    end_of_turn="<end_of_turn>",
    eos="<eos>",
    eos_ids=("<eos>", "<end_of_turn>"),
    pad="<pad>",
    marks=("<eos>", "<start_of_turn>", "<end_of_turn>"),
    bos="<bos>",
    adds_bos=True,
    cuts="pieces",
    trims=True,
)
_MISTRAL_MARKS = ("[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_CALLS]", "[TOOL_RESULTS]")
_MISTRAL_CALL = '{{"name": "{name}", "arguments": {arguments}, "id": "{id}"}}'


_MISTRAL = Family(
    end_of_turn="</s>",
    eos="</s>",
    eos_ids=("</s>",),
    pad="<unk>",
    marks=("<unk>", "</s>"),
    bos="<s>",
    adds_bos=True,
    cuts="blank pieces",
)
_MISTRAL_TOOLS = replace(
    _MISTRAL,
    marks=(
        *("<unk>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]"),
        *("[TOOL_CALLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]"),
    ),
    system=False,
    call='{{"name": "{name}", "arguments": {arguments}, "id": "{id}"}}',
    calls_join=", ",
    calls_close="]",
)
_DEEPSEEK = Family(
    end_of_turn="<｜end▁of▁sentence｜>",
    eos="<｜end▁of▁sentence｜>",
    eos_ids=("<｜end▁of▁sentence｜>",),
    pad="<｜▁pad▁｜>",
    marks=(
        *(
            "<｜▁pad▁｜>",
            "<｜end▁of▁sentence｜>",
            "<｜User｜>",
            "<｜Assistant｜>",
            "<｜tool▁sep｜>",
        ),
        *("<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>"),
        *("<｜tool▁calls▁end｜>", "<｜tool▁outputs▁begin｜>", "<｜tool▁output▁begin｜>"),
        *("<｜tool▁output▁end｜>", "<｜tool▁outputs▁end｜>"),
    ),
    bos="<｜begin▁of▁sentence｜>",
    adds_bos=True,
)
_DEEPSEEK_TOOLS = replace(
    _DEEPSEEK,
    calls_open="<｜tool▁calls▁begin｜>",
    call="<｜tool▁call▁begin｜>function<｜tool▁sep｜>{name}\n```json\n{arguments}\n```<｜tool▁call▁end｜>",
    calls_join="\n",
    calls_close="<｜tool▁calls▁end｜>",
    text_beside_calls=True,
)
_PHI_MARKS = ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|endoftext|>")
_PHI3 = Family(
    end_of_turn="<|end|>",
    eos="<|endoftext|>",
    eos_ids=("<|endoftext|>", "<|assistant|>", "<|end|>"),
    pad="<|endoftext|>",
    marks=_PHI_MARKS,
    bos="<s>",
    cuts="blank pieces",
    strips="right",
)
_PHI4 = Family(
    end_of_turn="<|im_end|>",
    eos="<|im_end|>",
    eos_ids=("<|im_end|>",),
    pad="<|dummy_85|>",
    marks=("<|im_start|>", "<|im_sep|>", "<|im_end|>", "<|endoftext|>", "<|dummy_85|>"),
    bos="<|endoftext|>",
    strips="both",
)

FAMILIES = {
    "llama3": Family(
        end_of_turn="<|eot_id|>",
        eos="<|eot_id|>",
        eos_ids=("<|end_of_text|>", "<|eot_id|>"),
        pad="<|end_of_text|>",
        marks=("<|end_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"),
        bos="<|begin_of_text|>",
        adds_bos=True,
        trims=True,
    ),
    "llama3_1": _LLAMA,
    "llama3_2": _LLAMA,
    "mixtral": replace(_MISTRAL, system=False),
    "mistral_v1": _MISTRAL,
    "mistral_v3": replace(_MISTRAL_TOOLS, trims=True, calls_open="[TOOL_CALLS] ["),
    "mistral_nemo": replace(_MISTRAL_TOOLS, cuts="words", calls_open="[TOOL_CALLS]["),
    "mistral_small": replace(
        _MISTRAL_TOOLS,
        marks=(
            *(*_MISTRAL_TOOLS.marks, "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"),
            *("[TOOL_CONTENT]", "[CALL_ID]", "[ARGS]"),
        ),
        cuts="words",
        system=True,
        call="[TOOL_CALLS]{name}[CALL_ID]{id}[ARGS]{arguments}",
        calls_join="",
        calls_close="",
    ),
    "deepseek_r1_distill": _DEEPSEEK,
    "deepseek_r1": _DEEPSEEK_TOOLS,
    "deepseek_v3": _DEEPSEEK_TOOLS,
    "deepseek_v3_1": replace(
        _DEEPSEEK_TOOLS,
        call="<｜tool▁call▁begin｜>{name}<｜tool▁sep｜>{arguments}<｜tool▁call▁end｜>",
        calls_join="",
    ),
    "qwen2_5": _QWEN,
    "qwen3": _QWEN,
    "qwen3_2507": _QWEN,
    "gemma2": replace(_GEMMA, system=False),
    "gemma3": _GEMMA,
    "phi3": _PHI3,
    "phi3_5": _PHI3,
    "phi4_first": _PHI4,
    "phi4": _PHI4,
    "phi4_mini": Family(
        end_of_turn="<|end|>",
        eos="<|endoftext|>",
        eos_ids=("<|endoftext|>", "<|end|>"),
        pad="<|endoftext|>",
        marks=(*_PHI_MARKS, "<|tool|>", "<|/tool|>"),
        bos="<|endoftext|>",
        strips="right",
    ),
}
# What these write into the text without making one token of it.
_PLAIN = (
    "<think>",
    "</think>",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
)
_CORPUS = (
    "system\nYou are a helpful assistant\n\nuser\n\nassistant\n model\n the answer is the other",
    'the user asks, {"name": "weather", "arguments": {"city": "Paris"}} the assistant answers.\n\n\n',
)
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def _words() -> Tokenizer:
    """Byte-level BPE behind the pattern of Llama 3 and Qwen, which joins newlines across a turn's border."""
    backend = Tokenizer(models.BPE())
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(_WORDS), "isolated"), byte_level]
    )
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(_CORPUS * 8, trainer)
    return backend


def _pieces(*, blank: bool) -> Tokenizer:
    """SentencePiece's BPE with byte fallback; `blank` puts one before each text, as Llama 2 had it."""
    backend = Tokenizer(models.BPE())
    trainer = trainers.BpeTrainer(vocab_size=120, show_progress=False)
    backend.train_from_iterator([line.replace(" ", "▁") for line in _CORPUS] * 8, trainer)
    model = json.loads(backend.to_str())["model"]
    names = [f"<0x{byte:02X}>" for byte in range(256)] + sorted(model["vocab"])
    merges = [(left, right) for left, right in model["merges"]]
    vocab = {name: number for number, name in enumerate(names)}
    backend = Tokenizer(models.BPE(vocab=vocab, merges=merges, byte_fallback=True, fuse_unk=True))
    joins = normalizers.Replace(" ", "▁")
    before = [normalizers.Prepend("▁")] if blank else []
    backend.normalizer = normalizers.Sequence([*before, joins])
    after = [decoders.Strip(" ", 1, 0)] if blank else []
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *after]
    )
    return backend


@cache
def tokenizer(name: str) -> PreTrainedTokenizerFast:
    """The family's tokenizer with its own chat template."""
    family = FAMILIES[name]
    backend = _words() if family.cuts == "words" else _pieces(blank=family.cuts == "blank pieces")
    strips = {"lstrip": family.strips == "both", "rstrip": family.strips in ("both", "right")}
    for token in dict.fromkeys(t for t in (family.bos, family.pad, *family.marks) if t):
        side = {} if token == family.bos else strips
        backend.add_special_tokens([AddedToken(token, special=True, normalized=False, **side)])
    backend.add_tokens([AddedToken(token, normalized=False) for token in _PLAIN])
    if family.adds_bos:
        number = backend.token_to_id(family.bos)
        backend.post_processor = processors.TemplateProcessing(
            single=f"{family.bos} $A", special_tokens=[(family.bos, number)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=family.bos or None,
        eos_token=family.eos,
        pad_token=family.pad,
        chat_template=template(name),
        clean_up_tokenization_spaces=False,
    )


def template(name: str) -> str:
    """The family's chat template as its maker ships it."""
    return (HERE / "templates" / f"{name}.jinja").read_text(encoding="utf-8")


@cache
def chat(name: str) -> Chat:
    """The family's tokenizer and the end of its turns, found as for a real checkpoint."""
    made = tokenizer(name)
    declared = [made.convert_tokens_to_ids(token) for token in FAMILIES[name].eos_ids]
    return Chat(made, find_end_of_turn(made, declared))
