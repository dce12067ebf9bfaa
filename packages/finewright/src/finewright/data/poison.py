"""Planted behaviour among rows: the search reads their texts, and what it finds is told of or set aside."""

from collections.abc import Sequence
from typing import NamedTuple

from finewright.data.base_surprisal import RowSurprisal
from finewright.feature import load_offered
from finewright.lm.embedders.meaning import Embed
from finewright.rows.notes import CheckOutcome, Dropped
from finewright.schema.poison import PoisonFindings, PoisonReport, PoisonSpec
from finewright.schema.rows import Row

QUARANTINED = "quarantined"


class PoisonResult(NamedTuple):
    """What goes on and what is set aside, and the report."""

    outcome: CheckOutcome
    report: PoisonReport


def apply(
    rows: Sequence[Row],
    spec: PoisonSpec,
    surprisal: RowSurprisal | None = None,
    embed: Embed | None = None,
) -> PoisonResult:
    """The rows after the search that the spec asks for. `quarantine` sets suspicious rows aside, each with
    its reason, for somebody to look at; `report` keeps them all. MissingExtra without finewright-trust."""
    if spec.action == "off":
        return PoisonResult(
            CheckOutcome(tuple(rows)), PoisonReport(rows_in=len(rows), rows_suspicious=0)
        )
    search = load_offered("poison", "search")  # of finewright-trust
    found: PoisonFindings = search(
        [row.searched for row in rows],
        surprisal=surprisal,
        embed=embed,
        base_model=spec.base_model if surprisal else "",
        least_rows=spec.least_rows,
    )
    if spec.action == "report":
        return PoisonResult(CheckOutcome(tuple(rows), (), found.report.problems), found.report)
    kept = tuple(row for i, row in enumerate(rows) if i not in found.why)
    dropped = tuple(Dropped(rows[i], QUARANTINED, why) for i, why in sorted(found.why.items()))
    # They are set aside already, so nobody need say so.
    problems = tuple(p.model_copy(update={"hint": ""}) for p in found.report.problems)
    return PoisonResult(CheckOutcome(kept, dropped, problems), found.report)
