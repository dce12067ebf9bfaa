"""Calls whose arguments are still being written, as far as the call form of a template shows them."""

import itertools
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from finewright.judge.json_text import json_at
from finewright.lm.answers.spelled import BREAK


class CallForm(NamedTuple):
    """What the template writes before and after the JSON arguments of a call of the tool `name`, and between
    them and those of a second call of that tool; empty where it has no such form for two."""

    name: str
    before: str
    after: str
    between: str = ""


class BegunCall(NamedTuple):
    """A call's name and the text of its JSON arguments so far; `is_whole`: their object has ended."""

    name: str
    arguments: str
    is_whole: bool


def begun_calls(form: CallForm, marks: Sequence[str], text: str) -> tuple[BegunCall, ...]:
    """The calls of a text from the first mark on, in the order and the form of the template; a call in
    another form ends them. They are a preview: what the reader finds in the whole text may differ."""
    starts = [at for at in map(form.before.find, marks) if at >= 0]
    begins = [at for at in map(text.find, marks) if at >= 0]
    if not starts or not begins:
        return ()
    form = form._replace(before=form.before[min(starts) :])
    return tuple(_calls(form, text[min(begins) :]))


def _calls(form: CallForm, text: str) -> Iterator[BegunCall]:
    heads = itertools.repeat(form.between) if form.between else ()
    for head in itertools.chain((form.before,), heads):
        found = _head(head, form.name).match(text)
        if found is None:
            return
        text = text[found.end() :]
        read = json_at(text, 0)
        arguments = text[: read.end] if read else text
        if not arguments.startswith("{"):
            return
        yield BegunCall(found["name"], arguments.replace(BREAK, ""), read is not None)
        if read is None:
            return
        text = text[read.end :]


@lru_cache(maxsize=64)
def _head(written: str, name: str) -> re.Pattern[str]:
    """What stands before arguments, with any name and any blanks in the place of the template's."""
    parts = [re.escape(part).replace(r"\ ", " ") for part in written.split(name, 1)]
    parts = [re.sub(r"(?:\s|\\\n)+", r"\\s*", part) for part in parts]
    return re.compile(parts[0] + r"(?P<name>[\w.-]+)" + "".join(parts[1:]) + r"(?=\S)")
