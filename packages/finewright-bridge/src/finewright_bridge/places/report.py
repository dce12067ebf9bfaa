"""What push, pull and alias show."""

from finewright.report.blocks import Page, Table, Text, section
from finewright.report.cells import count_of
from finewright_bridge.places.alias import AliasReport
from finewright_bridge.places.push import TransferReport


def transfer_page(report: TransferReport) -> Page:
    """Where it is by now, and what one does with it; the files were listed before."""
    size = f"{sum(file.bytes for file in report.files) / 2**20:,.1f} MiB"
    files = count_of(len(report.files), "file")
    if report.is_dry:
        answer = f"would be uploaded: {files}, {size}"
    elif report.moved:
        done = "uploaded" if report.verb == "push" else "fetched, and every digest is right"
        answer = f"{report.moved} of {files} {done}; {size} in all"
    else:
        answer = f"all {files} were there already"
    pulled = f"finewright pull {report.place}"
    step = pulled if report.verb == "push" else f"finewright verify {report.folder}"
    return Page(
        subject=f"a {report.kind}",
        title=report.place if report.verb == "push" else report.folder,
        answer=answer,
        sections=[] if report.is_dry else section("Then", Text(step, "code")),
    )


def alias_page(report: AliasReport) -> Page:
    """What each means, then the history."""
    shown = [(each.alias, each.run, each.time, each.by) for each in report.current]
    earlier = [(each.alias, each.run, each.time, each.by) for each in report.history]
    header = ("alias", "run", "since", "by")
    return Page(
        subject="aliases",
        problems=report.problems,
        title=report.where,
        answer=count_of(len(report.current), "alias", "aliases"),
        sections=[
            *section("What they mean", Table(header, shown)),
            *section("All that was set", Table(header, earlier)),
        ],
    )
