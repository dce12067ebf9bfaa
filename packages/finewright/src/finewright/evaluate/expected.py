"""Whether a chat can be asked what a held-out row asks, and can give the answer that the row expects.

Asked before a model is loaded or trained: a row whose calls the chat template cannot write is never scored
as if a perfect answer to it could be given."""

from collections.abc import Sequence
from dataclasses import replace

from finewright.errors import DataError
from finewright.judge.answer import Answer, answer_of
from finewright.judge.calls import due_of
from finewright.lm.answers.reader import reader_of
from finewright.lm.chat import Chat
from finewright.lm.encode import encode_row
from finewright.lm.marks import THOUGHT_KEYS
from finewright.lm.thoughts import make_thought_bound
from finewright.schema.common import Problem, without
from finewright.schema.rows import Row

_HINT = "measure it with a base model whose calls can be read, or leave such rows out"


def read_expected(chat: Chat, row: Row) -> Answer:
    """The answer that the row expects. Raises DataError where there is none, and where its calls cannot be
    written or read."""
    if row.is_text:
        return Answer(str(row.messages[0]["content"]))
    last = row.answer_at
    if not last:
        raise DataError("no assistant turn that answers something")
    expected = answer_of(row.messages[last], is_open=chat.marks.is_open)
    if expected.fault:
        raise DataError(expected.fault)
    due_of(expected, row.tools, row.columns)
    if expected.calls and (why := reader_of(chat).cannot_call):
        raise DataError(f"the row expects a tool call, and {why}", hint=_HINT)
    try:
        encode_row(chat, _unthought(row, last, expected))
    except DataError as error:
        raise DataError(f"the expected answer cannot be given: {error}", hint=_HINT) from None
    return expected


def check_thought_bound(chat: Chat, max_thought_tokens: int | None) -> tuple[Problem, ...]:
    """An error where thoughts are to be bounded and the chat template has none that can be."""
    try:
        if max_thought_tokens is not None:
            make_thought_bound(chat, max_thought_tokens)
    except DataError as error:
        key = "evaluate.max_thought_tokens"
        return (Problem(level="error", key=key, message=str(error), hint=error.hint),)
    return ()


def refuse_filled(num_tokens: int, reads: int | None) -> None:
    """Raise DataError for a question after which a model that reads so many tokens cannot answer."""
    if reads is not None and num_tokens >= reads:
        raise DataError(
            f"the question alone fills the {reads:,} tokens that the model reads",
            hint="shorten it, or leave the row out",
        )


def unaskable(chat: Chat, rows: Sequence[Row], reads: int | None = None) -> tuple[Problem, ...]:
    """An error for each reason why rows cannot be asked, which counts them and names the first.

    `reads` are the most tokens that the model reads, where its config says so."""
    found: dict[str, list[tuple[Row, DataError]]] = {}
    for row in rows:
        try:
            read_expected(chat, row)
            if reads is not None and not row.is_text:
                _refuse_filled(chat, row, reads)
        except DataError as error:
            found.setdefault(str(error), []).append((row, error))
    return tuple(_problem(why, each, len(rows)) for why, each in found.items())


def warn_of_cut(chat: Chat, rows: Sequence[Row], max_new_tokens: int) -> tuple[Problem, ...]:
    """A warning where what rows expect is longer than so many tokens: their scores then measure the limit.

    Of rows that can be asked; thoughts before an answer are not counted, and neither are documents."""
    lengths = [_num_tokens_expected(chat, row, max_new_tokens) for row in rows]
    cut = [row for row, length in zip(rows, lengths, strict=True) if length > max_new_tokens]
    if not cut:
        return ()
    message = (
        f"{len(cut)} of {len(rows)} expected answers are longer than {max_new_tokens} tokens, this one first:"
        " an answer that is cut there is not what is expected"
    )
    return (
        Problem(
            level="warning",
            key="evaluate.max_new_tokens",
            file=cut[0].file,
            row=cut[0].row,
            message=message,
            hint=f"the longest has room with evaluate.max_new_tokens: {max(lengths) + 1}",
        ),
    )


def _num_tokens_expected(chat: Chat, row: Row, enough: int) -> int:
    """Without the mark of the end; 0 where there are surely no more than `enough`."""
    last = row.answer_at
    if last is None or row.is_text:
        return 0
    turn = row.messages[last]
    # no token is less than a byte
    if "tool_calls" not in turn and len(str(turn["content"]).encode("utf-8")) <= enough:
        return 0
    try:
        return encode_row(chat, _unthought(row, last, read_expected(chat, row))).num_trained - 1
    except DataError:
        return 0  # `unaskable` says why


def _problem(why: str, refused: Sequence[tuple[Row, DataError]], num_rows: int) -> Problem:
    first, error = refused[0]
    many = f"{len(refused)} of {num_rows} held-out rows cannot be measured, this one first: "
    message = f"{many if len(refused) > 1 else 'this held-out row cannot be measured: '}{why}"
    return Problem(level="error", file=first.file, row=first.row, message=message, hint=error.hint)


def _refuse_filled(chat: Chat, row: Row, reads: int) -> None:
    prompt = chat.prompt(row.messages[: row.answer_at], row.tools)
    # no token is less than a byte
    if len(prompt.text.encode("utf-8", "surrogatepass")) >= reads:
        refuse_filled(len(chat.tokens(prompt).ids), reads)


def _unthought(row: Row, last: int, expected: Answer) -> Row:
    """The row of which the expected answer alone is learned, without its thoughts: no metric sees these."""
    before = [{**m, "weight": 0} if m["role"] == "assistant" else m for m in row.messages[:last]]
    answer = without(row.messages[last], THOUGHT_KEYS) | {"content": expected.content}
    return replace(row, messages=(*before, answer), rejected=None, label=None)
