"""A run or a release bundle in a bucket, whole or none.

First a listing of all files with their digests is put there, only if nothing is: it is the claim of who
pushes that very content, so that nobody else's files come between. Then the files, and last, only if nothing
is, the one without which there is no run: `manifest.json`, of a bundle `model.sig`. A push that is cut goes
on."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from finewright.errors import DataError, FetchError, SpecError, StoreError
from finewright.feature import load_offered
from finewright.schema.common import Model, errors_of
from finewright.store import events, manifest
from finewright.store.atomic import os_errors, replace_dir, sha256_file
from finewright.store.rundir import RunDir, open_run
from finewright.store.stage import refuse
from finewright_bridge.places.alias import name_at
from finewright_bridge.places.stores import (
    Location,
    leads_out,
    list_objects,
    locate_address,
    put_object,
    read_digest,
    read_object,
    read_whole,
)

LISTING = "upload.json"
_LAST = {"run": "manifest.json", "bundle": "model.sig"}
_TEXT = {".yaml", ".yml", ".py", ".md", ".txt", ".jinja"}
_LONGEST_TEXT = 1_000_000  # bytes: as `launch` takes

Kind = Literal["run", "bundle"]


class PushedFile(Model):
    """A file by its path in the run."""

    to: str
    bytes: int
    sha256: str
    key: str = ""


class PushListing(Model):
    """What `upload.json` says: all that belongs to a run or a bundle."""

    format: Literal["upload-1"] = "upload-1"
    kind: Kind
    files: tuple[PushedFile, ...]


class TransferReport(Model):
    """What was or would be brought where; `moved` are the files of this call, the others were there."""

    verb: Literal["push", "pull"]
    kind: Kind
    folder: str
    place: str
    files: tuple[PushedFile, ...]
    moved: int
    is_dry: bool = False


def push(
    run: Path, to: str, *, tell: Callable[[str], None], is_dry: bool = False
) -> TransferReport:
    """Upload what is listed. Raises DataError for what is no whole run, FetchError where another one is
    there or the place refuses; what was uploaded until then is no run yet."""
    at = locate_address(to)
    if at.scheme.startswith("http") or at.sha256:
        raise SpecError(f"{to}: is no folder of a bucket", hint="name one: s3://BUCKET/FOLDER")
    at = at.below(run.resolve().name)
    listing = _list(run)
    files = listing.files
    show = load_offered("launch", "listing")
    tell(
        show(
            f"{run} to {at.address}",
            [f.model_copy(update={"key": listing.kind}) for f in files],
            (),
        )
    )
    moved = 0 if is_dry else _upload(run, at, listing)
    return TransferReport(
        verb="push",
        kind=listing.kind,
        folder=str(run),
        place=at.address,
        files=files,
        moved=moved,
        is_dry=is_dry,
    )


def _upload(run: Path, at: Location, listing: PushListing) -> int:
    last, content = _LAST[listing.kind], listing.model_dump_json(indent=1).encode()
    there = _claim(at, last, content)
    moved = 0
    for file in sorted(listing.files, key=lambda file: file.to == last):
        if there.get(file.to) == file.bytes and _is_same(at.below(file.to), file, last):
            continue
        if sha256_file(run / file.to) != file.sha256:
            raise StoreError(
                f"{run / file.to}: changed while it was uploaded", hint="push it again"
            )
        try:
            mode = "create" if file.to == last else "overwrite"
            put_object(at.below(file.to), run / file.to, mode, sha256=file.sha256)
        except FileExistsError:
            raise _is_taken(at, last) from None
        moved += 1
    return moved


def _is_same(there: Location, file: PushedFile, last: str) -> bool:
    """Whether what is there has the file's digest; the last one is small, and read."""
    if file.to == last and (found := read_whole(there)):
        return hashlib.sha256(found[0]).hexdigest() == file.sha256
    return read_digest(there) == file.sha256


def _claim(at: Location, last: str, content: bytes) -> dict[str, int]:
    """Path -> bytes of what a push of the same content has brought there. Raises FetchError for another's."""
    there = {each.path: each.bytes for each in list_objects(at)}
    if LISTING not in there:
        if last in there:
            raise _is_taken(at, last)
        try:
            put_object(at.below(LISTING), content, "create")
        except FileExistsError:
            return _claim(at, last, content)
        return {}  # whatever lies there is nobody's push: all is put anew
    found = read_whole(at.below(LISTING))
    if found is None or found[0] != content:
        raise _is_taken(at, last if last in there else "")
    return there


