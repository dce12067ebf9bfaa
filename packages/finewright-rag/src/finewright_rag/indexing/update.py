"""An index brought up to date with its documents: read, cut, embedded, put, pruned, tuned and counted."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from signal import SIGINT
from typing import Any

from finewright.errors import DataError, Interrupted, suggest
from finewright.lm.embedders.embedder import Embedder
from finewright.lm.embedders.load import load_embedder
from finewright.schema.common import Problem
from finewright.schema.passages import Document
from finewright_rag.indexing.build import build_index
from finewright_rag.indexing.documents import Documents, find_documents
from finewright_rag.indexing.target import IndexTarget, check_argument, question_file
from finewright_rag.schema.evaluate_report import RagTuneReport
from finewright_rag.schema.index_report import IndexReport
from finewright_rag.search.question_file import read_questions
from finewright_rag.search.questions import DocumentSample, Question
from finewright_rag.search.tuning import show_calibration, tune_rag
from finewright_rag.stores.index import FORMAT, About, Index, NoIndex
from finewright_rag.stores.open import check_embedder, create_index, open_index

OnEvent = Callable[[str, Mapping[str, Any]], None]  # Any: an event's fields
StopRequests = Callable[[], AbstractContextManager[Callable[[], int]]]
"""While it is open, signals are a question: the number of the one that asked to stop, or 0."""

UNTUNED = {"lexical": 1.0, "dense": 0.25}
"""Until they are tuned: cheap vectors beside words help most when they count for little."""


def update(
    target: IndexTarget,
    *,
    prune: bool,
    tune: bool | None,
    on_event: OnEvent,
    stop_requests: StopRequests,
) -> IndexReport:
    """Bring the index up to date with the documents, in one transaction: add, replace, leave the rest.

    `prune` deletes documents that are gone, unless one could not be read and so may not be gone. The weights
    of the rankings are tuned after a change, where an earlier call was stopped before it, or as `tune` says.
    Raises DataError, the index being as it was, where no document can be read, where two have one id, and
    where another embedder or another length of chunks is asked for than the index was made with."""
    spec, resolve = target
    documents, sample = find_documents(spec.documents, resolve), DocumentSample()
    embedder = load_embedder(spec.embedder, resolve)
    try:
        held = open_index(spec.index, resolve)
    except NoIndex:
        held = create_index(spec.index, resolve, _about(embedder, spec.chunk_chars))
    with closing(held):
        check_embedder(spec.index, held.about, embedder)
        _check_chunks(target, held)
        restricted = held.find_restricted()
        read = _watch_documents(documents, sample, on_event, stop_requests)
        changes = build_index(held, embedder, read, spec.chunk_chars)
        _tell_cut(embedder, documents)
        if restricted:
            _tell_opened(restricted & documents.seen.keys() - held.find_restricted(), documents)
        deleted = _prune(held, documents) if prune else _note_gone(held, documents)
        is_due = bool(changes.added + changes.replaced + deleted) or not held.about.is_tuned
        tuning = None
        if tune is False and not held.about.is_tuned:
            # The user wants it so: no later search or update has to finish anything.
            held.remember(held.about.weights, held.about.other_weights, held.about.calibration)
        if is_due if tune is None else tune:
            own = _own_questions(target, held, documents)
            on_event("tuning", {})
            tuning = _tune(held, embedder, sample, own)
        return _describe_index(target, held).model_copy(
            update={
                "tuning": tuning,
                "documents_in": len(documents.seen) + documents.dropped.total(),
                "documents_dropped": dict(documents.dropped),
                **changes._asdict(),
                "deleted": deleted,
                "problems": documents.listing.problems(),
            }
        )


def _own_questions(target: IndexTarget, held: Index, documents: Documents) -> list[Question]:
    """The questions of the spec's file; where it is wrong that is told, and the documents are asked."""
    path = question_file(target)
    if path is None:
        return []
    try:
        return read_questions(path, held.digests())
    except DataError as error:
        hint = "the documents are indexed; fix the questions, then repeat with --tune"
        documents.listing.add(Problem(level="error", message=str(error), hint=hint))
        return []


