"""A model's answers to held-out rows: the last learned assistant turn is expected, the rest asked."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from finewright.errors import DataError
from finewright.estimate.context import context_of
from finewright.evaluate.expected import read_expected, refuse_filled
from finewright.judge.answer import Answer, text_to_compare
from finewright.judge.calls import Due, due_of
from finewright.lm.answers.reader import answer_of_tokens
from finewright.lm.batch import PackedBatch, pack, sums_of
from finewright.lm.chat import Chat
from finewright.lm.encode import encode_example, encode_row
from finewright.lm.engine.schemas import AnswerGrammar, Grammars, check_schema, schema_grammar
from finewright.lm.example import EncodedRow
from finewright.lm.generate import Generation, Sampling, each_answer
from finewright.lm.model import LM
from finewright.lm.score_head import load_head, scores
from finewright.lm.thoughts import Thoughts, make_thought_bound
from finewright.lm.windows import scored_windows
from finewright.schema.rows import Row


@dataclass(frozen=True, slots=True)
class HeldOutQuestion:
    """What a held-out row asks, and what is expected; `last_turn` is the last turn before the answer."""

    row: Row
    last_turn: str
    prompt: str
    prompt_ids: tuple[int, ...]
    due: Due

    @property
    def expected(self) -> str:
        """What is expected as text: the content or, where calls are, these."""
        return text_to_compare(self.due.answer, self.due.answer)


class Response(NamedTuple):
    """What a model answered, of how many tokens, and how many of them were thoughts.

    `thought_cut`: the thought was closed after `max_thought_tokens`. `context_cut`: the answer reached the
    end of what the model reads."""

    answer: Answer
    num_tokens: int = 0
    num_thought_tokens: int = 0
    thought_cut: bool = False
    context_cut: bool = False


def question_of(chat: Chat, row: Row) -> HeldOutQuestion:
    """Ask all that comes before the answer, of a document nothing. Raises DataError when a conversation has
    no question, and where the row expects calls that cannot be read or written: of the row, or of the model's
    answers."""
    try:
        expected = read_expected(chat, row)
        if row.is_text:
            return HeldOutQuestion(row, "", "", (), Due(expected))
        last = row.answer_at
        assert last  # a row that expects something
        prompt = chat.whole_prompt(row.messages[:last], row.tools)
    except DataError as error:
        raise _at(row, error) from None
    ids = chat.tokens(prompt).ids
    last_turn = str(row.messages[last - 1]["content"] or "")
    return HeldOutQuestion(
        row, last_turn, prompt.text, tuple(ids), due_of(expected, row.tools, row.columns)
    )


def answer_all(  # noqa: PLR0913 - what is asked of whom, by name
    lm: LM,
    chat: Chat,
    questions: Sequence[HeldOutQuestion],
    *,
    max_new_tokens: int,
    batch_size: int,
    max_thought_tokens: int | None = None,
    json_schema: str = "",
) -> Iterator[tuple[int, Response]]:
    """(index, response) greedily as they end, `batch_size` at a time, longest prompts first.

    An answer ends where the model's context does; with a `json_schema` it is held to it. Raises DataError for
    a question that fills the context, and where thoughts are to be bounded and the template knows none."""
    limits = _limits(lm, questions, max_new_tokens)
    bound = make_thought_bound(chat, max_thought_tokens) if max_thought_tokens is not None else None
    order = sorted(range(len(questions)), key=lambda i: -len(questions[i].prompt_ids))
    prompts = [questions[i].prompt_ids for i in order]
    thoughts = Thoughts.after(bound, prompts) if bound else None
    for row, generation in each_answer(
        lm,
        prompts,
        stop_ids=chat.stop_ids,
        sampling=Sampling(max_new_tokens=max_new_tokens),
        limits=[limits[i] for i in order],
        thoughts=thoughts,
        max_running=batch_size,
        form=_form_of(lm, chat, json_schema) if json_schema else None,
    ):
        i = order[row]
        response = response_of(chat, questions[i], generation)
        thought_cut = thoughts is not None and thoughts.is_cut(row)
        context_cut = not generation.stopped and limits[i] < max_new_tokens
        yield i, response._replace(thought_cut=thought_cut, context_cut=context_cut)


def _form_of(lm: LM, chat: Chat, json_schema: str) -> AnswerGrammar:
    size = lm.model.get_output_embeddings().weight.shape[0]
    grammars = Grammars(chat.tokenizer, size, chat.stop_ids)
    return AnswerGrammar(grammars, schema_grammar(json.loads(json_schema)))


def check_held(lm: LM, chat: Chat, json_schema: str) -> None:
    """Raise DataError where this model's answers cannot be held to the schema: by the engine it is written
    with, its template, or the schema itself. Raises MissingExtra without llguidance."""
    check_schema(json.loads(json_schema))
    if not lm.block_bytes:
        raise DataError("answers of this model are not written by the engine that knows grammars")
    if chat.marks.thinks:
        raise DataError(
            "its chat template has a place for thoughts, which such an answer would leave out",
            hint="switch thoughts off under chat_template, where the template can",
        )


def reads_of(lm: LM) -> int | None:
    """The most tokens that the model reads, by its config; None where it does not say.

    Virtual tokens of its adapter take some."""
    context = context_of(lm.model.config.to_dict())
    return None if context is None else context - lm.num_virtual


def _limits(lm: LM, questions: Sequence[HeldOutQuestion], max_new_tokens: int) -> list[int]:
    """The most tokens of each answer: up to the end of the model's context, where its config says it."""
    reads = reads_of(lm)
    for question in questions:
        try:
            refuse_filled(len(question.prompt_ids), reads)
        except DataError as error:
            raise _at(question.row, error) from None
    if reads is None:
        return [max_new_tokens] * len(questions)
    return [min(max_new_tokens, reads - len(each.prompt_ids)) for each in questions]


