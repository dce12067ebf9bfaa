"""An index as points of one Qdrant collection: about itself, its documents, and their chunks.

All chunks of a `put` carry its token; they are found once `live`. The point of number 0 says what the index
was made with, and in `changing` whose `put` is under way."""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from finewright.errors import DataError
from finewright.schema.passages import Chunk, Document, Passage
from finewright_rag.search.calibration import with_tuned
from finewright_rag.stores.index import FORMAT, About, NoIndex
from finewright_rag.stores.qdrant.connect import (
    QdrantPlace,
    client_errors,
    compact,
    hold_interrupts,
    report_damage,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from qdrant_client import QdrantClient, models

MADE_BY = "finewright"
ABOUT_POINT = 0
LEXICAL, DENSE = "lexical", "dense"

_PAGE = 1000
_DOCUMENTS_AT_ONCE = 200
_INDEXED = ("kind", "document", "groups", "put")


def point_number(*parts: object) -> int:
    """63 bits of a digest of the parts: the same for the same, and so good as never for others."""
    digest = blake2b(repr(parts).encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 1) or 1


def document_point(document: Document, token: str) -> models.PointStruct:
    """The point that says which `put` a document's chunks are of."""
    from qdrant_client import models

    return models.PointStruct(
        id=point_number("document", document.id),
        vector={},
        payload={
            "kind": "document",
            "document": document.id,
            "sha256": document.sha256,
            "put": token,
        },
    )


def payload_of(document: Document, chunk: Chunk) -> dict[str, Any]:
    """A chunk with all that a citation and an access filter need."""
    return {
        "kind": "chunk",
        "document": document.id,
        "title": document.title,
        "source": document.source,
        "license": document.license,
        "groups": list(document.groups),
        "number": chunk.number,
        "text": chunk.text,
        "heading_path": list(chunk.heading_path),
        "start": chunk.start,
        "end": chunk.end,
    }


def passage_of(chunk_id: int, kept: Mapping[str, Any]) -> Passage:
    """What `payload_of` kept."""
    chunk = Chunk(
        kept["number"], kept["text"], tuple(kept["heading_path"]), kept["start"], kept["end"]
    )
    return Passage(
        chunk_id, kept["document"], kept["title"], kept["source"], kept["license"], chunk
    )


def payload_of_about(about: About, language: str) -> dict[str, Any]:
    """What point 0 says of an index."""
    return {
        "kind": "about",
        "made_by": MADE_BY,
        "format": about.format,
        "embedder": about.embedder,
        "dimensions": about.dimensions,
        "chunk_chars": about.chunk_chars,
        "weights": dict(about.weights),
        "language": language,
        "mean_words": 0.0,
        "is_complete": False,
        "changing": "",
    }


def about_of(place: QdrantPlace, kept: Mapping[str, Any]) -> About:
    """What `payload_of_about` kept; a DataError for another program's, an unfinished or a newer index."""
    if kept.get("made_by") != MADE_BY:
        raise DataError(
            f"{place.shown}: the collection {place.collection!r} is another program's",
            hint="name another collection or folder",
        )
    if kept.get("format") != FORMAT:
        raise DataError(
            f"{place.shown}: an index of format {kept.get('format')}, and this finewright reads "
            f"{FORMAT}",
            hint="update finewright, or index the documents anew under another name",
        )
    if not kept["is_complete"]:
        raise NoIndex(
            f"{place.shown}: no index yet, its making was cut off",
            hint="index the documents again",
        )
    if place.language not in {"", kept["language"]}:
        raise DataError(
            f"{place.shown}: holds stems of {kept['language']}, asked for with {place.language}",
            hint="leave the language out, or index the documents anew under another name",
        )
    names = ("embedder", "dimensions", "chunk_chars", "weights")
    try:
        return with_tuned(About(FORMAT, *(kept[name] for name in names)), kept.get("tuned"))
    except KeyError:
        raise report_damage(place) from None


@dataclass(frozen=True, slots=True)
class Points:
    """One collection of a client; what it raises is a DataError that names the place."""

    place: QdrantPlace
    client: QdrantClient

    @property
    def _name(self) -> str:
        return self.place.collection

    @contextmanager
    def _writing(self) -> Iterator[None]:
        # A folder's client writes a point to the disk and then to memory: cut off in between, they differ.
        with hold_interrupts() if self.place.folder else nullcontext(), client_errors(self.place):
            yield

    def exists(self) -> bool:
        """Whether there is such a collection."""
        with client_errors(self.place):
            return self.client.collection_exists(self._name)

    def is_bare(self) -> bool:
        """Whether it is a folder's, with nothing in it, because its making was cut off."""
        with client_errors(self.place):
            return self.place.folder is not None and not self.client.count(self._name).count

    def make(self, dimensions: int) -> None:
        """The collection, empty: exact search alone, so no graph is built."""
        from qdrant_client import models

        dense = models.VectorParams(
            size=dimensions,
            distance=models.Distance.COSINE,
            datatype=models.Datatype.FLOAT16,
            hnsw_config=models.HnswConfigDiff(m=0),
        )
        sparse = models.SparseVectorParams(modifier=models.Modifier.IDF)
        with self._writing():
            self.client.create_collection(
                self._name,
                vectors_config={DENSE: dense} if dimensions else {},
                sparse_vectors_config={LEXICAL: sparse},
            )
            if self.place.folder is None:
                for field in _INDEXED:
                    self.client.create_payload_index(
                        self._name, field, models.PayloadSchemaType.KEYWORD
                    )
                self.client.create_payload_index(self._name, "live", models.PayloadSchemaType.BOOL)

    def remove(self) -> None:
        """The collection with all it holds."""
        with self._writing():
            self.client.delete_collection(self._name)

    def upsert(self, points: list[models.PointStruct]) -> None:
        """Add these points, replacing those of the same numbers."""
        if points:
            with self._writing():
                self.client.upsert(self._name, points)

    def set(self, payload: dict[str, Any], where: list[int] | models.Filter) -> None:
        """Set these keys of the points."""
        points: list[Any] | models.Filter = list(where) if isinstance(where, list) else where
        with self._writing():
            self.client.set_payload(self._name, payload, points=points)

    def delete(self, where: models.Filter) -> None:
        """Remove the points that the filter finds."""
        from qdrant_client import models

        with self._writing():
            self.client.delete(self._name, points_selector=models.FilterSelector(filter=where))

    def count(self, where: models.Filter) -> int:
        """How many points the filter finds."""
        with client_errors(self.place):
            return self.client.count(self._name, count_filter=where, exact=True).count

    def payloads(self, numbers: Sequence[int]) -> dict[int, dict[str, Any]]:
        """What the points of these numbers keep; those that are not there are left out."""
        with client_errors(self.place):
            found = self.client.retrieve(self._name, list(numbers), with_payload=True)
        return {int(point.id): point.payload or {} for point in found}

    def vectors(self, numbers: Sequence[int]) -> dict[int, Any]:
        """Their dense vectors."""
        with client_errors(self.place):
            found = self.client.retrieve(
                self._name, list(numbers), with_payload=False, with_vectors=[DENSE]
            )
        return {
            int(point.id): point.vector[DENSE] for point in found if isinstance(point.vector, dict)
        }

    def scroll(self, where: models.Filter, keys: list[str]) -> Iterator[dict[str, Any]]:
        """These keys of all points that the filter finds."""
        at: Any = None  # the client's own type of a page's place
        while True:
            with client_errors(self.place):
                found, at = self.client.scroll(
                    self._name, scroll_filter=where, limit=_PAGE, offset=at, with_payload=keys
                )
            yield from (point.payload or {} for point in found)
            if at is None:
                return

    def query(
        self,
        vector: list[float] | models.SparseVector,
        using: str,
        limit: int,
        where: models.Filter,
    ) -> list[models.ScoredPoint]:
        """The best points by this vector, exactly."""
        from qdrant_client import models

        # A folder is searched exactly anyway, and the client says so when it is asked to.
        exact = models.SearchParams(exact=True) if self.place.folder is None else None
        with client_errors(self.place):
            return self.client.query_points(
                self._name,
                query=vector,
                using=using,
                limit=limit,
                query_filter=where,
                search_params=exact,
                with_payload=False,
            ).points


def sweep(points: Points) -> None:
    """Remove the chunks that a change which was cut off wrote, or did not come to remove.

    A document's own point is written when its chunks are whole, and removed before they are: chunks count by
    it alone."""
    last = {
        each["document"]: each["put"]
        for each in points.scroll(of_kind("document"), ["document", "put"])
    }
    left: defaultdict[str, set[str]] = defaultdict(set)
    for each in points.scroll(of_kind("chunk"), ["document", "put"]):
        if last.get(each["document"]) != each["put"]:
            left[each["put"]].add(each["document"])
    for put, documents in left.items():
        for some in slices(sorted(documents), _DOCUMENTS_AT_ONCE):
            points.delete(of_kind("chunk", document=some, put=put))
    compact(points.place)


def slices(items: Sequence[Any], how_many: int) -> Iterator[Any]:
    """The items, so many at a time."""
    for start in range(0, len(items), how_many):
        yield items[start : start + how_many]


def of_kind(kind: str, **equal: str | bool | list[str]) -> models.Filter:
    """Points of this kind whose keys have these values, or one of these."""
    from qdrant_client import models

    pairs = {"kind": kind, **equal}
    conditions: list[Any] = [
        models.FieldCondition(
            key=key,
            match=models.MatchAny(any=value)
            if isinstance(value, list)
            else models.MatchValue(value=value),
        )
        for key, value in pairs.items()
    ]
    return models.Filter(must=conditions)


def filter_by_access(access: frozenset[str] | None) -> models.Filter:
    """Live chunks of documents that these groups may see."""
    from qdrant_client import models

    where = of_kind("chunk", live=True)
    if access is None:
        return where
    no_groups = models.IsEmptyCondition(is_empty=models.PayloadField(key="groups"))
    one_of = models.FieldCondition(key="groups", match=models.MatchAny(any=sorted(access)))
    allowed = models.Filter(should=[no_groups, one_of] if access else [no_groups])
    return models.Filter(must=[*(where.must or []), allowed])
