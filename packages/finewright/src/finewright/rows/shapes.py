"""Which format and type a row has, told by its keys; a row of two, or of none, is told what to mend.

The first rows of a file, by which its columns are told: by one row alone nobody sees a constant column."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path

from finewright.rows.containers.card import StatedFile
from finewright.rows.containers.found import ReadRow
from finewright.rows.formats.column_names import choices_in
from finewright.rows.formats.columns import is_walk
from finewright.rows.formats.native import Expected, Form, find_misspelled, fitting, forms
from finewright.rows.formats.proposals import proposals_of
from finewright.rows.formats.propose import Proposals, rivals_of
from finewright.rows.notes import Json, RowNotes
from finewright.rows.read import rows_of

_EXPECTED = {
    "auto": "`messages`; `prompt` and `completion`; `chosen` and `rejected`; or `prompt` alone",
    "messages": "`messages`",
    "prompt_completion": "`prompt` and `completion`",
    "preference": "`chosen` and `rejected`, beside a `prompt` or beginning with one",
    "unpaired_preference": "`prompt`, `completion` and `label`, or `messages` and `label`",
    "prompt_only": "`prompt`",
    "text": "`text`",
}
_LONE = {"chosen": "rejected", "rejected": "chosen"}
Propose = Callable[[Json], Proposals]


def _by_itself(data: Json) -> Proposals:
    return proposals_of([data])


def form_of(
    data: Json, family: str, expected: Expected, notes: RowNotes, propose: Propose = _by_itself
) -> Form | None:
    """The form that the row has; None, and an error in the notes, where it is none or could be two.

    `auto` takes any family, or any type, if there is one alone that the row can be meant as. `propose` says
    what could be made of a row of none."""
    forms = fitting(data, family, expected)
    if len(forms) == 1 or (forms and not any(form.types for form in forms)):
        # Of those that are known and refused the first says why.
        return forms[0]
    if forms:
        _say_ambiguous(forms, notes)
    else:
        _say_unknown(data, family, expected, notes, propose)
    return None


def _say_ambiguous(forms: list[Form], notes: RowNotes) -> None:
    marks = list(dict.fromkeys(form.mark for form in forms))
    types = list(dict.fromkeys(form.types[0] for form in forms if form.types))
    families = list(dict.fromkeys(form.family for form in forms))
    if types == ["unpaired_preference"]:
        hint = "leave out the one that the label is not about"
    elif len(types) == len(forms):
        hint = f"set --type, or data.type in a spec, to the one to train on: {' or '.join(types)}"
    elif len(families) == len(forms):
        hint = f"set --format, or in a spec the source's format, to {' or '.join(families)}"
    else:
        hint = "leave out the keys of the other one"
    both = "both " if len(marks) == len(("one", "other")) else ""
    notes.error("", f"{both}{' and '.join(marks)} are here", hint)


def _say_unknown(
    data: Json, family: str, expected: Expected, notes: RowNotes, propose: Propose
) -> None:
    found = ", ".join(f"`{key}`" for key in list(data)[:8]) or "none"
    meant = fitting(data, "auto", "auto")
    if len(meant) == 1 and not meant[0].types and family in ("auto", meant[0].family):
        # What is known and refused says why itself.
        list(meant[0].convert(data, expected, notes))
        return
    if family == "auto" or any(family == form.family for form in fitting(data, family, "auto")):
        what = f"expected the keys {_EXPECTED[expected]}; found: {found}"
    else:
        marks = dict.fromkeys(form.mark for form in forms() if form.family == family)
        what = f"this is not {family}, which has {', or '.join(marks)}; found: {found}"
    notes.error("", what, _hint(data, family, expected, propose))


def _hint_of_form(meant: Sequence[Form], family: str) -> str:
    if family not in ("auto", meant[0].family):
        mend = f"set --format, or in a spec the source's format, to {meant[0].family}"
        return f"it looks like {meant[0].why}: {mend}"
    types = " or ".join(dict.fromkeys(form.types[0] for form in meant))
    add = ", or add the keys that are missing" if types == "prompt_only" else ""
    return f"set --type, or data.type in a spec, to {types}{add}"


def _hint(data: Json, family: str, expected: Expected, propose: Propose) -> str:
    if meant := [form for form in fitting(data, "auto", "auto") if form.types]:
        return _hint_of_form(meant, family)
    lone = [_LONE[key] for key in data if key in _LONE and _LONE[key] not in data]
    return f"a pair has both: add `{lone[0]}`" if lone else _hint_of_keys(data, propose)


def _hint_of_keys(data: Json, propose: Propose) -> str:
    """What the row's own keys may stand for."""
    proposals = propose(data)
    if (rivals := rivals_of(data)) and not proposals.choices:
        one, other = rivals
        ours = "messages" if isinstance(data[one], list) else "completion"
        return (
            f"`{one}` and `{other}` are two answers: write the better one as `chosen` and the other as"
            f" `rejected`, or name the one to learn: --column {ours}={one}"
        )
    if (wrong := find_misspelled(data)) and not _is_of_lists(proposals):
        return f"did you mean `{wrong.meant}` by `{wrong.key}`? rename the key"
    if hint := proposals.hint():
        return hint
    mend = (
        "rename the keys, or name them: --column OURS=THEIRS, or in a spec the source's `columns`"
    )
    if choices := choices_in(data):
        named = ", ".join(f"`{key}`" for key in choices)
        return (
            f"{named} belong to the question: write them as a list `choices` beside `question`, and"
            " the text of the right one as `solution`"
        )
    if inside := [key for key, value in data.items() if _holds_texts(value)]:
        return (
            f"what is inside `{inside[0]}` is no column: write its texts as `messages`; else {mend}"
        )
    return mend


def _is_of_lists(proposals: Proposals) -> bool:
    """Whether it says what lies inside a column, which no other name of the column does."""
    found = (proposals.one, *proposals.choices)
    return any(is_walk(theirs) for each in found if each for theirs in each.columns.values())


def _holds_texts(value: object) -> bool:
    """Whether it is an object, or a list of them, that holds texts or further objects."""
    held = value[0] if isinstance(value, list) and value else value
    return isinstance(held, dict) and any(isinstance(v, (str, dict)) for v in held.values())


# Enough to see constants, labels and who speaks; read again where rows of no known format stand.
MOST_ROWS = 100


class _Sample:
    """The file's first rows, and what is proposed for those of the same keys."""

    def __init__(self, part: StatedFile) -> None:
        rows = (found for found in rows_of(part) if isinstance(found, ReadRow))
        self.rows = [found.data for found in islice(rows, MOST_ROWS)]
        self.proposed: dict[frozenset[str], Proposals] = {}

    def proposals(self, data: Json) -> Proposals:
        """What could be made of rows with the keys of this one."""
        keys = frozenset(data)
        if keys not in self.proposed:
            alike = [row for row in self.rows if row.keys() == keys]
            if not alike:
                return proposals_of([data])
            self.proposed[keys] = proposals_of(alike)
        return self.proposed[keys]


def proposals_for(data: Json, part: StatedFile | None) -> Proposals:
    """What could be made of the row, by the first rows of its file where it has one."""
    if part is None or not part.path.is_file():
        return proposals_of([data])
    changed = part.path.stat()
    return _sample(
        part.path, part.name, part.encoding, changed.st_mtime_ns, changed.st_size
    ).proposals(data)


@lru_cache(maxsize=16)
def _sample(path: Path, name: str, encoding: str, changed_ns: int, size: int) -> _Sample:
    return _Sample(StatedFile(path, name, encoding=encoding))
