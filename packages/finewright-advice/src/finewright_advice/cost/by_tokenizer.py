"""The rows' tokens by the model's tokenizer.

Every row's text, as the template writes it, is counted in bulk. Reading a row as training does takes four
times as long, so that is done for those that decide alone: all that may be longer than `max_length`, the
longest, and a sample of the others, at random within strata by size, which says how far the text's tokens
are from what trains, and how sure that is (the difference estimator: Cochran 1977, Sampling Techniques,
chapters 5 and 7)."""

import math
import random
import statistics
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, takewhile
from typing import TYPE_CHECKING, NamedTuple

from finewright.errors import DataError
from finewright.schema.rows import Row, content_of
from finewright.schema.train import TrainSettings
from finewright_advice.cost.lengths import Length, Lengths

if TYPE_CHECKING:
    from finewright.lm.chat import Chat, Rendered
    from finewright.lm.example import Example

# Rows that are read as training reads them: the longest, and of each stratum of the others some at random.
_LONGEST, _STRATA, _DRAWN = 20, 10, 10
# At most so many that may be too long; and how many tokens more a row may have than its text.
_MOST_OVERLONG, _SLACK = 1000, 8
# Bytes of a learned token, before the sample says better.
_BYTES = 4
# Standard errors to each side of the sum of the tokens.
_WIDE = 2.5


class _Stratum(NamedTuple):
    """Rows of about one size: where those stand that are drawn at random, and the others."""

    drawn: list[int]
    others: list[int]


class _Chosen(NamedTuple):
    """Where the rows stand that are read for certain, the strata of the others, and whether every row that
    may be too long is among the first."""

    certain: list[int]
    strata: list[_Stratum]
    has_all_overlong: bool


def by_tokenizer(rows: Sequence[Row], spec: TrainSettings, chat: "Chat") -> Lengths | None:
    """What becomes of rows that are too long is what training makes of them; None where none is left."""
    from finewright.lm.encode import encode_rows
    from finewright.lm.windows import split_documents

    documents, others = split_documents(rows)
    if documents:
        return _with_windows(
            documents, by_tokenizer(others, spec, chat) if others else None, spec, chat
        )
    texts = None if len(rows) <= _LONGEST + _STRATA * _DRAWN else _measure_texts(rows, chat)
    chosen = _choose_texts(texts, spec) if texts else _Chosen([*range(len(rows))], [], True)
    places = sorted((*chosen.certain, *(i for stratum in chosen.strata for i in stratum.drawn)))
    read = [rows[i] for i in places]
    found = encode_rows(
        chat,
        read,
        max_length=spec.max_length,
        on_overlong=spec.on_overlong,
        of=len(rows) if chosen.has_all_overlong else None,
    )
    counted = {
        places[i]: _length(example)
        for example, i in zip(found.rows, _places_of_kept(found.rows, read), strict=True)
    }
    if not counted:
        return None
    if texts is None or len(places) == len(rows):
        return Lengths([*counted.values()], "counted", problems=found.problems)
    fits = [_fit_stratum(stratum, texts, counted) for stratum in chosen.strata]
    fitted = [length for fit in fits for length in fit.lengths]
    lengths = [*counted.values(), *_lengths_that_train(fitted, spec)]
    error = _WIDE * math.sqrt(sum(fit.variance for fit in fits))
    whose = "all that may be too long" if chosen.has_all_overlong else "the longest"
    part = f"by {len(places)} of {len(rows)} rows, {whose} among them: "
    problems = (p.model_copy(update={"message": part + p.message}) for p in found.problems)
    share = error / sum(length.run for length in lengths)
    return Lengths(lengths, "sampled", share, tuple(problems))


def _with_windows(
    documents: Sequence[Row], others: Lengths | None, spec: TrainSettings, chat: "Chat"
) -> Lengths:
    """The windows of documents, all of them counted, beside other rows."""
    from finewright.lm.windows import read_windows

    found = read_windows(chat, documents, spec.max_length)
    windows = [_length(example) for example in found.rows]
    if others is None:
        return Lengths(windows, "counted", problems=found.problems)
    return others._replace(
        rows=[*windows, *others.rows], problems=(*found.problems, *others.problems)
    )


def _measure_texts(rows: Sequence[Row], chat: "Chat") -> list[Length | None]:
    """Of each row what its text says; None of one that the template refuses."""
    from finewright_advice.lm.microsteps import token_ids

    written = [_render_texts(row, chat) for row in rows]
    ids = token_ids(chat, [text for texts in written for text in texts])
    return [
        _of_ids(row, [next(ids) for _ in texts]) for row, texts in zip(rows, written, strict=True)
    ]


def _of_ids(row: Row, sequences: Sequence[Sequence[int]]) -> Length | None:
    if not sequences:
        return None
    counts = [len(ids) for ids in sequences]
    tokens, learned = sum(counts), _count_learned_bytes(row) / _BYTES
    again = _count_shared_tokens(sequences) * (len(sequences) - 1) if len(sequences) > 1 else 0
    return Length(tokens, max(counts), learned, tokens - again)


def _count_learned_bytes(row: Row) -> int:
    """Bytes of what is learned, of both sides of a pair."""
    turns = (*row.messages, *(row.rejected or ()))
    learned = (m for m in turns if m["role"] == "assistant" and m.get("weight") != 0)
    return sum(len(content_of(message).encode()) for message in learned)


