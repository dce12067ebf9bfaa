"""Answers from documents: a step that finds passages before a question is answered, and proves the answer by
them before it is given.

    serve.models: - {target: runs/x, documents: index.sqlite}

Passages are found for the groups of the key alone, and are texts of others: each passes the guards' side
`untrusted` before a model sees it, and one that they block is left out. Not covered: whether the words that
are cited answer the question, and a model that obeys what it reads in a passage."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Protocol

from finewright.errors import DataError, FinewrightError
from finewright.feature import load_offered
from finewright.judge.quotes import ABSTENTION, abstains, messages_with
from finewright.judge.searchable import is_text
from finewright.schema.passages import AnswerProof, FoundPassages, Passage
from finewright_serve.gateway.errors import UNSUPPORTED, ApiError
from finewright_serve.gateway.question import AnswerPiece, GatewayQuestion, QuestionSources
from finewright_serve.gateway.steps import PlainStep, QuestionCaller
from finewright_serve.guards.pipeline import GuardStep
from finewright_serve.spec import DocumentsSpec

_LOG = logging.getLogger(__name__)


class DocumentSource(Protocol):
    """An open index, which several threads may ask: `finewright_rag.citing.served`."""

    place: str
    is_calibrated: bool

    def find(self, question: str, groups: Sequence[str]) -> FoundPassages:
        """The passages for somebody of these groups. Raises DataError where the index cannot be read."""

    def prove(self, answer: str, passages: Sequence[Passage]) -> AnswerProof:
        """What the passages prove of an answer."""


class ModelDocuments(NamedTuple):
    """The documents of a model. One that `holds` gives no answer of which nothing stands in a passage."""

    opened: DocumentSource
    holds: bool = False


@contextmanager
def open_documents(
    wanted: Mapping[str, DocumentsSpec], folder: Path
) -> Iterator[Mapping[str, ModelDocuments]]:
    """Model -> its documents, which are open meanwhile; paths start from `folder`.

    Raises DataError where there is no index or another program's, MissingExtra without finewright-rag."""
    with ExitStack() as stack:
        opened: dict[str, DocumentSource] = {}
        for index in dict.fromkeys(spec.index for spec in wanted.values()):
            open_one: AbstractContextManager[DocumentSource] = load_offered("rag", "served")(
                index, folder
            )
            try:
                opened[index] = stack.enter_context(open_one)
            except DataError as error:
                raise DataError(f"serve.models.documents: {error}", hint=error.hint) from None
        yield {
            model: ModelDocuments(opened[spec.index], spec.unproved == "abstain")
            for model, spec in wanted.items()
        }


def tell_uncalibrated(documents: Mapping[str, ModelDocuments]) -> Iterator[str]:
    """A line for each model that cannot say by itself that no document has this."""
    for model, (opened, _) in documents.items():
        if not opened.is_calibrated:
            yield (
                f"{model}: {opened.place} is not calibrated, so the model is asked even where no document is"
                " likely to have the answer; it needs 30 questions (finewright rag index --tune)\n"
            )


