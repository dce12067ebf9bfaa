"""An index in Qdrant: a folder by the client's local mode, or a collection of a server.

Words are ranked by the dot product of sparse vectors of stems with Qdrant's idf, which is BM25 with the mean
length of the chunks that came first; vectors by exact cosine. Access is part of every query, and who asks
learns nothing of other documents but how common a word is. Local mode holds everything in memory, and slows
down beyond 20,000 chunks; of its pickles it reads points alone (`stored`)."""

from __future__ import annotations

import shutil
from collections import Counter
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from finewright.errors import DataError
from finewright.schema.passages import Counts, Passage
from finewright_rag.indexing.incoming import in_groups, is_unchanged, require_fitting
from finewright_rag.search.calibration import json_of_tuning, restore_tuning
from finewright_rag.search.coverage import ceiling_by_words
from finewright_rag.stores.index import About, IndexChanges, NoIndex, RankedChunk, takes_vector
from finewright_rag.stores.lexical import list_words
from finewright_rag.stores.qdrant.connect import compact, connect, hold_interrupts, place_of
from finewright_rag.stores.qdrant.points import (
    ABOUT_POINT,
    DENSE,
    LEXICAL,
    Points,
    about_of,
    document_point,
    filter_by_access,
    of_kind,
    passage_of,
    payload_of,
    payload_of_about,
    point_number,
    slices,
    sweep,
)
from finewright_rag.stores.qdrant.stems import LANGUAGE, Stems

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from qdrant_client import models

    from finewright.schema.passages import Access, Document
    from finewright_rag.search.calibration import Calibration
    from finewright_rag.stores.index import Indexed, Resolve

_CHUNKS_AT_ONCE = 200
_DOCUMENTS_AT_ONCE = 200
_WORDS_OF_A_QUERY = 1000


def open_existing(target: str, resolve: Resolve) -> QdrantIndex:
    """The index at `target`, as `place_of` reads it.

    One line says that the server or the index is not there, that the key is wrong, that the folder is in use
    or damaged, or that the collection is another program's or a newer finewright's."""
    place = place_of(target, resolve)
    if place.folder and not (place.folder / "meta.json").is_file():
        raise NoIndex(
            f"{place.shown}: no index there", hint="index documents first, or fix the path"
        )
    points = Points(place, connect(place))
    try:
        if not points.exists() or points.is_bare():
            raise NoIndex(
                f"{place.shown}: no index there", hint="index documents first, or fix the address"
            )
        kept = points.payloads([ABOUT_POINT]).get(ABOUT_POINT, {})
        about = about_of(place, kept)
        stems = Stems(kept["language"])
        index = QdrantIndex(points, about, stems, mean_words=kept["mean_words"])
        index.mend()
        return index
    except BaseException:
        points.client.close()
        raise


def create(target: str, resolve: Resolve, about: About) -> QdrantIndex:
    """An empty index at `target`, kept from the first `put` that ends well; until then nothing is written,
    but that a folder is made and locked."""
    place = place_of(target, resolve)
    stems = Stems(place.language or LANGUAGE)
    folder = place.folder
    has_folder = folder is not None and folder.exists()
    if has_folder and folder and not (folder / "meta.json").is_file():
        raise DataError(
            f"{place.shown}: there is something else of this name", hint="name another folder"
        )
    points = Points(place, connect(place))
    try:
        _require_free(points)
    except BaseException:
        points.client.close()
        raise
    return QdrantIndex(points, about, stems, is_new=True, is_new_folder=not has_folder)


