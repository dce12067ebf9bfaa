"""How fast a model answers on this machine: a batch of rows is answered for some seconds, and thrown away."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from finewright.evaluate.answers import HeldOutQuestion, question_of
from finewright.lm.chat import Chat
from finewright.lm.generate import Sampling, generate
from finewright.lm.model import LM
from finewright.schema.rows import Row

_GROWS = 4
_MOST_WAITING = 5.0


@dataclass(frozen=True, slots=True)
class AnswerPace:
    """Seconds for the prompts of a batch of `batch` rows and for a token of all its answers. `longest` tokens
    were answered; `has_ended` says that each answer had ended by then. `expected` is the longest answer that
    the batch's rows expect, in tokens."""

    batch: int
    prompts: float
    token: float
    longest: int
    has_ended: bool
    expected: int

    def seconds(self, num_rows: int, num_tokens: int) -> float:
        """For so many rows, the longest answer of each batch having so many tokens."""
        return num_rows / self.batch * (self.prompts + num_tokens * self.token)


class _Timed(NamedTuple):
    seconds: float
    longest: int
    has_ended: bool


def answer_pace(  # noqa: PLR0913 - what is asked of whom, by name
    lm: LM,
    chat: Chat,
    rows: Sequence[Row],
    *,
    max_new_tokens: int,
    batch_size: int,
    seconds: float,
    clock: Callable[[], float],
) -> AnswerPace:
    """Answer one row, then a batch out of all rows, further each time while it takes about `seconds`."""
    lm.model.eval()
    questions = [question_of(chat, row) for row in rows[:: max(1, len(rows) // batch_size)]]
    questions = questions[:batch_size]

    def time_answers(some: Sequence[HeldOutQuestion], most: int) -> _Timed:
        began = clock()
        prompts = [question.prompt_ids for question in some]
        sampling = Sampling(max_new_tokens=most)
        found = generate(lm, prompts, stop_ids=chat.stop_ids, sampling=sampling)
        longest = max(len(each.ids) + each.stopped for each in found)
        return _Timed(clock() - began, longest, all(each.stopped for each in found))

    time_answers(questions[:1], 2)  # warms up
    # The faster of two: on a busy machine one may wait for others, and each second would count by the row.
    alone = min(time_answers(questions[:1], 1) for _ in range(2))
    # Rows together take less than one by one; where even that would be long, fewer of them tell.
    most = int(_MOST_WAITING * seconds / max(alone.seconds, 1e-9))
    batch = questions[: max(1, most)]
    first = time_answers(batch, 1)
    last = time_answers(batch, min(max_new_tokens, _GROWS))
    if last.seconds > seconds:
        last = min(last, time_answers(batch, min(max_new_tokens, _GROWS)))
    spent = first.seconds + last.seconds
    while not last.has_ended and last.longest < max_new_tokens:
        if spent + _GROWS * last.seconds > seconds:
            break
        last = time_answers(batch, min(max_new_tokens, _GROWS * last.longest))
        spent += last.seconds
    token = max(last.seconds - first.seconds, 0.0) / max(last.longest - 1, 1)
    expected = max(len(chat.tokenizer(question.expected)["input_ids"]) for question in batch)
    return AnswerPace(
        batch=len(batch),
        prompts=max(first.seconds - token, 0.0),
        token=token,
        longest=last.longest,
        has_ended=last.has_ended,
        expected=min(expected + 1, max_new_tokens),
    )
