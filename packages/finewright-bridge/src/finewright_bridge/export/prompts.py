"""What is asked of a run's model and of its export: prompts of the run's own rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from finewright.errors import DataError
from finewright.rows.texts import draw_rows
from finewright.schema.common import without
from finewright.schema.rows import Row, parse_rows
from finewright.schema.run import DAY
from finewright.store.atomic import os_errors
from finewright.store.rundir import RunDir

if TYPE_CHECKING:
    from finewright.lm.chat import Chat
    from finewright_bridge.export.parity import Prompt


@dataclass(frozen=True, slots=True)
class ParityPrompts:
    """Prompts, and the conversations that they are, as an OpenAI request has them; `left_out` rows spell
    control tokens in their contents, which other programs read as such whatever the model is."""

    prompts: "Sequence[Prompt]"
    conversations: Sequence[dict[str, Any]]
    left_out: int


def prompts_of(run: RunDir, chat: "Chat", number: int) -> ParityPrompts:
    """Rows that were held out first, then rows that were trained on; drawn by a fixed seed."""
    from finewright_bridge.export.folder import of_the_day
    from finewright_bridge.export.parity import Prompt

    given, chat = without(chat.options, (DAY,)), of_the_day(chat)
    switches = {"chat_template_kwargs": given} if given else {}
    prompts, conversations, left_out = [], [], 0
    for row in _rows(run, number):
        shown = chat.prompt(row.prompt, row.tools)
        ids = tuple(chat.tokens(shown).ids)
        if ids != as_text(chat, shown.text):
            left_out += 1
            continue
        prompts.append(Prompt(ids, shown.text))
        tools = {"tools": list(row.tools)} if row.tools else {}
        messages = [{k: v for k, v in turn.items() if k != "weight"} for turn in row.prompt]
        conversations.append({"messages": messages, **tools, **switches})
    if not prompts:
        raise DataError(f"{run.root}: none of its rows asks anything that could be compared")
    return ParityPrompts(prompts, conversations, left_out)


def as_text(chat: "Chat", text: str) -> tuple[int, ...]:
    """The tokens of a text in which control tokens are what they spell, as every server cuts it."""
    ids: list[int] = chat.tokenizer(text, add_special_tokens=False)["input_ids"]
    return tuple(ids)


def _rows(run: RunDir, number: int) -> list[Row]:
    rows: list[Row] = []
    for name in ("eval.jsonl", "train.jsonl"):
        path = run.root / "data" / name
        if path.is_file() and len(rows) < number:
            with os_errors(path):
                found = parse_rows(path.read_text(encoding="utf-8"))
            asking = [row for row in found if row.prompt]
            rows += draw_rows(asking, number - len(rows), 0).rows
    return rows
