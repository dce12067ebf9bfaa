"""JSON that is not one object per line: an array, objects spread over lines, rows inside an object.

Rows count from 1 in the order of the document. An array is read item by item and may be of any size;
an object that holds the rows must fit into memory, up to LARGEST."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import accumulate, chain
from typing import Any, NamedTuple

from finewright.errors import DataError
from finewright.rows.containers.found import Found, ReadRow, Repair, Unread, file_problem
from finewright.rows.containers.json_rules import cells_of, check_values, is_turn, row_object
from finewright.rows.containers.lines import LONGEST, Line, parse_line
from finewright.schema.common import Problem

LARGEST = 256_000_000
_TRAIN = "train"
# A whole string, a bracket, a comma, or the quote of a string that goes on after the buffer.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["\[\]{},]', re.DOTALL)
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_WHOLE = re.compile(rb'(?:[^"]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = dict.fromkeys(b"[{", 1) | dict.fromkeys(b"]}", -1)
_LONG = 1 << 18
_STRING_END = re.compile(rb'(?:[^"\\]++|\\.)*+"', re.DOTALL)
# Keys whose list of objects is one conversation, not the rows of a data set.
# fmt: off
_TURNS = frozenset((
    "messages", "conversations", "conversation", "dialog", "prompt", "completion", "chosen", "rejected",
    "contents", "completions", "tools", "functions", "preferred_output", "non_preferred_output",
    "rejected_messages", "history", "turns", "segments",
))
# Keys that make an object with texts at both a row, whatever lists stand beside them.
_PAIRS = (
    ("prompt", "completion"), ("prompt", "response"), ("prompt", "chosen"), ("chosen", "rejected"),
    ("instruction", "output"), ("instruction", "response"), ("input", "output"), ("query", "response"),
    ("question", "answer"),
)
# fmt: on


class _Piece(NamedTuple):
    """An item of an array, or one object, from 1; `content` is None where it is too long to hold."""

    row: int
    offset: int
    content: bytes | None


@dataclass(slots=True)
class _Scanner:
    """Finds where items end: by commas and the closing bracket in an array, else by closing braces.

    Only brackets, commas and strings are looked at; whether an item is JSON is told by its reader."""

    is_array: bool
    longest: int
    buffer: bytearray = field(default_factory=bytearray)
    at: int = 0
    offset: int = 0
    row: int = 1
    depth: int = 0
    is_in_string: bool = False
    is_long: bool = False
    is_closed: bool = False
    num_arrays: int = 1

    def feed(self, chunk: bytes) -> Iterator[_Piece]:
        """The items that end in this chunk; another array that follows is read on."""
        self.buffer += chunk
        yield from self._take_ended()
        while self.is_closed and self._opens_another():
            yield from self._take_ended()

    def _opens_another(self) -> bool:
        """Begins another array after the one that is closed? Of anything else the first byte is kept."""
        rest = self.buffer.lstrip()
        if rest[:1] != b"[":
            self.offset += len(self.buffer) - len(rest)
            self.buffer = rest[:1]
            return False
        self.offset += len(self.buffer) - len(rest) + 1
        self.buffer, self.at, self.is_closed = rest[1:], 0, False
        self.num_arrays += 1
        return True

    def _take_ended(self) -> Iterator[_Piece]:
        start = 0
        for token, begin, end in self._tokens():
            ends_here = self._steps(token)
            if ends_here:
                yield self._piece(start, end if not self.is_array else begin)
                start = end
        self.offset += start
        self.at -= start
        del self.buffer[:start]
        if len(self.buffer) > self.longest:
            # Only the backslash of an escape that the chunk's end cuts in two is still needed.
            self.is_long = True
            self.offset += self.at
            del self.buffer[: self.at]
            self.at = 0

    def rest(self) -> _Piece:
        """What stands after the last end."""
        return self._piece(0, len(self.buffer))

    def _tokens(self) -> Iterator[tuple[bytes, int, int]]:
        # Of an item that is long already, what cannot end it is passed over as a whole.
        is_to_pass = self.is_long or self.at > _LONG
        while not self.is_closed:
            if self.is_in_string and not self._leaves_string():
                return
            if is_to_pass:
                self._pass_over()
                is_to_pass = False
            match = _TOKEN.search(self.buffer, self.at)
            if match is None:
                self.at = len(self.buffer)
                return
            self.at = match.end()
            self.is_in_string = match[0] == b'"'
            if len(match[0]) == 1 and not self.is_in_string:
                yield match[0], match.start(), match.end()

    def _leaves_string(self) -> bool:
        match = _STRING_END.match(self.buffer, self.at)
        if match:
            self.is_in_string, self.at = False, match.end()
            return True
        new = self.buffer[self.at :]
        self.at = len(self.buffer) - (len(new) - len(new.rstrip(b"\\"))) % 2
        return False

    def _pass_over(self) -> None:
        match = _WHOLE.match(self.buffer, self.at)
        stop = match.end() if match else self.at
        bare = _STRING.sub(b"", self.buffer[self.at : stop])
        marks = bare.translate(None, _NO_BRACKETS)
        num_closing = marks.count(b"]") + marks.count(b"}")
        if num_closing < self.depth:
            self.depth, self.at = self.depth + len(marks) - 2 * num_closing, stop
            return
        depths = list(accumulate(map(_STEPS.__getitem__, marks), initial=self.depth))
        if min(depths) > 0 or (not self.depth and not marks and b"," not in bare):
            self.depth, self.at = depths[-1], stop

    def _steps(self, token: bytes) -> bool:
        """Takes the token, and says whether an item ends with it."""
        if token in b"[{":
            self.depth += 1
            return False
        if token == b",":
            return self.is_array and not self.depth
        if self.depth:
            self.depth -= 1
            return not self.is_array and not self.depth
        self.is_closed = self.is_array and token == b"]"
        return self.is_closed or not self.is_array

    def _piece(self, start: int, end: int) -> _Piece:
        content = None if self.is_long else bytes(self.buffer[start:end])
        piece = _Piece(self.row, self.offset + start, content)
        self.row, self.is_long = self.row + 1, False
        return piece


def array_rows(file: str, chunks: Iterable[bytes]) -> Iterator[Found]:
    """The items of an array as rows; what follows the array is said."""
    chunks = iter(chunks)
    opening = next(chunks)
    begin = opening.index(b"[") + 1
    scanner = _Scanner(is_array=True, longest=LONGEST, offset=begin)
    trouble: DataError | None = None
    try:
        for chunk in chain((opening[begin:],), chunks):
            for piece in scanner.feed(chunk):
                # `[]` has no item, and a comma before the closing bracket begins none.
                if not scanner.is_closed or not _is_blank(piece):
                    yield _parse_piece(file, piece)
                else:
                    scanner.row -= 1
    except DataError as error:
        trouble = error
    yield from _after_array(file, scanner)
    if trouble:
        raise trouble


def _after_array(file: str, scanner: _Scanner) -> Iterator[Found]:
    rest = scanner.rest()
    if scanner.num_arrays > 1:
        what = f"{scanner.num_arrays} arrays, one after the other, are read as one"
        yield file_problem(file, what, "join them to one array", level="info")
    if scanner.is_closed and not _is_blank(rest):
        yield file_problem(
            file, "text after the end of the array is not read", "put it into the array"
        )
    elif not scanner.is_closed:
        if not _is_blank(rest):
            yield _parse_piece(file, rest)
        yield file_problem(
            file, "the array is cut off: its closing bracket is missing", "write it anew"
        )


def object_rows(file: str, chunks: Iterable[bytes]) -> Iterator[Found]:
    """Objects one after the other as rows; of one object alone, the rows that it holds, or itself."""
    pieces = _objects(chunks)
    first = next(pieces)
    second = next(pieces, None)
    if second is None:
        yield from _rows_of_object(file, first)
        return
    for piece in chain((first, second), pieces):
        yield _parse_piece(file, piece)


def _objects(chunks: Iterable[bytes]) -> Iterator[_Piece]:
    scanner = _Scanner(is_array=False, longest=LARGEST)
    trouble: DataError | None = None
    try:
        for chunk in chunks:
            yield from scanner.feed(chunk)
    except DataError as error:
        trouble = error
    rest = scanner.rest()
    if not _is_blank(rest) or rest.row == 1:
        yield rest
    if trouble:
        raise trouble


def _is_blank(piece: _Piece) -> bool:
    return piece.content is not None and not piece.content.strip()


def _parse_piece(file: str, piece: _Piece) -> ReadRow | Unread:
    is_long = piece.content is None or len(piece.content) > LONGEST
    return parse_line(file, Line(piece.row, piece.offset, None if is_long else piece.content))


def rows_within(data: Mapping[str, Any]) -> Sequence[object] | None:
    """The rows that an object holds: in its one list of objects, in columns of equal length, or by their ids.

    None where the object is a row itself, such as a conversation. Any: free JSON."""
    lists = _lists_in(data)
    if len(lists) == 1:
        rows: Sequence[object] = next(iter(lists.values()))
        return rows
    if (said := _conversations_in(data)) or (said := _split_of_pandas(data)):
        return said
    in_columns = None if lists or _has_turns(data) else _in_columns(data)
    return _by_id(data) if in_columns is None else in_columns


def _lists_in(data: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The object's lists of objects, of which none is one conversation; none of an object that is a row."""
    lists = {key: value for key, value in data.items() if _is_of_objects(value)}
    is_row = any(all(isinstance(data.get(key), str) for key in pair) for pair in _PAIRS)
    return {} if is_row or _TURNS.intersection(lists) else lists


