"""What is asked of a run's model and of its export: prompts of the run's own rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from finewright.errors import DataError
from finewright.rows.draw import draw_rows
from finewright.schema.rows import Row, parse_rows
from finewright.store.atomic import os_errors
from finewright.store.rundir import RunDir

if TYPE_CHECKING:
    from finewright.lm.chat import Chat
    from finewright.lm.export.parity import Prompt


@dataclass(frozen=True, slots=True)
class ParityPrompts:
    """Prompts, the conversations that they are, as an OpenAI request has them, and their texts."""

    prompts: "Sequence[Prompt]"
    conversations: Sequence[dict[str, Any]]
    texts: Sequence[str]


def prompts_of(run: RunDir, chat: "Chat", number: int) -> ParityPrompts:
    """Rows that were held out first, then rows that were trained on; drawn by a fixed seed."""
    from finewright.lm.export.parity import Prompt

    rows: list[Row] = []
    for name in ("eval.jsonl", "train.jsonl"):
        path = run.root / "data" / name
        if path.is_file() and len(rows) < number:
            with os_errors(path):
                found = parse_rows(path.read_text(encoding="utf-8"))
            rows += draw_rows(found, number - len(rows), 0).rows
    prompts, conversations, texts = [], [], []
    for row in rows:
        shown = chat.prompt(row.prompt, row.tools)
        prompts.append(Prompt(tuple(chat.tokens(shown).ids), shown.text))
        tools = {"tools": list(row.tools)} if row.tools else {}
        messages = [{k: v for k, v in turn.items() if k != "weight"} for turn in row.prompt]
        switches = {"chat_template_kwargs": dict(chat.options)} if chat.options else {}
        conversations.append({"messages": messages, **tools, **switches})
        texts.append(shown.text)
    if not prompts:
        raise DataError(f"{run.root}: its data stage kept no rows, so there is nothing to ask")
    return ParityPrompts(prompts, conversations, texts)
