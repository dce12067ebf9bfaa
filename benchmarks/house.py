"""What the code is like to live in: sizes, names, complexity. `python benchmarks/house.py --bars`.

Read from the source alone. Two commands are timed: `--help`, and `check` of 1,000 rows."""

import argparse
import ast
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import mean

ROOT = Path(__file__).parents[1]
CORE = ROOT / "packages" / "finewright" / "src" / "finewright"
BANNED = ("told", "asked", "became", "remarks", "conduct", "looks")
"""Words that meant several things each, and that nobody would guess or grep for."""
TEST_LINES_BEFORE = 53_669
"""At the commit before this house was built."""
SPEC = """\
name: bot
base_models: [smollm2-135m-instruct]
data: {sources: [{path: rows.jsonl}], eval_fraction: 0.1}
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure and what it may be at most."""

    name: str
    value: float
    most: float
    note: str = ""

    @property
    def is_met(self) -> bool:
        return self.value <= self.most


def bars() -> list[Bar]:
    modules = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sources(CORE)}
    functions = [node for tree in modules.values() for node in functions_in(tree)]
    shared = shared_classes(modules)
    banned = banned_names(modules)
    longest = max(modules, key=lines_of)
    biggest = max(functions, key=length)
    return [
        Bar("lines of the core", sum(map(lines_of, modules)), 50_000),
        Bar("public class names shared", len(shared), 0, ", ".join(sorted(shared)[:8])),
        Bar("identifiers with a banned word", len(banned), 0, ", ".join(sorted(banned)[:8])),
        Bar(
            "mean complexity", round(mean(chain.from_iterable(map(complexities, modules))), 2), 3.3
        ),
        Bar("longest module, lines", lines_of(longest), 400, str(longest.relative_to(CORE))),
        Bar("longest function, lines", length(biggest), 50, biggest.name),
        Bar("lines of the tests", test_lines(), TEST_LINES_BEFORE - 1),
        Bar("finewright --help, CPU seconds", cpu_seconds("--help"), 0.15),
        Bar("finewright check, CPU seconds", check_seconds(), 1.0, "1,000 rows"),
    ]


def sources(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_lines() -> int:
    folders = ROOT.glob("packages/*/tests")
    return sum(lines_of(path) for folder in folders for path in sources(folder))


def functions_in(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def complexities(path: Path) -> Iterator[int]:
    """McCabe's number (1976) of each function, method and class of a module, as radon counts it."""
    from radon.complexity import cc_visit

    return (block.complexity for block in cc_visit(path.read_text(encoding="utf-8")))


def shared_classes(modules: dict[Path, ast.Module]) -> dict[str, list[str]]:
    """Public class name -> the modules that have one, where it is more than one."""
    homes: dict[str, list[str]] = defaultdict(list)
    for path, tree in modules.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(_short(path))
    return {name: found for name, found in homes.items() if len(found) > 1}


def banned_names(modules: dict[Path, ast.Module]) -> dict[str, list[str]]:
    """Identifier with a banned word -> the modules that define it."""
    homes: dict[str, list[str]] = defaultdict(list)
    for path, tree in modules.items():
        for name in {path.stem, *defined_names(tree)}:
            if not BANNED_WORDS.isdisjoint(words_of(name)):
                homes[name].append(_short(path))
    return homes


def _short(path: Path) -> str:
    return str(path.relative_to(CORE) if path.is_relative_to(CORE) else path)


BANNED_WORDS = frozenset(BANNED)


def words_of(name: str) -> list[str]:
    return re.findall("[a-z]+", re.sub("([a-z])([A-Z])", r"\1_\2", name).lower())


def defined_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
            ):
                yield name
            case ast.arg(arg=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.Attribute(attr=name, ctx=ast.Store()):
                yield name
            case _:
                pass


def check_seconds() -> float:
    """CPU seconds of `check` on a spec of a thousand good rows."""
    rows = (json.dumps({"prompt": f"Q{i}", "completion": "A"}) for i in range(1000))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "rows.jsonl").write_text("\n".join(rows), encoding="utf-8")
        (folder / "spec.yaml").write_text(SPEC, encoding="utf-8")
        return cpu_seconds("check", str(folder / "spec.yaml"))


def cpu_seconds(*arguments: str) -> float:
    """CPU seconds, user and system, of the command: the least of five, for others slow it down."""
    command = [sys.executable, "-m", "finewright", *arguments]
    found = []
    for _ in range(5):
        before = os.times()
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
        after = os.times()
        own = after.children_user + after.children_system
        found.append(own - before.children_user - before.children_system)
    return round(min(found), 3)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bars", action="store_true", help="exit with 1 where a bar is missed")
    parser.add_argument("--names", action="store_true", help="list the names behind the counts")
    arguments = parser.parse_args()
    found = bars()
    for bar in found:
        verdict = ("met" if bar.is_met else "MISSED") if arguments.bars else ""
        print(f"{bar.name:34} {bar.value:>10,g}  at most {bar.most:>8,g}  {verdict:7} {bar.note}")
    if arguments.names:
        modules = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sources(CORE)}
        for name, homes in sorted((shared_classes(modules) | banned_names(modules)).items()):
            print(f"  {name}: {', '.join(homes)}")
    return int(arguments.bars and not all(bar.is_met for bar in found))


if __name__ == "__main__":
    sys.exit(main())