def _has_turns(data: Mapping[str, Any]) -> bool:
    return any(key in _TURNS and _is_of_objects(value) for key, value in data.items())


def _conversations_in(data: Mapping[str, Any]) -> Sequence[object] | None:
    """The conversations of the list that is all that the object holds."""
    values = list(data.values())
    said = values[0] if len(values) == 1 and isinstance(values[0], list) else []
    are_turns = all(isinstance(each, list) and each and all(map(is_turn, each)) for each in said)
    return [{"messages": each} for each in said] if said and are_turns else None


def _split_of_pandas(data: Mapping[str, Any]) -> Sequence[object] | None:
    """The rows of what pandas writes as `split`: the columns' names, and lists of their values."""
    names, rows = data.get("columns"), data.get("data")
    if not isinstance(names, list) or not isinstance(rows, list) or not rows or not names:
        return None
    are_rows = all(isinstance(row, list) and len(row) == len(names) for row in rows)
    are_names = all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
    if not are_rows or not are_names or data.keys() - {"columns", "index", "data"}:
        return None
    return [dict(zip(names, row, strict=True)) for row in rows]


def _is_of_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _splits_of_cells(data: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Splits whose rows are lists, such as a text and its label; Any: free JSON."""
    lists = [
        isinstance(value, list) and value and all(map(cells_of, value)) for value in data.values()
    ]
    return dict(data) if _TRAIN in data and all(lists) else {}


def _in_columns(data: Mapping[str, Any]) -> Sequence[object] | None:
    """The rows of several columns of one length; None where it has none such."""
    columns = {key: _column(value) or () for key, value in data.items()}
    sizes = set(map(len, columns.values()))
    if len(columns) <= 1 or len(sizes) > 1 or 0 in sizes:
        return None
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


def _by_id(data: Mapping[str, Any]) -> Sequence[object] | None:
    """The objects that an object holds under their ids, each with its `id`; they have most keys in common.

    Any: free JSON."""
    rows = list(data.values())
    if len(rows) <= 1 or not all(isinstance(row, dict) for row in rows) or _TURNS & data.keys():
        return None
    shared, named = set.intersection(*map(set, rows)), set().union(*rows)
    if len(shared) <= 1 or 2 * len(shared) < len(named):
        return None
    return [{"id": key, **row} for key, row in data.items()]


def _column(value: object) -> Sequence[object] | None:
    """A list, or what pandas writes for one: {"0": ..., "1": ...}. A list of numbers is tokens."""
    if isinstance(value, dict) and value and list(value) == [str(i) for i in range(len(value))]:
        value = list(value.values())
    if isinstance(value, list) and not all(type(item) in (int, float) for item in value):
        return value
    return None


def _rows_of_object(file: str, piece: _Piece) -> Iterator[Found]:
    """The rows that the one object of a file holds, or the object as a row."""
    is_long = piece.content is None or len(piece.content) > LONGEST
    rows, repairs = None, tuple[Repair, ...]()
    with suppress(DataError, UnicodeDecodeError):
        data, repairs = row_object((piece.content or b"").decode())
        rows = rows_within(data)
        lists = _lists_in(data) or _splits_of_cells(data)
        if rows is None and len(lists) > 1 and _are_sets(data):
            rows = lists.get(_TRAIN, ())
            yield _lists_said(file, lists)
    if rows is None:
        what = f"one object of more than {LARGEST // 1_000_000} MB"
        hint = f"write one row a line: jq -c '.data[]' {file} > {file}.new"
        yield (
            _parse_piece(file, piece)
            if piece.content or not is_long
            else file_problem(file, what, hint)
        )
        return
    for repair in repairs:
        what, hint = repair.says()
        yield file_problem(file, what, hint, level="warning")
    for row, item in enumerate(rows, start=1):
        yield _item(file, row, item)


def _are_sets(data: Mapping[str, Any]) -> bool:
    """Whether its lists may be sets of rows. Beside a text they may as well be a row's own, unless one
    trains."""
    return _TRAIN in data or not any(isinstance(value, str) for value in data.values())


def _lists_said(file: str, lists: Mapping[str, Any]) -> Problem:
    names = [name for name in lists if name != _TRAIN]
    hint = f"write one to a file of its own: jq -c '.{names[0]}[]' {file} > {names[0]}.jsonl"
    if _TRAIN in lists:
        what = f"of its lists only {_TRAIN} is read, not {', '.join(names)}"
        return file_problem(file, what, f"to measure on another, {hint}", level="info")
    return file_problem(file, f"it holds several lists of rows: {', '.join(names)}", hint)


def _item(file: str, row: int, item: object) -> ReadRow | Unread:
    try:
        check_values(item)
    except DataError as error:
        return Unread(file_problem(file, str(error), error.hint, row))
    if isinstance(item, dict) or (item := cells_of(item)):
        return ReadRow(file, row, item)
    return Unread(file_problem(file, "a row is a JSON object", "write {...} for each row", row))
