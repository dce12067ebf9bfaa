"""The fate of every row that stands in files: rows that are kept, others dropped by reason; one tally of all.

What a row becomes depends on the row and the options alone, never on other rows, so that a file may be read
as a whole or in slices, by anybody, with the same result."""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

from finewright.rows.containers.card import StatedFile
from finewright.rows.containers.found import Found, ReadRow, Unread, file_problem, raw_of
from finewright.rows.containers.parts import parts_of, refuse_missing
from finewright.rows.conversations import Conversations, conversations_of
from finewright.rows.formats.columns import has_column, places, rename_columns
from finewright.rows.formats.native import (
    Expected,
    Form,
    Native,
    family_named,
    fitting,
    place_of,
    suggest_format,
)
from finewright.rows.formats.own import is_liking
from finewright.rows.formats.turns import ROLES, role_named
from finewright.rows.identity import renew_id
from finewright.rows.messages import check_tools
from finewright.rows.notes import Json, RowNotes, Turn
from finewright.rows.read import rows_of
from finewright.rows.shapes import form_of, proposals_for
from finewright.schema.common import Problem
from finewright.schema.data import DataType
from finewright.schema.rows import Row, RowKeys

_MEDIA = ("images", "videos", "audios")
# A column of one of these may also be a link beside a text that is whole without it.
_MEDIUM = ("image", "video", "audio")
# Keys of what libraries write for one, and of an answer, which may speak of a placeholder.
_OF_MEDIUM = frozenset(("bytes", "path", "url", "array", "image_url", "data", "base64", "src"))
_ANSWERS = frozenset(
    ("completion", "chosen", "rejected", "output", "response", "answer", "completions")
)
_PLACEHOLDER = re.compile(r"<(?:image|video|audio)>")
_JEOPARDY = {"instruction": "question", "input": "category", "output": "answer"}
_LIKE_RATINGS = frozenset(
    ("-1", "yes", "no", "good", "bad", "liked", "disliked", "like", "dislike", "up", "down")
)
_NO_RATING = "a number or a text such as yes: a column, and the row is learned as any other answer"
_WHAT_IS = "Axolotl's jeopardy writes `what is ` before each answer; here it stays as it is"


class ReadOptions(NamedTuple):
    """How rows are read: their type, the family of their format, what the file calls our columns, and the
    encoding of its text, empty where its bytes tell.

    `is_tagged`: a manifest says what the turns and roles of the file are called. `part` is the file whose
    first rows tell what could be made of rows of no known format; without it each is told by itself."""

    type: Expected = "auto"
    family: str = "auto"
    columns: Mapping[str, str] = {}
    is_tagged: bool = False
    encoding: str = ""
    part: StatedFile | None = None

    def of_part(self, part: StatedFile) -> "ReadOptions":
        """The options of the part's rows: what a manifest states of it holds where these leave it open."""
        stated = family_named(part.format) or "auto"
        return ReadOptions(
            self.type,
            stated if self.family == "auto" else self.family,
            self.columns or part.columns,
            bool(part.tags),
            self.encoding or part.encoding,
            replace(part, path=part.path.absolute(), encoding=self.encoding or part.encoding),
        )


class RowFate(NamedTuple):
    """What becomes of one row as it stands in its file: it may hold several, as a ranked tree does.

    `mends` name what was changed in it before, and `mended` is the row after them."""

    origin: ReadRow | Unread
    options: ReadOptions
    rows: tuple[Row, ...] = ()
    types: tuple[DataType, ...] = ()
    dropped: Mapping[str, int] = {}
    form: Form | None = None
    problems: tuple[Problem, ...] = ()
    mends: tuple[str, ...] = ()
    mended: Json | None = None

    @property
    def file(self) -> str:
        """The file that the row stands in."""
        return self.origin.file if isinstance(self.origin, ReadRow) else self.origin.problem.file

    @property
    def row(self) -> int:
        """Its line or place in the file, from 1."""
        origin = self.origin
        return origin.row if isinstance(origin, ReadRow) else origin.problem.row or 0

    @property
    def reason(self) -> str:
        """Why it, or the first of what it holds, is dropped; empty where nothing is."""
        return next(iter(self.dropped), "")

    def as_it_stands(self) -> Json:
        """The row of the file as `data`; one that cannot be read by its bytes."""
        if isinstance(self.origin, ReadRow):
            return {"data": self.origin.data}
        return raw_of(self.origin.content)


Judge = Callable[[ReadRow | Unread, ReadOptions], RowFate]


