"""The catalog of data sets, and what `data get` built."""

from collections.abc import Iterator

from finewright.catalog.sets import DataSets
from finewright.report.blocks import Page, Table, section
from finewright.report.cells import count
from finewright.schema.sets import SetProvenance, SetReport


def list_page(report: DataSets) -> Page:
    """Each set with its rows, its licence and its use."""
    rows = [
        (name, count(sum(of.rows.values())), of.license, of.use) for name, of in report.sets.items()
    ]
    return Page(
        subject="data sets",
        title="Data sets",
        about=[*_missing(report), "build one: finewright data get NAME"],
        sections=section("", Table(("name", "rows", "licence", "good for"), rows)),
    )


def set_page(report: SetReport) -> Page:
    """Where the set lies, its files, and what was left out."""
    named = f": {', '.join(report.files_written)}" if report.files_written else ""
    built = [report.provenance, *([report.feedback] if report.feedback else [])]
    files = [(file, count(said.rows)) for of in built for file, said in of.files.items()]
    left_out = [(why, count(n)) for of in built for why, n in sorted(of.dropped.items())]
    return Page(
        subject="a data set",
        title=report.folder,
        answer=f"written{named}" if report.written else "there already, left alone",
        about=[report.provenance.title, *_licence(report.provenance)],
        sections=[
            *section("", Table(("file", "rows"), files)),
            *section("", Table(("left out", "count"), left_out)),
        ],
    )


def _missing(report: DataSets) -> Iterator[str]:
    """The sets of packages that are not there, and how to install those."""
    named: dict[str, list[str]] = {}
    for name, install in report.not_installed.items():
        named.setdefault(install, []).append(name)
    for install, names in named.items():
        yield f"not installed: {', '.join(names)}; {install}"


def _licence(provenance: SetProvenance) -> Iterator[str]:
    packages = ", ".join(f"{package.name} {package.version}" for package in provenance.packages)
    yield f"licence: {provenance.license} ({provenance.license_note})"
    yield f"from: {packages or provenance.source}"
    if provenance.settings.get("include_copyleft") is False:
        yield "what is left out for its licence is kept with --include-copyleft"
