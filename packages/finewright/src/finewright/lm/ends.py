"""Where an answer ends, said to programs that do not know chat templates.

finewright stops at the template's end of turn. transformers stops at generation_config.json's eos, vLLM and
llama.cpp at the tokenizer's besides; those of a base checkpoint are often another token (Qwen's
<|endoftext|>), and an answer would go on to the limit. transformers and PEFT read an adapter's base, not the
adapter's folder, for it: there the folder's generation config is to be named (its README.md says how)."""

import copy
from pathlib import Path

from transformers import GenerationConfig

from finewright.lm.chat import Chat
from finewright.lm.rust_errors import rust_os_errors

# How a tokenizer was loaded here is no business of who loads it elsewhere.
_OF_THIS_MACHINE = ("is_local", "local_files_only", "name_or_path")


def ends_of(chat: Chat) -> list[int]:
    """Every token that ends an answer; the template's own ends first."""
    return [*sorted(chat.end_of_turn), *sorted(chat.stop_ids - chat.end_of_turn)]


def save_with_ends(folder: Path, chat: Chat) -> None:
    """Write the tokenizer, whose eos ends a turn, and generation_config.json, which says nothing of sampling.

    A tokenizer whose eos ends a turn already is stored as it is. Raises OSError."""
    tokenizer, ends = copy.deepcopy(chat.tokenizer), ends_of(chat)
    eos = tokenizer.eos_token
    for key in _OF_THIS_MACHINE:
        tokenizer.init_kwargs.pop(key, None)
    if ends and tokenizer.eos_token_id not in chat.end_of_turn:
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(ends[0])
    if tokenizer.pad_token is None:
        tokenizer.pad_token = eos or tokenizer.eos_token
    with rust_os_errors():
        tokenizer.save_pretrained(folder)
    config = GenerationConfig(
        eos_token_id=ends or None,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
    )
    config.save_pretrained(folder)
