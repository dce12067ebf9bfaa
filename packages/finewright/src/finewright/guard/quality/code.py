"""How much of a text is code."""

import re

# From this share on, a text is mostly code.
MOSTLY_CODE = 0.5
_MOST_READ = 4000
_FENCE = re.compile(r"```[^\n]*\n(.*?)(?:```|\Z)", re.S)
_CODE_END = re.compile(r"[;{}]\s*(?://.*|#.*)?$")
_CODE_START = re.compile(
    r"\s*(?:def |class |import |from \w[\w.]* import |return\b|if .*:$|for .*:$|while .*:$|else:|elif "
    r"|try:|except|with .*:$|function |const |let |var |public |private |pragma |contract |#include|//|/\*"
    r"|@\w+|\)\s*=>|SELECT\b|INSERT INTO\b|CREATE TABLE\b|\w[\w.\[\]]* [-+*/]?= \S|\w[\w.]*\(.*\)$)"
)


def code_part(text: str) -> float:
    """The share of the characters that stand in code lines, from 0 to 1; of the first 4,000.

    Lines outside a fence count only when two or more look like code."""
    text = text[:_MOST_READ]
    fenced = sum(len(match) for match in _FENCE.findall(text))
    lines = _FENCE.sub("\n", text).splitlines()
    code_lengths = [
        len(line) for line in lines if line and (_CODE_END.search(line) or _CODE_START.match(line))
    ]
    outside = sum(code_lengths) if len(code_lengths) > 1 else 0
    total = fenced + sum(map(len, lines))
    return (fenced + outside) / total if total else 0.0