class QdrantIndex:
    """See `Index`; for one thread.

    Qdrant has no transactions. A `put` writes its chunks unseen, under numbers of their own, and shows them
    once all are there; one that fails, or whose documents raise, removes them. Ctrl-C and SIGTERM wait for
    the last requests of a change. One that was cut off otherwise has left its mark, and the next opening of a
    folder, or the next `put`, removes the chunks that no document's own point stands for: each document is
    whole then, as it was or as it was to be. Not covered: where a process is killed within the last requests,
    or the server or the disk fails, some documents are as they were and others not, until they are indexed or
    deleted again; and old chunks may be found beside new ones, or those of a deleted document, until they are
    removed. Of two at once on a server the second goes on and the first is refused, unless it has come to its
    last requests: index from one place.

    Deletion: a folder's files are written anew without the text (SQLite's VACUUM). A server marks points as
    deleted and writes its segments anew when its optimizer sees to it (`deleted_threshold`); until then the
    text is in its files, and in its log and snapshots for as long as they are kept. To be sure there, index
    what is left into another collection and drop this one."""

    def __init__(
        self,
        points: Points,
        about: About,
        stems: Stems,
        *,
        mean_words: float = 0.0,
        is_new: bool = False,
        is_new_folder: bool = False,
    ) -> None:
        self.about = about
        self._points = points
        self._place = points.place
        self._stems = stems
        self._mean_words = mean_words
        self._is_new = is_new
        self._is_new_folder = is_new_folder

    def put(self, batch: Iterable[Indexed]) -> IndexChanges:
        """See `Index`, and above for what is not covered."""
        token = token_hex(8)
        self._begin(token)
        try:
            replaced, documents, done = self._upload(batch, token)
            self._require_own(token, num_chunks=done["chunks"])
        except BaseException:
            self._take_back(token)
            raise
        with hold_interrupts():
            self._switch(token, documents, replaced)
        return IndexChanges(done["added"], len(replaced), done["unchanged"])

    def delete(self, ids: Sequence[str]) -> int:
        """See `Index`, and above for what a server keeps."""
        if self._is_new:
            return 0
        known = list(self._read_digests(list(dict.fromkeys(ids))))
        if known:
            with hold_interrupts():
                self._remove(known)
        return len(known)

    def digests(self) -> dict[str, str]:
        """See `Index`."""
        if self._is_new:
            return {}
        kept = self._points.scroll(of_kind("document"), ["document", "sha256"])
        return {each["document"]: each["sha256"] for each in kept}

    def find_restricted(self) -> set[str]:
        """See `Index`."""
        if self._is_new:
            return set()
        kept = self._points.scroll(of_kind("chunk"), ["document", "groups"])
        return {each["document"] for each in kept if each["groups"]}

    def lexical(self, query: str, limit: int, access: Access) -> list[RankedChunk]:
        """See `Index`; of a query its first 1,000 words count."""
        from qdrant_client import models

        indices, values = self._stems.of_query(query, _WORDS_OF_A_QUERY)
        if not indices:
            return []
        vector = models.SparseVector(indices=indices, values=values)
        return self._rank(vector, LEXICAL, limit, access)

    def nearest(self, vector: NDArray[np.float32], limit: int, access: Access) -> list[RankedChunk]:
        """See `Index`."""
        if not takes_vector(self._place.shown, self.about, vector):
            return []
        return self._rank(vector.tolist(), DENSE, limit, access)

    def passages(self, chunk_ids: Sequence[int]) -> list[Passage]:
        """See `Index`; a DataError says that a chunk has been replaced or deleted meanwhile."""
        found = self._points.payloads(chunk_ids) if chunk_ids else {}
        return [passage_of(chunk_id, self._of(found, chunk_id)) for chunk_id in chunk_ids]

    def vectors(self, chunk_ids: Sequence[int]) -> NDArray[np.float32]:
        """See `Index`."""
        import numpy as np

        found = self._points.vectors(chunk_ids) if chunk_ids else {}
        rows = [self._of(found, chunk_id) for chunk_id in chunk_ids]
        return np.array(rows, dtype=np.float32).reshape(len(chunk_ids), self.about.dimensions)

    def counts(self) -> Counts:
        """See `Index`."""
        if self._is_new:
            return Counts(0, 0)
        count = self._points.count
        return Counts(count(of_kind("document")), count(of_kind("chunk", live=True)))

    def ceiling(self, query: str, access: Access = None) -> float:
        """See `Index`; a request for each word."""
        return ceiling_by_words(self.lexical, query, self.counts().chunks, access)

    def remember(
        self,
        weights: Mapping[str, float],
        other_weights: Mapping[str, float] | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        """See `Index`."""
        if not self._is_new:
            value = {"weights": dict(weights), "tuned": json_of_tuning(other_weights, calibration)}
            self._points.set(value, [ABOUT_POINT])
        self.about = restore_tuning(self.about, weights, other_weights, calibration)

    def close(self) -> None:
        """See `Index`."""
        self._points.client.close()
        if self._is_new and self._is_new_folder and self._place.folder:
            shutil.rmtree(self._place.folder)

    def mend(self) -> None:
        """Remove what a change that was cut off left; on a server another may be under way, and the next
        `put` does it."""
        if self._place.folder is not None and (token := self._changing()):
            sweep(self._points)
            self._end(token)

    def _begin(self, token: str) -> None:
        """Say that this `put` is under way; what a change that was cut off left is removed."""
        from qdrant_client import models

        if self._is_new:
            _require_free(self._points)
            if self._points.exists():
                self._points.remove()
            self._points.make(self.about.dimensions)
            kept = payload_of_about(self.about, self._stems.language)
            self._points.upsert([models.PointStruct(id=ABOUT_POINT, vector={}, payload=kept)])
            self._mean_words = 0.0
        elif self._changing():
            sweep(self._points)
        self._points.set({"changing": token}, [ABOUT_POINT])

    def _upload(
        self, batch: Iterable[Indexed], token: str
    ) -> tuple[list[str], list[Document], Counter[str]]:
        """Write what is new or has changed, unseen: what it replaces, what it is, and how many of each."""
        replaced: list[str] = []
        documents: list[Document] = []
        done: Counter[str] = Counter()
        for group in in_groups(batch, _CHUNKS_AT_ONCE):
            if not self._mean_words:
                self._measure(group.values())
            known = self._read_digests(list(group))
            for id, item in group.items():
                if is_unchanged(item.document, known):
                    done["unchanged"] += 1
                    continue
                require_fitting(item, self.about, takes_nul=True)
                documents.append(item.document)
                replaced += [id] if id in known else []
                done["added"] += id not in known
                done["chunks"] += len(item.chunks)
                for some in slices(range(len(item.chunks)), _CHUNKS_AT_ONCE):
                    self._points.upsert([self._point(item, at, token) for at in some])
        return replaced, documents, done

    def _measure(self, items: Iterable[Indexed]) -> None:
        """Keep the mean length of these chunks for all that come: vectors that are kept do not follow it."""
        lengths = [
            list_words(item.document, chunk).num_written for item in items for chunk in item.chunks
        ]
        if any(lengths):
            self._mean_words = sum(lengths) / len(lengths)
            self._points.set({"mean_words": self._mean_words}, [ABOUT_POINT])

    def _point(self, item: Indexed, at: int, token: str) -> models.PointStruct:
        from qdrant_client import models

        document, chunk = item.document, item.chunks[at]
        found = list_words(document, chunk)
        indices, values = self._stems.of_chunk(found, self._mean_words)
        vector: dict[str, Any] = {LEXICAL: models.SparseVector(indices=indices, values=values)}
        if item.vectors is not None and self.about.dimensions:
            vector[DENSE] = item.vectors[at].tolist()
        return models.PointStruct(
            id=point_number("chunk", document.id, token, chunk.number),
            vector=vector,
            # A folder has no other readers, and each of its writes is one to the disk.
            payload={
                **payload_of(document, chunk),
                "put": token,
                "live": self._place.folder is not None,
            },
        )

    def _switch(self, token: str, documents: list[Document], replaced: list[str]) -> None:
        """Show the new chunks, then keep the digests, then remove the old chunks."""
        from qdrant_client import models

        if self._place.folder is None:
            self._points.set({"live": True}, of_kind("chunk", put=token))
        for some in slices(documents, _DOCUMENTS_AT_ONCE):
            self._points.upsert([document_point(each, token) for each in some])
        for some_ids in slices(replaced, _DOCUMENTS_AT_ONCE):
            old = of_kind("chunk", document=some_ids)
            own = of_kind("chunk", put=token)
            self._points.delete(models.Filter(must=old.must, must_not=own))
        if replaced:
            compact(self._place)
        self._points.set({"changing": "", "is_complete": True}, [ABOUT_POINT])
        self._is_new = False

    def _remove(self, known: list[str]) -> None:
        """Remove documents, their own points first: without them their chunks count no more."""
        token = token_hex(8)
        # What a `put` that is under way has written is not to be removed beneath it.
        if not self._changing():
            self._points.set({"changing": token}, [ABOUT_POINT])
        for kind in ("document", "chunk"):
            for some in slices(known, _DOCUMENTS_AT_ONCE):
                self._points.delete(of_kind(kind, document=some))
        compact(self._place)
        self._end(token)

    def _take_back(self, token: str) -> None:
        with hold_interrupts():
            if self._is_new:
                self._points.remove()
                return
            self._points.delete(of_kind("chunk", put=token))
            self._end(token)

    def _end(self, token: str) -> None:
        """This change is over; another's mark stays."""
        if self._changing() == token:
            self._points.set({"changing": ""}, [ABOUT_POINT])

    def _require_own(self, token: str, num_chunks: int) -> None:
        """Refuse to go on when another process has begun a `put`, or has removed chunks of this one."""
        if self._changing() != token or (
            self._points.count(of_kind("chunk", put=token)) != num_chunks
        ):
            raise DataError(
                f"{self._place.shown}: another process is changing this index",
                hint="try again when it is done",
            )

    def _changing(self) -> str:
        kept = self._points.payloads([ABOUT_POINT]).get(ABOUT_POINT, {})
        return str(kept.get("changing", ""))

    def _read_digests(self, ids: Sequence[str]) -> dict[str, str]:
        numbers = [point_number("document", id) for id in ids]
        found = self._points.payloads(numbers).values() if numbers else ()
        return {each["document"]: each["sha256"] for each in found}

    def _rank(
        self, vector: list[float] | models.SparseVector, using: str, limit: int, access: Access
    ) -> list[RankedChunk]:
        if self._is_new:
            return []
        found = self._points.query(vector, using, limit, filter_by_access(access))
        return [RankedChunk(int(point.id), point.score) for point in found]

    def _of(self, found: Mapping[int, Any], chunk_id: int) -> Any:
        if chunk_id not in found:
            raise DataError(
                f"{self._place.shown}: chunk {chunk_id} has been replaced or deleted",
                hint="search again",
            )
        return found[chunk_id]


def _require_free(points: Points) -> None:
    """Refuse a collection that is there, unless it is an index whose making was cut off."""
    if not points.exists() or points.is_bare():
        return
    kept = points.payloads([ABOUT_POINT]).get(ABOUT_POINT, {})
    if kept.get("made_by") != "finewright" or kept.get("is_complete"):
        raise DataError(
            f"{points.place.shown}: there is an index or another collection of this name",
            hint="name another, or remove it",
        )
