"""Who answers from the passages of an index, and says what of each answer they prove."""

from collections.abc import Iterator

from finewright.judge.quotes import ABSTENTION
from finewright.rag.prompt import messages_with
from finewright.rag.proof import Sources, proof_of
from finewright.report.citations import citations
from finewright.workbench.chat import Manner, Spoken
from finewright.workbench.speakers import Messages, Speaker


class SourcedSpeaker:
    """A speaker that is given, with each question, the passages that suit it, as `rag ask` gives them.

    Of a conversation the last question alone has its passages, and is searched for by its own words. Where no
    document is likely to have an answer the model is not asked, unless it is always."""

    def __init__(self, speaker: Speaker, sources: Sources, *, always_asks: bool = False) -> None:
        self.name, self.system_prompt = speaker.name, speaker.system_prompt
        self._speaker, self._sources, self._always_asks = speaker, sources, always_asks

    def answer(self, messages: Messages, manner: Manner) -> Iterator[Spoken]:
        """See Speaker; after the answer come what is proved of it and the passages that it rests on."""
        question = messages[-1]["content"]
        found = self._sources.found(question)
        said: list[str] | None = None
        if found.hits and (found.has_answer is not False or self._always_asks):
            said = []
            prompt = messages_with([hit.passage for hit in found.hits], messages)
            for piece in self._speaker.answer(prompt, manner):
                said += [piece.text] if piece.kind == "content" else []
                yield piece
        else:
            yield Spoken("content", ABSTENTION)
        text = None if said is None else "".join(said).strip()
        report = proof_of(self._sources, question, found, text, model=self.name)
        for line in citations(report):
            yield Spoken("source", line)
