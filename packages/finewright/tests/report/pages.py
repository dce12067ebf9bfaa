"""A page as its reader's browser takes it apart."""

import base64
import hashlib
import re
from collections import Counter
from html.parser import HTMLParser

from pydantic import BaseModel

from finewright.report.blocks import Table
from finewright.report.layouts import page_of

VOID = {"meta", "br", "img", "link", "rect", "line", "circle", "polyline"}
LOADS = {"script", "img", "iframe", "link", "object", "embed", "audio", "video", "base", "form"}
ATTACK = '</pre></svg><script>alert(1)</script><img src="http://evil/x" onerror=a(2)> & "q" \u202e\u200b\x00'


class Parsed(HTMLParser):
    """Tags, attributes and text of a page; every element must be closed in its order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, attribute: str) -> list[str]:
        return [value for _, name, value in self.attributes if name == attribute]


def rows_of(report: BaseModel, section: str) -> list[list[str]]:
    """The rows of all tables of the section whose title begins so."""
    (found,) = [part for part in page_of(report).sections if part.title.startswith(section)]
    tables = [block for block in found.blocks if isinstance(block, Table)]
    return [list(row) for table in tables for row in table.rows]


def check_page(page: str) -> Parsed:
    """Assert that a page is whole, that it loads nothing, and that nothing in it can act."""
    parsed = Parsed(page)
    assert parsed.open == []
    assert LOADS.isdisjoint(parsed.tags)
    assert {"src", "srcset", "action", "data", "style"}.isdisjoint(
        n for _, n, _ in parsed.attributes
    )
    assert not [name for _, name, _ in parsed.attributes if name.startswith("on")]
    ids = Counter(parsed.values("id"))
    assert max(ids.values(), default=1) == 1
    assert {f"#{name}" for name in ids} >= set(parsed.values("href"))
    style = re.search(r"<style>(.*?)</style>", page, re.S)
    assert style
    assert not re.search(r"url\(|@import|@font-face", style[1])
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
        in parsed.values("content")
    )
    return parsed
