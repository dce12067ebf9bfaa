"""A model's answers to held-out rows: the last learned assistant turn is expected, the rest asked."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from finewright.errors import DataError
from finewright.evaluate.expected import expected_of
from finewright.judge.answer import Answer, compared_text
from finewright.judge.calls import Due
from finewright.lm.answers.reader import answer_of_tokens
from finewright.lm.batch import Encoded, Packed, pack, sums_of
from finewright.lm.chat import Chat
from finewright.lm.encode import encode_example, encode_row
from finewright.lm.generate import Generation, Sampling, generate
from finewright.lm.model import LM
from finewright.schema.rows import Row


@dataclass(frozen=True, slots=True)
class Question:
    """What a held-out row asks, and what is expected; `asked` is the last turn before the answer."""

    row: Row
    asked: str
    prompt: str
    prompt_ids: tuple[int, ...]
    due: Due

    @property
    def expected(self) -> str:
        """What is expected as text: the content or, where calls are, these."""
        return compared_text(self.due.answer, self.due.answer)


class Response(NamedTuple):
    """What a model answered, of how many tokens, and how many of them were thoughts."""

    answer: Answer
    num_tokens: int = 0
    num_thought_tokens: int = 0


def question_of(chat: Chat, row: Row) -> Question:
    """Ask all that comes before the answer. Raises DataError when that is nothing, and where the row expects
    calls that cannot be read or written: of the row, or of the model's answers."""
    try:
        expected = expected_of(chat, row)
        last = row.answer_at
        assert last  # a row that expects something
        prompt = chat.whole_prompt(row.messages[:last], row.tools)
    except DataError as error:
        raise DataError(f"{row.file}:{row.row}: {error}", hint=error.hint) from None
    ids = chat.tokens(prompt).ids
    asked = str(row.messages[last - 1]["content"] or "")
    return Question(row, asked, prompt.text, tuple(ids), Due(expected, row.tools))


def answer_all(
    lm: LM, chat: Chat, questions: Sequence[Question], *, max_new_tokens: int, batch_size: int
) -> Iterator[tuple[int, Response]]:
    """(index, response) greedily, batch by batch, longest prompts first so that a batch pads little."""
    order = sorted(range(len(questions)), key=lambda i: -len(questions[i].prompt_ids))
    sampling = Sampling(max_new_tokens=max_new_tokens)
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        prompts = [questions[i].prompt_ids for i in batch]
        found = generate(lm, prompts, stop_ids=chat.stop_ids, sampling=sampling)
        for i, generation in zip(batch, found, strict=True):
            yield i, response_of(chat, questions[i], generation)


def response_of(chat: Chat, question: Question, generation: Generation) -> Response:
    """A generation read as an answer to the question."""
    tools = question.due.tools
    if tools is None and question.due.answer.calls:
        tools = ()  # calls are looked for, though none are declared
    answer = answer_of_tokens(
        chat, generation.ids, prompt=question.prompt, tools=tools, ended=generation.stopped
    )
    thoughts = chat.tokenizer(answer.thoughts, add_special_tokens=False)["input_ids"]
    return Response(answer, len(generation.ids) + generation.stopped, len(thoughts))


Rate = Callable[[LM, Packed], Tensor]
"""What a reward model makes of the sequences of a batch, (B,)."""


@torch.no_grad()
def preferences(
    lm: LM, chat: Chat, rows: Sequence[Row], rate: Rate | None, *, batch_size: int
) -> list[float]:
    """1 for each preference pair whose chosen answer is rated higher, 0.5 where both are alike, else 0.

    Without a rating of its own a model prefers what it finds likelier by token: the mean log-probability
    counts, as a sum would prefer the shorter one. Raises DataError for a row that is no pair."""
    found: list[float] = []
    for start in range(0, len(rows), batch_size):
        pairs = [_pair(chat, row) for row in rows[start : start + batch_size]]
        batch = lm.pack(pairs)
        rated = (rate or mean_logps)(lm, batch).double()
        found += (0.5 + 0.5 * (rated[0::2] - rated[1::2]).sign()).tolist()
    return found


def mean_logps(lm: LM, batch: Packed) -> Tensor:
    """Mean log-probability of each sequence's learned tokens, (B,)."""
    logps = lm.token_logps(batch)
    return sums_of(logps, batch) / sums_of(torch.ones_like(logps), batch)


def _pair(chat: Chat, row: Row) -> tuple[Encoded, ...]:
    if row.rejected is None:
        raise DataError(
            f"{row.file}:{row.row}: no preference pair",
            hint="preference_accuracy needs rows with chosen and rejected",
        )
    return encode_example(chat, row).sequences


@torch.no_grad()
def expected_nll(lm: LM, chat: Chat, row: Row) -> tuple[float, int]:
    """Summed negative log-likelihood of the last assistant turn's tokens, and how many they are."""
    last = row.answer_at
    assert last is not None  # whoever asks for the loss has asked the question
    earlier = [{**m, "weight": 0} if m["role"] == "assistant" else m for m in row.messages[:last]]
    only_last = Row(row.id, (*earlier, row.messages[last]), row.tools, row.file, row.row)
    logps = lm.token_logps(pack([encode_row(chat, only_last)], lm.device))
    return -float(logps.sum()), int(logps.shape[0])
