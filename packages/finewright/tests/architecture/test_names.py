"""A public class has a name that no other has, no name has a word that means several things, and a
function fits on a page: in every package."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]

sys.path.insert(0, str(ROOT / "benchmarks"))
try:
    import house
finally:
    sys.path.remove(str(ROOT / "benchmarks"))

_LONGEST = 50


@pytest.fixture(scope="module")
def modules() -> dict[Path, ast.Module]:
    folders = sorted(ROOT.glob("packages/*/src"))
    paths = [path for folder in folders for path in house.sources(folder)]
    return {path.relative_to(ROOT): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def test_a_public_class_name_exists_once(modules: dict[Path, ast.Module]) -> None:
    assert house.shared_classes(modules) == {}


def test_no_identifier_has_a_banned_word(modules: dict[Path, ast.Module]) -> None:
    assert house.banned_names(modules) == {}


def test_no_function_is_longer_than_a_page(modules: dict[Path, ast.Module]) -> None:
    long = {
        f"{path}:{node.lineno} {node.name}": house.length(node)
        for path, tree in modules.items()
        for node in house.functions_in(tree)
        if house.length(node) > _LONGEST
    }
    assert long == {}


def test_the_checks_see_what_they_look_for() -> None:
    tree = ast.parse(
        "class Told:\n    pass\n\ndef wasAsked(looks_good):\n    x = 1\n    return x\n"
    )
    found = {Path("a.py"): tree, Path("b.py"): tree}
    assert set(house.banned_names(found)) == {"Told", "wasAsked", "looks_good"}
    assert house.shared_classes(found) == {"Told": ["a.py", "b.py"]}
    assert [house.length(node) for node in house.functions_in(tree)] == [3]
