"""The scripts whose names the tagger does not read: where rows are written in one, none found means nothing.

Without capitals, and mostly without spaces, a name looks like any other word there."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from finewright.rows.texts import passages
from finewright.schema.common import Problem
from finewright.schema.rows import Row

_SCRIPTS = {
    "Chinese or Japanese": re.compile("[\u3040-\u30ff\u3400-\u9fff]"),
    "Korean": re.compile("[\uac00-\ud7af]"),
    "Thai or Lao": re.compile("[\u0e00-\u0eff]"),
    "the scripts of India": re.compile("[\u0900-\u0d7f]"),
}
_LEAST_SHARE, _FEWEST = 0.2, 10


def unread_scripts(rows: Sequence[Row]) -> Iterator[Problem]:
    """One warning a script, with the number of rows that are written in it and the first of them."""
    counts: Counter[str] = Counter()
    first: dict[str, Row] = {}
    for row in rows:
        text = " ".join(said.text for said in passages(row))
        for name in () if text.isascii() else _written_in(text):
            counts[name] += 1
            first.setdefault(name, row)
    for name, number in counts.items():
        what = "1 row is" if number == 1 else f"{number} rows are"
        yield Problem(
            level="warning",
            file=first[name].file,
            row=first[name].row,
            message=f"{what} in {name}, this one first, whose names nobody reads here",
            hint="a pipeline that reads the language finds them: --ner, or data.personal_data.ner in a spec",
        )


def _written_in(text: str) -> Iterator[str]:
    letters = sum(map(str.isalpha, text))
    for name, script in _SCRIPTS.items():
        number = len(script.findall(text))
        if number >= max(_FEWEST, _LEAST_SHARE * letters):
            yield name
