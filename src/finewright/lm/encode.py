"""From rows to token ids with their learned tokens, and the policy for rows that are too long."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from finewright.errors import DataError
from finewright.lm.batch import Encoded, Example
from finewright.lm.chat import Chat, Rendered
from finewright.lm.overlong import OverlongRows
from finewright.schema.common import Problem, RowCounts
from finewright.schema.rows import Row

_MASKED = "no token of this row would be learned: every label is masked"

Overlong = Literal["error", "truncate", "drop"]


@dataclass(frozen=True, slots=True)
class EncodedRows:
    """The rows that train, what became of the others, and what must be said about them."""

    rows: tuple[Example, ...]
    counts: RowCounts
    problems: tuple[Problem, ...]

    @property
    def longest(self) -> int:
        """Tokens of the longest conversation that trains."""
        return max((s.num_tokens for row in self.rows for s in row.sequences), default=0)


def encode_row(chat: Chat, row: Row) -> Encoded:
    """Token ids of one conversation; assistant turns are learned through their end-of-turn token.

    Raises DataError when the template refuses the conversation or nothing in it would be learned."""
    rendered = chat.rendered(row.messages, row.tools)
    encoded = _tokenise(chat, rendered, row.id)
    if not encoded.num_trained:
        raise DataError(_MASKED)
    return encoded


def encode_example(chat: Chat, row: Row) -> Example:
    """The row's conversations as tokens. Raises DataError as `encode_row` does."""
    if row.is_prompt and row.messages[-1]["role"] == "assistant":
        raise DataError(_MASKED)
    if row.is_prompt:
        prompt = chat.prompt(row.messages, row.tools)
        sequences: tuple[Encoded, ...] = (_tokenise(chat, prompt, row.id),)
    elif row.rejected is None:
        sequences = (encode_row(chat, row),)
    else:
        sequences = (encode_row(chat, row), encode_row(chat, replace(row, messages=row.rejected)))
    messages, tools = (row.messages, row.tools) if row.is_prompt else ((), None)
    return Example(sequences, row.label, row.columns, messages, tools)


def _tokenise(chat: Chat, rendered: Rendered, row_id: str) -> Encoded:
    """A token is learned when it starts in a learned span; a span stops after its end-of-turn token."""
    ids, offsets = chat.tokens(rendered)
    trained = [False] * len(ids)
    for span in rendered.spans:
        inside = [t for t, (start, _) in enumerate(offsets) if span.start <= start < span.end]
        ends = [t for t in inside if ids[t] in chat.end_of_turn]
        for t in inside:
            if not ends or t <= ends[-1]:
                trained[t] = True
    return Encoded(tuple(ids), tuple(trained), row_id)


def encode_rows(
    chat: Chat, rows: Iterable[Row], *, max_length: int, on_overlong: Overlong
) -> EncodedRows:
    """Encode all rows; every row is kept, or dropped under a counted reason, or is a problem.

    `error` reports each row longer than `max_length` tokens; `truncate` cuts its end; `drop` leaves it
    out. A cut row in which nothing learned remains is dropped as `nothing_left_to_learn`. What becomes of
    how many is among the problems."""
    kept: list[Example] = []
    problems: list[Problem] = []
    dropped: Counter[str] = Counter()
    overlong = OverlongRows(max_length)
    seen = truncated = 0
    for row in rows:
        seen += 1
        try:
            example = encode_example(chat, row)
        except DataError as error:
            dropped["error"] += 1
            problems.append(Problem(level="error", file=row.file, row=row.row, message=str(error)))
            continue
        longest = max(sequence.num_tokens for sequence in example.sequences)
        if longest <= max_length:
            kept.append(example)
        elif on_overlong == "truncate":
            cut = _cut(example, max_length)
            if row.is_prompt or all(sequence.num_trained for sequence in cut.sequences):
                truncated += 1
                kept.append(cut)
                if row.is_prompt or cut.num_trained < example.num_trained:
                    overlong.add(row, longest, "cut_prompt" if row.is_prompt else "cut_answer")
            else:
                dropped["nothing_left_to_learn"] += 1
                overlong.add(row, longest, "nothing_left_to_learn")
        elif on_overlong == "drop":
            dropped["overlong"] += 1
            overlong.add(row, longest, "overlong")
        else:
            dropped["error"] += 1
            problems.append(_too_long(row, longest, max_length))
    counts = RowCounts(
        rows_in=seen, rows_kept=len(kept), rows_truncated=truncated, rows_dropped=dict(dropped)
    )
    return EncodedRows(tuple(kept), counts, (*problems, *overlong.problems(seen)))


def _cut(example: Example, max_length: int) -> Example:
    """Conversations lose their end; a prompt loses its beginning, as its question stands at the end."""
    is_prompt = not example.num_trained
    part = slice(-max_length, None) if is_prompt else slice(max_length)
    cut = (Encoded(s.input_ids[part], s.trained[part], s.row_id) for s in example.sequences)
    return replace(example, sequences=tuple(cut))


def _too_long(row: Row, length: int, max_length: int) -> Problem:
    return Problem(
        level="error",
        file=row.file,
        row=row.row,
        message=f"{length} tokens, and train.max_length is {max_length}",
        hint=f"set train.max_length to {length}, or train.on_overlong to truncate or drop",
    )
