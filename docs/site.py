"""What the site does with the docs beside mkdocs' own: hooks of `mkdocs.yml`.

A link out of `docs` (an example, a module) is shown as its path, for the site is built of `docs` alone. No
page may load anything from another host."""

import re
from pathlib import Path, PurePosixPath
from typing import Any

_LINK = re.compile(r"\[([^\]]*)\]\(((?:\.\./)+[^)\s#]*)(#[^)\s]*)?\)")
_FOREIGN = re.compile(
    r"<(?:script|img|iframe|link|source)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//[^>]*>"
)
_HARMLESS = re.compile(r"rel=[\"']?(?:canonical|prev|next|edit)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:  # Any: mkdocs'
    """The page with links out of `docs` as paths."""
    folder = PurePosixPath(page.file.src_uri).parent

    def path_of(match: re.Match[str]) -> str:
        target = (Path("/docs") / folder / match[2]).resolve()
        if target.is_relative_to("/docs"):
            return match[0]
        return f"`{target.relative_to('/')}`" if match[1] else ""

    return _LINK.sub(path_of, markdown)


def on_post_build(*, config: Any) -> None:
    """Raise SystemExit where a page loads a file of another host."""
    for path in Path(config["site_dir"]).rglob("*.html"):
        for tag in _FOREIGN.findall(path.read_text(encoding="utf-8")):
            if not _HARMLESS.search(tag):
                raise SystemExit(f"{path}: loads from another host: {tag}")
