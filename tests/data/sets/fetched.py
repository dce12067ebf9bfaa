"""Hand-made packages as the builders get them, and what the catalog says of their set."""

from datetime import date

from finewright.catalog.sets import PackagedSet
from finewright.data.sets.content import Content, Fetched
from finewright.schema.sets import Package

SHA256 = "sha256:" + "0" * 64


def fetched(files: dict[str, str | bytes], name: str = "by-hand") -> Fetched:
    """A package of these files."""
    package = Package(name=name, version="1.0.0", integrity=SHA256, license="MIT")
    return Fetched(
        package, {path: f if isinstance(f, bytes) else f.encode() for path, f in files.items()}
    )


def packaged(license: str = "MIT", copyleft: tuple[str, ...] = ()) -> PackagedSet:
    """A set under that licence."""
    package = Package(name="by-hand", version="1.0.0", integrity=SHA256, license="MIT")
    return PackagedSet(
        title="By hand",
        use="tests",
        registry="pypi",
        packages=(package,),
        members=("*",),
        rows={},
        license=license,
        copyleft=copyleft,
        license_note="",
        source="a test",
        observed_at=date(2026, 1, 2),
    )


def rows_of(content: Content, name: str) -> list[dict]:
    """The rows of a file, by its name without the ending."""
    return list(content.rows[f"{name}.jsonl"])
