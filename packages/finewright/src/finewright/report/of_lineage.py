"""What is shown of the runs that a run builds on."""

from finewright.report import cells
from finewright.report.blocks import Page, section, table_of
from finewright.schema.report import LineageReport


def lineage_page(report: LineageReport) -> Page:
    """A line for each run, its parents indented under it, and the tokens of all of them."""
    nodes = report.nodes
    tokens = sum({node.run: node.tokens or 0 for node in nodes}.values())
    parents = len({node.run for node in nodes if node.depth})
    table = table_of(
        nodes,
        {
            "run": lambda n: "   " * (n.depth - 1) + "└─ " * (n.depth > 0) + n.run,
            "": lambda n: "" if n.path else "gone",
            "from": lambda n: n.base_model,
            "method": lambda n: n.method,
            "rows": lambda n: "" if n.rows is None else cells.count(n.rows),
            "steps": lambda n: "" if n.steps is None else cells.count(n.steps),
            "tokens": lambda n: "" if n.tokens is None else cells.count(n.tokens),
            "result": lambda n: n.adapter_sha256[:12],
        },
    )
    said = f"builds on {cells.count_of(parents, 'run')}; {tokens:,} tokens trained in all that are here"
    answer = said if parents else "builds on no other run"
    return Page(
        "a lineage", report.run, answer, problems=report.problems, sections=section("", table)
    )
