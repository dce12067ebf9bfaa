"""A tokenizer as GGUF keeps it: tokens, their kinds, merges or scores, and how text is cut first.

llama.cpp cuts text by patterns that it knows by name. A tokenizer whose pattern is none of them is refused,
never written under a near one: that would be another model for some texts, without a word."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gguf import GGUFWriter, TokenType
from transformers import PreTrainedTokenizerBase

from finewright.errors import ModelError
from finewright.lm.chat import Chat, ends_of
from finewright.lm.gguf import SPLITS

_LETTERS = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_NAMES_OF_PATTERNS = {
    SPLITS["llama-bpe"]: "llama-bpe",
    SPLITS["qwen2"]: "qwen2",
    (
        rf"{_LETTERS}*[\p{{Ll}}\p{{Lm}}\p{{Lo}}\p{{M}}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        rf"|{_LETTERS}+[\p{{Ll}}\p{{Lm}}\p{{Lo}}\p{{M}}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ): "gpt-4o",
}
_DEEPSEEK_V3 = (
    r"\p{N}{1,3}",
    "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
    r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
)
"""llama.cpp's deepseek-v3 (src/llama-vocab.cpp), in its order."""
_SPACE = "▁"
_FEWEST_SCORE = -1e6


def add_tokenizer(writer: GGUFWriter, chat: Chat, vocab_size: int) -> None:
    """Write the tokenizer, its template and the tokens that end an answer. Raises ModelError."""
    tokenizer = chat.tokenizer
    data = json.loads(tokenizer.backend_tokenizer.to_str())
    model = data["model"]
    if model.get("type") != "BPE":
        raise ModelError(f"a tokenizer of type {model.get('type')} cannot be written as GGUF here")
    tokens, kinds = _tokens(data, tokenizer, vocab_size)
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    if model.get("byte_fallback"):
        writer.add_tokenizer_model("llama")
        writer.add_token_scores(_scores(tokens, model["merges"]))
        writer.add_add_space_prefix(_adds_space(tokenizer))
    else:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(_pre_tokenizer(data.get("pre_tokenizer") or {}))
        writer.add_token_merges(merges)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    _add_special_tokens(writer, chat)
    if isinstance(tokenizer.chat_template, str):
        writer.add_chat_template(tokenizer.chat_template)


def _tokens(
    data: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase, vocab_size: int
) -> tuple[list[str], list[int]]:
    by_id = {number: token for token, number in data["model"]["vocab"].items()}
    added = {token["id"]: token for token in data["added_tokens"]}
    tokens, kinds = [], []
    for number in range(vocab_size):
        if number in added:
            tokens.append(added[number]["content"])
            special = added[number]["special"]
            kind = TokenType.CONTROL if special else TokenType.USER_DEFINED
        elif number in by_id:
            tokens.append(by_id[number])
            kind = _kind(by_id[number], data["model"])
        else:
            tokens.append(f"[PAD{number}]")
            kind = TokenType.UNUSED
        kinds.append(TokenType.UNKNOWN if number == tokenizer.unk_token_id else kind)
    return tokens, [int(kind) for kind in kinds]


def _kind(token: str, model: Mapping[str, Any]) -> TokenType:
    is_byte = model.get("byte_fallback") and token.startswith("<0x") and token.endswith(">")
    return TokenType.BYTE if is_byte else TokenType.NORMAL


def _scores(tokens: Sequence[str], merges: Sequence[str | Sequence[str]]) -> list[float]:
    """SentencePiece joins the pair of the highest score; BPE the one that comes first: the score of a token
    is minus the place of the first merge that makes it."""
    places: dict[str, int] = {}
    for place, pair in enumerate(merges):
        left, right = pair.split(" ") if isinstance(pair, str) else pair
        places.setdefault(left + right, place)
    return [-float(places[token]) if token in places else _FEWEST_SCORE for token in tokens]


def _adds_space(tokenizer: PreTrainedTokenizerBase) -> bool:
    pieces = tokenizer.backend_tokenizer.encode("a", add_special_tokens=False).tokens
    return bool(pieces) and pieces[0].startswith(_SPACE)


def _pre_tokenizer(pre: Mapping[str, Any]) -> str:
    """llama.cpp's name for the way a byte-level BPE cuts text. Raises ModelError where it has none."""
    steps = pre.get("pretokenizers", [pre])
    kinds = [step.get("type") for step in steps]
    last = steps[-1]
    if last.get("type") == "ByteLevel" and not last.get("add_prefix_space"):
        if kinds == ["ByteLevel"] and last.get("use_regex", True):
            return "gpt-2"
        if kinds == ["Digits", "ByteLevel"] and last.get("use_regex", True):
            if steps[0].get("individual_digits"):
                return "smollm"
        elif kinds == ["Split", "ByteLevel"] and not last.get("use_regex", True):
            if name := _NAMES_OF_PATTERNS.get(steps[0]["pattern"].get("Regex", "")):
                return name
        elif kinds == ["Split"] * 3 + ["ByteLevel"] and _patterns(steps) == _DEEPSEEK_V3:
            return "deepseek-v3"
    raise ModelError(
        "llama.cpp has no name for the way this tokenizer cuts text into words",
        hint="export with --to merged or --to vllm, which take the tokenizer as it is",
    )


def _patterns(steps: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Their expressions, with line ends spelled as llama.cpp spells them."""
    texts = [str(step["pattern"].get("Regex", "")) for step in steps if step["type"] == "Split"]
    return tuple(text.replace("\r", r"\r").replace("\n", r"\n") for text in texts)


def _add_special_tokens(writer: GGUFWriter, chat: Chat) -> None:
    """Where an answer begins and ends; the end of a turn is the file's end of sequence, as llama.cpp stops
    there whatever it is called."""
    tokenizer, ends = chat.tokenizer, ends_of(chat)
    if tokenizer.bos_token_id is not None:
        writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_add_bos_token(adds_bos(tokenizer))
    if ends:
        writer.add_eos_token_id(ends[0])
        writer.add_eot_token_id(ends[0])
    if tokenizer.unk_token_id is not None:
        writer.add_unk_token_id(tokenizer.unk_token_id)
    if tokenizer.pad_token_id is not None:
        writer.add_pad_token_id(tokenizer.pad_token_id)


def adds_bos(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the tokenizer puts its beginning before a text by itself."""
    ids = tokenizer("a")["input_ids"]
    return bool(ids) and tokenizer.bos_token_id is not None and ids[0] == tokenizer.bos_token_id