def fate_of(found: ReadRow | Unread, options: ReadOptions) -> RowFate:
    """What becomes of one row; every mistake is named with its row, key and mend.

    Keys beside the ones of the format, such as `meta`, become columns. Repeats are kept."""
    # What becomes of a row is told by how it is read, wherever the file lies.
    part, options = options.part, options._replace(part=None) if options.part else options
    if isinstance(found, Unread):
        return _unread(found, options)
    notes = RowNotes(found.file, found.row)
    data, form = _form(found, options, part, notes)
    natives: list[Native] = []
    if form:
        _refuse_media(data, notes)
        natives = list(form.convert(data, options.type, notes))
    if any(native.columns.get("label", 0) is None for native in natives):
        what = "null: the row is not rated, and learned as any other answer"
        notes.warning("label", what, "write true or false, or leave the key out")
    if any(map(_has_no_rating, natives)):
        notes.info("label", _NO_RATING, "if it rates the answer, write true or false")
    if found.repairs:
        _say_repairs(found, natives, options, notes)
    if notes.has_error or not natives:
        return _drop_row(found, options, form, notes)
    made = [(native, _convert_native(native, found, options, notes.problems)) for native in natives]
    num_wrong = sum(row is None for _, row in made)
    return RowFate(
        found,
        options,
        tuple(row for _, row in made if row),
        tuple(native.type for native, row in made if row),
        {"invalid": num_wrong} if num_wrong else {},
        form,
        _at_home(notes.problems, options.columns),
    )


def _has_no_rating(native: Native) -> bool:
    """Whether it has a label that reads like a rating, and rates nothing."""
    label = native.columns.get("label")
    is_learned = native.type in ("messages", "prompt_completion")
    if is_learned and is_liking(label):
        return True
    return label == -1 or (isinstance(label, str) and label.strip().lower() in _LIKE_RATINGS)


class _Formed(NamedTuple):
    data: Json
    form: Form | None


def _form(row: ReadRow, options: ReadOptions, part: StatedFile | None, notes: RowNotes) -> _Formed:
    data = row.data
    if options.columns and not _is_ours_already(data, options):
        data = rename_columns(data, options.columns, notes)
    if notes.has_error:
        return _Formed(data, None)
    # Under columns of the user's the rows of the file are others.
    propose = partial(proposals_for, part=None if options.columns else part)
    return _Formed(data, form_of(data, options.family, options.type, notes, propose))


def _is_ours_already(data: Json, options: ReadOptions) -> bool:
    """Whether the row has none of the named columns, and a known form without them, as another file of a
    folder."""
    if any(has_column(data, theirs) for theirs in options.columns.values()):
        return False
    found = fitting(data, options.family, options.type)
    return len(found) == 1 and bool(found[0].types)


def _unread(found: Unread, options: ReadOptions) -> RowFate:
    return RowFate(found, options, dropped={"unreadable": 1}, problems=(found.problem,))


def _drop_row(row: ReadRow, options: ReadOptions, form: Form | None, notes: RowNotes) -> RowFate:
    reason = "invalid" if notes.has_error else "no_pair"
    problems = _at_home(notes.problems, options.columns)
    return RowFate(row, options, dropped={reason: 1}, form=form, problems=problems)


def _at_home(problems: Sequence[Problem], columns: Mapping[str, str]) -> tuple[Problem, ...]:
    """The problems by the keys that the file has."""
    if not columns or not problems:
        return tuple(problems)
    named = places(columns)
    return tuple(p.model_copy(update={"key": place_of(p.key, named)}) for p in problems)


def _say_repairs(
    row: ReadRow, natives: Sequence[Native], options: ReadOptions, notes: RowNotes
) -> None:
    """Warnings, but for two values of a key that is trained on: nobody can tell which is meant."""
    ours = {theirs: mine for mine, theirs in options.columns.items()}
    for repair in row.repairs:
        what, mend = repair.says()
        key = ours.get(repair.key, repair.key)
        is_column = all(key in native.columns for native in natives)
        if repair.kind == "last_of_two" and natives and not is_column:
            notes.error(key, "the key stands twice in one object, with two values", mend)
        elif repair.kind == "failed_formula" and natives and not is_column:
            notes.error(key, what, mend)
        else:
            notes.warning(key, what, mend)


def _refuse_media(data: Json, notes: RowNotes) -> None:
    for key in _MEDIA:
        if data.get(key):
            notes.error(key, _only_text(key), _IN_WORDS)
    for key in _MEDIUM:
        if value := data.get(key):
            is_link = isinstance(value, str)
            is_needed = _asks_for_medium(data) if is_link else _is_medium(value)
            say = notes.error if is_needed else notes.warning
            say(key, _only_text(key), _IN_WORDS)


