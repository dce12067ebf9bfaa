"""Steps around every answer: where guards, retrieval and an audit log stand. There are none by default.

    question -> before, in order -> engine -> pieces, in order -> client
                                                              \\-> after, in order, however it ended

A step sees texts, never HTTP. One that must see a whole answer before a client does holds its pieces back."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from finewright_serve.gateway.question import AnswerPiece, GatewayQuestion, TokenUsage


@dataclass(frozen=True, slots=True)
class QuestionCaller:
    """Whose key it is, and the route that was called; what is the key's belongs to `project`."""

    key: str
    role: str
    route: str
    project: str = ""

    def may_see(self, project: str | None) -> bool:
        """Is what belongs to the project the asker's to see? An admin sees all, and nobody else what belongs
        to none (None)."""
        return self.role == "admin" or project == self.project


@dataclass(frozen=True, slots=True)
class AnswerRecord:
    """How an answer ended: `outcome` is done, cut (the client left), late, or refused and why."""

    outcome: str
    usage: TokenUsage
    seconds: float


class AnswerStep(Protocol):
    """One step. What it need not do it does as `PlainStep`."""

    async def before(self, question: GatewayQuestion, asker: QuestionCaller) -> GatewayQuestion:
        """The question as the engine is asked it. Raises ApiError to refuse it."""

    def pieces(
        self, question: GatewayQuestion, pieces: AsyncIterator[AnswerPiece]
    ) -> AsyncIterator[AnswerPiece]:
        """The pieces as the client gets them; what is held back must come before `finish`."""

    async def after(
        self, question: GatewayQuestion, asker: QuestionCaller, record: AnswerRecord
    ) -> None:
        """What is to be written down."""


class PlainStep:
    """A step that changes nothing, for those that do one thing."""

    async def before(self, question: GatewayQuestion, asker: QuestionCaller) -> GatewayQuestion:
        """The question as it is."""
        return question

    def pieces(
        self, question: GatewayQuestion, pieces: AsyncIterator[AnswerPiece]
    ) -> AsyncIterator[AnswerPiece]:
        """The pieces as they are."""
        return pieces

    async def after(
        self, question: GatewayQuestion, asker: QuestionCaller, record: AnswerRecord
    ) -> None:
        """Nothing."""
