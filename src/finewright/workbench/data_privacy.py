"""Personal data and secrets of one file: what is in it, and a copy without them."""

import json
from pathlib import Path

from finewright.data.privacy.apply import apply
from finewright.data.privacy.key_file import key_of
from finewright.data.privacy.user_rows import to_user_json
from finewright.data.read import read_rows
from finewright.data.validate import validate
from finewright.errors import DataError
from finewright.schema.common import RowCounts
from finewright.schema.privacy import PersonalDataSpec, PrivacyReport, SecretsSpec
from finewright.store.atomic import write_text


def privacy(
    path: Path, *, personal: PersonalDataSpec, secrets: SecretsSpec, out: Path | None
) -> PrivacyReport:
    """What is found in the usable rows of a file; with `out`, the rows that go on are written there.

    Rows that cannot be read are counted and said, and are not in `out`. The file itself is never changed."""
    if out is not None and out.resolve() == path.resolve():
        raise DataError(f"{out}: this is the file that is read", hint="name another file for --out")
    key = key_of(Path(personal.key_file) if personal.key_file else None)
    read = read_rows(path)
    checked = validate(read.rows, "auto")
    outcome, report = apply(checked.rows, personal, secrets, key)
    if out is not None:
        lines = (json.dumps(to_user_json(row), ensure_ascii=False) for row in outcome.rows)
        write_text(out, "".join(f"{line}\n" for line in lines))
    dropped = {**checked.counts.rows_dropped, **report.counts.rows_dropped}
    dropped |= {"unreadable": read.num_bad} if read.num_bad else {}
    return report.model_copy(
        update={
            "counts": RowCounts(
                rows_in=checked.counts.rows_in + read.num_bad,
                rows_kept=report.counts.rows_kept,
                rows_dropped=dropped,
            ),
            "problems": (*read.problems, *checked.problems, *report.problems),
            "out": str(out) if out is not None else "",
        }
    )
