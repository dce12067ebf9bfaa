"""Personal data and secrets of files: what is in them, and a copy without them."""

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from finewright.data.privacy import apply
from finewright.errors import DataError
from finewright.features.data.rows import problems_of, usable_rows, write_rows
from finewright.guard.privacy.pseudonyms import key_of
from finewright.rows.fates import ReadOptions
from finewright.schema.privacy import PersonalDataSpec, PersonalType, PrivacyReport, SecretsSpec
from finewright.workbench.outputs import check_outputs


def personal_spec(
    action: str,
    types: Sequence[str] | None = None,
    key_file: Path | None = None,
    ner: Path | None = None,
) -> PersonalDataSpec:
    """The section as a command line says it; without `types`, those that have a form to be checked.

    Raises DataError where there is no such key file, and where a pipeline would find what nobody asks for."""
    if key_file is not None and not key_file.is_file():
        raise DataError(
            f"--key-file {key_file}: there is no such file",
            hint=f"make one of 32 random bytes: head -c 32 /dev/urandom > {key_file}",
        )
    if ner is not None and "name" not in (types or ()):
        raise DataError(
            f"--ner {ner}: it finds names, and these are not looked for",
            hint="add --kind name, and a --kind for each other kind that is to be looked for",
        )
    fields = {"action": action, "key_file": str(key_file or ""), "ner": str(ner or "")}
    return PersonalDataSpec.model_validate({**fields, **({"types": types} if types else {})})


def privacy(
    path: Path,
    *,
    personal: PersonalDataSpec,
    secrets: SecretsSpec,
    out: Path | None,
    options: ReadOptions = ReadOptions(),  # noqa: B008 - a tuple that nobody changes
) -> PrivacyReport:
    """What is found in the usable rows; with `out`, a new file, the rows that go on are written there.

    Rows that cannot be used are counted and said, and are not in `out`. Raises DataError where the path is
    not there or has no usable row."""
    check_outputs([out], [path])
    key = key_of(Path(personal.key_file) if personal.key_file else None)
    found = usable_rows(path, options)
    outcome, report = apply(found.rows, personal, secrets, key)
    said = problems_of(path, found.tally)
    found.tally.drop(report.counts.rows_dropped)
    if out is not None:
        write_rows(out, outcome.rows)
    sought = set() if personal.action == "off" else set(personal.types)
    return report.model_copy(
        update={
            "counts": found.tally.counts(),
            "not_looked_for": tuple(kind for kind in get_args(PersonalType) if kind not in sought),
            "problems": (*said, *report.problems),
            "out": str(out) if out is not None else "",
        }
    )
