"""What is said of the texts of usable rows, whatever file they are in: control tokens, hidden text and odd
turns; and of rows that repeat each other. None of it is an error, and nothing is dropped or changed."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, get_args

from finewright.data import broken_text
from finewright.data import odd_turns as turns
from finewright.guard.controls import family_of, find_spelled_controls
from finewright.guard.hidden import find_hidden
from finewright.plugins import install_command
from finewright.rows.containers.found import file_problem
from finewright.rows.texts import leaves, passages
from finewright.schema.common import Problem
from finewright.schema.rows import Row, RowText

_ROW_BITS = 40
_MOST_NAMED = 5
_FIRST = ", this one first"
_CONTROLS = ("control", "ordinary")
_ODD = get_args(turns.OddKind)
_BROKEN = get_args(broken_text.BrokenKind)
_INFOS = ("unread", "unchecked", "beside", "column", "reply", "rivals", "goes_on", "empty", "cued")


class Noted(NamedTuple):
    """Something in a row that its owner may not mean so: of which kind, at which key, and what it says.

    Of a kind, the first that `is_trick` goes before what else comes first."""

    kind: str
    key: str
    says: str
    is_trick: bool = False


Check = Callable[[Row, Sequence[RowText]], Iterable[Noted]]
"""What is noted in a row; its texts are given, so that they are taken apart once."""


def control_tokens(row: Row, texts: Sequence[RowText]) -> Iterator[Noted]:
    """Control tokens of chat templates; those that HTML has as well are of another kind."""
    of_tools = [RowText(key, "tool", text) for key, text in leaves("tools", row.tools)]
    for found in find_spelled_controls([*texts, *of_tools]):
        yield Noted(_CONTROLS[found.ordinary], found.key, found.token)


def note_hidden_text(_: Row, texts: Sequence[RowText]) -> Iterator[Noted]:
    """Text that a reader does not see."""
    return (Noted(*found) for found in find_hidden(texts))


def odd_turns(row: Row, _: Sequence[RowText]) -> Iterator[Noted]:
    """Turns that may be learned otherwise than they are meant."""
    return (Noted(*found) for found in turns.odd_turns(row))


def note_broken_texts(row: Row, texts: Sequence[RowText]) -> Iterator[Noted]:
    """Texts that were decoded wrongly, that are no value, or that end like a template's."""
    return (Noted(*found) for found in broken_text.find_broken_texts(row, texts))


@dataclass(slots=True)
class FirstRow:
    """Where the first row of a file is that holds a kind, and all that do; of control tokens, which."""

    file: str
    row: int
    first: Noted
    num_rows: int
    tokens: Counter[str]
    rows: list[int]


@dataclass(slots=True)
class RowWarnings:
    """The rows so far; memory grows with the files and the control tokens, and by a number with each
    row that has something to be said of."""

    checks: Sequence[Check] = (control_tokens, note_hidden_text, odd_turns, note_broken_texts)
    seen: dict[tuple[str, str], FirstRow] = field(default_factory=dict)

    def add(self, rows: Iterable[Row]) -> None:
        """Look at more rows."""
        for row in rows:
            texts = list(passages(row))
            by_kind: dict[str, list[Noted]] = {}
            for check in self.checks:
                for noted in check(row, texts):
                    by_kind.setdefault(noted.kind, []).append(noted)
            for kind, found in by_kind.items():
                tokens = Counter(each.says for each in found if kind in _CONTROLS)
                first = max(found, key=lambda each: each.is_trick)
                first = first._replace(key=row.key_in_file(first.key))
                self._join(FirstRow(row.file, row.row, first, 1, tokens, [row.row]))

    def problems(self) -> list[Problem]:
        """Of each file and kind one, at the first row: control tokens, hidden text, odd turns."""
        return [problem for problem, _ in self.problems_with_rows()]

    def problems_with_rows(self) -> list[tuple[Problem, list[int]]]:
        """Each of the problems with every row that it is about."""
        kinds = (_CONTROLS, None, (*_ODD, *_BROKEN))
        finders = (_of_tokens, _of_hidden_text, _of_odd_turn)
        return [
            (tell(each), each.rows)
            for known, tell in zip(kinds, finders, strict=True)
            for each in self.seen.values()
            if _is_among(each.first.kind, known)
        ]

    def to_json(self) -> list[list[Any]]:  # Any: free JSON
        """What was seen, as it comes from who looked at a slice."""
        return [
            [each.file, each.row, each.first, each.num_rows, dict(each.tokens), each.rows]
            for each in self.seen.values()
        ]

    def join(self, later: Iterable[list[Any]]) -> None:  # Any: free JSON
        """Add what `to_json` says of rows that come after."""
        for file, row, first, num_rows, tokens, rows in later:
            self._join(FirstRow(file, row, Noted(*first), num_rows, Counter(tokens), rows))

    def _join(self, later: FirstRow) -> None:
        so_far = self.seen.setdefault((later.file, later.first.kind), later)
        if so_far is later:
            return
        so_far.num_rows += later.num_rows
        so_far.tokens.update(later.tokens)
        so_far.rows += later.rows
        if later.first.is_trick and not so_far.first.is_trick:
            so_far.row, so_far.first = later.row, later.first