@dataclass(frozen=True, slots=True)
class DocumentStep(PlainStep):
    """It stands behind the guards: it searches for what they let pass, and cites what leaves them."""

    served: Mapping[str, ModelDocuments]
    guards: GuardStep

    async def before(self, question: GatewayQuestion, asker: QuestionCaller) -> GatewayQuestion:
        """The question with its passages, or as one that is answered without a model. Raises ApiError for
        one that documents cannot answer."""
        documents = self.served.get(question.model)
        if documents is None:
            return question
        text = _question_of(question)
        question = await asyncio.to_thread(self._sourced, documents.opened, question, text, asker)
        assert question.sources is not None
        read = (passage.document for passage in question.sources.passages)
        asker.record.documents += [each for each in read if each not in asker.record.documents]
        return question

    def pieces(
        self, question: GatewayQuestion, pieces: AsyncIterator[AnswerPiece]
    ) -> AsyncIterator[AnswerPiece]:
        """The pieces; the last one has the citations."""
        if question.sources is None or not question.sources.passages:
            return pieces
        return _cited(question.sources, self.served[question.model], pieces)

    def _sourced(
        self, opened: DocumentSource, question: GatewayQuestion, text: str, asker: QuestionCaller
    ) -> GatewayQuestion:
        try:
            found = opened.find(text, asker.groups)
        except FinewrightError as error:
            _LOG.error("the documents cannot be read: %s", error)
            what = "the documents of this model cannot be read at the moment"
            raise ApiError(what, status=503, code="documents_unavailable", retry_after=1) from None
        sources = QuestionSources((), "\n".join(sorted(asker.groups)), asker.record.metadata)
        hits = () if found.has_answer is False else found.passages
        passed = [each for hit in hits if (each := self._passed(question, hit)) is not None]
        sources.metadata["citations"] = "0"
        if not passed:
            sources.metadata["abstained"] = "withheld" if hits else "no_document"
            return replace(question, sources=sources, settled=ABSTENTION)
        messages = messages_with([each.shown for each in passed], question.messages or ())
        sources = replace(sources, passages=tuple(each.passage for each in passed))
        question = replace(question, messages=tuple(messages), sources=sources)
        return self.guards.note_untrusted(question)

    def _passed(self, question: GatewayQuestion, passage: Passage) -> "_PassedPassage | None":
        """The passage as the guards let it pass; None where they block its text or a name of it."""
        chunk = passage.chunk
        title = passage.title or ("" if chunk.heading_path else passage.document)
        texts = (title, *chunk.heading_path, chunk.text)
        passed = [self.guards.pass_untrusted(question, each, "documents") for each in texts]
        if None in passed:
            return None
        ways = zip(*filter(None, passed), strict=True)
        as_it_is, shown = (
            replace(passage, title=title, chunk=replace(chunk, text=text, heading_path=tuple(path)))
            for title, *path, text in ways
        )
        return _PassedPassage(as_it_is, shown)


class _PassedPassage(NamedTuple):
    """A passage as answers are checked against it, and with the marks that a model sees."""

    passage: Passage
    shown: Passage


def _question_of(question: GatewayQuestion) -> str:
    """What is searched for: the last turn of the user. Raises ApiError for what cannot be answered so."""
    if question.messages is None:
        what = "this model answers questions from its documents: ask /v1/chat/completions or /v1/responses"
        raise ApiError(what, param="model", code=UNSUPPORTED)
    refused = {
        "tools": question.tools is not None,
        "n": question.num_answers > 1,
        question.form.param if question.form else "": question.form is not None,
    }
    for param in (name for name, is_wanted in refused.items() if is_wanted):
        what = f"{param}: a model with documents gives one answer in words, with its sources; leave it out"
        raise ApiError(what, param=param, code=UNSUPPORTED)
    turns = [each["content"] for each in question.messages if each["role"] == "user"]
    text = turns[-1] if turns else None
    if not isinstance(text, str) or not text.strip() or not is_text(text):
        what = (
            "messages: the last turn of the user has no question in words to search documents for"
        )
        raise ApiError(what, param="messages", code="invalid_value")
    return text


async def _cited(
    sources: QuestionSources, documents: ModelDocuments, pieces: AsyncIterator[AnswerPiece]
) -> AsyncIterator[AnswerPiece]:
    text, held = "", list[AnswerPiece]()
    async for piece in pieces:
        text += piece.content
        if piece.finish:
            for each in await _ended(sources, documents, text, [*held, piece]):
                yield each
        elif documents.holds:
            held.append(piece)
        else:
            yield piece


async def _ended(
    sources: QuestionSources, documents: ModelDocuments, text: str, left: Sequence[AnswerPiece]
) -> Sequence[AnswerPiece]:
    """What is left to give of an answer that has ended, its last piece with citations."""
    proof = await asyncio.to_thread(documents.opened.prove, text, sources.passages)
    sources.metadata["citations"] = str(len(proof.citations))
    if proof.num_not_found:
        sources.metadata["quotes_not_found"] = str(proof.num_not_found)
    if not proof.citations and abstains(text):
        sources.metadata["abstained"] = "model"
    elif not proof.citations and documents.holds:
        sources.metadata["abstained"] = "unproved"
        last = left[-1]
        return [
            AnswerPiece(
                last.choice, ABSTENTION, finish="stop", usage=last.usage, guards=last.guards
            )
        ]
    return [*left[:-1], replace(left[-1], citations=tuple(proof.citations))]
