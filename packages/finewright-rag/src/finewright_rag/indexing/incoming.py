"""What comes into an index, looked at before it is written."""

from collections.abc import Iterable, Iterator, Mapping

from finewright.errors import DataError
from finewright.schema.passages import Document
from finewright_rag.stores.index import About, Indexed


def in_groups(batch: Iterable[Indexed], num_chunks: int) -> Iterator[dict[str, Indexed]]:
    """The documents by id, as many together as have about so many chunks.

    A DataError names both sources where two documents have one id."""
    sources: dict[str, str] = {}
    group: dict[str, Indexed] = {}
    size = 0
    for item in batch:
        document = item.document
        if document.id in sources:
            raise DataError(
                f"{document.source}: the id {document.id!r} is also that of {sources[document.id]}",
                hint="give each document an id of its own",
            )
        sources[document.id] = document.source
        group[document.id] = item
        size += 1 + len(item.chunks)
        if size >= num_chunks:
            yield group
            group, size = {}, 0
    if group:
        yield group


def require_fitting(item: Indexed, about: About, *, takes_nul: bool) -> None:
    """Refuse vectors of another embedder, and characters that the store cannot keep."""
    document = item.document
    where = document.source or document.id
    texts = _texts_of_item(item)
    if not all(map(_is_unicode, texts)):
        raise DataError(
            f"{where}: has half of a surrogate pair, which is no text",
            hint="fix its encoding, or remove \\ud800 to \\udfff from its JSON",
        )
    if not takes_nul and any("\0" in text for text in texts):
        raise DataError(f"{where}: has the character NUL", hint="remove it; is it a text?")
    _require_dimensions(item, about, where)


def _require_dimensions(item: Indexed, about: About, where: str) -> None:
    shape = item.vectors.shape if item.vectors is not None else (len(item.chunks), 0)
    if about.dimensions and shape != (len(item.chunks), about.dimensions):
        raise DataError(
            f"{where}: its vectors have the shape {shape}, and the index takes "
            f"{about.dimensions} dimensions for each of {len(item.chunks)} chunks",
            hint="index with the embedder that the index was made by",
        )


def is_unchanged(document: Document, known: Mapping[str, str]) -> bool:
    """Whether it is in the index as it is. Without a digest nobody knows."""
    return bool(document.sha256) and known.get(document.id) == document.sha256


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _texts_of_item(item: Indexed) -> list[str]:
    document = item.document
    texts = [document.id, document.title, document.source, document.license, *document.groups]
    return texts + [text for chunk in item.chunks for text in (chunk.text, *chunk.heading_path)]
