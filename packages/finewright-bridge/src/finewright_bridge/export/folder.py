"""An exported folder as any program reads it: its own tokenizer, template and ends."""

from dataclasses import replace
from pathlib import Path

from transformers import AutoTokenizer, GenerationConfig

from finewright.lm.chat import Chat
from finewright.schema.run import DAY


def of_the_day(chat: Chat) -> Chat:
    """The chat as other servers have it: they tell a template the real day."""
    return replace(chat, options={**chat.options, DAY: "today"})


def chat_in(folder: Path, chat: Chat) -> Chat:
    """The training's chat with the tokenizer and template that the folder has."""
    tokenizer = AutoTokenizer.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False
    )
    return replace(of_the_day(chat), tokenizer=tokenizer)


def ends_in(folder: Path) -> frozenset[int]:
    """The tokens at which transformers stops."""
    ends = GenerationConfig.from_pretrained(folder, local_files_only=True).eos_token_id
    return frozenset(ends if isinstance(ends, list) else [ends])