def _at(row: Row, error: DataError) -> DataError:
    return DataError(f"{row.file}:{row.row}: {error}", hint=error.hint)


def response_of(chat: Chat, question: HeldOutQuestion, generation: Generation) -> Response:
    """A generation read as an answer to the question."""
    tools = question.due.tools
    if tools is None and question.due.answer.calls:
        tools = ()  # calls are looked for, though none are declared
    answer = answer_of_tokens(
        chat, generation.ids, prompt=question.prompt, tools=tools, ended=generation.stopped
    )
    thoughts = chat.tokenizer(answer.thoughts, add_special_tokens=False)["input_ids"]
    return Response(answer, len(generation.ids) + generation.stopped, len(thoughts))


Rate = Callable[[LM, PackedBatch], Tensor]
"""What a reward model makes of the sequences of a batch, (B,)."""


def rating(folder: Path, lm: LM) -> Rate | None:
    """How the reward model in a folder rates a batch; None for a model that only writes."""
    head = load_head(folder, lm.device)
    return None if head is None else lambda model, batch: scores(model, head, batch)


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


def mean_logps(lm: LM, batch: PackedBatch) -> Tensor:
    """Mean log-probability of each sequence's learned tokens, (B,)."""
    logps = lm.token_logps(batch)
    return sums_of(logps, batch) / sums_of(torch.ones_like(logps), batch)


def _pair(chat: Chat, row: Row) -> tuple[EncodedRow, ...]:
    if row.rejected is None:
        raise DataError(
            f"{row.file}:{row.row}: no preference pair",
            hint="preference_accuracy needs rows with chosen and rejected",
        )
    return encode_example(chat, row).sequences


@torch.no_grad()
def nll_of_expected(lm: LM, chat: Chat, row: Row) -> tuple[float, int]:
    """Summed negative log-likelihood of the last assistant turn's tokens, or of a document's, and how many
    they are."""
    if row.is_text:
        found = [lm.token_logps(pack([each], lm.device)) for each in scored_windows(chat, row)]
        return -sum(float(each.sum()) for each in found), sum(len(each) for each in found)
    last = row.answer_at
    assert last is not None  # whoever asks for the loss has asked the question
    earlier = [{**m, "weight": 0} if m["role"] == "assistant" else m for m in row.messages[:last]]
    only_last = Row(row.id, (*earlier, row.messages[last]), row.tools, row.file, row.row)
    logps = lm.token_logps(pack([encode_row(chat, only_last)], lm.device))
    return -float(logps.sum()), int(logps.shape[0])
