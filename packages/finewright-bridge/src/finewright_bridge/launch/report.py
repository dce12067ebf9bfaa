"""What a launch shows: the cost, what leaves this machine, and how it is started."""

from collections.abc import Sequence

from pydantic import Field

from finewright.report.blocks import Block, Page, Table, Text, section
from finewright.report.cells import count_of
from finewright.schema.common import Model, Problem
from finewright.schema.cost import Range
from finewright_bridge.launch.upload import FetchedThere, SentFile

_MOST_LISTED = 20
"""Of each key: a model or a folder of rows may have thousands of files; `--json` has all."""


class LaunchReport(Model):
    """The files of a launch. `uploads` are all files that leave this machine, in the folder's own paths;
    `fetched` is what the other machine gets by itself."""

    target: str
    folder: str
    job: str
    machine: str
    hours: Range | None = None
    usd: Range | None = None
    limit_hours: float | None = None
    uploads: tuple[SentFile, ...]
    fetched: tuple[FetchedThere, ...] = ()
    files: tuple[str, ...]
    steps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    is_submitted: bool = False
    problems: tuple[Problem, ...] = Field(())


def listing(about: str, uploads: Sequence[SentFile], fetched: Sequence[FetchedThere]) -> str:
    """What is said before anything is written: the machine and its cost, then every upload."""
    lines = [about, f"To upload: {_sum_up(uploads)}"]
    lines += ["  " + "  ".join(cells) for cells in _rows(uploads)]
    lines += [f"  fetched there: {each.what}" for each in fetched]
    return "\n".join(lines) + "\n"


def launch_page(report: LaunchReport) -> Page:
    """How it is started first, then what would leave."""
    limit = f"; stopped after {report.limit_hours:.4g} h" if report.limit_hours else ""
    state = "submitted" if report.is_submitted else "written, not submitted"
    uploads = f"{'Uploaded' if report.is_submitted else 'To upload'}: {_sum_up(report.uploads)}"
    steps: list[Block] = [Text(f"cd {report.folder}", "code")] if report.steps else []
    steps += [Text(step, "code") for step in report.steps]
    steps += [Text(note) for note in report.notes]
    return Page(
        subject="a launch",
        title=report.folder,
        answer=f"{state}: {report.machine}{limit}",
        about=(f"{report.target}, job {report.job}: {', '.join(report.files)}",),
        problems=report.problems,
        sections=[
            *section("Start it", *steps),
            *section(uploads, Table(_HEADER, _rows(report.uploads))),
            *section(
                "Fetched there", Table(("key", "what"), [(f.key, f.what) for f in report.fetched])
            ),
        ],
    )


_HEADER = ("file", "size", "sha256", "named by")


def _sum_up(uploads: Sequence[SentFile]) -> str:
    total = sum(file.bytes for file in uploads)
    return f"{count_of(len(uploads), 'file')}, {_size(total)}"


def _rows(uploads: Sequence[SentFile]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for key in dict.fromkeys(file.key for file in uploads):
        files = [file for file in uploads if file.key == key]
        rows += [
            (file.to, _size(file.bytes), file.sha256[:12], key or "finewright")
            for file in files[:_MOST_LISTED]
        ]
        if rest := files[_MOST_LISTED:]:
            size = _size(sum(file.bytes for file in rest))
            rows.append((f"and {count_of(len(rest), 'more file')} (--json has all)", size, "", key))
    return rows


def _size(num_bytes: int) -> str:
    if num_bytes < 2**10:
        return f"{num_bytes} B"
    return f"{num_bytes / 2**10:,.1f} KiB" if num_bytes < 2**20 else f"{num_bytes / 2**20:,.1f} MiB"
