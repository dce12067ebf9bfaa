"""What the search for planted behaviour would set aside, told before a run starts.

No model is loaded here: what recurs, hidden text and turns of other roles need none; what only goes together
more often than chance, and what labels mean, is weighed when the run reads its rows."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from finewright.data.door import Passed, PoisonSearch
from finewright.rows.outcome import Dropped
from finewright.schema.common import Problem
from finewright.schema.data import DataSpec
from finewright.schema.poison import PoisonSpec
from finewright.schema.rows import Row

if TYPE_CHECKING:
    from finewright.data.poison import PoisonResult

_MOST_REASONS = 3


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
    from finewright.data.poison import QUARANTINED

    spec = data.poison
    if passed.poison is None:
        return
    aside = [item for item in passed.dropped if item.reason == QUARANTINED]
    if aside:
        has_columns = any(source.columns for source in data.sources)
        yield _of(aside, passed.poison.rows_in, ", with --column as in the spec," * has_columns)
    if spec.base_model:
        what = f"{passed.poison.num_to_weigh} more suspicions wait for the base model {spec.base_model}"
        when = "which weighs them when the run reads its rows" + (
            ", and may set more aside" if spec.action == "quarantine" else ""
        )
        if passed.poison.num_to_weigh:
            yield Problem(level="info", key="data.poison", message=f"{what}, {when}")


def _of(aside: Sequence[Dropped], num_rows: int, columns: str) -> Problem:
    first = aside[0].row
    rows = "1 row" if len(aside) == 1 else f"{len(aside)} rows"
    reasons = Counter(item.why for item in aside).most_common()
    why = "; ".join(_because(count, reason) for reason, count in reasons[:_MOST_REASONS])
    more = f"; and {len(reasons) - _MOST_REASONS} more reasons" if reasons[_MOST_REASONS:] else ""
    return Problem(
        level="warning",
        file=first.file,
        row=first.row,
        key="data.poison",
        message=f"{rows} of {num_rows} would be quarantined and not trained on, this one first: {why}{more}",
        hint=f"finewright data poison {first.file}{columns} shows all of them",
    )


def _because(count: int, reason: str) -> str:
    return reason if reason.startswith(f"{count} ") else f"{count} because {reason}"
