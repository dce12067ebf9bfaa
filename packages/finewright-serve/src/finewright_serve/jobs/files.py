"""Uploaded files: FOLDER/ID/{rows.jsonl, file.json}, each whole or absent, found by its id alone.

What a client calls a file is kept as a text, and names nothing on the disk."""

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from finewright.errors import DataError
from finewright.rows.containers.card import StatedFile
from finewright.rows.fates import ReadOptions, fates
from finewright.rows.read import container_of
from finewright.rows.tally import Tally
from finewright.schema.common import Model
from finewright.store.atomic import (
    beside,
    os_errors,
    read_json,
    replace_dir,
    sweep,
    write_json,
)
from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.steps import QuestionCaller
from finewright_serve.jobs.ids import is_id, new_id, readable, unknown

Purpose = Literal["fine-tune", "fine-tune-results"]
_ROWS, _RECORD = "rows.jsonl", "file.json"
_SHOWN = 5
_WRITING_SECONDS = 3600.0


class UploadedFile(Model):
    """A file as clients know it; `types` counts its rows by their shape. It is there for its `project` and
    for admins; None is of a version that knew no projects."""

    id: str
    filename: str
    bytes: int
    created: float
    purpose: Purpose
    types: Mapping[str, int] = {}
    project: str | None = None

    def shown(self) -> dict[str, Any]:  # Any: JSON
        """OpenAI's file object."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": self.bytes,
            "created_at": int(self.created),
            "expires_at": None,
            "filename": self.filename,
            "purpose": self.purpose,
            "status": "processed",
            "status_details": None,
        }


@dataclass(frozen=True, slots=True)
class FileFolder:
    """All files of a server."""

    root: Path

    def add(
        self, content: IO[bytes], filename: str, purpose: Purpose, project: str | None
    ) -> UploadedFile:
        """Keep a file of a project's. Raises ApiError, and keeps nothing, where rows to train on cannot be
        read."""
        number = new_id("file")
        with os_errors(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
        with replace_dir(self.root / number) as folder, os_errors(self.root):
            rows = folder / _ROWS
            with rows.open("wb") as target:
                shutil.copyfileobj(content, target)
            types = check_rows(rows, filename) if purpose == "fine-tune" else {}
            record = UploadedFile(
                id=number,
                filename=filename,
                bytes=rows.stat().st_size,
                created=time.time(),
                purpose=purpose,
                types=types,
                project=project,
            )
            write_json(folder / _RECORD, record.model_dump(mode="json"))
        return record

    def find_for(
        self, asker: QuestionCaller, number: str, param: str | None = None
    ) -> UploadedFile:
        """The file of an id, which the asker may see. Raises ApiError as `find`."""
        found = self.find(number, param)
        if not asker.may_see(found.project):
            raise unknown("file", number, param)
        return found

    def find(self, number: str, param: str | None = None) -> UploadedFile:
        """The file of an id. Raises ApiError where there is none; `param` is the key that names it."""
        if not is_id("file", number) or not (self.root / number / _RECORD).is_file():
            raise unknown("file", number, param)
        hint = "delete its folder, and upload it again"
        return read_json(self.root / number / _RECORD, UploadedFile, hint=hint)

    def content(self, file: UploadedFile) -> Path:
        """Where its bytes are."""
        return self.root / file.id / _ROWS

    def all(self) -> list[UploadedFile]:
        """Every file that can be read, the newest first."""
        if not self.root.is_dir():
            return []
        names = [path.name for path in self.root.iterdir() if is_id("file", path.name)]
        return sorted(readable(self.find, names), key=lambda file: (-file.created, file.id))

    def delete(self, number: str) -> None:
        """Forget a file; jobs have their own copy of what they train on."""
        self.find(number)
        path = self.root / number
        with os_errors(path):
            gone = beside(path)
            path.rename(gone)
            shutil.rmtree(gone)

    def tidy(self) -> None:
        """Clear what a killed server left of uploads; what is young may be a result that a job writes."""
        if self.root.is_dir():
            sweep(self.root, spare=_WRITING_SECONDS)


def check_rows(path: Path, filename: str) -> dict[str, int]:
    """The rows of a JSONL file by their shape. Raises ApiError that names the lines that are wrong."""
    part = StatedFile(path, filename)
    try:
        kind, stream = container_of(part)
    except DataError as error:
        raise _refused(f"{filename}: {error}") from None
    if kind != "lines" or stream.packing:
        raise _refused(f"{filename}: not JSONL: write one JSON object per line, without packing")
    tally = Tally()
    for fate in fates(path, ReadOptions()):
        tally.add(fate)
    # What is wrong with the whole file is why its rows cannot be read.
    wrong = [p for p in tally.problems() if p.level == "error"]
    wrong.sort(key=lambda p: p.row is not None)
    if wrong:
        lines = [p.model_copy(update={"file": filename}).line() for p in wrong[:_SHOWN]]
        more = f"\nand {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise _refused("\n".join(lines) + more)
    return {str(name): number for name, number in tally.types.items()}


def _refused(message: str) -> ApiError:
    return ApiError(message, param="file", code="invalid_file")