def _is_medium(value: object) -> bool:
    """Whether it is no number and no other object, such as what is said in a recording."""
    return not isinstance(value, int | float | dict) or (
        isinstance(value, dict) and not _OF_MEDIUM.isdisjoint(value)
    )


def _asks_for_medium(value: object) -> bool:
    """Holds a text of the user's side a placeholder?"""
    if isinstance(value, dict):
        who = value.get("role", value.get("from"))
        is_answer = isinstance(who, str) and role_named(who, ROLES) == "assistant"
        sides = (side for key, side in value.items() if key not in _ANSWERS)
        return not is_answer and any(map(_asks_for_medium, sides))
    if isinstance(value, list):
        return any(map(_asks_for_medium, value))
    return isinstance(value, str) and bool(_PLACEHOLDER.search(value))


_IN_WORDS = "leave the row out, or say in words what is to be seen or heard"


def _only_text(key: str) -> str:
    return f"the row has {key}, and only text is trained"


def _convert_native(
    native: Native, origin: ReadRow, options: ReadOptions, problems: list[Problem]
) -> Row | None:
    """The row, if it can be used; what is wrong with it is added to the problems."""
    notes = RowNotes(origin.file, origin.row)
    found = conversations_of(native.data, native.type, notes)
    tools = check_tools(native.data, notes)
    problems += (
        p.model_copy(update={"key": place_of(p.key, native.places)}) if native.places else p
        for p in notes.problems
    )
    if notes.has_error:
        return None
    messages, rejected = (
        tuple(turn.message for turn in turns) if turns is not None else None
        for turns in (found.turns, found.rejected)
    )
    return renew_id(
        Row(
            id="",
            messages=messages or (),
            tools=tools,
            file=origin.file,
            row=origin.row,
            rejected=rejected,
            label=found.label,
            columns=native.columns,
            keys=_keys(native, options.columns, found),
        )
    )


def _keys(native: Native, columns: Mapping[str, str], found: Conversations) -> RowKeys:
    if native.type == "messages" and not (native.places or columns):
        return RowKeys()
    named = places(columns)

    def in_file(turns: Sequence[Turn] | None) -> tuple[str, ...]:
        keys = _own_keys(tuple(turn.key for turn in turns or ()))
        for known in filter(None, (native.places, named)):
            keys = tuple(sys.intern(place_of(key, known)) for key in keys)
        return keys

    return RowKeys(in_file(found.turns), in_file(found.rejected))


@lru_cache(maxsize=4096)
def _own_keys(turns: tuple[str, ...]) -> tuple[str, ...]:
    """The keys of the texts of these turns."""
    return tuple(f"{key}.content" if key.endswith("]") else key for key in turns)


class RowFile(NamedTuple):
    """A file of rows, and the options that they are read with."""

    part: StatedFile
    options: ReadOptions


def files_of(path: Path, options: ReadOptions) -> Iterator[RowFile | Problem]:
    """The files that a file, a folder or `hub:OWNER/NAME` stands for, and what must be said, in order."""
    for part in parts_of(path):
        if isinstance(part, Problem):
            yield part
        else:
            encoding = options.encoding or part.encoding
            if dict(options.of_part(part).columns) == _JEOPARDY:
                yield file_problem(part.name, _WHAT_IS, level="info")
            yield RowFile(replace(part, encoding=encoding), options.of_part(part))


def fates(path: Path, options: ReadOptions, judge: Judge = fate_of) -> Iterator[RowFate | Problem]:
    """The fate of each row of the path, and what must be said of its files, in order; one row at a time.

    Raises DataError where there is no such path."""
    refuse_missing(path)
    yield from fates_of(files_of(path, options), judge)


def fates_of(
    files: Iterable[RowFile | Problem], judge: Judge = fate_of
) -> Iterator[RowFate | Problem]:
    """The fates of the rows of these files, and their problems among them."""
    for file in files:
        if isinstance(file, Problem):
            yield file
        else:
            yield from fates_in(rows_of(file.part), file.options, judge)


def fates_in(
    items: Iterable[Found], options: ReadOptions, judge: Judge = fate_of
) -> Iterator[RowFate | Problem]:
    """The fates of what reading a file gives, and its problems among them."""
    for item in items:
        yield item if isinstance(item, Problem) else judge(item, options)


def unknown_format(name: str, key: str = "format") -> Problem:
    """That no format is called so, and which one may be meant."""
    what = f"unknown format {name!r}"
    return Problem(level="error", key=key, message=what, hint=suggest_format(name))
