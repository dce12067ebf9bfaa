"""What the search for planted behaviour would set aside, told before a run starts.

No model is loaded here: what recurs, hidden text and turns of other roles need none; what only goes together
more often than chance, and what labels mean, is weighed when the run reads its rows."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from finewright.data.door import Passed, PoisonSearch
from finewright.rows.notes import Dropped
from finewright.schema.common import Problem
from finewright.schema.data import DataSpec
from finewright.schema.poison import PoisonFinding, PoisonReport, PoisonSpec
from finewright.schema.rows import Row

if TYPE_CHECKING:
    from finewright.data.poison import PoisonResult

_MOST_REASONS = 3
# What is high only by a base model's surprise.
_TO_WEIGH = ("backdoor", "payload")


def search_ahead(spec: PoisonSpec) -> PoisonSearch | None:
    """The search that the spec asks for, without its base model; None where it asks for none."""
    if spec.action == "off":
        return None

    def search(rows: Sequence[Row]) -> "PoisonResult":
        from finewright.data.poison import apply

        return apply(rows, spec)

    return search


def quarantine_ahead(passed: Passed, data: DataSpec) -> Iterator[Problem]:
    """How many rows the run would set aside, for which reasons, and what is weighed only then."""
    if passed.poison is None:
        return
    from finewright.data.poison import QUARANTINED

    spec = data.poison
    aside = [item for item in passed.dropped if item.reason == QUARANTINED]
    if aside:
        has_columns = any(source.columns for source in data.sources)
        yield _of(aside, passed.poison, ", with --column as in the spec," * has_columns)
    if spec.base_model:
        waiting = [f for f in passed.poison.findings if f.level == "low" and f.kind in _TO_WEIGH]
        words = _join_payloads(waiting)
        what = f"{passed.poison.num_to_weigh} more suspicions{words}"
        what += f" wait for the base model {spec.base_model}"
        when = "which weighs them when the run reads its rows" + (
            ", and may set more aside" if spec.action == "quarantine" else ""
        )
        if passed.poison.num_to_weigh:
            yield Problem(level="info", key="data.poison", message=f"{what}, {when}")


def _of(aside: Sequence[Dropped], found: PoisonReport, columns: str) -> Problem:
    first = aside[0].row
    rows = "1 row" if len(aside) == 1 else f"{len(aside)} rows"
    reasons = Counter(item.why for item in aside).most_common()
    findings = {finding.reason: finding for finding in found.findings}
    why = "; ".join(
        _because(count, reason, findings.get(reason)) for reason, count in reasons[:_MOST_REASONS]
    )
    more = f"; and {len(reasons) - _MOST_REASONS} more reasons" if reasons[_MOST_REASONS:] else ""
    what = f"{rows} of {found.rows_in} would be quarantined and not trained on"
    return Problem(
        level="warning",
        file=first.file,
        row=first.row,
        key="data.poison",
        message=f"{what}, this one first: {why}{more}",
        hint=f"finewright data poison {first.file}{columns} shows all of them",
    )


def _because(count: int, reason: str, finding: PoisonFinding | None) -> str:
    said = reason if reason.startswith(f"{count} ") else f"{count} because {reason}"
    recurs = finding is not None and finding.kind in _TO_WEIGH
    return f"{said}{_join_payloads([finding])}" if finding and recurs else said


def _join_payloads(findings: Sequence[PoisonFinding]) -> str:
    """What recurs in the rows of the findings, each text once."""
    quotes = dict.fromkeys(finding.payload for finding in findings if finding.payload)
    shown = ", ".join(json.dumps(quote, ensure_ascii=False) for quote in [*quotes][:_MOST_REASONS])
    return f" ({shown}{', ...' if len(quotes) > _MOST_REASONS else ''})" if quotes else ""
