"""`rag ask`: passages are found, a model answers from them, and what it cites is checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from finewright.compare.local import LoadedModel
from finewright.errors import DataError
from finewright.estimate.context import context_of, no_room
from finewright.judge.answer import Answer
from finewright.judge.quotes import messages_with
from finewright.schema.passages import Access
from finewright.workbench.systems import check_target, load_talker
from finewright_rag.citing.proof import Sources, proof_of
from finewright_rag.indexing.target import OpenIndex
from finewright_rag.indexing.update import OnEvent
from finewright_rag.schema.index_report import AskReport
from finewright_rag.search.retrieve import Hit


@dataclass(frozen=True, slots=True)
class Answerer:
    """Who answers: a base model by name or a run, of which `base_model` picks the candidate; unless it is
    always asked, not where no document is likely to have this."""

    model: str
    base_model: str = ""
    max_new_tokens: int = 256
    always_asks: bool = False


class ModelAnswer(NamedTuple):
    """What a model answered, and whether it had to stop for the most new tokens rather than by itself."""

    text: str
    is_cut: bool = False


def ask(
    opened: OpenIndex,
    question: str,
    access: Access,
    answerer: Answerer,
    *,
    limit: int | None = None,
    on_event: OnEvent = lambda *_: None,
) -> AskReport:
    """The model's answer from the passages that suit the question, of those that `access` may see.

    Where nothing is found, or no document is likely to have this, no model is asked, and the answer is that
    there is none. Raises StoreError or
    ModelError, before anything is searched, where there is no such model, and DataError, before the model is
    asked, where passages and question are longer than it reads."""
    check_target(answerer.model, base_model=answerer.base_model)
    sources = Sources(opened, access, limit)
    found = sources.find(question)
    said = None
    if found.hits and (found.has_answer is not False or answerer.always_asks):
        on_event("asking", {"model": answerer.model, "passages": len(found.hits)})
        said = _answer(question, found.hits, answerer)
    return proof_of(
        sources,
        question,
        found,
        None if said is None else said.text,
        model=answerer.model,
        cut_after=answerer.max_new_tokens if said is not None and said.is_cut else None,
    )


def messages_of(talker: LoadedModel, question: str, hits: Sequence[Hit]) -> list[dict[str, Any]]:
    """The question with its passages, under the system prompt that the model was trained with, if any."""
    system = [{"role": "system", "content": talker.system_prompt}] if talker.system_prompt else []
    messages = [*system, {"role": "user", "content": question}]
    return messages_with([hit.passage for hit in hits], messages)


def overlong(talker: LoadedModel, num_tokens: int, max_new_tokens: int) -> str:
    """What to say of a prompt that leaves the model no room for its answer; empty where there is room.

    By the positions of the model's config; where it names none, every prompt fits."""
    reads = context_of(talker.lm.model.config.to_dict())
    return no_room("passages and question are", num_tokens, max_new_tokens, talker.name, reads)


def answer(
    talker: LoadedModel, messages: Sequence[dict[str, Any]], max_new_tokens: int
) -> ModelAnswer:
    """The model's likeliest answer, without its thoughts.

    Raises DataError where messages and answer are longer than it reads."""
    from finewright.lm.answers.reader import answer_of_tokens
    from finewright.lm.generate import Sampling, generate

    chat = talker.chat
    prompt = chat.prompt(messages)
    ids = chat.tokens(prompt).ids
    if what := overlong(talker, len(ids), max_new_tokens):
        hint = "fewer passages with --limit, a shorter question, or fewer --max-new-tokens"
        raise DataError(what, hint=hint)
    sampling = Sampling(max_new_tokens=max_new_tokens)
    (made,) = generate(talker.lm, [ids], stop_ids=chat.stop_ids, sampling=sampling)
    return answer_to_show(
        answer_of_tokens(chat, made.ids, prompt=prompt.text, tools=None, ended=made.stopped)
    )


def answer_to_show(answer: Answer) -> ModelAnswer:
    """What is shown and judged of an answer: what it says after its thoughts."""
    return ModelAnswer(answer.content.strip(), not answer.ended)


def _answer(question: str, hits: Sequence[Hit], answerer: Answerer) -> ModelAnswer:
    talker = load_talker(answerer.model, base_model=answerer.base_model)
    return answer(talker, messages_of(talker, question, hits), answerer.max_new_tokens)
