"""`rag index` and `rag search`: documents into an index, and passages out of it."""

from finewright.schema.passages import Access
from finewright.workbench.signals import stop_requests
from finewright_rag.citing.proof import Sources, groups_of, list_seen
from finewright_rag.indexing.target import IndexTarget, OpenIndex
from finewright_rag.indexing.update import OnEvent, update
from finewright_rag.schema.index_report import IndexReport, SearchReport


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
    hits, has_answer = Sources(opened, access, limit).find(query)
    return SearchReport(
        has_answer=has_answer,
        index=opened.target.place,
        query=query,
        groups=groups_of(access),
        passages=list_seen(hits),
        is_tuned=opened.index.about.is_tuned,
    )
