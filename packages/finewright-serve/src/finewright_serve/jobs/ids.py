"""Ids of files and jobs: made here, of letters and digits alone, so that none can be a path."""

import logging
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, TypeVar

from finewright.errors import FinewrightError
from finewright_serve.gateway.errors import ApiError

IdKind = Literal["file", "ftjob"]
Read = TypeVar("Read")

_LOG = logging.getLogger(__name__)
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_LENGTH = 24
_FORM = re.compile(rf"(file|ftjob)-[a-z0-9]{{{_LENGTH}}}")
_NAMES = {"file": "file", "ftjob": "fine-tuning job"}


def new_id(kind: IdKind) -> str:
    """A fresh id that nobody can guess."""
    return f"{kind}-" + "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))


def is_id(kind: IdKind, text: str) -> bool:
    """Has the text the form of such an id?"""
    return _FORM.fullmatch(text) is not None and text.startswith(f"{kind}-")


def unknown(kind: IdKind, text: str, param: str | None = None) -> ApiError:
    """The error of an id that names nothing, whatever its form."""
    what = f"there is no {_NAMES[kind]} {text[:100]!r}"
    status = 404 if param is None else 400
    return ApiError(what, status=status, param=param, code=f"{kind}_not_found")


def readable(read: Callable[[str], Read], names: Iterable[str]) -> Iterator[Read]:
    """What `read` gives of each name; one that is damaged, or was deleted meanwhile, hides no other."""
    for name in names:
        try:
            found = read(name)
        except FinewrightError as error:
            _LOG.error("%s is left out: %s", name, error)
        else:
            yield found
