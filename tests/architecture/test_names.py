"""A public class has a name that no other has, in the core and in the packs."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = [ROOT / "src", *sorted((ROOT / "packs").glob("*/src"))]


def test_a_public_class_name_exists_once() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for source in SOURCES:
        for path in sorted(source.rglob("*.py")):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    homes[node.name].append(str(path.relative_to(source)))
    assert {name: found for name, found in homes.items() if len(found) > 1} == {}