def _is_taken(at: Location, last: str) -> FetchError:
    if last:
        return FetchError(
            f"{at.address}: another run is there, which stays", hint="push to another folder"
        )
    return FetchError(
        f"{at.address}: a push of other content has begun there and not ended",
        hint=f"push to another folder, or, if it was given up, delete {at.below(LISTING).address}",
    )


def _list(folder: Path) -> PushListing:
    """All files that belong to it. Raises DataError or StoreError for what is not whole."""
    if (folder / _LAST["bundle"]).is_file():
        kind, paths = _bundle(folder)
    else:
        kind, paths = _run(open_run(folder))
    refuse_secret: Callable[[str, str], None] = load_offered("launch", "refuse_secret")
    files = []
    for path in sorted(paths):
        source = folder / path
        with os_errors(source):
            size = source.stat().st_size
        if source.suffix in _TEXT and size <= _LONGEST_TEXT:
            refuse_secret(str(source), source.read_text("utf-8", errors="replace"))
        files.append(PushedFile(to=path, bytes=size, sha256=sha256_file(source)))
    return PushListing(kind=kind, files=tuple(files))


def _run(run: RunDir) -> tuple[Kind, set[str]]:
    if events.state(run) == "running":
        raise DataError(f"{run.root}: is still running", hint="push it when it has ended")
    refuse(errors_of(manifest.verify(run)))
    covered = {row.path for row in manifest.read_manifest(run).artifacts}
    others = {path.name for path in (run.manifest, run.events) if path.is_file()}
    return "run", {path for path in covered if (run.root / path).is_file()} | others


def _bundle(folder: Path) -> tuple[Kind, set[str]]:
    verify: Callable[[Path, Path | None], object] = load_offered("release", "verify_bundle")
    refuse(errors_of(getattr(verify(folder, None), "problems", ())))
    paths = {path for path in folder.rglob("*") if path.is_file()}
    return "bundle", {path.relative_to(folder).as_posix() for path in paths}


def pull(address: str, runs: Path) -> TransferReport:
    """Bring it to the folder of the runs, under its name.

    Raises FetchError for none, half of one, or one that is not what it says; nothing is there then."""
    at = locate_address(address)
    if "@" in at.name:
        folder = Location(at.scheme, at.root, at.key.rpartition("/")[0])
        at = folder.below(name_at(folder, at.name))
    listing = _read_listing(at)
    target = runs / at.name
    last = next(file for file in listing.files if file.to == _LAST[listing.kind])
    is_here = target.exists()
    if is_here and not (
        (target / last.to).is_file() and sha256_file(target / last.to) == last.sha256
    ):
        raise StoreError(f"{target}: another is there already", hint="name another --runs")
    if not is_here:
        with os_errors(runs):
            runs.mkdir(parents=True, exist_ok=True)
        with replace_dir(target) as new:
            for file in listing.files:
                _download(at, file, new)
            if listing.kind == "run":
                refuse(errors_of(manifest.verify(RunDir(new))))
    return TransferReport(
        verb="pull",
        kind=listing.kind,
        folder=str(target),
        place=at.address,
        files=listing.files,
        moved=0 if is_here else len(listing.files),
    )


def _read_listing(at: Location) -> PushListing:
    found = read_whole(at.below(LISTING))
    if found is None:
        raise FetchError(f"{at.address}: no run was pushed there", hint="check the address")
    try:
        listing = PushListing.model_validate_json(found[0])
    except ValidationError:
        raise FetchError(f"{at.below(LISTING).address}: is no listing of a run") from None
    paths = [file.to for file in listing.files]
    if any(map(leads_out, paths)) or _LAST[listing.kind] not in paths:
        raise FetchError(
            f"{at.below(LISTING).address}: names no files of a run", hint="do not use it"
        )
    if read_whole(at.below(_LAST[listing.kind])) is None:
        raise FetchError(
            f"{at.address}: half a run: its upload has not ended",
            hint="repeat its push: it goes on",
        )
    return listing


def _download(at: Location, file: PushedFile, folder: Path) -> None:
    there, target, found = at.below(file.to), folder / file.to, hashlib.sha256()
    try:
        _, pieces = read_object(there)
    except FileNotFoundError:
        raise FetchError(f"{there.address}: is missing there") from None
    with os_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as out:
            for piece in pieces:
                found.update(piece)
                out.write(piece)
    if found.hexdigest() != file.sha256:
        raise FetchError(
            f"{there.address}: is not what was pushed: sha256 {found.hexdigest()},"
            f" {file.sha256} then",
            hint="do not use it; push the run again to another folder",
        )
