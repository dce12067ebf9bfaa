"""What other packages may import of finewright: its names stay, and each has its page in docs/sdk.md.

    from finewright.sdk import Command, DataError, Feature

Everything else in `finewright` may change with any version. `sdk.pyi` says where a name comes from; its
module is imported when the name is first asked for, so that a package costs nothing until it is used. The
suites that a plugin must pass are in `finewright.conformance`."""

import ast
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any


@cache
def _homes() -> dict[str, str]:
    """Name -> the module that it comes from."""
    tree = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    lines = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: line.module or "" for line in lines for alias in line.names}


def __getattr__(
    name: str,
) -> Any:  # Any: what the name stands for, which type checkers read in the .pyi
    home = _homes().get(name)
    if home is None:
        raise AttributeError(f"finewright.sdk has no {name!r}; docs/sdk.md lists its names")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(_homes())
