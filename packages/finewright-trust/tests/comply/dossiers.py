"""Are the links of a dossier there, and do its digests hold? By other means than those that wrote it."""

import hashlib
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

_MARKDOWN = re.compile(r"\]\(<([^>]+)>\)")


class _Hrefs(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def links(folder: Path) -> Iterator[tuple[Path, str]]:
    """(page, target) of every link to a file."""
    for page in sorted(folder.rglob("*.html")):
        parser = _Hrefs()
        parser.feed(page.read_text(encoding="utf-8"))
        yield from ((page, each) for each in parser.found)
    for page in [folder / "index.md", *sorted((folder / "documents").glob("*.md"))]:
        yield from ((page, each) for each in _MARKDOWN.findall(page.read_text(encoding="utf-8")))


def broken_links(folder: Path) -> list[str]:
    """Links that open no file, or no place of the page."""
    found = []
    for page, target in links(folder):
        if target.startswith("https://"):
            continue
        if target.startswith("#"):
            is_there = f'id="{target[1:]}"' in page.read_text(encoding="utf-8")
        else:
            is_there = (page.parent / unquote(target)).is_file()
        if not is_there:
            found.append(f"{page.name}: {target}")
    return found


def wrong_digests(folder: Path) -> list[str]:
    """Evidence whose file is not what its digest says, in the report and in the OSCAL results."""
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    claimed = [
        (each["link"], each["sha256"])
        for control in report["controls"]
        for each in control["evidence"]
        if each["kind"] != "missing"
    ]
    results = json.loads((folder / "oscal.json").read_text(encoding="utf-8"))["assessment-results"]
    claimed += [
        (link["href"], digest["value"])
        for resource in results["back-matter"]["resources"]
        for link in resource.get("rlinks", ())
        for digest in link["hashes"]
    ]
    assert claimed
    return [name for name, digest in claimed if _sha256(folder / name) != digest]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"
