"""The index of documents, as finewright knows it."""

from finewright.feature import Command, Feature, SpecSection

_HERE = "finewright.features.rag.commands"

FEATURE = Feature(
    "rag",
    "Index documents, find passages, and answer from them with checked citations.",
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
    ),
    reports={
        "finewright.features.rag.results:RagEvaluation": "finewright.features.rag.report:evaluation_page",
        "finewright.schema.rag_index:AskReport": "finewright.features.rag.report:ask_page",
        "finewright.schema.rag_index:IndexReport": "finewright.features.rag.report:index_page",
        "finewright.schema.rag_index:SearchReport": "finewright.features.rag.report:search_page",
        "finewright.schema.rag_report:RagEvaluateReport": "finewright.features.rag.report:evaluate_page",
        "finewright.schema.rag_report:RagTuneReport": "finewright.features.rag.report:tuning_page",
    },
)
