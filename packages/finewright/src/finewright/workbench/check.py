"""`check`: everything about a spec that can be said without torch, all at once."""

from collections.abc import Sequence
from pathlib import Path

from finewright.data.gather import Gathered, gather
from finewright.data.measured import row_sets
from finewright.data.quarantine import quarantine_ahead, search_ahead
from finewright.errors import SpecError
from finewright.schema.common import Problem, errors_of
from finewright.schema.label_methods import DecidingSettings
from finewright.schema.load import LoadedSpec, load_spec, load_the_rest
from finewright.schema.methods import OnlineSettings
from finewright.schema.plan import CheckReport, PlannedSet
from finewright.store.stage import refuse
from finewright.train import rewards
from finewright.train.rows import rows_for
from finewright.workbench.coherence import (
    PATTERNS,
    faults,
    find_ancestors,
    nothing_held_out,
    unmeasurable,
    unreachable_privacy,
    untaught,
)


def check(loaded: LoadedSpec) -> CheckReport:
    """Base models, metrics, and every row of every file that the spec names. Raises DataError for patterns of
    personal data that cannot be searched for."""
    spec = loaded.spec
    problems = [*faults(loaded), *nothing_held_out(spec, "warning")]
    # No row can be read with them.
    refuse([loaded.locate(each) for each in problems if each.key.startswith(PATTERNS)])
    gathered = gather(spec.data, loaded.resolve, search=search_ahead(spec.data.poison))
    problems += [*gathered.problems, *quarantine_ahead(gathered.passed, spec.data)]
    problems += [*_of_method(loaded, gathered)]
    sets = row_sets(spec, gathered, loaded.resolve, find_ancestors(loaded))
    for item in sets:
        problems += item.problems
        if item.ancestor is None:  # which has metrics of its own
            problems += unmeasurable(spec, item.name, item.rows)
            problems += untaught(spec, gathered.train, item.name, item.rows)
    placed = map(loaded.locate, problems)
    return CheckReport(
        name=spec.name,
        problems=tuple(dict.fromkeys(placed)),
        evaluation=tuple(
            PlannedSet(name=item.name, rows=len(item.rows), draw=item.draw) for item in sets
        ),
    )


def check_path(path: Path, overrides: Sequence[str] = ()) -> CheckReport:
    """The same of a spec file; of one with mistakes in its keys also what is wrong in the rest of it.

    Raises SpecError with all of that, a line for each."""
    try:
        return check(load_spec(path, overrides))
    except SpecError as error:
        rest = load_the_rest(path, overrides)
        lines = [p.line() for p in errors_of(check(rest).problems)] if rest else []
        raise SpecError("\n".join([str(error), *lines]), hint=error.hint) from None


def _of_method(loaded: LoadedSpec, gathered: Gathered) -> list[Problem]:
    """What the method cannot make of the rows, and what is wrong with its rewards."""
    train = loaded.spec.train
    rows, problems = rows_for(train.method, (*gathered.train, *gathered.eval))
    if train.privacy is not None:  # of the rows that train alone
        problems += unreachable_privacy(train, rows_for(train.method, gathered.train).rows)
    if isinstance(train, DecidingSettings) and not problems:
        from finewright.labels.rows import check_label_rows  # computes with numpy

        taken = rows_for(train.method, gathered.train).rows
        problems += check_label_rows(taken, train)
    if isinstance(train, OnlineSettings):
        columns = [row.columns for row in rows]
        problems += rewards.check(train.rewards, columns, loaded.resolve)
    return problems
