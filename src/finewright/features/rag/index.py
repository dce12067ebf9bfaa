"""`rag index` and `rag search`: documents into an index, and passages out of it."""

from collections.abc import Sequence

from finewright.errors import DataError
from finewright.rag.index import Access
from finewright.rag.retrieve import Hit, SearchResult, find
from finewright.rag.target import IndexTarget, OpenIndex, check_argument
from finewright.rag.update import OnEvent, update
from finewright.schema.rag_index import IndexReport, PassageSeen, SearchReport
from finewright.workbench.signals import stop_requests


def index(
    target: IndexTarget,
    *,
    prune: bool = False,
    tune: bool | None = None,
    on_event: OnEvent = lambda *_: None,
) -> IndexReport:
    """Bring the index up to date with the documents: see `rag.update`."""
    return update(target, prune=prune, tune=tune, on_event=on_event, stop_requests=stop_requests)


def search(
    opened: OpenIndex, query: str, access: Access, *, limit: int | None = None
) -> SearchReport:
    """The passages that suit the query, of those that `access` may see. Raises DataError without a query."""
    hits, has_answer = found_for(opened, query, access, limit)
    return SearchReport(
        has_answer=has_answer,
        index=opened.target.place,
        query=query,
        groups=groups_of(access),
        passages=seen(hits),
    )


def found_for(opened: OpenIndex, query: str, access: Access, limit: int | None) -> SearchResult:
    """What `search` finds, and whether it is likely to be an answer; `limit` is the spec's `results` unless
    given."""
    if not query.strip():
        raise DataError("there is nothing to search for", hint="write what you want to know")
    check_argument(query)
    limit = limit or opened.target.spec.results
    return find(opened.index, opened.embedder, query, limit=limit, access=access)


def passages_for(opened: OpenIndex, query: str, access: Access, limit: int | None) -> list[Hit]:
    """The passages of `found_for`."""
    return found_for(opened, query, access, limit).hits


def seen(hits: Sequence[Hit]) -> tuple[PassageSeen, ...]:
    """The hits as reports tell them, numbered from 1."""
    return tuple(
        PassageSeen(
            number=number,
            score=score,
            document=passage.document,
            title=passage.title,
            heading_path=passage.chunk.heading_path,
            start=passage.chunk.start,
            end=passage.chunk.end,
            source=passage.source,
            license=passage.license,
            text=passage.chunk.text,
        )
        for number, (passage, score) in enumerate(hits, 1)
    )


def groups_of(access: Access) -> tuple[str, ...] | None:
    """Who asked, as reports tell it."""
    return None if access is None else tuple(sorted(access))
