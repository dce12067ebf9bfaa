"""The catalog of data sets, and what `data get` built, as the text that a terminal shows."""

from finewright.catalog.sets import DataSets
from finewright.render.reports import text_of
from finewright.render.text import table
from finewright.schema.sets import Provenance, SetReport


@text_of.register
def _(report: DataSets) -> str:
    rows = [
        [name, str(sum(of.rows.values())), of.license, of.use] for name, of in report.sets.items()
    ]
    listing = table(["name", "rows", "licence", "good for"], rows)
    named: dict[str, list[str]] = {}
    for name, install in report.not_installed.items():
        named.setdefault(install, []).append(name)
    missing = [f"not installed: {', '.join(of)}; {install}" for install, of in named.items()]
    return "\n\n".join([listing, *missing, "build one: finewright data get NAME"])


@text_of.register
def _(report: SetReport) -> str:
    named = f": {', '.join(report.files_written)}" if report.files_written else ""
    state = f"written{named}" if report.written else "there already, left alone"
    parts = [f"{report.provenance.title}\n{report.folder}: {state}"]
    built = [report.provenance, *([report.feedback] if report.feedback else [])]
    rows = [[file, str(told.rows)] for of in built for file, told in of.files.items()]
    parts.append(table(["file", "rows"], rows))
    left_out = [[why, str(count)] for of in built for why, count in sorted(of.dropped.items())]
    if left_out:
        parts.append(table(["left out", "count"], left_out))
    parts.append(_licence(report.provenance))
    return "\n\n".join(parts)


def _licence(provenance: Provenance) -> str:
    packages = ", ".join(f"{package.name} {package.version}" for package in provenance.packages)
    lines = [f"licence: {provenance.license} ({provenance.license_note})", f"from: {packages}"]
    if provenance.settings.get("include_copyleft") is False:
        lines.append("what is left out for its licence is kept with --include-copyleft")
    return "\n".join(lines)
