"""Answers to the questions of a file."""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path

from finewright.errors import DataError
from finewright_serve.gateway.errors import ApiError, unsupported
from finewright_serve.gateway.question import (
    AnswerPiece,
    GatewayQuestion,
    ModelEngine,
    ServedModel,
    TextVectors,
    TokenUsage,
)
from finewright_serve.local import Serving
from finewright_serve.spec import ServedTarget


def engines(targets: Sequence[ServedTarget], serving: Serving) -> list[ModelEngine]:
    """A file of questions and answers each."""
    return [_engine(target) for target in targets]


def _engine(target: ServedTarget) -> "FaqEngine":
    try:
        answers = json.loads(Path(target.target).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{target.target}: no JSON of questions and answers: {error}") from None
    name = target.id or Path(target.target).stem
    return FaqEngine(name, answers, str(target.settings.get("otherwise", "I do not know.")))


class FaqEngine:
    """Answers what it knows, word for word."""

    at_once = 64

    def __init__(self, name: str, answers: Mapping[str, str], otherwise: str) -> None:
        self._served = ServedModel(name, "faq")
        self._answers, self._otherwise = answers, otherwise

    def models(self) -> Sequence[ServedModel]:
        """The one."""
        return [self._served]

    async def is_ready(self) -> bool:
        """Always."""
        return True

    async def close(self) -> None:
        """Nothing is held."""

    async def answer(self, question: GatewayQuestion) -> AsyncGenerator[AnswerPiece, None]:
        """The known answer up to the limit or a stop."""
        if question.messages is None:
            raise unsupported("prompt", "it answers messages")
        for key in ("form", "tools", "num_logprobs"):
            if getattr(question, key) is not None:
                raise unsupported(key, "its answers are as they were written")
        asked = str(question.messages[-1]["content"])
        words = self._answers.get(asked, self._otherwise).split(" ")
        kept = words[: question.max_tokens]
        text = " ".join(kept)
        for stop in question.stops:
            text = text.partition(stop)[0]
        cut = len(kept) < len(words) and text == " ".join(kept)
        read, written = len(asked.split()), len(kept) * question.num_answers
        for choice in range(question.num_answers):
            yield AnswerPiece(choice, text)
            is_last = choice == question.num_answers - 1
            usage = TokenUsage(read, written) if is_last else None
            yield AnswerPiece(choice, finish="length" if cut else "stop", usage=usage)

    async def embed(self, model: str, texts: Sequence[str]) -> TextVectors:
        """It has none."""
        raise ApiError(f"the model {model!r} gives answers, no vectors", param="model")