def _tune(
    held: Index, embedder: Embedder | None, sample: DocumentSample, own: Sequence[Question]
) -> RagTuneReport:
    try:
        return tune_rag(held, embedder, sample.documents(), own)
    except KeyboardInterrupt:
        what = "stopped; the documents are in the index, and its weights are as they were"
        hint = "the same command with --tune tunes them"
        raise Interrupted(what, signal_number=SIGINT, hint=hint) from None


def delete(target: IndexTarget, ids: Sequence[str]) -> IndexReport:
    """Delete documents from an index. Raises DataError, with nothing deleted, for one that it has not."""
    with closing(open_index(target.spec.index, target.resolve)) as held:
        known = held.digests()
        for id in ids:
            check_argument(id)
            if id not in known:
                hint = suggest(id, known, "ids are shown by `rag search`")
                raise DataError(f"{target.place}: there is no document {id!r}", hint=hint)
        num_deleted = held.delete(ids)
        return _describe_index(target, held).model_copy(update={"deleted": num_deleted})


def _about(embedder: Embedder | None, chunk_chars: int) -> About:
    if embedder is None:
        return About(FORMAT, "", 0, chunk_chars, {"lexical": 1.0})
    return About(FORMAT, embedder.id, embedder.dimensions, chunk_chars, UNTUNED)


def _check_chunks(target: IndexTarget, held: Index) -> None:
    made, wanted = held.about.chunk_chars, target.spec.chunk_chars
    if made != wanted:
        raise DataError(
            f"{target.place}: made of chunks of {made} characters at most, and {wanted} are asked for",
            hint=f"set chunk_chars: {made}, or index to another place",
        )


def _watch_documents(
    documents: Documents, sample: DocumentSample, on_event: OnEvent, stop_requests: StopRequests
) -> Iterator[Document]:
    """The documents, one by one, some of them kept to tune with; DataError where none could be read."""
    with stop_requests() as should_stop:
        for document in documents.read():
            on_event("indexing", {"done": documents.done, "total": documents.total})
            if stop := should_stop():
                raise Interrupted("stopped; the index is as it was", signal_number=stop)
            sample.add(document)
            yield document
        if stop := should_stop():
            raise Interrupted("stopped; the index is as it was", signal_number=stop)
    if not documents.seen:
        raise DataError("\n".join(problem.line() for problem in documents.listing.problems()))


def _tell_cut(embedder: Embedder | None, documents: Documents) -> None:
    if embedder and embedder.num_cut:
        what = f"{embedder.num_cut} chunks are longer than {embedder.id} reads: only words find their ends"
        hint = "lower chunk_chars, in another index"
        documents.listing.add(Problem(level="warning", message=what, hint=hint))


def _tell_opened(ids: set[str], documents: Documents) -> None:
    if ids:
        what = f"{_documents(len(ids))} for some groups before, and for everyone now"
        first = ", ".join(sorted(ids)[:3])
        hint = f"name the groups in the spec, if that was not meant: {first}"
        documents.listing.add(Problem(level="warning", message=what, hint=hint))


def _prune(held: Index, documents: Documents) -> int:
    gone = sorted(held.digests().keys() - documents.seen.keys())
    if gone and documents.dropped:
        what = f"{len(gone)} documents that are not there were not deleted, as others could not be read"
        hint = "fix those, then prune again"
        documents.listing.add(Problem(level="error", message=what, hint=hint))
        return 0
    return held.delete(gone) if gone else 0


def _note_gone(held: Index, documents: Documents) -> int:
    """Say what would be deleted by `prune`; nothing is."""
    if gone := len(held.digests().keys() - documents.seen.keys()):
        what = f"{_documents(gone)} of the index not among these"
        documents.listing.add(Problem(level="info", message=what, hint="--prune deletes such"))
    return 0


def _describe_index(target: IndexTarget, held: Index) -> IndexReport:
    """What the index holds."""
    counts, other = held.counts(), held.about.other_weights
    return IndexReport(
        index=target.place,
        embedder=held.about.embedder or "none",
        documents_in=0,
        documents=counts.documents,
        chunks=counts.chunks,
        weights=dict(held.about.weights),
        other_weights=dict(other) if other else None,
        calibration=show_calibration(held.about.calibration),
    )


def _documents(number: int) -> str:
    return f"{number} document{'' if number == 1 else 's'}"
