"""`serve.watermark` and `finewright watermark`: the key of the mark, and whether a text has it."""

import itertools
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from finewright.errors import DataError
from finewright.feature import Session
from finewright.report.blocks import Page
from finewright.report.cells import count_of
from finewright.schema.common import Model
from finewright.store.atomic import os_errors, write_bytes
from finewright_serve.options import WatermarkOptions
from finewright_serve.spec import WatermarkSpec

if TYPE_CHECKING:
    from finewright.lm.engine.watermark import Watermark

KEY = "watermark.key"
"""The key in the folder of a server: 16 hexadecimal digits."""
MARKED_FROM = 4.0
"""z: 9 of 96,720 stretches of 200 tokens of real text had it by chance, with six keys."""
_FEWEST = 25
"""Pairs, below which the share alone makes z say little: a text of a sentence."""


class WatermarkReport(Model):
    """What a text shows: `greens` of `pairs` different pairs of tokens are the server's own."""

    file: str
    pairs: int
    greens: int
    share: float
    z: float
    p: float
    is_marked: bool


def watermark_of(spec: WatermarkSpec | None, folder: Path) -> "Watermark | None":
    """The mark of a server, whose key is made at the first start."""
    if spec is None:
        return None
    from finewright.lm.engine.watermark import Watermark

    path = folder / KEY
    if not path.exists():
        with os_errors(path):
            folder.mkdir(parents=True, exist_ok=True)
        write_bytes(path, secrets.token_hex(8).encode() + b"\n", mode=0o600)
    return Watermark(read_key(path), spec.share, spec.bias)


def read_key(path: Path) -> int:
    """Raises DataError for a file that is no key."""
    with os_errors(path):
        content = path.read_bytes().strip()
    try:
        return int(content, 16)
    except ValueError:
        raise DataError(
            f"{path}: is no key of a watermark", hint="put it back from a copy"
        ) from None


def find_watermark(options: WatermarkOptions, session: Session) -> WatermarkReport:
    """The evidence. Raises DataError for a text that is too short to tell."""
    from finewright.lm.engine.watermark import Watermark
    from finewright_serve.local import tokenizer_of

    mark = Watermark(read_key(options.folder / KEY), options.share)
    try:
        with os_errors(options.text):
            text = options.text.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise DataError(f"{options.text}: is no text in UTF-8") from None
    tokens = tokenizer_of(options.model).encode(text.strip(), add_special_tokens=False)
    if len({*itertools.pairwise(tokens)}) < _FEWEST:
        what = f"{options.text}: {count_of(len(tokens), 'token')} are too few to tell by"
        raise DataError(what, hint=f"give {_FEWEST + 1} different ones at least; 200 are sure")
    found = mark.evidence(tokens)
    is_marked = found.z >= MARKED_FROM
    return WatermarkReport(
        file=str(options.text), share=options.share, is_marked=is_marked, **found._asdict()
    )


def watermark_page(report: WatermarkReport) -> Page:
    """The verdict, and how rare it is by chance."""
    verdict = "marked by this server's key" if report.is_marked else "no mark of this server's key"
    return Page(
        subject="a watermark",
        title=report.file,
        answer=f"{verdict}: z {report.z:.1f}, p {report.p:.2g}",
        about=(
            f"{report.greens} of {report.pairs} pairs of tokens are green; {report.share:.0%} are by chance",
            f"z from {MARKED_FROM:g} on counts as marked; no mark is no proof that a person wrote it",
        ),
    )
