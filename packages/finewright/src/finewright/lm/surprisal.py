"""How much a base model is surprised by each token of a given text, with its place in the text."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from transformers import PreTrainedTokenizerBase

from finewright.lm.batch import split
from finewright.lm.chat import Chat
from finewright.lm.example import EncodedRow
from finewright.lm.model import LM
from finewright.schema.poison import TokenSurprise
from finewright.schema.rows import Row

_BATCH_TOKENS = 1024
_MOST_BEFORE = 384
_MOST_TEXT = 768


class Continuation(NamedTuple):
    """A text and what the model reads before it."""

    before: str
    text: str


def surprises(
    lm: LM, tokenizer: PreTrainedTokenizerBase, continuations: Sequence[Continuation]
) -> Iterator[tuple[int, list[TokenSurprise]]]:
    """(index, -ln p of each token of the text given all before it) of each continuation, batch by batch.

    The adapter is switched off. Long inputs are cut: the last 384 tokens of what stands before are read,
    and the first 768 of the text; tokens after those are not among the answer. A text that nothing stands
    before has no value for its first token."""
    places, scored = [], []
    for i, item in enumerate(continuations):
        row, place = _encode_text(tokenizer, item, str(i))
        places.append(place)
        if row.num_trained:
            scored.append(row)
        else:
            yield i, []
    lm.model.eval()
    for rows in split(scored, _BATCH_TOKENS):
        with lm.reference():
            batch = lm.pack([[row] for row in rows])
            nats = (-lm.token_logps(batch)).tolist()
        for row in rows:
            i = int(row.row_id)
            own, nats = nats[: row.num_trained], nats[row.num_trained :]
            found = places[i][-len(own) :]
            yield i, [TokenSurprise(*place, nat) for place, nat in zip(found, own, strict=True)]


def text_before(chat: Chat, row: Row, at: int) -> str:
    """What the model reads before that turn of the row, up to where the answer begins."""
    return chat.render(row.messages[:at], tools=row.tools, ask=True)


def _encode_text(
    tokenizer: PreTrainedTokenizerBase, item: Continuation, name: str
) -> tuple[EncodedRow, list[tuple[int, int]]]:
    """The tokens, those of the text to be scored, and their places in it.

    Before and text are one string: a token that reaches over the border belongs to the text."""
    batch = tokenizer(
        item.before + item.text, add_special_tokens=False, return_offsets_mapping=True
    )
    ids: list[int] = batch["input_ids"]
    offsets: list[tuple[int, int]] = batch["offset_mapping"]
    border = len(item.before)
    first = next((t for t, (_, end) in enumerate(offsets) if end > border), len(ids))
    begin, end = max(0, first - _MOST_BEFORE), first + _MOST_TEXT
    kept = ids[begin:end]
    trained = tuple(t >= first for t in range(begin, begin + len(kept)))
    places = [(max(0, a - border), b - border) for a, b in offsets[first:end]]
    return EncodedRow(tuple(kept), trained, name), places
