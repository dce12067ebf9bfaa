"""The rows that the licence policy lets through, and the others with where they came from."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from finewright.data.provenance.licences import judge, policy_problems, read_expression
from finewright.data.provenance.stated import StatedLicence
from finewright.rows.notes import CheckOutcome, Dropped
from finewright.schema.common import Problem
from finewright.schema.provenance import LicensePolicy
from finewright.schema.rows import Row

_MOST_NAMED = 8


def by_licence(
    rows: Sequence[Row], stated: Callable[[Row], StatedLicence], policy: LicensePolicy
) -> CheckOutcome:
    """The rows that may be used. The others are dropped for `license`; none without a policy.

    Blocked rows are errors, one for each file and licence, unless the policy says `drop`: then they
    are warnings. Ids that SPDX does not know, and texts that speak against the stated licence, are
    warnings. Without a policy, unknown licences are not spoken of."""
    faults = policy_problems(policy)
    if faults:
        return CheckOutcome(tuple(rows), problems=tuple(faults))
    found = [(row, stated(row)) for row in rows]
    why = {said.license: judge(said.license, policy) for _, said in found}
    kept, dropped = list[Row](), list[Dropped]()
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row, said in found:
        judged = why[said.license]
        if judged.allowed:
            kept.append(row)
        else:
            dropped.append(Dropped(row, "license", judged.why))
            groups[row.file, said.license, judged.why].append(row)
    problems = [*_blocked(groups, policy), *_misspelt(found), *_conflicts(found)]
    return CheckOutcome(tuple(kept), tuple(dropped), tuple(problems))


def _blocked(
    groups: Mapping[tuple[str, str, str], Sequence[Row]], policy: LicensePolicy
) -> Iterator[Problem]:
    for (file, license_, why), rows in groups.items():
        are = "1 row is" if len(rows) == 1 else f"{len(rows)} rows are"
        under = f"under {license_}" if license_ else "without a licence"
        yield Problem(
            level="error" if policy.on_blocked == "error" else "warning",
            file=file,
            row=rows[0].row,
            key="data.licenses",
            message=f"{are} {under} ({named_rows(rows)}): {why}",
            hint="take them out, correct their licence, or set data.licenses.on_blocked: drop"
            if policy.on_blocked == "error"
            else "left out, as data.licenses.on_blocked asks",
        )


def named_rows(rows: Sequence[Row]) -> str:
    """`row 3`, `rows 3, 7`, or the first of them and how many more."""
    numbers = [str(row.row) for row in rows[:_MOST_NAMED]]
    more = len(rows) - len(numbers)
    tail = f" and {more} more" if more else ""
    return f"row{'s' if len(rows) > 1 else ''} {', '.join(numbers)}{tail}"


def _misspelt(found: Sequence[tuple[Row, StatedLicence]]) -> Iterator[Problem]:
    first: dict[tuple[str, str], Row] = {}
    for row, said in found:
        first.setdefault((row.file, said.license), row)
    for (file, license_), row in first.items():
        read = read_expression(license_)
        if read.fault:
            yield Problem(
                level="warning",
                file=file,
                row=row.row,
                key="license",
                message=f"{read.fault}: the licence counts as unknown",
                hint=read.hint,
            )


def _conflicts(found: Sequence[tuple[Row, StatedLicence]]) -> Iterator[Problem]:
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row, said in found:
        if said.conflict:
            groups[row.file, said.conflict].append(row)
    for (file, conflict), rows in groups.items():
        yield Problem(
            level="warning",
            file=file,
            row=rows[0].row,
            key="license",
            message=f"{conflict} ({named_rows(rows)}): both are taken to hold",
            hint="state the licence of each row in a `license` column",
        )
