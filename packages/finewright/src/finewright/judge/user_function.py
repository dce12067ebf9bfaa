"""A function of the user's own that judges answers, for rewards and for metrics alike: no line of its file
runs before the user said so.

Covered: exactly the bytes that the consent names are run, and no bytecode is read or written. Not covered:
what that code does, and what it imports, for it runs with all rights of this process."""

import hashlib
import inspect
import math
import symtable
import sys
import traceback
from collections.abc import Callable, Mapping
from importlib.abc import InspectLoader
from importlib.util import decode_source, module_from_spec, spec_from_file_location
from numbers import Real
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

from finewright.errors import SpecError, StageError
from finewright.trust import code_refusal

_START = 60
Resolve = Callable[[str], Path]
"""From a path as the spec has it to one that can be opened."""


class _Place(NamedTuple):
    path: Path
    name: str
    content: bytes


class UserFunction:
    """`f(answer, row) -> float` of a file; the row has its own columns and the prompt's `messages`."""

    def __init__(
        self, path: Path, content: bytes, name: str, *, consent: str, what: str = "reward"
    ) -> None:
        """Runs the file. Raises SpecError without consent, and when there is no such function. `what` is what
        its numbers are called."""
        _check(path, content, name, consent=consent)
        self._path, self._name, self._what = path, name, what
        self.sha256 = hashlib.sha256(content).hexdigest()
        self._function = _load(path, content, name)

    def __call__(self, answer: str, row: Mapping[str, Any]) -> float:  # Any: columns are JSON
        """Its number for one answer. Raises StageError if it raises, or gives no finite number."""
        try:
            value = self._function(answer, dict(row))
        except Exception as error:
            line = _line_in(self._path, error)
            raise StageError(
                f"{self._path}{line}: {self._sentence(answer, _describe_error(error))}"
            ) from None
        if not isinstance(value, Real) or not math.isfinite(value):
            raise StageError(
                f"{self._path}: {self._sentence(answer, f'gave {value!r:.80}')}",
                hint=f"a {self._what} is a finite number",
            )
        return float(value)

    def _sentence(self, answer: str, what: str) -> str:
        start = answer[:_START] + ("..." if len(answer) > _START else "")
        return f"{self._name} {what} for the answer {start!r}"


def read_user_function(
    argument: str, resolve: Resolve, *, consent: str, what: str = "reward"
) -> UserFunction:
    """The function that `FILE:FUNCTION` names; its file is run. Raises SpecError."""
    place = _find(argument, resolve)
    return UserFunction(place.path, place.content, place.name, consent=consent, what=what)


def check_user_function(argument: str, resolve: Resolve, *, consent: str) -> None:
    """Raise SpecError for what is wrong with `FILE:FUNCTION` as far as can be told without running it."""
    place = _find(argument, resolve)
    _check(place.path, place.content, place.name, consent=consent)


def _find(argument: str, resolve: Resolve) -> _Place:
    file, _, name = argument.rpartition(":")
    path = resolve(file)
    try:
        return _Place(path, name, path.read_bytes())
    except OSError as error:
        raise SpecError(f"{path}: {error.strerror or error}") from None


def _check(path: Path, content: bytes, name: str, *, consent: str) -> None:
    digest = hashlib.sha256(content).hexdigest()
    if refusal := code_refusal(path, digest, consent, pin=f"consent: sha256:{digest}"):
        raise SpecError(refusal.reason, hint=refusal.hint)
    try:
        table = symtable.symtable(decode_source(content), str(path), "exec")
    except (SyntaxError, ValueError) as error:
        raise SpecError(f"{path}: not Python: {error}") from None
    made = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
    if name not in made:
        raise SpecError(f"{path}: there is no function {name!r} in it")


def _load(path: Path, content: bytes, name: str) -> Callable[..., Any]:  # Any: the user's own
    module_name = f"finewright_user_{hashlib.sha256(content).hexdigest()[:16]}"
    spec = spec_from_file_location(module_name, path, loader=_Source(content, path))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[module_name] = module  # dataclasses and typing look their module up there
    try:
        spec.loader.exec_module(module)
        function: Callable[..., Any] = vars(module)[name]
        inspect.signature(function).bind("", {})
    except Exception as error:
        del sys.modules[module_name]
        line = _line_in(path, error)
        raise SpecError(
            f"{path}{line}: {_describe_error(error)}",
            hint=f"{name} is called as {name}(answer, row)",
        ) from None
    return function


class _Source(InspectLoader):
    """Loads what was read and digested, not what the file may hold by now."""

    def __init__(self, content: bytes, path: Path) -> None:
        self._content, self._path = content, path

    def get_source(self, fullname: str) -> str:
        return decode_source(self._content)

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_source(fullname), str(self._path))


def _line_in(path: Path, error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    return f":{lines[-1]}" if lines else ""


def _describe_error(error: Exception) -> str:
    text = str(error).strip()
    return f"raised {type(error).__name__}" + (f": {text.splitlines()[0]}" if text else "")
