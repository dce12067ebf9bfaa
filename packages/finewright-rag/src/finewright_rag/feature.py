"""The index of documents, as finewright knows it."""

from finewright.feature import Command, Feature, SpecSection

_HERE = "finewright_rag.commands"

FEATURE = Feature(
    "rag",
    "Index documents, find passages, and answer from them with checked citations.",
    step="serve",
    section=SpecSection(
        "finewright.schema.rag:RagSpec",
        "Documents that `finewright rag` indexes",
        "asked for by commands of its own",
        needed_by="an index",
    ),
    commands=(
        Command(
            "rag index",
            "Bring an index up to date: adds, replaces, skips what is unchanged; all of it or nothing.",
            f"{_HERE}:IndexOptions",
            f"{_HERE}:index",
            "writes",
            is_check=True,
        ),
        Command(
            "rag search",
            "Show the passages that suit a query best, of those that the asker may see.",
            f"{_HERE}:SearchOptions",
            f"{_HERE}:search",
            "reads",
        ),
        Command(
            "rag ask",
            "Answer from the passages that suit a question, and check every quote and number against them.",
            f"{_HERE}:AskOptions",
            f"{_HERE}:ask",
            "spends",
        ),
        Command(
            "rag evaluate",
            "Measure how often the right document is found: recall@k, MRR and nDCG, with intervals.",
            f"{_HERE}:RetrievalOptions",
            f"{_HERE}:evaluate",
            "reads",
            effects={"model": "spends", "samples": "writes"},
        ),
        Command(
            "data raft",
            "Make rows that train to answer from passages, to quote, and to say when none answers.",
            "finewright_rag.raft.commands:RaftOptions",
            "finewright_rag.raft.commands:raft",
            "writes",
            is_check=True,
        ),
    ),
    offers={
        "documents": "finewright_rag.indexing.documents:find_documents",
        "library": "finewright_rag.library:open_library",
        "served": "finewright_rag.citing.served:open_served",
        "sources": "finewright_rag.citing.proof:open_sources",
    },
    reports={
        "finewright.schema.raft:RaftReport": "finewright_rag.raft.commands:raft_page",
        "finewright_rag.results:RagEvaluation": "finewright_rag.report:evaluation_page",
        "finewright_rag.schema.index_report:AskReport": "finewright_rag.report:ask_page",
        "finewright_rag.schema.index_report:IndexReport": "finewright_rag.report:index_page",
        "finewright_rag.schema.index_report:SearchReport": "finewright_rag.report:search_page",
        "finewright_rag.schema.evaluate_report:RagEvaluateReport": "finewright_rag.report:evaluate_page",
        "finewright_rag.schema.evaluate_report:RagTuneReport": "finewright_rag.report:tuning_page",
    },
)
