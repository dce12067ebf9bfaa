"""JSONL rows out of a file: whatever its bytes are, the answer is rows and problems, never a crash.

Covered: encodings, byte order marks, other file formats, JSON's own rules, and what JSON
libraries take but nothing after them can (NaN, infinities, repeated keys, lone surrogates, deep
nesting). Not covered: what the objects mean, which is validate.py's question."""

import codecs
import difflib
import io
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from finewright.errors import DataError
from finewright.schema.common import Problem

_MOST_LISTED = 20
_DEEPEST = 100
_SNIFFED = 200
# An ASCII text in UTF-16 has a zero in every other byte.
_ZERO_SHARE = 0.4
_MAGIC = (
    (codecs.BOM_UTF32_LE, "UTF-32 text", "iconv -f UTF-32 -t UTF-8 {file} > {file}.new"),
    (codecs.BOM_UTF32_BE, "UTF-32 text", "iconv -f UTF-32 -t UTF-8 {file} > {file}.new"),
    (codecs.BOM_UTF16_LE, "UTF-16 text", "iconv -f UTF-16 -t UTF-8 {file} > {file}.new"),
    (codecs.BOM_UTF16_BE, "UTF-16 text", "iconv -f UTF-16 -t UTF-8 {file} > {file}.new"),
    (b"\x1f\x8b", "a gzip archive", "gunzip -c {file} > {file}.new"),
    (b"PK\x03\x04", "a zip archive", "unzip it and name the JSONL file inside"),
    (b"PAR1", "a Parquet file", "write its rows as JSON, one object per line"),
)


class ReadRow(NamedTuple):
    """One JSON object of a file, at a line that counts from 1."""

    file: str
    row: int
    data: dict[str, Any]  # Any: what a row holds is only known after validation


class ReadRows(NamedTuple):
    """What a file gave. `num_bad` counts the lines that are not rows, also those not listed."""

    rows: tuple[ReadRow, ...]
    problems: tuple[Problem, ...]
    num_bad: int


def read_rows(path: Path, *, name: str = "") -> ReadRows:
    """The rows of a JSONL file; `name` is what messages call it, by default its path.

    Blank lines are skipped and still count as lines."""
    # A file name need not be UTF-8; what is printed and stored must be.
    file = name or str(path).encode(errors="replace").decode()
    content, problem = _content(path, file)
    if problem is None:
        lines = _lines(content)
        first = [line for _, line in zip(range(2), lines, strict=False)]
        problem = _layout(file, first)
        if problem is None:
            return _collected(file, chain(first, lines))
    return ReadRows((), (problem,), 0)


