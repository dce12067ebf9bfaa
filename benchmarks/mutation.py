"""How many small faults the tests of a module see. `python benchmarks/mutation.py --help`.

A mutant is the module with one change (DeMillo, Lipton and Sayward 1978): a comparison, an operator, a
number, a constant, `and` for `or`, a condition turned round. It is killed where a test fails, or runs four
times as long as all of them did. Some mutants mean the same as the module, so that no score need be 1.

One process imports what the tests need, and every mutant is tried in a fork of it: no file is changed."""

import argparse
import ast
import contextlib
import importlib.util
import os
import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from copy import deepcopy
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType

import pytest

ROOT = Path(__file__).parents[1]
SRC = ROOT / "packages" / "finewright" / "src"
_SWAPS: dict[type[ast.AST], ast.AST] = {
    ast.Lt: ast.LtE(),
    ast.LtE: ast.Lt(),
    ast.Gt: ast.GtE(),
    ast.GtE: ast.Gt(),
    ast.Eq: ast.NotEq(),
    ast.NotEq: ast.Eq(),
    ast.In: ast.NotIn(),
    ast.NotIn: ast.In(),
    ast.Is: ast.IsNot(),
    ast.IsNot: ast.Is(),
    ast.Add: ast.Sub(),
    ast.Sub: ast.Add(),
    ast.Mult: ast.Add(),
    ast.Div: ast.Mult(),
    ast.And: ast.Or(),
    ast.Or: ast.And(),
}


def mutants(source: str) -> Iterator[tuple[str, ast.Module]]:
    """(line and change, the module with it), in the order of the source; annotations stay as they are."""
    tree = ast.parse(source)
    for number, node in enumerate(ast.walk(tree)):
        for what in _changes(node):
            mutant = deepcopy(tree)
            copy = next(each for i, each in enumerate(ast.walk(mutant)) if i == number)
            _change(copy)
            yield f"line {getattr(node, 'lineno', '?')}: {what}", ast.fix_missing_locations(mutant)


def _changes(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Compare(ops=[op]) if type(op) in _SWAPS:
            yield type(op).__name__
        case ast.BinOp(op=op) | ast.BoolOp(op=op) if type(op) in _SWAPS:
            yield type(op).__name__
        case ast.If() | ast.IfExp():
            yield "condition"
        case ast.Constant(value=bool() | int() | float()):
            yield "constant"
        case _:
            pass


def _change(node: ast.AST) -> None:
    match node:
        case ast.Compare(ops=[op]):
            node.ops = [_SWAPS[type(op)]]  # type: ignore[list-item]  # of the same kind
        case ast.BinOp(op=op) | ast.BoolOp(op=op):
            node.op = _SWAPS[type(op)]  # type: ignore[assignment]  # as above
        case ast.If(test=test) | ast.IfExp(test=test):
            node.test = ast.UnaryOp(ast.Not(), test)
        case ast.Constant(value=value):
            node.value = not value if isinstance(value, bool) else value + 1  # type: ignore[operator]
        case _:
            raise TypeError(node)


class Changed:
    """Imports the module as it is compiled here, whatever lies on the disk."""

    def __init__(self, name: str, path: Path, code: CodeType) -> None:
        self.name, self.path, self.code = name, path, code

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        """The spec of the one module."""
        if name != self.name:
            return None
        return importlib.util.spec_from_file_location(name, self.path, loader=self)  # type: ignore[arg-type]

    def create_module(self, _: ModuleSpec) -> None:
        """As usual."""

    def exec_module(self, module: object) -> None:
        """Run the changed code."""
        exec(self.code, vars(module))  # noqa: S102 - our own module, with one change


def tried(path: Path, tree: ast.Module, tests: Sequence[str], seconds: float) -> bool:
    """Whether all tests pass with the changed module, in a fork of this process."""
    name = ".".join(path.relative_to(SRC).with_suffix("").parts)
    child = os.fork()
    if not child:
        os.setsid()
        with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
            sys.meta_path.insert(0, Changed(name, path, compile(tree, str(path), "exec")))
            code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests])
        os._exit(int(code))
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("module", type=Path, help="such as .../finewright/judge/quotes.py")
    parser.add_argument("tests", nargs="+", help="the files of its tests")
    parser.add_argument("--most", type=int, default=30, help="mutants that are drawn (0: all)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    typed = parser.parse_args()
    path = typed.module.resolve()
    source = path.read_text(encoding="utf-8")
    began = time.monotonic()
    if not tried(path, ast.parse(source), typed.tests, 600):
        sys.exit("the tests fail without a change")
    seconds = 5 + 4 * (time.monotonic() - began)
    found = list(mutants(source))
    if typed.most:
        rng = random.Random(typed.seed)  # noqa: S311 - a draw, no secret
        found = rng.sample(found, min(typed.most, len(found)))
    alive = [what for what, tree in found if tried(path, tree, typed.tests, seconds)]
    for what in alive:
        print(f"  seen by no test: {what}")
    killed = len(found) - len(alive)
    print(
        f"{path.relative_to(ROOT)}: {killed} of {len(found)} mutants killed ({killed / len(found):.0%})"
    )


if __name__ == "__main__":
    main()
