"""What the code is like to live in: sizes, names, imports, constants. `python benchmarks/house.py --bars`.

Read from the source alone; commands are run for the last two figures. Not measured here: the minutes of
the tests (`time make test`), the speed of `data prepare` (data_scale.py), and the minutes in which a stranger
adds a scorer, a method or a feature."""

import ast
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import chain
from pathlib import Path
from statistics import mean, median

from bars import Bar, finish, parser_of

ROOT = Path(__file__).parents[1]
SOURCES = sorted(ROOT.glob("packages/*/src")) or [ROOT / "src", *sorted(ROOT.glob("packs/*/src"))]
TESTS = sorted(ROOT.glob("packages/*/tests")) or [
    ROOT / "tests",
    *sorted(ROOT.glob("packs/*/tests")),
]
CORE = next(folder / "finewright" for folder in SOURCES if (folder / "finewright").is_dir())
GUARD = frozenset({"guard", "poison", "misfits", "names", "privacy"})
"""Folders that detect something in rows, in whichever package they are."""
BANNED = frozenset({"told", "asked", "became", "remarks", "conduct", "looks"})
"""Words that meant several things each, and that nobody would guess or grep for."""
IRREGULAR = (
    " begun bent born broken brought built caught chosen dealt done drawn driven eaten fallen fed felt"
    " forgotten found frozen given gone got grown heard held hidden kept known laid led lent lost made"
    " meant met paid proven said seen sent shot shown sold spent spoken spun stolen stood struck stuck"
    " swept sworn taken taught thought thrown told torn understood won worn woven written "
)
"""Participles that do not end in -ed. Left out are those that are also the verb (read, put, set, cut, split,
run) or more often another word (left, bound, ground)."""
NO_PARTICIPLES = (
    " bed bleed breed embed exceed feed indeed need proceed red seed shed speed succeed "
)
"""Words that end in -ed and are none."""

Modules = Mapping[Path, ast.Module]
Function = ast.FunctionDef | ast.AsyncFunctionDef


def bars() -> list[Bar]:
    """In the order of the plan: sizes, the inside, guards, words, the rest of the code, the commands."""
    modules = parsed(SOURCES)
    lines = {path: lines_of(path) for path in modules}
    return [*sizes(lines), *inside(modules), *guards(modules), *words(modules),
            *shape(modules, lines), *commands()]  # fmt: skip


