"""Pieces of files: handed to a worker wherever it is, and what was listed of each joined again."""

from collections import Counter
from dataclasses import replace

from finewright.data.containers.found import Listing
from finewright.data.containers.manifest import Part


def absolute(part: Part) -> Part:
    """The part by its place from the root, for a worker may have another current folder.

    Links stay links: a hub's file is one, and what it leads to has another name."""
    root = part.root.absolute() if part.root else None
    return replace(part, path=part.path.absolute(), root=root)


def join(listing: Listing, later: Listing) -> None:
    """Add what the next piece listed, so that all is listed as by a reader of the whole."""
    kept: Counter[tuple[str, str]] = Counter(
        (problem.file, problem.level) for problem in later.kept
    )
    for problem in later.kept:
        listing.add(problem)
    for key, count in later.seen.items():
        listing.seen[key] += count - kept[key]
