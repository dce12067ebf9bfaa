"""A development set made of the documents themselves, without a model: questions with a known right document.

Three kinds, as many of each, because each alone misleads. People ask by name, in the words of the text; they
ask in words of their own; and what a setting gains on one it may lose on the other:
* `name`: a title and a heading, which stay in the document: looking up what one knows to be there.
* `opening`: its first sentence, a summary in most texts, taken out.
* `section`: the first sentence of a later section, a definition in most texts, taken out.
A document that has none of these is asked for by its `title`, which is taken out.
Of many documents each is asked for in one way; of few, every passage of theirs is asked for.
To ask with a sentence and search the text without it is the inverse cloze task of Lee, Chang & Toutanova
2019; first sentences are the body-first selection of Chang et al. 2020. A sentence or name that stands in two
places is not asked: the other place would be found and count as wrong."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from heapq import heappop, heappush
from typing import NamedTuple

from finewright.rows.sections import sections
from finewright.schema.passages import Document

PER_KIND = 130
"""Questions of a kind: 400 tell a share to 5 points, and the difference of two settings much better."""

MOST_CHARS = 3_000_000
"""How much text is indexed for a trial: some 3,000 sections, seconds of work."""

_PER_DOCUMENT = 5
_FEW = 20
"""Fewer documents are asked for at every passage: with five questions each of one kind, eight manuals would
give fewer than the 30 questions that tuning needs."""
_KINDS = ("name", "opening", "section")
_SHORTEST, _LONGEST, _FEWEST_WORDS = 30, 300, 5
_LEFT = 100
_SENTENCE_END = re.compile(
    r"[.!?][\"')\]`\u201d\u2019]*\s+|[\u3002\uff01\uff1f]|\n\s*\n|\n(?=\s*(?:[-*+|>]|\d+[.)])\s)|\n(?=#)"
)
_FENCE = re.compile(r"^ {0,3}(```|~~~).*?(?:^ {0,3}\1[^\n]*$|\Z)", re.MULTILINE | re.DOTALL)
_LIST_MARK = re.compile(r"\s*(?:[-*+>]|\d+[.)])\s+")
_UNSPACED = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")


class Question(NamedTuple):
    """What is asked, the ids of the documents that answer it, and the answer if it is known."""

    prompt: str
    gold: tuple[str, ...]
    completion: str = ""
    kind: str = ""


class MadeQuestions(NamedTuple):
    """Questions, and the documents to ask them of: a sample, without what was taken out."""

    questions: list[Question]
    documents: list[Document]


@dataclass(slots=True)
class DocumentSample:
    """The documents of the smallest digests of ids that fit into so many characters, whatever their order."""

    most_chars: int = MOST_CHARS
    _kept: list[tuple[int, str, Document]] = field(default_factory=list)
    _num_chars: int = 0

    def add(self, document: Document) -> None:
        """Take the beginning of the document in, or leave it or others out; each id comes once."""
        # All of a long one would be most of what is searched. Without it the trial would be of a smaller
        # index, in which questions off the subject find less: 12 of 40 were answered by eight manuals.
        document = replace(document, text=document.text[: self.most_chars // 10])
        heappush(self._kept, (-_digest(document.id), document.id, document))
        self._num_chars += len(document.text)
        while self._num_chars > self.most_chars:
            self._num_chars -= len(heappop(self._kept)[2].text)

    def documents(self) -> list[Document]:
        """Those that are in it, in the order of their digests."""
        return [document for _, _, document in sorted(self._kept, key=lambda item: -item[0])]


class _Candidate(NamedTuple):
    kind: str
    prompt: str
    start: int
    end: int
    left: int = _LEFT
    """Characters of its passage beside it."""


def _unlike(sample: Sequence[Document]) -> dict[str, list[_Candidate]]:
    """By document what only it can be asked by."""
    found = {document.id: list(_candidates(document)) for document in sample}
    seen = Counter(_fold_prompt(c.prompt) for candidates in found.values() for c in candidates)
    return {
        id: [c for c in candidates if seen[_fold_prompt(c.prompt)] == 1]
        for id, candidates in found.items()
    }


def make_questions(
    documents: Iterable[Document], *, per_kind: int = PER_KIND, most_chars: int = MOST_CHARS
) -> MadeQuestions:
    """Questions out of documents, the same whatever the order of the documents.

    Each document is asked for in one way, of fewer than 20 at every passage. A document that gives no
    question is kept: others must be told from it. Short texts without titles, tables and code may give none
    at all. Not covered: what people really ask about; a language's own way to ask."""
    drawn = DocumentSample(most_chars)
    for document in documents:
        drawn.add(document)
    sample = drawn.documents()
    alone = _unlike(sample)
    each = min(_PER_DOCUMENT, -(-per_kind * len(_KINDS) // max(len(sample), 1)))
    made = MadeQuestions([], [])
    num_made: Counter[str] = Counter()
    for document in sample:
        if len(sample) < _FEW:
            chosen = _choose_all(document, alone[document.id], per_kind // len(sample))
        else:
            chosen = _choose(document, alone[document.id], num_made, each)
        if not chosen or num_made[chosen[0].kind] >= per_kind:
            made.documents.append(document)
            continue
        num_made.update(candidate.kind for candidate in chosen)
        made.questions.extend(Question(c.prompt, (document.id,), kind=c.kind) for c in chosen)
        made.documents.append(_without(document, chosen))
    return made


def _candidates(document: Document) -> Iterator[_Candidate]:
    text, is_first = document.text, True
    if document.title:
        yield _Candidate("title", document.title, 0, 0)
    fences = [match.span() for match in _FENCE.finditer(text)]
    for section in sections(text, max(len(text), 1)):
        names = list(dict.fromkeys(filter(None, (document.title, *section.heading_path))))
        if len(names) > 1:
            yield _Candidate("name", f"{names[0]}: {names[-1]}", 0, 0)
        first = next(_sentences(text, section.start, section.end, fences), None)
        if first:
            left = section.end - section.start - (first[2] - first[1])
            yield _Candidate("opening" if is_first else "section", *first, left)
            is_first = False


def _sentences(
    text: str, start: int, end: int, fences: Sequence[tuple[int, int]]
) -> Iterator[tuple[str, int, int]]:
    """Sentences of prose with their places, without the mark of a list."""
    stops = [match.end() for match in _SENTENCE_END.finditer(text, start, end)]
    for begin, stop in zip([start, *stops], [*stops, end], strict=True):
        mark = _LIST_MARK.match(text, begin, stop)
        first = mark.end() if mark else begin
        sentence = " ".join(text[first:stop].split())
        if _is_prose(sentence) and not any(a < stop and first < b for a, b in fences):
            yield sentence, first, stop


def _is_prose(sentence: str) -> bool:
    if not _SHORTEST <= len(sentence) <= _LONGEST or sentence[0] in "#|`<":
        return False
    return len(sentence.split()) >= _FEWEST_WORDS or bool(_UNSPACED.search(sentence))


def _choose(
    document: Document,
    candidates: Sequence[_Candidate],
    num_made: Mapping[str, int],
    each: int,
) -> list[_Candidate]:
    """Of the kind that has the fewest questions so far and that the document has."""
    for kind in (*sorted(_KINDS, key=lambda kind: num_made[kind]), "title"):
        of_kind = [c for c in candidates if c.kind == kind]
        of_kind.sort(key=lambda c: _digest(document.id + c.prompt))
        chosen = of_kind[:each]
        if chosen and len(_without(document, chosen).text.strip()) >= _LEFT:
            return chosen
    return []


def _choose_all(
    document: Document, candidates: Sequence[_Candidate], most: int
) -> list[_Candidate]:
    """Of each kind at most so many, of passages that say something else too."""
    found: list[_Candidate] = []
    for kind in _KINDS:
        of_kind = [c for c in candidates if c.kind == kind and c.left >= _LEFT]
        found += sorted(of_kind, key=lambda c: _digest(document.id + c.prompt))[:most]
    found = found or [c for c in candidates if c.kind == "title"]
    is_left = found and len(_without(document, found).text.strip()) >= _LEFT
    return found if is_left else []


def _without(document: Document, chosen: Sequence[_Candidate]) -> Document:
    """The document without the sentences; where its title is asked for, without that."""
    text = document.text
    for candidate in sorted(chosen, key=lambda c: -c.start):
        text = text[: candidate.start] + text[candidate.end :]
    if chosen[0].kind != "title":
        return replace(document, text=text, sha256="")
    heading = re.compile(rf"^#[ \t]+{re.escape(document.title)}[ \t#]*$\n?", re.MULTILINE)
    return replace(document, text=heading.sub("", text, count=1), title="", sha256="")


def _fold_prompt(prompt: str) -> str:
    return " ".join(prompt.casefold().split())


def _digest(text: str) -> int:
    return int.from_bytes(sha256(text.encode("utf-8", "replace")).digest()[:8], "big")
