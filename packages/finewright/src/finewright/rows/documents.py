"""Documents as records of text, and the sections of these."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from finewright.rows.containers.found import ReadRow, file_problem
from finewright.rows.containers.lines import jsonl_at
from finewright.rows.document_text import MEDIA_TYPES, Refused, content_of, document
from finewright.rows.read import records
from finewright.rows.sections import sections
from finewright.schema.data_check import DocumentsReport, ExamplesReport
from finewright.schema.listing import Listing


def write_documents(paths: Sequence[Path], out: Path) -> DocumentsReport:
    """One record a document: `id`, `title`, `text`, `path`, `sha256`, `media_type`.

    Folders are read with all below them. What cannot be read, or is there twice, is counted and said, and
    the others are still written."""
    listing, dropped, types = Listing(), Counter[str](), Counter[str]()
    seen: dict[str, str] = {}
    num_in = 0
    with jsonl_at(out) as write:
        for path, place in documents_at(paths, listing):
            num_in += 1
            try:
                content = content_of(path)
                sha256 = hashlib.sha256(content).hexdigest()
                if sha256 in seen:
                    raise Refused("repeated", f"the same bytes as {seen[sha256]}")
                found = document(path)
            except Refused as error:
                dropped[error.reason] += 1
                is_error = error.reason != "repeated"
                level: Literal["error", "warning"] = "error" if is_error else "warning"
                listing.add(file_problem(str(path), str(error), error.hint, level=level))
                continue
            for problem in found.doubts(str(path)):
                listing.add(problem)
            seen[sha256] = str(path)
            media_type = MEDIA_TYPES[path.suffix.lower()]
            types[media_type] += 1
            write(
                {
                    "id": sha256[:16],
                    "title": found.title,
                    "text": found.text,
                    "path": place,
                    "sha256": sha256,
                    "media_type": media_type,
                }
            )
    return DocumentsReport(
        documents_in=num_in,
        documents_written=types.total(),
        documents_dropped=dict(dropped),
        media_types=dict(types),
        out=str(out),
        problems=listing.problems(),
    )


def _examples(found: ReadRow, text: str, longest: int) -> Iterator[dict[str, Any]]:
    name = found.data.get("id") or f"{found.file}:{found.row}"
    for number, section in enumerate(sections(text, longest), start=1):
        yield {
            "id": f"{name}-{number}",
            "title": " / ".join(section.heading_path),
            "text": text[section.start : section.end],
            "path": found.data.get("path", ""),
            "heading_path": section.heading_path,
            "start": section.start,
            "end": section.end,
        }


def write_examples(documents: Path, out: Path, longest: int) -> ExamplesReport:
    """The sections of each record's text: `id`, `title`, `text`, `path`, `heading_path`, `start`, `end`, as
    `rag index` takes them.

    `start` and `end` count characters of the record's text, which they are cut from unchanged."""
    listing = Listing()
    num_in = num_dropped = num_written = 0
    with jsonl_at(out) as write:
        for found in records(documents):
            if not isinstance(found, ReadRow):
                listing.add(found)
                num_lost = int(found.level == "error" and found.row is not None)
                num_in, num_dropped = num_in + num_lost, num_dropped + num_lost
                continue
            num_in += 1
            text = found.data.get("text")
            if not isinstance(text, str) or not text.strip():
                num_dropped += 1
                what, hint = "no `text` to cut", "write the documents with `data documents`"
                listing.add(file_problem(found.file, what, hint, found.row))
                continue
            num_before = num_written
            for example in _examples(found, text, longest):
                num_written += 1
                write(example)
            if num_written == num_before:
                num_dropped += 1
                place = str(found.data.get("path", "")) or "this document"
                what = f"{place} has headings and nothing under them, so no section is cut from it"
                listing.add(file_problem(found.file, what, row=found.row, level="warning"))
    return ExamplesReport(
        documents_in=num_in,
        documents_dropped=num_dropped,
        examples_written=num_written,
        out=str(out),
        problems=listing.problems(),
    )


def documents_at(paths: Sequence[Path], listing: Listing) -> Iterator[tuple[Path, str]]:
    """Each document and what it is called: its path below the folder that was named, or its name.

    What is no document is listed."""
    for path in paths:
        if path.is_dir():
            for document in _documents_in(path, listing):
                yield document, document.relative_to(path).as_posix()
        elif not path.is_file():
            listing.add(file_problem(str(path), "there is no such file", "check the path"))
        elif path.suffix.lower() not in MEDIA_TYPES:
            listing.add(file_problem(str(path), "this is no document that is read", _KNOWN))
        else:
            yield path, path.name


def _documents_in(folder: Path, listing: Listing) -> list[Path]:
    every = sorted(p for p in folder.rglob("*") if p.is_file())
    seen = [p for p in every if not _is_hidden(p, folder)]
    named = [p for p in seen if p.suffix]
    known = [p for p in named if p.suffix.lower() in MEDIA_TYPES]
    _say_unread(folder, listing, len(every) - len(seen), "hidden", "name one to read it")
    if not known:
        listing.add(file_problem(str(folder), "there is no document in this folder", _KNOWN))
    left = len(named) - len(known)
    _say_unread(folder, listing, left, "no document" if left == 1 else "no documents", _KNOWN)
    return known


def _say_unread(folder: Path, listing: Listing, count: int, being: str, hint: str) -> None:
    if count:
        what = f"{_files_are(count)} not read, being {being}"
        listing.add(file_problem(str(folder), what, hint, level="info"))


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


_KNOWN = f"{', '.join(MEDIA_TYPES)} are read"


def _files_are(number: int) -> str:
    return "1 file is" if number == 1 else f"{number} files are"
