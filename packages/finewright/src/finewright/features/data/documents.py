"""`data documents`: documents as records of text, and their sections as examples."""

from collections.abc import Sequence
from pathlib import Path

from finewright.errors import DataError
from finewright.rows.documents import write_documents, write_examples
from finewright.schema.data_check import DocumentsReport, ExamplesReport
from finewright.workbench.outputs import check_outputs

_SHORTEST = 200


def documents(paths: Sequence[Path], out: Path) -> DocumentsReport:
    """Write one record a document to `out`, JSONL; folders are read with all below them.

    `out` is a new file, and is not written where no document gives text."""
    check_outputs([out], paths)
    report = write_documents(paths, out)
    if report.documents_written:
        return report
    out.unlink()
    return report.model_copy(update={"out": ""})


def examples(documents: Path, out: Path, *, longest: int = 4000) -> ExamplesReport:
    """Cut the records that `documents` wrote into sections of at most `longest` characters.

    4000 characters are some 1000 tokens: several fit into a prompt. `out` is a new file, and is not written
    where there is no section."""
    if longest < _SHORTEST:
        raise DataError(
            f"sections of {longest} characters say nothing", hint=f"from {_SHORTEST} up"
        )
    check_outputs([out], [documents])
    report = write_examples(documents, out, longest)
    if report.examples_written:
        return report
    out.unlink()
    return report.model_copy(update={"out": ""})