def listed(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The first problems of each file and level, and one more that counts those left out."""
    seen: Counter[tuple[str, str]] = Counter()
    kept = []
    for problem in problems:
        seen[problem.file, problem.level] += 1
        if seen[problem.file, problem.level] <= _MOST_LISTED:
            kept.append(problem)
    for (file, level), count in seen.items():
        if count > _MOST_LISTED:
            message = f"and {count - _MOST_LISTED} more {level}s like these"
            kept.append(Problem.model_validate({"level": level, "file": file, "message": message}))
    return tuple(kept)


class _Line(NamedTuple):
    row: int
    offset: int
    content: bytes
    has_mark: bool


def _content(path: Path, file: str) -> tuple[bytes, Problem | None]:
    try:
        if path.is_file():
            content = path.read_bytes()
            return content, _format(file, content)
        what, hint = _not_a_file(path)
    except OSError as error:
        what, hint = f"cannot be read: {error.strerror}", "check the path and its permissions"
    return b"", _error(file, what, hint)


def _not_a_file(path: Path) -> tuple[str, str]:
    if path.is_dir():
        return "this is a folder, a JSONL file is expected", "name a file in it"
    if path.exists():
        return "this is not a regular file", "write the rows to a file first"
    siblings = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, siblings, n=1)
    return "there is no such file", f"did you mean {close[0]}?" if close else "check the path"


def _format(file: str, content: bytes) -> Problem | None:
    if not content.strip().removeprefix(codecs.BOM_UTF8):
        what = "there are only blank lines in it" if content else "the file is empty"
        return _error(file, what, "write one JSON object per line")
    for mark, what, hint in _MAGIC:
        if content.startswith(mark):
            return _error(file, f"this is {what}, not UTF-8 text", hint.format(file=file))
    start = content[:_SNIFFED]
    for first, order in ((1, "LE"), (0, "BE")):
        if start[first::2].count(0) > _ZERO_SHARE * len(start[first::2]):
            hint = f"iconv -f UTF-16{order} -t UTF-8 {file} > {file}.new"
            return _error(file, "this looks like UTF-16 text, UTF-8 is expected", hint)
    return None


def _lines(content: bytes) -> Iterator[_Line]:
    offset = 0
    for row, whole in enumerate(io.BytesIO(content), start=1):
        line = whole.removeprefix(codecs.BOM_UTF8)
        mark_size = len(whole) - len(line)
        if line.strip():
            yield _Line(row, offset + mark_size, line.rstrip(b"\r\n"), has_mark=mark_size > 0)
        offset += len(whole)


def _layout(file: str, first: Sequence[_Line]) -> Problem | None:
    """The problem of JSON that is not one object per line, told by the first two lines."""
    head = first[0].content.strip()
    is_alone = len(first) == 1
    if head.startswith(b"[") and (is_alone or _ends_early(head)):
        what = "this is a JSON array; one object per line is expected"
        return _error(file, what, f"jq -c '.[]' {file} > {file}.new")
    if head.startswith(b"{") and not is_alone and _ends_early(head):
        next_line = first[1].content.strip()
        is_row = next_line.startswith(b"{") and not next_line.endswith(b",")
        if not is_row or _ends_early(next_line):
            what = "a JSON object is spread over several lines; one object per line is expected"
            return _error(file, what, f"jq -c . {file} > {file}.new")
    return None


def _ends_early(text: bytes) -> bool:
    """Is this the beginning of JSON that goes on after it?"""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return error.pos >= len(error.doc.rstrip())
    except (ValueError, RecursionError):
        return False
    return False


def _collected(file: str, lines: Iterable[_Line]) -> ReadRows:
    rows, problems, num_bad = [], [], 0
    for line in lines:
        if line.has_mark:
            what = "a byte order mark was skipped"
            hint = "save as UTF-8 without BOM"
            problems.append(_error(file, what, hint, line.row, level="warning"))
        found = _parsed(file, line)
        if isinstance(found, Problem):
            num_bad += 1
            problems.append(found)
        else:
            rows.append(found)
    return ReadRows(tuple(rows), listed(problems), num_bad)


def _parsed(file: str, line: _Line) -> ReadRow | Problem:
    try:
        text = line.content.decode()
        return ReadRow(file, line.row, _object(text))
    except DataError as error:
        what, hint = str(error), error.hint
    except UnicodeDecodeError as error:
        byte, at = line.content[error.start], line.offset + error.start
        what = f"not UTF-8: byte 0x{byte:02x} at column {error.start + 1}, offset {at} of the file"
        hint = f"if it is Windows text: iconv -f WINDOWS-1252 -t UTF-8 {file} > {file}.new"
    except json.JSONDecodeError as error:
        what, hint = _broken(text, error)
    except RecursionError:
        what, hint = _TOO_DEEP
    except ValueError:
        what, hint = "a number with too many digits", "put it in quotes"
    return _error(file, what, hint, line.row)


_TOO_DEEP = f"nested deeper than {_DEEPEST} levels", "flatten the row"


def _broken(text: str, error: json.JSONDecodeError) -> tuple[str, str]:
    if "\0" in text:
        return (
            f"a NUL byte at column {text.index(chr(0)) + 1}",
            "the file is damaged; write it anew",
        )
    reason = error.msg.removesuffix(" at").removesuffix(" starting")
    hint = ""
    if error.msg == "Extra data":
        hint = "put each object on a line of its own"
    elif error.pos >= len(text.rstrip()) or "Unterminated" in error.msg:
        hint = "the line is cut off"
    elif "double quotes" in error.msg or "Expecting value" in error.msg:
        hint = "JSON wants double quotes, true/false/null, and no comma after the last item"
    return f"broken JSON at column {error.colno}: {reason}", hint


def _object(text: str) -> dict[str, Any]:  # Any: free JSON
    data = json.loads(
        text, object_pairs_hook=_unique, parse_constant=_constant, parse_float=_finite
    )
    if not isinstance(data, dict):
        raise DataError(
            f"{_kind(data)}, and a row is a JSON object", hint="write {...} on each line"
        )
    # Only an escape can bring a lone surrogate or NUL into decoded text, and only brackets nest.
    if "\\u" in text or text.count("[") + text.count("{") > _DEEPEST:
        _check_values(data)
    return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:  # Any: free JSON
    data = dict(pairs)
    if len(data) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise DataError(f"key {_shown(twice)} occurs twice in one object", hint="keep one of them")
    return data


def _constant(name: str) -> NoReturn:
    raise DataError(f"{name} is not JSON", hint="write null, or leave the key out")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise DataError("a number is too large", hint="put it in quotes")
    return number


def _check_values(data: object) -> None:
    """Raise DataError for deep nesting, and for text that cannot be written as UTF-8."""
    todo = [(data, 1)]
    while todo:
        value, depth = todo.pop()
        if depth > _DEEPEST:
            raise DataError(_TOO_DEEP[0], hint=_TOO_DEEP[1])
        if isinstance(value, str):
            _check_text(value)
        elif isinstance(value, list):
            todo.extend((item, depth + 1) for item in value)
        elif isinstance(value, dict):
            todo.extend((item, depth + 1) for item in chain(value, value.values()))


def _check_text(text: str) -> None:
    if "\0" in text:
        raise DataError("a string holds a NUL character (\\u0000)", hint="remove it")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        raise DataError(
            f"a string holds half of a character (\\u{code:04x}, a lone surrogate)",
            hint="the text was cut inside an emoji; cut it elsewhere, or remove the escape",
        ) from None


def _kind(data: object) -> str:
    if data is None:
        return "null"
    names = {list: "an array", str: "a string", bool: "a boolean"}
    return names.get(type(data), "a number")


def _shown(key: str) -> str:
    longest = 40
    return repr(key if len(key) <= longest else key[:longest] + "...")


def _error(
    file: str, message: str, hint: str, row: int | None = None, *, level: str = "error"
) -> Problem:
    return Problem.model_validate(
        {"level": level, "file": file, "row": row, "message": message, "hint": hint}
    )
