"""`rag ask`: passages are found, a model answers from them, and what it cites is checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from finewright.judge.quotes import ABSTENTION, abstains, numbers_absent
from finewright.rag.citations import cited, quotes
from finewright.rag.index import Access
from finewright.rag.prompt import heading, messages_with
from finewright.rag.retrieve import Hit
from finewright.schema.rag_index import AskReport, QuoteSeen
from finewright.workbench.chat import Manner, answer
from finewright.workbench.rag.index import OnEvent, groups_of, passages_for, seen
from finewright.workbench.rag.target import Opened
from finewright.workbench.systems import System, check_target, load_talker


@dataclass(frozen=True, slots=True)
class Answerer:
    """Who answers: a base model by name or a run, of which `base_model` picks the candidate."""

    model: str
    base_model: str = ""
    max_new_tokens: int = 256


def ask(
    opened: Opened,
    question: str,
    access: Access,
    answerer: Answerer,
    *,
    limit: int | None = None,
    on_event: OnEvent = lambda *_: None,
) -> AskReport:
    """The model's answer from the passages that suit the question, of those that `access` may see.

    Where nothing is found no model is asked, and the answer is that there is none. Raises StoreError or
    ModelError, before anything is searched, where there is no such model."""
    check_target(answerer.model, base_model=answerer.base_model)
    hits = passages_for(opened, question, access, limit)
    said = ABSTENTION
    if hits:
        on_event("asking", {"model": answerer.model, "passages": len(hits)})
        said = _answer(question, hits, answerer)
    texts = [hit.passage.chunk.text for hit in hits]
    numbers = cited(said)
    return AskReport(
        index=opened.asked.place,
        model=answerer.model,
        question=question,
        groups=groups_of(access),
        answer=said,
        abstained=abstains(said),
        quotes=tuple(
            QuoteSeen(text=q.text, cited=q.cited, found=q.found, verified=q.is_verified)
            for q in quotes(said, texts)
        ),
        cited=tuple(number for number in numbers if 1 <= number <= len(hits)),
        unknown_citations=tuple(number for number in numbers if not 1 <= number <= len(hits)),
        numbers_absent=tuple(numbers_absent(said, [*texts, *_names(hits), question])),
        passages=seen(hits),
    )


def messages_of(talker: System, question: str, hits: Sequence[Hit]) -> list[dict[str, Any]]:
    """The question with its passages, under the system prompt that the model was trained with, if any."""
    system = [{"role": "system", "content": talker.system_prompt}] if talker.system_prompt else []
    asked = [*system, {"role": "user", "content": question}]
    return messages_with([hit.passage for hit in hits], asked)


def _answer(question: str, hits: Sequence[Hit], answerer: Answerer) -> str:
    talker = load_talker(answerer.model, base_model=answerer.base_model)
    manner = Manner(max_new_tokens=answerer.max_new_tokens, temperature=0.0, seed=0)
    return "".join(answer(talker, messages_of(talker, question, hits), manner)).strip()


def _names(hits: Sequence[Hit]) -> list[str]:
    """What stands above the passages in the prompt, whose numbers are no inventions either."""
    return [heading(hit.passage) for hit in hits]