def _is_among(kind: str, known: Sequence[str] | None) -> bool:
    others = (*_CONTROLS, *_ODD, *_BROKEN)
    return kind in known if known is not None else kind not in others


def warnings_of(rows: Iterable[Row], *checks: Check) -> list[Problem]:
    """The problems that these checks find in all of these rows."""
    found = RowWarnings(checks)
    found.add(rows)
    return found.problems()


def _of_rows(message: str, seen: FirstRow) -> str:
    """The message; where it is of one row, that is not the first of any."""
    return message.replace(_FIRST, "", 1) if seen.num_rows == 1 else message


def _of_tokens(seen: FirstRow) -> Problem:
    named = ", ".join(f"{token} ({n})" for token, n in seen.tokens.most_common(_MOST_NAMED))
    num_more = len(seen.tokens) - _MOST_NAMED
    more = f" and {num_more} others" if num_more > 0 else ""
    rows = "1 row spells" if seen.num_rows == 1 else f"{seen.num_rows} rows spell"
    family = family_of(seen.first.says)
    is_control = seen.first.kind == "control"
    return Problem(
        level="warning" if is_control else "info",
        file=seen.file,
        row=seen.row,
        key=seen.first.key,
        message=_of_rows(
            f"{rows} control tokens of {family} and the like{_FIRST}: {named}{more}", seen
        ),
        hint="they are read as text and never end a turn; look who wrote them"
        if is_control
        else "they are read as text; HTML and documents about models have them, too",
    )


def _of_hidden_text(seen: FirstRow) -> Problem:
    found = seen.first
    rows = "1 row holds" if seen.num_rows == 1 else f"{seen.num_rows} rows hold"
    # It goes to a terminal, where some signs would act.
    text = "".join(sign if sign.isprintable() else " " for sign in found.says)
    says = f": {text}" if text else ""
    return Problem(
        level="warning" if found.is_trick else "info",
        file=seen.file,
        row=seen.row,
        key=found.key,
        message=_of_rows(f"{rows} {found.kind}, which a reader does not see{_FIRST}{says}", seen),
        hint=f"finewright data poison {seen.file} looks closer",
    )


def _of_odd_turn(seen: FirstRow) -> Problem:
    kind, key, says, _ = seen.first
    rows = "1 row" if seen.num_rows == 1 else f"{seen.num_rows} rows"
    one = seen.num_rows == 1
    if kind in _BROKEN:
        message, hint = broken_text.describe_broken_text(kind, says, one=one)
    else:
        message, hint = _odd_turns_said(says, one=one)[kind]
    return Problem(
        level="info" if kind in _INFOS else "warning",
        file=seen.file,
        row=seen.row,
        key=key,
        message=_of_rows(f"{rows} {message}", seen),
        hint=hint,
    )


