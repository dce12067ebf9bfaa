"""What every picture of a page is made of: the frame with its title, and text that is escaped."""

from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

from finewright.render.html.text import visible

WIDTH = 640
"""Of every picture, in units of its view box."""


def svg(name: str, title: str, height: float, shapes: Iterable[str], *, role: str = "img") -> str:
    """The picture as one element, with the title that readers speak."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 {WIDTH} {height:g}"'
        f' role="{role}" aria-labelledby={quoteattr(name)}>'
        f"<title id={quoteattr(name)}>{shown(title)}</title>{''.join(shapes)}</svg>"
    )


def mark(x: float, y: float, anchor: str, text: str) -> str:
    """A text beside an axis or a point."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{shown(text)}</text>'


def shown(text: str) -> str:
    """The text as a picture may hold it: escaped, and nothing in it unseen."""
    return escape(visible(text))
