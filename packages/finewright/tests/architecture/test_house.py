"""What benchmarks/house.py counts, on code whose figures are counted by hand."""

import ast
import sys
from pathlib import Path

import pytest

_BENCHMARKS = str(Path(__file__).parents[4] / "benchmarks")
sys.path.insert(0, _BENCHMARKS)
try:
    import house
finally:
    sys.path.remove(_BENCHMARKS)


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("_said", True), ("shownRow", True), ("joined", True), ("read_rows", False), ("need", False),
     ("embed_all", False), ("is_kept", False), ("__call__", False)],
)  # fmt: skip
def test_a_participle_is_told_by_the_first_word(name: str, is_one: bool) -> None:
    assert house.is_participle(name) is is_one


def test_constants_are_names_that_are_bound_to_numbers_alone() -> None:
    tree = ast.parse("A = 1\nB, C = 0.5, -2\nD: int = 3 * 60\nE = True\nF = len('x')\nG = ()\n")
    assert house.constants(tree) == 4


def test_modules_of_a_folder_that_import_each_other_are_a_circle() -> None:
    texts = {
        "a": "from finewright.x import b",
        "b": "def f():\n    from finewright.x.c import g",
        "c": "from .a import h",
        "d": "from finewright.x import a",
    }
    found = {house.CORE / "x" / f"{name}.py": ast.parse(text) for name, text in texts.items()}
    assert list(house.circles(found)) == ["x: a, b, c"]


def test_what_a_package_imports_beside_the_sdk_is_counted_by_name() -> None:
    text = (
        "from finewright.sdk import a\nfrom finewright.rows import b, c\nimport finewright.errors"
    )
    found = {house.ROOT / "packages" / "x.py": ast.parse(text)}
    _, reached = house.inside(found)
    assert reached.figure == 3


def test_the_sdk_is_what_it_says_that_it_is() -> None:
    assert set(house.public_names(ast.parse("__all__ = ['a']\nfrom x import a, b\n"))) == {"a"}
    assert set(house.public_names(ast.parse("from x import a as a\n_b = 1\nC = 2\n"))) == {"a", "C"}
