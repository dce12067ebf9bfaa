"""The folder that rows are prepared in: what was asked, which chunks are done, and one writer at a time."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import finewright
from finewright.errors import StoreError
from finewright.rows.fates import RowFile
from finewright.rows.identity import canonical
from finewright.schema.common import Source
from finewright.schema.scale import PrepareReport, PrepareSpec
from finewright.store.atomic import os_errors, read_json, sweep, write_bytes, write_text

_REPORT, _WORK = "report.json", "work"
_MOST_NAMED = 3


class Workspace:
    """FOLDER/work: what is there while rows are prepared, and goes when they are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / _WORK
        self.plan = self.work / "plan"
        self.chunks = self.work / "chunks"
        self.unrolled = self.work / "unrolled"
        self.columns = self.work / "columns"
        self.out = self.work / "out"
        self.report = folder / _REPORT
        self._made: list[Path] = []

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Be the one writer of the folder; StoreError at once where another process is."""
        self._refuse_others_files()
        self._make()
        with os_errors(self.folder):
            descriptor = os.open(self.folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._take(descriptor)
            yield
        finally:
            os.close(descriptor)

    def begin(self, plan: str, sources: Sequence[Source]) -> None:
        """Go on with what was begun for the same plan; StoreError where it was begun for another."""
        with os_errors(self.work):
            if self.plan.exists():
                self._refuse_another(plan)
            else:
                self.work.mkdir(exist_ok=True)
                write_text(self.plan, "\n".join([plan, *(source.path for source in sources)]))
            for folder in (self.chunks, self.unrolled):
                folder.mkdir(exist_ok=True)
            sweep(self.work)
            # These are made anew from the chunks.
            for folder in (self.columns, self.out):
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()

    def key(self, fresh: bytes) -> bytes:
        """The key that this work began with, so that what goes on has the same pseudonyms."""
        path = self.work / "key"
        if not path.exists():
            write_bytes(path, fresh)
            path.chmod(0o600)
        return path.read_bytes()

    def chunk(self, number: int) -> Path:
        """Where the chunk of that slice is, or will be."""
        return self.chunks / f"{number:06d}.slice.npz"

    def refuse_small_disk(self, num_bytes: int) -> None:
        """StoreError where the folder's disk has fewer bytes left; what is done stays."""
        free = shutil.disk_usage(self.work).free
        if free >= num_bytes:
            return
        if not any(self.chunks.iterdir()):
            self.abandon()
        sizes = (
            f"{free / 2**30:.1f} GiB are free, and this takes {num_bytes / 2**30:.1f} GiB or more"
        )
        raise StoreError(
            f"{self.folder}: {sizes}", hint="free some space, or name a folder of a larger disk"
        )

    def read_finished(self, plan: str) -> PrepareReport | None:
        """The report of the same plan, where it was carried out to the end."""
        if not self.report.exists():
            return None
        hint = "delete the folder, or name another one"
        report = read_json(self.report, PrepareReport, hint=hint)
        if report.plan != plan:
            raise StoreError(f"{self.folder}: holds rows that were prepared otherwise", hint=hint)
        return report

    def end(self, report: PrepareReport) -> None:
        """Put what was made in its place; the report comes last, and says that the rest is whole."""
        with os_errors(self.folder):
            for path in sorted(self.out.iterdir()):
                path.replace(self.folder / path.name)
            write_text(self.report, report.model_dump_json(indent=2) + "\n")
            shutil.rmtree(self.work)

    def _make(self) -> None:
        above = (self.folder, *self.folder.parents)
        try:
            self._made = [folder for folder in above if not folder.exists()]
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            what = f"{self.folder}: no folder can be made there: {error.strerror}"
            raise StoreError(what, hint="choose another place with --out") from None

    def abandon(self) -> None:
        """Leave nothing: neither the work nor a folder that was made for it."""
        with os_errors(self.folder):
            shutil.rmtree(self.work)
            for folder in self._made:
                folder.rmdir()

    def _take(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(
                f"{self.folder}: another process prepares rows there",
                hint="wait for it to end, or name another folder",
            ) from None

    def _refuse_others_files(self) -> None:
        if self.folder.exists() and not self.folder.is_dir():
            raise StoreError(f"{self.folder}: this is not a folder", hint="name another one")
        is_ours = self.report.exists() or self.plan.exists()
        if self.folder.exists() and not is_ours and not self._is_empty():
            raise StoreError(f"{self.folder}: the folder is not empty", hint="name another one")

    def _is_empty(self) -> bool:
        """Whether nothing is in it but what a call left that was killed before it wrote its plan."""
        leftovers = self.work.glob(f".{self.plan.name}.*.tmp") if self.work.is_dir() else ()
        known = {self.work, *leftovers} if self.work.is_dir() else set()
        return all(path in known for path in self.folder.rglob("*"))

    def _refuse_another(self, plan: str) -> None:
        begun, *over = self.plan.read_text(encoding="utf-8").split("\n")
        if begun != plan:
            named = ", ".join(over[:_MOST_NAMED])
            more = f" and {len(over) - _MOST_NAMED} more" if len(over) > _MOST_NAMED else ""
            raise StoreError(
                f"{self.folder}: begun by another call over {named}{more}, or over what these held then",
                hint="name another folder; to go on, repeat that call as it was",
            )


def plan_of(
    spec: PrepareSpec,
    files: Sequence[RowFile],
    sources: Sequence[Source],
    user_key: bytes,
    size: int,
) -> str:
    """The digest of all that the result follows from: the files, and what a manifest states of each, too."""
    parts = [file.part for file in files]
    inputs = {
        "version": finewright.__version__,
        "spec": spec.model_dump(mode="json"),
        "sources": [source.model_dump(mode="json") for source in sources],
        "stated": [[p.format, dict(p.columns), dict(p.tags), p.encoding] for p in parts],
        "key": hashlib.sha256(b"plan:" + user_key).hexdigest() if user_key else "",
        "slice_bytes": size,
    }
    return hashlib.sha256(canonical(inputs)).hexdigest()
