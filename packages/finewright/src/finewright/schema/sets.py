"""A data set built from registry packages: what it was made of, and what lies in its folder."""

from datetime import date

from pydantic import Field, JsonValue

from finewright.schema.common import Model


class Package(Model):
    """A registry package at one version; `license` is what the package says of itself."""

    name: str
    version: str
    integrity: str = Field(
        pattern=r"^(sha512-[A-Za-z0-9+/]{86}==|sha256:[0-9a-f]{64})$",
        description="npm's `sha512-<base64>` of the tarball, or pip's `sha256:<hex>` of the wheel.",
    )
    license: str


class SetFile(Model):
    """A JSONL file of a data set."""

    rows: int
    sha256: str


class SetProvenance(Model):
    """Where a data set came from, and how to build the same one again."""

    name: str
    title: str
    registry: str
    packages: tuple[Package, ...]
    license: str
    license_note: str
    source: str
    observed_at: date
    finewright: str
    settings: dict[str, JsonValue]
    dropped: dict[str, int]
    files: dict[str, SetFile]


class SetReport(Model):
    """What `data get` did: the folder, whether anything was written and which files, and the provenance.

    `feedback` is that of the pairs and prompts, which have a record of their own, if there are any."""

    folder: str
    written: bool
    files_written: tuple[str, ...] = ()
    provenance: SetProvenance
    feedback: SetProvenance | None
