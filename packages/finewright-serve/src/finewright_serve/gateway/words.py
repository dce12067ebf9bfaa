"""What was asked and answered by one request, for an audit: as digests, or as it was."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from finewright.store.keys import digest
from finewright_serve.gateway.question import AnswerPiece, GatewayQuestion, TokenUsage


@dataclass(slots=True)
class AuditedWords:
    """Grows with the request. `is_kept`: the words themselves, not their digests alone."""

    is_kept: bool = False
    model: str = ""
    usage: TokenUsage = field(default_factory=TokenUsage)
    questions: list[object] = field(default_factory=list)
    answers: dict[tuple[int, int], list[AnswerPiece]] = field(default_factory=dict)

    def ask(self, question: GatewayQuestion) -> None:
        """One more question, as the client sent it."""
        self.model = question.model
        said: object = question.messages if question.messages is not None else question.text
        self.questions.append(said)

    def ask_texts(self, model: str, texts: Sequence[str]) -> None:
        """Texts that are embedded."""
        self.model = model
        self.questions += texts

    def add(self, piece: AnswerPiece) -> None:
        """The next piece of the last question's answers, as the client gets it."""
        self.answers.setdefault((len(self.questions), piece.choice), []).append(piece)
        if piece.usage is not None:
            self.usage += piece.usage

    def fields(self) -> Mapping[str, Any]:  # Any: JSON
        """What stands in the audit: SHA-256 of canonical JSON, `store.keys.digest`."""
        if not self.questions:
            return {}
        answers = [_answer(pieces) for _, pieces in sorted(self.answers.items())]
        words = {"question": self.questions, "answer": answers} if self.is_kept else {}
        return {
            "model": self.model,
            "prompt_tokens": self.usage.prompt,
            "answer_tokens": self.usage.answer,
            "question_sha256": digest(self.questions),
            "answer_sha256": digest(answers),
            **words,
        }


def _answer(pieces: Sequence[AnswerPiece]) -> dict[str, object]:
    calls = [[call.name, call.arguments] for each in pieces for call in each.calls]
    return {
        "content": "".join(each.content for each in pieces),
        "thoughts": "".join(each.thoughts for each in pieces),
        "calls": calls,
    }
