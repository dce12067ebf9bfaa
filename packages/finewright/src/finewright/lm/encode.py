"""From rows to token ids with their learned tokens, and the policy for rows that are too long.

What becomes of rows that are longer than `train.max_length`, and what their owner must hear of it.

A row as token ids, and what of it is learned. No tensors are here, so that counting needs no torch."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from finewright.errors import DataError
from finewright.lm.answers.round_trip import LearnedAnswer, refuse_other_answer
from finewright.lm.chat import Chat, Rendered
from finewright.lm.example import EncodedRow, Example
from finewright.lm.windows import read_windows, scored_windows, split_documents
from finewright.schema.common import Problem, RowCounts
from finewright.schema.listing import list_problems
from finewright.schema.rows import Message, Row

OverlongFate = Literal["refused", "nothing_left_to_learn", "overlong", "cut_answer", "cut_prompt"]


# From this share of the rows on, what was asked for by `train.on_overlong` is told as a warning.
MANY = 0.1


_SAYS: dict[OverlongFate, str] = {
    "refused": "have more than {most} tokens",
    "nothing_left_to_learn": "have nothing left to learn after {most} tokens, and are left out",
    "overlong": "have more than {most} tokens, and are left out",
    "cut_answer": "have more than {most} tokens, and lose the end of an answer: there the model does not"
    " learn to stop",
    "cut_prompt": "have more than {most} tokens, and lose the beginning of their prompt",
}


@dataclass(slots=True)
class OverlongRows:
    """The rows so far that have more than `most` tokens, by what becomes of them."""

    most: int
    longest: int = 0
    counts: Counter[OverlongFate] = field(default_factory=Counter)
    first: dict[OverlongFate, Row] = field(default_factory=dict)

    def add(self, row: Row, num_tokens: int, fate: OverlongFate) -> None:
        """One more such row."""
        self.longest = max(self.longest, num_tokens)
        self.counts[fate] += 1
        self.first.setdefault(fate, row)

    def problems(self, num_rows: int) -> list[Problem]:
        """For each fate how many of the rows meet it, and the first of them.

        An error where such rows may not be; a warning from a tenth of the rows on, and for every row that was
        to be cut and is lost."""
        return [self._problem(fate, num_rows) for fate in _SAYS if self.counts[fate]]

    def _problem(self, fate: OverlongFate, num_rows: int) -> Problem:
        first, count = self.first[fate], self.counts[fate]
        is_warning = fate == "nothing_left_to_learn" or count >= MANY * num_rows
        level: Literal["error", "warning", "info"] = "warning" if is_warning else "info"
        hint = f"set train.max_length to {self.longest}, or shorten the rows"
        if fate == "refused":
            level, hint = "error", f"{hint}, or set train.on_overlong to truncate or drop"
        share = f"{count} of {num_rows} rows ({100 * count / num_rows:.0f} %)"
        return Problem(
            level=level,
            file=first.file,
            row=first.row,
            message=f"{share} {_SAYS[fate].format(most=self.most)}; this one is the first",
            hint=hint,
        )


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


def encode_row(chat: Chat, row: Row) -> EncodedRow:
    """Token ids of one conversation; assistant turns are learned through their end-of-turn token.

    Raises DataError when the template refuses the conversation, when nothing in it would be learned, or
    when it takes more than one sequence to learn it: see `encode_turns`."""
    return _encode_learned(chat, chat.render_learned(row.messages, row.tools), row)


def encode_turns(chat: Chat, row: Row) -> tuple[EncodedRow, ...]:
    """Token ids of one conversation, each answer learned as the model is asked for it.

    One sequence, unless the template writes earlier answers otherwise than they were to be given."""
    found = chat.sequences(row.messages, row.tools) or (
        chat.render_learned(row.messages, row.tools),
    )
    return tuple(_encode_learned(chat, each, row) for each in found)


def _encode_prompt(chat: Chat, row: Row) -> EncodedRow:
    if row.messages[-1]["role"] == "assistant":
        raise DataError(_MASKED)
    ids, _ = chat.tokens(chat.whole_prompt(row.messages, row.tools))
    return EncodedRow(tuple(ids), (False,) * len(ids), row.id)


def encode_example(chat: Chat, row: Row) -> Example:
    """The row's conversations as tokens. Raises DataError as `encode_row` does.

    Of a pair and of a rated conversation what is rated is learned: the answers that follow the prompt that
    both sides share, and the last answer."""
    sequences: tuple[EncodedRow, ...]
    if row.is_text:
        sequences = tuple(scored_windows(chat, row))
    elif row.is_prompt:
        sequences = (_encode_prompt(chat, row),)
    elif row.rejected is not None:
        shared = len(row.prompt)
        sides = (row.messages, row.rejected)
        sequences = tuple(
            encode_row(chat, replace(row, messages=_only_read(side, shared))) for side in sides
        )
    elif row.label is not None:
        messages = _only_read(row.messages, row.answer_at or 0)
        sequences = (encode_row(chat, replace(row, messages=messages)),)
    else:
        sequences = encode_turns(chat, row)
    messages, tools = (row.messages, row.tools) if row.is_prompt else ((), None)
    is_pair = row.rejected is not None
    return Example(sequences, row.label, row.columns, messages, tools, is_pair)


def _only_read(messages: Sequence[Message], count: int) -> tuple[Message, ...]:
    """The messages, of which the first `count` are not learned."""
    read = ({**m, "weight": 0} if m["role"] == "assistant" else m for m in messages[:count])
    return (*read, *messages[count:])


def _encode_learned(chat: Chat, rendered: Rendered, row: Row) -> EncodedRow:
    """The tokens of a rendering whose answers are read back as those of the row; a token is learned when it
    starts in a learned span.

    Raises DataError where an answer is read otherwise, and where nothing would be learned."""
    ids, offsets = chat.tokens(rendered)
    starts, trained = [at for at, _ in offsets], [False] * len(ids)
    parts = [slice(*(bisect_left(starts, at) for at in span)) for span in rendered.spans]
    for part in parts:
        trained[part] = [True] * (part.stop - part.start)
    encoded = EncodedRow(tuple(ids), tuple(trained), row.id)
    if not encoded.num_trained:
        raise DataError(_MASKED)
    for number, span, part in zip(rendered.answers, rendered.spans, parts, strict=True):
        prompt, message = rendered.text[: span.start], row.messages[number]
        learned = LearnedAnswer(number, message, prompt, encoded.input_ids[part])
        refuse_other_answer(chat, learned, row.tools)
    return encoded


_Fate = Literal["kept", "truncated", "nothing_left_to_learn", "overlong", "error"]


class _Fitted(NamedTuple):
    """What becomes of a row for its length, what of it is kept, and under what it is named, if it is."""

    fate: _Fate
    example: Example | None = None
    named: OverlongFate | None = None


def _fit_length(row: Row, example: Example, max_length: int, on_overlong: Overlong) -> _Fitted:
    if _longest(example) <= max_length:
        return _Fitted("kept", example)
    if on_overlong == "drop":
        return _Fitted("overlong", named="overlong")
    if on_overlong == "error":
        return _Fitted("error", named="refused")
    cut = _cut(example, max_length)
    if row.is_prompt:
        return _Fitted("truncated", cut, "cut_prompt")
    if not all(sequence.num_trained for sequence in cut.sequences):
        return _Fitted("nothing_left_to_learn", named="nothing_left_to_learn")
    is_less = cut.num_trained < example.num_trained
    return _Fitted("truncated", cut, "cut_answer" if is_less else None)


def _longest(example: Example) -> int:
    return max(sequence.num_tokens for sequence in example.sequences)


def encode_rows(
    chat: Chat,
    rows: Iterable[Row],
    *,
    max_length: int,
    on_overlong: Overlong,
    of: int | None = None,
) -> EncodedRows:
    """Encode all rows; every row is kept, or dropped under a counted reason, or is a problem.

    `error` refuses rows longer than `max_length` tokens; `truncate` cuts its end; `drop` leaves it
    out; documents are always cut, into windows. A cut row in which nothing learned remains is dropped as
    `nothing_left_to_learn`. What becomes of how many is among the problems: of these rows, or `of` more, of
    which no other is too long."""
    kept: list[Example] = []
    problems: list[Problem] = []
    fates: Counter[_Fate] = Counter()
    overlong = OverlongRows(max_length)
    unended: list[Row] = []
    documents, others = split_documents(rows)
    for row in others:
        try:
            example = encode_example(chat, row)
        except DataError as error:
            fates["error"] += 1
            problems.append(_error(row, error))
            continue
        if _never_ends(chat, example):
            unended.append(row)
        fitted = _fit_length(row, example, max_length, on_overlong)
        fates[fitted.fate] += 1
        kept += [fitted.example] if fitted.example else []
        if fitted.named:
            overlong.add(row, _longest(example), fitted.named)
    windows = read_windows(chat, documents, max_length)
    fates["kept"] += len(documents)
    num_kept = len(kept) + len(documents)
    kept += windows.rows
    seen, truncated = fates.total(), fates.pop("truncated", 0)
    fates.pop("kept", None)
    counts = RowCounts(
        rows_in=seen, rows_kept=num_kept, rows_truncated=truncated, rows_dropped=dict(fates)
    )
    found = (
        *list_problems(problems),
        *windows.problems,
        *overlong.problems(of or seen),
        *_endless(unended),
    )
    return EncodedRows(tuple(kept), counts, found)


def _cut(example: Example, max_length: int) -> Example:
    """Conversations lose their end; a prompt loses its beginning, as its question stands at the end."""
    is_prompt = not example.num_trained
    part = slice(-max_length, None) if is_prompt else slice(max_length)
    cut = tuple(EncodedRow(s.input_ids[part], s.trained[part], s.row_id) for s in example.sequences)
    if not is_prompt and not example.is_pair:  # later answers may be cut off whole
        cut = tuple(sequence for sequence in cut if sequence.num_trained) or cut
    return replace(example, sequences=cut)


def _never_ends(chat: Chat, example: Example) -> bool:
    """Whether the last learned token of an answer is none at which generation stops."""
    stops = chat.stop_ids
    return any(
        is_learned and not any(sequence.trained[t + 1 : t + 2]) and token not in stops
        for sequence in example.sequences
        for t, (token, is_learned) in enumerate(
            zip(sequence.input_ids, sequence.trained, strict=True)
        )
    )


def _endless(rows: Sequence[Row]) -> list[Problem]:
    if not rows:
        return []
    many = f"of {len(rows)} rows, this one first," if len(rows) > 1 else "of this row"
    message = f"the answers {many} learn no end of turn: the chat template writes none that stops"
    return [
        Problem(
            level="warning",
            file=rows[0].file,
            row=rows[0].row,
            message=message,
            hint="put the family's own template into chat_template.jinja; answers will run to the limit",
        )
    ]


def _error(row: Row, error: DataError) -> Problem:
    return Problem(level="error", file=row.file, row=row.row, message=str(error), hint=error.hint)