def _odd_turns_said(says: str, *, one: bool) -> dict[str, tuple[str, str]]:
    """Kind -> what is to be said of a row, or of several, and what to do."""
    return _calls_said(says, one=one) | {
        "thoughts": (
            f"ha{'s' if one else 've'} thoughts both in reasoning_content and in the content, this one first",
            "keep one of the two",
        ),
        "close": (
            f"ha{'s' if one else 've'} </think> without <think> before it, this one first",
            "write thoughts between <think> and </think>: a close alone ends one only where the prompt of the"
            " chat template opens it",
        ),
        "unfilled": (
            f"hold{'s' * one} a placeholder that nobody filled in, this one first: {says}",
            "fill it in, or leave the rows out; of code and templates it may be meant",
        ),
        "unasked": (
            f"ha{'s' if one else 've'} an empty turn of the user, this one first",
            "write what is asked, or leave the turn out",
        ),
        "column": (
            f"ha{'s' if one else 've'} thoughts in the column `{says}`, which is kept and not trained",
            "to train them, write them into the answer's message as `reasoning_content`",
        ),
        "reply": (
            f"ha{'s' if one else 've'} a text in the column `{says}` beside a prompt, kept as a column",
            f"to train it as the answer: --column completion={says}",
        ),
        "rivals": (
            f"ha{'s' if one else 've'} two answers, {says}, beside a prompt, kept as columns",
            "to train on them, write the better one as `chosen` and the other as `rejected`",
        ),
        "goes_on": (
            f"{'is text that goes' if one else 'are texts that go'} on after the prompt, which TRL joins"
            " as they stand; here a question and its answer in the model's chat template, this one first",
            "write a question and an answer, if you can",
        ),
    }


def _calls_said(says: str, *, one: bool) -> dict[str, tuple[str, str]]:
    return {
        "undeclared": (
            f"call{'s' * one} tools that the row's `tools` do not declare, this one first: {says!r}",
            "declare them in `tools`: else a model learns to call tools that nobody declared",
        ),
        "misfit": (
            f"ha{'s' if one else 've'} a call whose arguments its tool's own schema does not take, this one"
            f" first: {says}",
            "fix the arguments, or the tool's `parameters`: a server that checks calls refuses such",
        ),
        "unread": (
            f"call{'s' * one} a tool whose schema cannot be held to, so that nobody looked whether the"
            f" arguments fit, this one first: {says}",
            "fix the tool's `parameters`: a server may refuse the tool, or check no call of it",
        ),
        "unchecked": (
            f"call{'s' * one} tools, and nobody looked whether their arguments fit the tools' schemas",
            install_command("[data]"),
        ),
        "beside": (
            f"ha{'s' if one else 've'} text beside a call, this one first",
            "`finewright plan` shows how the chat template tells both",
        ),
    }


@dataclass(slots=True)
class ExactRepeats:
    """Where each row was seen first, by its id: memory grows by a number a row."""

    files: list[str] = field(default_factory=list)
    first: dict[int, int] = field(default_factory=dict)
    rows: dict[str, dict[int, int]] = field(default_factory=dict)
    num_repeats: int = 0
    repeat: tuple[Row, int] | None = None

    def add(self, rows: Sequence[Row]) -> None:
        """Look at what one row of a file holds; that it holds the same twice is no repeat."""
        seen_before = [self.first.get(int(row.id, 16)) for row in rows]
        for row, seen in zip(rows, seen_before, strict=True):
            if seen is not None:
                self.num_repeats += 1
                self.rows.setdefault(row.file, {})[row.row] = seen
                self.repeat = self.repeat or (row, seen)
                continue
            if not self.files or self.files[-1] != row.file:
                self.files.append(row.file)
            here = (len(self.files) - 1) << _ROW_BITS | row.row
            self.first.setdefault(int(row.id, 16), here)

    def problems(self) -> list[Problem]:
        """One warning for all exact repeats, at the first of them."""
        if self.repeat is None:
            return []
        row, seen = self.repeat
        source = self._place(seen)
        many = f"{self.num_repeats} rows repeat" if self.num_repeats > 1 else "1 row repeats"
        what = f"{many} an earlier row exactly, this one {source}"
        hint = "repeats are kept, and weigh more; remove them unless you mean it"
        return [file_problem(row.file, what, hint, row.row, "warning")]

    def originals(self, file: str) -> Iterator[str]:
        """Of each repeat in a file the earlier row, as FILE:ROW."""
        return map(self._place, self.rows[file].values())

    def _place(self, seen: int) -> str:
        return f"{self.files[seen >> _ROW_BITS]}:{seen & ((1 << _ROW_BITS) - 1)}"
