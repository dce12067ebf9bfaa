"""Make the pictures of the README from a real run: `make pictures`.

    python docs/pictures.py FOLDER     # that has the run of `finewright quickstart --task intents`, or will

The text is what a terminal of 90 columns shows; the picture is SVG, for light pages and for dark ones."""

import io
import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from xml.sax.saxutils import escape

from finewright.cli.output import paint
from finewright.cli.progress import ProgressLine
from finewright.feature import Session
from finewright.report.blocks import Page
from finewright.report.layouts import page_of
from finewright.report.text import Room, as_text
from finewright.workbench.quickstart import quickstart, report_of_run
from finewright.workbench.runs import show

HERE = Path(__file__).resolve().parent / "pictures"
COLUMNS = 90
# The colours of GitHub's own pages (Primer): ground, text, red, green.
THEMES = {
    "light": ("#f6f8fa", "#1f2328", "#cf222e", "#1a7f37"),
    "dark": ("#151b23", "#f0f6fc", "#ff7b72", "#3fb950"),
}
CELL, LINE, MARGIN = 8.4, 20, 16  # pixels of 14 px monospace; 0.6 em is what these fonts have
_ANSI = re.compile(r"\033\[(\d+)m")


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        """Colours are wanted."""
        return True


def main(folder: Path) -> None:
    """Take the last run that the quickstart made, or make one, and write both pictures."""
    os.environ.pop("NO_COLOR", None)
    os.chdir(folder)
    made = sorted(Path("runs").glob("*-intents-*"))
    if made:
        report = report_of_run("intents", show(made[-1]))
    else:
        session = Session(date.today(), ProgressLine().show, lambda _: None, lambda _: "")
        report = quickstart("intents", Path("quickstart"), Path("runs"), minutes=4, session=session)
    page = page_of(report.model_copy(update={"answers": report.answers[:1]}))
    text = as_text(_head(page), Room(COLUMNS, COLUMNS), is_whole=False)
    lines = ["$ finewright quickstart --task intents", "", *text.splitlines()]
    painted = list(_mark(paint("\n".join(lines), _Terminal()).splitlines()))
    HERE.mkdir(exist_ok=True)
    for theme in THEMES:
        (HERE / f"score-card-{theme}.svg").write_text(svg(painted, theme), encoding="utf-8")


def _head(page: Page) -> Page:
    """The answers and the score card, without the parts of the set."""
    answers = page.sections[0]
    card = next(each for each in page.sections if each.title.startswith("held-out: n ="))
    shown = [answers, replace(card, blocks=card.blocks[:3])]
    return replace(page, title="", answer="", about=(), problems=(), sections=shown)


def _mark(lines: Iterable[str]) -> Iterator[str]:
    """The wrong answer in red, the right one in green."""
    for line in lines:
        colour = {"bag of words ": 31, "tuned ": 32}
        name = next((n for n in colour if line.startswith(f"    {n}")), "")
        yield f"\033[{colour[name]}m{line}\033[0m" if name else line


def svg(lines: list[str], theme: str) -> str:
    """The lines as a picture; each stretch of one colour is a text."""
    ground, ink, red, green = THEMES[theme]
    colours = {"31": red, "32": green, "33": ink, "0": ink}
    width, height = 2 * MARGIN + COLUMNS * CELL, 2 * MARGIN + len(lines) * LINE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}"'
        ' font-family="ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace" font-size="14">',
        "<title>A score card: what customers of a bank want, beside a bag of words</title>",
        f'<rect width="100%" height="100%" rx="8" fill="{ground}"/>',
    ]
    for number, line in enumerate(lines):
        column, colour = 0, ink
        for piece in re.split(r"(\033\[\d+m)", line):
            if code := _ANSI.fullmatch(piece):
                colour = colours[code[1]]
            elif piece:
                x, y = MARGIN + column * CELL, MARGIN + (number + 0.75) * LINE
                parts.append(
                    f'<text x="{x:.1f}" y="{y:g}" fill="{colour}" xml:space="preserve"'
                    f' textLength="{len(piece) * CELL:.1f}">{escape(piece)}</text>'
                )
                column += len(piece)
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
