"""Pieces of files, as they are handed to a worker wherever it is."""

from dataclasses import replace

from finewright.rows.containers.manifest import Part


def absolute(part: Part) -> Part:
    """The part by its place from the root, for a worker may have another current folder.

    Links stay links: a hub's file is one, and what it leads to has another name."""
    root = part.root.absolute() if part.root else None
    return replace(part, path=part.path.absolute(), root=root)
