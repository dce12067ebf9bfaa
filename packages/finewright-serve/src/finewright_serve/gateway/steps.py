"""Steps around every answer: where guards, retrieval and an audit log stand. There are none by default.

    question -> before, in order -> engine -> pieces, in order -> client
                                                              \\-> after, in order, however it ended

A step sees texts, never HTTP. One that must see a whole answer before a client does holds its pieces back."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Protocol

from pydantic import JsonValue

from finewright_serve.gateway.question import (
    AnswerPiece,
    GatewayQuestion,
    GuardDecision,
    TokenUsage,
)
from finewright_serve.gateway.words import AuditedWords


@dataclass(slots=True)
class RequestRecord:
    """What is known of one request of HTTP: the decisions of guards, which stand in the audit.

    `headers` are those of its response, `metadata` stands in its body, as far as it is there with the last
    piece; `words` are there where an audit wants them. `documents` are the ids of those whose passages were
    put to a model."""

    decisions: list[GuardDecision] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, JsonValue] = field(default_factory=dict)
    words: AuditedWords | None = None
    documents: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class QuestionCaller:
    """Whose key it is, and the route that was called; what is the key's belongs to `project`.

    `models` are the patterns of the ids that the key may ask, all without one; `groups` are those whose
    documents it may see; `scopes` are what it may do of what its role may, None for all of that."""

    key: str
    role: str
    route: str
    project: str = ""
    models: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    scopes: frozenset[str] | None = None
    record: RequestRecord = field(default_factory=RequestRecord, compare=False)

    def may_use(self, model: str) -> bool:
        """Is the model among those of the key?"""
        return not self.models or any(fnmatchcase(model, each) for each in self.models)

    def may_see(self, project: str | None) -> bool:
        """Is what belongs to the project the asker's to see? An admin sees all, and nobody else what belongs
        to none (None)."""
        return self.role == "admin" or project == self.project


@dataclass(frozen=True, slots=True)
class AnswerRecord:
    """How an answer ended: `outcome` is done, cut (the client left), late, or refused and why; and what the
    guards decided."""

    outcome: str
    usage: TokenUsage
    seconds: float
    guards: tuple[GuardDecision, ...] = ()


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