def parsed(folders: Iterable[Path]) -> dict[Path, ast.Module]:
    paths = chain.from_iterable(map(sources, folders))
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def sources(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


@cache
def lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def sizes(lines: Mapping[Path, int]) -> Iterator[Bar]:
    every = sum(lines.values())
    tests = sum(map(lines_of, chain.from_iterable(map(sources, TESTS))))
    long = [number for path, number in lines.items() if path.name != "__init__.py"]
    longest = max(lines, key=lambda path: lines[path])
    core = sum(number for path, number in lines.items() if path.is_relative_to(CORE))
    yield at_most("lines of the core", core, 56_000)
    yield at_most("lines of all packages", every, 92_000, f"{len(lines)} modules")
    yield at_most("lines of tests / of sources", tests / every, 0.75, f"{tests:,} lines")
    yield Bar("median lines of a module", median(long), 150, on="without __init__.py")
    yield at_most("lines of the longest module", lines[longest], 600, _short(longest))


def inside(modules: Modules) -> Iterator[Bar]:
    """What packages may import of the core, and what else they do."""
    stub = CORE / "sdk.pyi"
    names = set(public_names(ast.parse(stub.read_text(encoding="utf-8"))))
    reached = {
        name
        for path, tree in modules.items()
        if not path.is_relative_to(CORE)
        for name in imported(tree, ())
        if name[0].partition(".")[0] == "finewright" and name[0] != "finewright.sdk"
    }
    on = f"of {len({module for module, _ in reached})} modules"
    yield at_most("names of the sdk", len(names), 80)
    yield at_most("other names of the core that packages import", len(reached), 0, on)


def public_names(tree: ast.Module) -> Iterator[str]:
    """`__all__` where there is one, else every public name of the module."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            yield from ast.literal_eval(node.value)
            return
    found = {name for node in tree.body for name in _bound(node)}
    yield from (name for name in found if not name.startswith("_"))


def _bound(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name for alias in node.names)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from (target.id for target in targets if isinstance(target, ast.Name))


def imported(tree: ast.Module, package: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Module and name of every import, also of those inside of functions; `package` is the module's own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*above, node.module or "")).strip(".")
            yield from ((module, alias.name) for alias in node.names)


def guards(modules: Modules) -> Iterator[Bar]:
    """Numbers that a module of a guard binds at its top, counted by their names, and compiled patterns."""
    trees = [tree for path, tree in modules.items() if GUARD & set(path.parent.parts)]
    numbers = sum(map(constants, trees))
    patterns = sum(ast.unparse(node.func) == "re.compile" for tree in trees for node in ast.walk(tree)
                   if isinstance(node, ast.Call))  # fmt: skip
    yield at_most("constants of guards", numbers, 40, f"{len(trees)} modules")
    yield at_most("patterns of guards", patterns, 90)


def constants(tree: ast.Module) -> int:
    count = 0
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and is_number(node.value):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            count += len(target.elts) if isinstance(target, ast.Tuple) else 1
    return count


def is_number(value: ast.expr | None) -> bool:
    match value:
        case ast.Constant(value=number):
            return isinstance(number, int | float) and not isinstance(number, bool)
        case ast.UnaryOp(operand=operand):
            return is_number(operand)
        case ast.BinOp(left=left, right=right):
            return is_number(left) and is_number(right)
        case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
            return bool(elements) and all(map(is_number, elements))
        case _:
            return False


def words(modules: Modules) -> Iterator[Bar]:
    functions = [node for tree in modules.values() for node in functions_in(tree) if is_verb(node)]
    participles = [node.name for node in functions if is_participle(node.name)]
    shared, banned = shared_classes(modules), banned_names(modules)
    share = 100 * len(participles) / len(functions)
    on = f"{len(participles)} of {len(functions)}"
    yield at_most("functions named by a participle, %", share, 3, on)
    yield at_most("public class names shared", len(shared), 0, ", ".join(sorted(shared)[:8]))
    yield at_most("identifiers with a banned word", len(banned), 0, ", ".join(sorted(banned)[:8]))


def functions_in(tree: ast.Module) -> Iterator[Function]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def is_verb(node: Function) -> bool:
    """Whether its name is to be a verb: not that of a property, nor one that Python gives."""
    decorators = {ast.unparse(each).rpartition(".")[2] for each in node.decorator_list}
    return not decorators & {"property", "cached_property"} and not node.name.startswith("__")


def is_participle(name: str) -> bool:
    """Whether the first word of a name is a participle: one of `IRREGULAR`, or a word in -ed but a few."""
    first = next(iter(words_of(name)), "-")
    is_regular = first.endswith("ed") and f" {first} " not in NO_PARTICIPLES
    return is_regular or f" {first} " in IRREGULAR


def shared_classes(modules: Modules) -> dict[str, list[str]]:
    """Public class name -> the modules that have one, where it is more than one."""
    homes: dict[str, list[str]] = defaultdict(list)
    for path, tree in modules.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(_short(path))
    return {name: found for name, found in homes.items() if len(found) > 1}


def banned_names(modules: Modules) -> dict[str, list[str]]:
    """Identifier with a banned word -> the modules that define it."""
    homes: dict[str, list[str]] = defaultdict(list)
    for path, tree in modules.items():
        for name in {path.stem, *defined_names(tree)}:
            if not BANNED.isdisjoint(words_of(name)):
                homes[name].append(_short(path))
    return homes


def _short(path: Path) -> str:
    for folder in (CORE, ROOT):
        if path.is_relative_to(folder):
            return str(path.relative_to(folder))
    return str(path)


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


def shape(modules: Modules, lines: Mapping[Path, int]) -> Iterator[Bar]:
    imports = [node for tree in modules.values() for node in ast.walk(tree)
               if isinstance(node, ast.Import | ast.ImportFrom)]  # fmt: skip
    share = 100 * sum(map(length, imports)) / sum(lines.values())
    found = list(circles(modules))
    biggest = max(chain.from_iterable(map(functions_in, modules.values())), key=length)
    complexity = mean(chain.from_iterable(map(complexities, modules)))
    yield at_most("lines that import, %", share, 6)
    yield at_most("circles within a folder", len(found), 0, "; ".join(found))
    yield at_most("lines of the longest function", length(biggest), 50, biggest.name)
    yield at_most("mean complexity", complexity, 3.3)


def length(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def complexities(path: Path) -> Iterator[int]:
    """McCabe's number (1976) of each function, method and class of a module, as radon counts it."""
    from radon.complexity import cc_visit

    return (block.complexity for block in cc_visit(path.read_text(encoding="utf-8")))


def circles(modules: Modules) -> Iterator[str]:
    """Folders with modules of theirs that import each other in a circle, imports inside of functions too."""
    names = {module_of(path): path for path in modules if path.name != "__init__.py"}
    uses = {name: {found for found in uses_of(name, modules[path]) if found in names
                   and names[found].parent == path.parent and found != name}
            for name, path in names.items()}  # fmt: skip
    reached = {name: reach(name, uses) for name in names}
    rings = {frozenset(each for each in reached[name] if name in reached[each])
             for name in names if name in reached[name]}  # fmt: skip
    for ring in sorted(map(sorted, rings)):
        yield f"{_short(names[ring[0]].parent)}: {', '.join(n.rpartition('.')[2] for n in ring)}"


def module_of(path: Path) -> str:
    folder = next(each for each in SOURCES if path.is_relative_to(each))
    return ".".join(path.relative_to(folder).with_suffix("").parts)


def uses_of(name: str, tree: ast.Module) -> Iterator[str]:
    """The modules that are imported whole or in part."""
    for module, part in imported(tree, tuple(name.split(".")[:-1])):
        yield from (module, f"{module}.{part}")


def reach(name: str, uses: Mapping[str, set[str]]) -> set[str]:
    found, waiting = set[str](), [name]
    while waiting:
        new = uses[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def commands() -> Iterator[Bar]:
    yield at_most("finewright --help, CPU seconds", cpu_seconds("--help"), 0.15, "least of five")
    yield at_most("functions that `check` of ten rows runs", functions_of_check(), 600)


def cpu_seconds(*arguments: str) -> float:
    """User and system seconds of the command: the least of five, for other work slows it down."""
    found = []
    for _ in range(5):
        before = os.times()
        command = [sys.executable, "-m", "finewright", *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
        after = os.times()
        own = after.children_user + after.children_system
        found.append(own - before.children_user - before.children_system)
    return min(found)


SPEC = """\
name: a
base_models: [smollm2-135m-instruct]
data: {sources: [{path: rows.jsonl}], eval_fraction: 0.1}
"""
COUNT = """\
import sys
codes = set()
sys.setprofile(lambda frame, event, _: codes.add(frame.f_code) if event == "call" else None)
sys.argv = ["finewright", "check", "spec.yaml"]
try:
    from finewright.cli.main import main
    main()
except SystemExit:
    pass
sys.setprofile(None)
names = ("<module>", "<lambda>", "<genexpr>", "<listcomp>", "<setcomp>", "<dictcomp>")
print(sum("/finewright" in c.co_filename and c.co_name not in names for c in codes))
"""
"""Functions of ours by name: what runs at import, and parts of expressions, are none."""


def functions_of_check() -> int:
    with tempfile.TemporaryDirectory() as name:
        rows = (f'{{"prompt": "What is {i}?", "completion": "{i}"}}\n' for i in range(10))
        (Path(name) / "rows.jsonl").write_text("".join(rows), encoding="utf-8")
        (Path(name) / "spec.yaml").write_text(SPEC, encoding="utf-8")
        command = [sys.executable, "-c", COUNT]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=name)
    return int(done.stdout.splitlines()[-1])


def at_most(name: str, figure: float, limit: float, on: str = "") -> Bar:
    return Bar(name, figure, limit, True, on)


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--names", action="store_true", help="list the names behind the counts")
    options = parser.parse_args()
    code = finish(bars(), options)
    if options.names:
        modules = parsed(SOURCES)
        for name, homes in sorted((shared_classes(modules) | banned_names(modules)).items()):
            print(f"  {name}: {', '.join(homes)}")
        functions = chain.from_iterable(map(functions_in, modules.values()))
        found = {node.name for node in functions if is_verb(node) and is_participle(node.name)}
        print(f"  participles: {', '.join(sorted(found))}")
    return code


if __name__ == "__main__":
    sys.exit(main())
