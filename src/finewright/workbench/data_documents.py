"""`data documents`: documents as records of text, and their sections as examples."""

from collections.abc import Sequence
from pathlib import Path

from finewright.data.documents import write_documents, write_examples
from finewright.errors import DataError
from finewright.schema.data_documents import DocumentsReport, ExamplesReport

_SHORTEST = 200


def documents(paths: Sequence[Path], out: Path) -> DocumentsReport:
    """Write one record a document to `out`, JSONL; folders are read with all below them."""
    return write_documents(paths, out)


def examples(documents: Path, out: Path, *, longest: int = 4000) -> ExamplesReport:
    """Cut the records that `documents` wrote into sections of at most `longest` characters.

    4000 characters are some 1000 tokens: several fit into a prompt."""
    if longest < _SHORTEST:
        raise DataError(
            f"sections of {longest} characters say nothing", hint=f"from {_SHORTEST} up"
        )
    return write_examples(documents, out, longest)
