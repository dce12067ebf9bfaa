"""Documents as token ids: what continued pre-training reads, and what a perplexity is taken of.

A document is [first] its tokens [separator], where `first` is the tokenizer's beginning-of-sequence token,
or the separator where it writes none. What is longer than L tokens is cut into windows of L that have one
token in common, so that every token is learned once, given all before it in its window:

    first t1 t2 t3 | t3 t4 t5 t6 | t6 t7 separator     L = 4; what stands first in a window is not learned

With `attention: across` all documents are one stream, cut so; with `within` each document is cut by itself,
and no token sees another document."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from finewright.errors import DataError
from finewright.lm.chat import Chat
from finewright.lm.example import EncodedRow, Example
from finewright.schema.common import Problem
from finewright.schema.rows import Row


class Windows(NamedTuple):
    """The windows of some documents, and what must be said of them."""

    rows: tuple[Example, ...]
    problems: tuple[Problem, ...] = ()


def split_documents(rows: Iterable[Row]) -> tuple[list[Row], list[Row]]:
    """The documents, and the other rows."""
    parts: tuple[list[Row], list[Row]] = ([], [])
    for row in rows:
        parts[not row.is_text].append(row)
    return parts


def read_windows(chat: Chat, documents: Sequence[Row], max_length: int) -> Windows:
    """All documents as windows of at most `max_length` tokens, as the chat's `layout` says.

    Raises DataError where the layout's separator is no token."""
    if not documents:
        return Windows(())
    whole = [_whole(chat, row) for row in documents]
    if chat.layout.attention == "across":
        stream = list(whole[0])
        for ids in whole[1:]:
            stream += ids[1:] if ids[0] == stream[-1] else ids
        made = cut(stream, max_length, documents[0].id)
        return Windows(tuple(Example((window,)) for window in made), _joined(documents, len(made)))
    apart = [cut(ids, max_length, row.id) for ids, row in zip(whole, documents, strict=True)]
    windows = tuple(Example((window,)) for window in chain.from_iterable(apart))
    return Windows(windows, _split(documents, apart, max_length))


def scored_windows(chat: Chat, row: Row) -> list[EncodedRow]:
    """A document's windows with all of its own tokens to be scored, and not the separator behind it."""
    return cut(_whole(chat, row)[:-1], chat.layout.max_length, row.id)


def cut(ids: Sequence[int], length: int, row_id: str = "") -> list[EncodedRow]:
    """Windows of at most `length` tokens, each beginning with the last token of the one before."""
    step = length - 1
    parts = (tuple(ids[start : start + length]) for start in range(0, max(1, len(ids) - 1), step))
    return [EncodedRow(part, (False, *(True,) * (len(part) - 1)), row_id) for part in parts]


def _whole(chat: Chat, row: Row) -> list[int]:
    separator = separator_of(chat)
    bos = chat.tokenizer.bos_token_id
    begins = bos is not None and chat.tokenizer("a")["input_ids"][0] == bos
    return [bos if begins else separator, *chat.encode_text(row.messages[0]["content"]), separator]


def separator_of(chat: Chat) -> int:
    """The token between documents: that of the layout, or the tokenizer's end of sequence. Raises DataError
    where it is none."""
    named = chat.layout.separator or chat.tokenizer.eos_token
    number = chat.tokenizer.get_vocab().get(named) if named else None
    if number is None:
        what = f"{named!r} is no token of this model" if named else "this tokenizer ends no text"
        close = [t for t in chat.tokenizer.all_special_tokens if t != named]
        known = f", such as {', '.join(close[:4])}" if close else ""
        raise DataError(
            f"train.document_separator: {what}",
            hint=f"name one that it knows{known}; none is added",
        )
    return int(number)


def _split(
    documents: Sequence[Row], apart: Sequence[Sequence[EncodedRow]], max_length: int
) -> tuple[Problem, ...]:
    longer = [i for i, windows in enumerate(apart) if len(windows) > 1]
    if not longer:
        return ()
    first, total = documents[longer[0]], sum(map(len, apart))
    return (
        Problem(
            level="info",
            file=first.file,
            row=first.row,
            message=f"{len(longer)} of {len(documents)} documents have more than {max_length} tokens and are"
            f" cut into windows, {total:,} windows in all; this one is the first",
            hint="a window does not see the one before it; a higher train.max_length cuts fewer",
        ),
    )


def _joined(documents: Sequence[Row], num_windows: int) -> tuple[Problem, ...]:
    message = f"{len(documents)} documents, end to end, are {num_windows:,} windows that see across borders"
    return (Problem(level="info", key="train.document_attention", message=message),)
