"""Who answers from the passages of an index, and says what of each answer they prove."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from finewright.judge.passages import messages_with
from finewright.judge.quotes import ABSTENTION
from finewright.workbench.chat import Manner, Spoken
from finewright.workbench.speakers import Messages, Speaker
from finewright_rag.citing.lines import citations
from finewright_rag.citing.proof import Sources, proof_of
from finewright_rag.indexing.target import access_of, open_target


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


@contextmanager
def open_sources(
    target: str, *, groups: Sequence[str], is_owner: bool, always_asks: bool
) -> Iterator[Callable[[Speaker], Speaker]]:
    """What makes a speaker answer from the index at `target`, which is open meanwhile, as someone of these
    groups or as its owner. Raises DataError where there is no index."""
    access = access_of(groups, is_owner=is_owner)
    with open_target(target) as opened:
        sources = Sources(opened, access)
        yield lambda speaker: SourcedSpeaker(speaker, sources, always_asks=always_asks)