def _count_shared_tokens(sequences: Sequence[Sequence[int]]) -> int:
    """Tokens that all begin with."""
    return sum(1 for _ in takewhile(lambda ids: len(set(ids)) == 1, zip(*sequences, strict=False)))


def _render_texts(row: Row, chat: "Chat") -> list["Rendered"]:
    """The texts that it trains on; none where the template refuses it."""
    try:
        if row.is_prompt:
            return [chat.render_with_spellings(row.messages, row.tools, ask=True)]
        if row.rejected is not None:
            return [
                chat.render_with_spellings(side, row.tools) for side in (row.messages, row.rejected)
            ]
        ends = row.answers_at if row.label is None else row.answers_at[-1:]
        return _sequences(chat, row, ends)
    except DataError:
        return []


def _sequences(chat: "Chat", row: Row, ends: Sequence[int]) -> list["Rendered"]:
    """The conversation through its last answer, and through each earlier one that is learned alone: the
    template writes it otherwise there, or the space that it begins with may join the token before."""
    *earlier, last = (chat.render_with_spellings(row.messages[: at + 1], row.tools) for at in ends)
    apart = []
    for at, text in zip(ends, earlier, strict=False):
        prompt = chat.render_with_spellings(row.messages[:at], row.tools, ask=True).text
        is_written_so = last.text.startswith(text.text.rstrip())
        if not is_written_so or last.text[len(prompt) : len(prompt) + 1].isspace():
            apart.append(text)
    return [*apart, last]


def _choose_texts(texts: Sequence[Length | None], spec: TrainSettings) -> _Chosen:
    def size(i: int) -> float:
        text = texts[i]
        return math.inf if text is None else text.tokens

    by_size = sorted(range(len(texts)), key=lambda i: (-size(i), i))
    most = spec.max_length - _SLACK
    overlong = [i for i in by_size if (text := texts[i]) is None or text.sequence > most]
    certain = {*overlong[:_MOST_OVERLONG], *by_size[:_LONGEST]}
    rest = [i for i in by_size if i not in certain]
    strata = _strata(rest, [text.tokens if text else 0 for text in texts], spec.seed)
    return _Chosen(sorted(certain), strata, len(overlong) <= _MOST_OVERLONG)


def _strata(places: Sequence[int], sizes: Sequence[float], seed: int) -> list[_Stratum]:
    """Of rows by their size, strata with as many tokens each, so that few long rows are drawn as well as many
    short ones."""
    rng = random.Random(seed)  # noqa: S311 - not a secret
    reached = list(accumulate(sizes[i] for i in places))
    strata: list[list[int]] = [[] for _ in range(_STRATA)]
    for i, tokens in zip(places, reached, strict=True):
        strata[min(_STRATA - 1, int(_STRATA * tokens / (reached[-1] + 1)))].append(i)
    drawn = [set(rng.sample(s, min(len(s), _DRAWN))) for s in strata]
    return [
        _Stratum([*d], [i for i in s if i not in d]) for s, d in zip(strata, drawn, strict=True)
    ]


class _Fit(NamedTuple):
    """The lengths that a stratum's others are taken to have, and the variance of the sum of their `run`."""

    lengths: list[Length]
    variance: float


def _fit_stratum(
    stratum: _Stratum, texts: Sequence[Length | None], counted: Mapping[int, Length]
) -> _Fit:
    """Each quantity as the text has it, and the mean of what those drawn have beyond that.

    What is learned may be below zero in a row: it is wanted of all rows together."""
    others = [text for i in stratum.others if (text := texts[i])]
    pairs = [(text, counted[i]) for i in stratum.drawn if i in counted and (text := texts[i])]
    if not pairs:
        return _Fit(others, 0.0)
    beyond = [[c[k] - t[k] for t, c in pairs] for k in range(len(Length._fields))]
    means = [statistics.fmean(each) for each in beyond]
    lengths = [_move_length(other, Length(*means)) for other in others]
    # One token in one row is added: that those drawn are all alike does not say that no other differs.
    squares = sum((b - means[-1]) ** 2 for b in beyond[-1]) + 1
    n, m = len(pairs), len(others)
    return _Fit(lengths, squares / max(1, n - 1) * m * m * (1 / n + 1 / m) if m else 0.0)


def _move_length(text: Length, by: Length) -> Length:
    tokens, sequence, learned, run = (t + more for t, more in zip(text, by, strict=True))
    return Length(max(1.0, tokens), max(1.0, sequence), learned, max(1.0, run))


def _lengths_that_train(lengths: Sequence[Length], spec: TrainSettings) -> Iterator[Length]:
    """Those that train by `on_overlong`."""
    for length in lengths:
        if length.sequence <= spec.max_length or spec.on_overlong == "truncate":
            yield length.cut(spec.max_length)


def _places_of_kept(examples: Sequence["Example"], rows: Sequence[Row]) -> Iterator[int]:
    """Of each example the place of its row: the next with its id, as several may have one."""
    place = -1
    for example in examples:
        wanted = example.sequences[0].row_id
        place = next(i for i in range(place + 1, len(rows)) if rows[i].id == wanted)
        yield place


def _length(example: "Example") -> Length:
    from finewright.lm.example import length_of_shared

    again = (len(example.sequences) - 1) * length_of_shared(example.sequences)
    longest = max(sequence.num_tokens for sequence in example.sequences)
    run = example.num_tokens - again
    return Length(example.num_tokens, longest, example.num_trained, run)
