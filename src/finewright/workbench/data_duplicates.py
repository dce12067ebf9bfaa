"""`data duplicates`: rows of files that repeat each other or rows that measure; a copy without repeats."""

import json
from collections.abc import Sequence
from pathlib import Path

from finewright.data.containers.found import Listing
from finewright.data.contamination import contamination
from finewright.data.duplicates.find import find
from finewright.data.privacy.user_rows import to_user_json
from finewright.data.read import ReadRow, records
from finewright.data.validate import Asked, checked
from finewright.errors import DataError
from finewright.schema.common import Problem
from finewright.schema.duplicates import DuplicatesReport, DuplicatesSpec
from finewright.schema.rows import Row
from finewright.store.atomic import write_text


def duplicates(
    paths: Sequence[Path],
    *,
    spec: DuplicatesSpec | None = None,
    against: Sequence[Path] = (),
    out: Path | None = None,
) -> DuplicatesReport:
    """Repeats among the usable rows of all files together, and which rows of `against` are known from them.

    With `out`, the rows that go on are written there; the files themselves are never changed. Rows that
    cannot be used are not compared, and said."""
    if out is not None and out.resolve() in {path.resolve() for path in (*paths, *against)}:
        raise DataError(f"{out}: this is a file that is read", hint="name another file for --out")
    asked = spec or DuplicatesSpec()
    problems: list[Problem] = []
    rows = [row for path in paths for row in _usable(path, problems)]
    outcome, report = find(rows, asked)
    measured = [
        contamination(outcome.rows, path.name, _usable(path, problems), similarity=asked.similarity)
        for path in against
    ]
    if out is not None:
        lines = (json.dumps(to_user_json(row), ensure_ascii=False) for row in outcome.rows)
        write_text(out, "".join(f"{line}\n" for line in lines))
    known = [problem for found in measured for problem in found.problems]
    return report.model_copy(
        update={
            "contamination": tuple(found.report for found in measured),
            "problems": (*problems, *report.problems, *known),
        }
    )


def _usable(path: Path, problems: list[Problem]) -> Sequence[Row]:
    """The rows of a file; what is wrong with it is added to the problems."""
    rows: list[Row] = []
    listing = Listing()
    for found in records(path):
        if isinstance(found, ReadRow):
            result = checked(found, Asked())
            rows += result.rows
            for problem in result.problems:
                listing.add(problem)
        else:
            listing.add(found)
    problems += listing.problems()
    return rows
