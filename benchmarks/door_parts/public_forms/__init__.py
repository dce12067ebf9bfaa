"""Public data sets in the form that they are published in: a few rows each, with words of our own.

The keys, nesting, containers and kinds of values are those of the sets' cards and files; `meant` is what the
first row teaches by the set's own card. It was written without a look at the code that proposes columns."""

from collections.abc import Sequence
from typing import Any, NamedTuple

# Who speaks, and what the turn has to hold: all of the texts of a question, the whole text of an answer.
Said = tuple[str, tuple[str, ...]]


class PublicForm(NamedTuple):
    """A file's name and content: rows of JSON lines, one JSON document, or text as it stands.

    `meant` lists the readings that are right, none where nothing is to be proposed."""

    name: str
    file: str
    content: Any  # Any: free JSON, in all the forms that people publish
    meant: Sequence[Sequence[Said]]
    rejected: str = ""


def asked(*texts: str) -> Said:
    """A user's turn that holds these texts."""
    return ("user", texts)


def told(text: str) -> Said:
    """An answer."""
    return ("assistant", (text,))


def one(question: str, answer: str, *more: str) -> list[Said]:
    """A question, with what else it has to hold, and its answer."""
    return [asked(question, *more), told(answer)]
