"""The documents of an experiment: one index as they are, one after facts changed, one without some of them.

All three are files in the experiment's folder; the index that the spec names is never touched."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from finewright.lm.embedders.embedder import Embedder
from finewright.lm.embedders.load import load_embedder
from finewright.schema.common import Problem
from finewright.schema.load import LoadedSpec
from finewright.schema.passages import Counts, Document, Passage
from finewright.schema.raft import RaftSpec
from finewright.schema.rag import RagSpec
from finewright.store.atomic import beside, os_errors
from finewright.workbench.signals import stop_requests
from finewright_rag.indexing.build import build_index
from finewright_rag.indexing.documents import find_documents
from finewright_rag.indexing.target import IndexTarget
from finewright_rag.indexing.update import OnEvent, update
from finewright_rag.raft.rows import Raft, RaftSearch
from finewright_rag.search.retrieve import search
from finewright_rag.stores.index import Index
from finewright_rag.stores.open import open_index

_WHOLE, _CHANGED, _REDUCED = "index.sqlite", "index-changed.sqlite", "index-reduced.sqlite"


@dataclass(frozen=True, slots=True)
class DocumentShelf:
    """An open index and how it is searched."""

    index: Index
    embedder: Embedder | None
    results: int

    def passages(self, question: str, limit: int | None = None) -> list[Passage]:
        """The passages that suit the question, the best first; as many as the spec says, unless given."""
        hits = search(self.index, self.embedder, question, limit=limit or self.results)
        return [hit.passage for hit in hits]


@dataclass(frozen=True, slots=True)
class DocumentLibrary:
    """The whole index, its documents by id, and how others are made of it."""

    folder: Path
    spec: RagSpec
    shelf: DocumentShelf
    documents: Mapping[str, Document]
    problems: tuple[Problem, ...]

    def change(self, texts: Mapping[str, str]) -> DocumentShelf:
        """The index after these documents were edited and indexed again, as `rag index` does it."""
        edited = [
            replace(
                self.documents[id], text=text, sha256=f"{self.documents[id].sha256}, facts changed"
            )
            for id, text in texts.items()
        ]
        shelf = self._copy(_CHANGED)
        build_index(shelf.index, shelf.embedder, edited, self.spec.chunk_chars)
        return shelf

    def reduce(self, ids: Sequence[str]) -> DocumentShelf:
        """The index without these documents."""
        shelf = self._copy(_REDUCED)
        shelf.index.delete(ids)
        return shelf

    def raft(self, spec: RaftSpec) -> Raft:
        """What makes rows of questions and the whole index, as `data raft` does."""
        return Raft(RaftSearch(self.shelf.index, self.shelf.embedder, None), spec)

    def counts(self) -> Counts:
        """Of the whole index."""
        return self.shelf.index.counts()

    def _copy(self, name: str) -> DocumentShelf:
        path = self.folder / name
        temporary = beside(path)
        with os_errors(path):
            shutil.copyfile(self.folder / _WHOLE, temporary)
            temporary.replace(path)
        return replace(self.shelf, index=open_index(str(path), Path))


def open_library(loaded: LoadedSpec, folder: Path, on_event: OnEvent) -> DocumentLibrary:
    """Index the spec's documents in the folder, unless they are, and open them.

    Raises DataError for documents that cannot be read, with nothing indexed."""
    rag = loaded.spec.section("rag", RagSpec)
    assert rag is not None
    target = str((folder / _WHOLE).resolve())
    spec = rag.model_copy(update={"index": target})
    index_target = IndexTarget(spec, loaded.resolve)
    report = update(
        index_target, prune=True, tune=None, on_event=on_event, stop_requests=stop_requests
    )
    if report.tuning is None and report.calibration is None:  # an earlier call was cut before it
        update(index_target, prune=True, tune=True, on_event=on_event, stop_requests=stop_requests)
    documents = {d.id: d for d in find_documents(spec.documents, loaded.resolve).read()}
    embedder = load_embedder(spec.embedder, loaded.resolve)
    shelf = DocumentShelf(open_index(target, Path), embedder, spec.results)
    return DocumentLibrary(folder, spec, shelf, documents, tuple(report.problems))
