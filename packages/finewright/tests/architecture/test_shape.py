"""The house's own rules, as tests: one name everywhere, small modules, light commands, nothing unsafe."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

import finewright
from finewright.cli.main import app
from finewright.cli.verbs import verbs
from finewright.plugins import BUILTIN
from finewright.schema.run import RunSpec
from finewright.workbench.stages import stages

ROOT = Path(finewright.__file__).parent
WORKSPACE = ROOT.parents[3]
MODULES = sorted(ROOT.rglob("*.py"))
# The top package is the face of the whole for Python programs.
PACKAGES = [path for path in MODULES if path.name == "__init__.py" and path.parent != ROOT]
NAMES = [stage.name for stage in stages()]
HEAVY = {"torch", "transformers", "numpy", "safetensors", "gguf", "peft"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def stage_module(name: str) -> Path:
    module = next(stage.run for stage in stages() if stage.name == name).partition(":")[0]
    folder = module.partition(".")[0].replace("_", "-")
    return WORKSPACE / "packages" / folder / "src" / f"{module.replace('.', '/')}.py"


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("stage", NAMES)
def test_a_stage_has_one_name_everywhere(stage: str) -> None:
    assert stage in RunSpec.model_fields
    assert stage_module(stage).is_file()


def test_a_stage_reads_only_earlier_ones() -> None:
    assert all(set(stage.reads) <= set(NAMES[:i]) for i, stage in enumerate(stages()))
    assert len(set(NAMES)) == len(NAMES)
    assert all(stage.help.endswith(".") for stage in stages())


@pytest.mark.parametrize("stage", NAMES)
def test_every_stage_has_the_same_entry(stage: str) -> None:
    functions = [n for n in tree_of(stage_module(stage)).body if isinstance(n, ast.FunctionDef)]
    run = next(f for f in functions if f.name == "run")
    assert [(a.arg, ast.unparse(a.annotation or a)) for a in run.args.args] == [
        ("context", "StageContext")
    ]


@pytest.mark.parametrize("method", ["orpo", "simpo"])  # whose names mean nothing else
def test_a_training_method_is_named_by_its_settings_its_module_and_one_line(method: str) -> None:
    named = {name_of(path) for path in MODULES if method in path.read_text("utf-8").lower()}
    assert named == {"schema/methods.py", f"train/methods/{method}.py", "plugins.py"}


def test_every_plugin_string_leads_to_something() -> None:
    targets = [target for rows in BUILTIN.values() for target in rows.values()]
    assert [target for target in targets if not leads_somewhere(target)] == []


def leads_somewhere(target: str) -> bool:
    module, _, attribute = target.partition(":")
    body = tree_of(ROOT.parent / f"{module.replace('.', '/')}.py").body
    defined = {node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    assigned = (node.targets for node in body if isinstance(node, ast.Assign))
    return attribute in defined | {ast.unparse(name) for names in assigned for name in names}


def test_listing_the_plugins_imports_none_of_them() -> None:
    targets = {target.partition(":")[0] for rows in BUILTIN.values() for target in rows.values()}
    code = (
        "import json, sys; from finewright import plugins;"
        "[plugins.names(kind) for kind in plugins.BUILTIN]; print(json.dumps(list(sys.modules)))"
    )
    assert targets.isdisjoint(json.loads(python("-c", code).out))


def faulty(paths: Iterable[Path], faults: Callable[[Path], Iterable[str]]) -> list[str]:
    """Each fault with its module. One test for a rule: a test for each module took a second of overhead."""
    return [f"{name_of(path)}: {fault}" for path in paths for fault in faults(path)]


def test_a_module_is_at_most_400_lines() -> None:
    lines = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    assert {name: count for name, count in lines.items() if count > 400} == {}


def test_a_package_is_one_sentence_and_imports_nothing() -> None:
    def faults(path: Path) -> Iterator[str]:
        docstring = ast.get_docstring(tree_of(path)) or ""
        if not docstring.endswith(".") or "\n" in docstring or ". " in docstring:
            yield docstring
        yield from imports_of(path)
        body = tree_of(path).body
        yield from (ast.unparse(n) for n in body if not isinstance(n, ast.Expr | ast.Assign))

    assert faulty(PACKAGES, faults) == []


def test_only_the_command_line_prints() -> None:
    # other processes, which answer on their output
    programs = ("one_command.py", "plain_answer.py", "program.py")

    def faults(path: Path) -> Iterator[str]:
        may_write = path.parent.name == "cli" or path.name in programs
        for name, _ in calls_in(path):
            if name == "print" or (not may_write and name.startswith(("sys.stdout", "sys.stderr"))):
                yield name

    assert faulty(MODULES, faults) == []


# The one place that may pass trust_remote_code=True hands on a consent pinned to a digest; every
# yaml.load names CSafeLoader.
UNSAFE_CALLS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "torch.load",
    "torch.save",
    "yaml.unsafe_load",
    "yaml.full_load",
}
UNSAFE_MODULES = {"pickle", "dill", "joblib", "marshal", "shelve", "cloudpickle"}


def test_nothing_unsafe_is_called() -> None:
    def faults(path: Path) -> Iterator[str]:
        yield from UNSAFE_CALLS.intersection(name for name, _ in calls_in(path))
        yield from UNSAFE_MODULES.intersection(m.partition(".")[0] for m in imports_of(path))

    assert faulty(MODULES, faults) == []


_AUTO_CLASS = re.compile(r"Auto\w+\.from_")


def test_no_call_takes_an_unsafe_argument() -> None:
    def faults(path: Path) -> Iterator[str]:
        for name, call in calls_in(path):
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
            is_unsafe = (
                "shell" in given
                or given.get("weights_only") == "False"
                # `trust` is what may_run_code found; no True, and no silence, at which transformers asks.
                or given.get("trust_remote_code", "False") not in {"trust", "False"}
                or (_AUTO_CLASS.match(name) and "trust_remote_code" not in given)
                or (name == "yaml.load" and given.get("Loader") != "yaml.CSafeLoader")
                or (name == "yaml.CSafeLoader" and path.name != "nodes.py")
            )
            if is_unsafe:
                yield ast.unparse(call)

    assert faulty(MODULES, faults) == []


def test_one_place_asks_the_clock_for_the_day() -> None:
    modules = sorted(WORKSPACE.glob("packages/*/src/**/*.py"))
    asked = [path for path in modules for name, _ in calls_in(path) if name.endswith(".today")]
    assert asked == [ROOT / "feature.py"]


def test_nothing_happens_at_import() -> None:
    """A bare call at the top of a module is work at import; these few are meant."""
    allowed = {
        "__main__.py": ["main()"],
        # Who imports the Python face wants reports that show themselves in a notebook.
        "commands.py": ["setattr(Model, '_repr_html_', _frame)"],
        "load.py": ["transformers_logging.disable_progress_bar()"],
    }
    # transformers knows attention functions by name; each module of ours registers its own.
    registers = ("AttentionInterface.register(", "AttentionMaskInterface.register(")

    def faults(path: Path) -> Iterator[str]:
        for node in tree_of(path).body:
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                call = ast.unparse(node)
                if not call.startswith(registers) and call not in allowed.get(path.name, []):
                    yield call

    assert faulty(MODULES, faults) == []


def test_every_command_and_every_option_has_help() -> None:
    def without_help(command: Any, path: str) -> Iterator[str]:
        if not command.help:
            yield path
        for parameter in command.params:
            if not getattr(parameter, "help", None) and parameter.name != "help":
                yield f"{path} {parameter.name}"
        for name in getattr(command, "verbs", ()):
            yield from without_help(command.get_command(None, name), f"{path} {name}")

    assert list(without_help(app(), "finewright")) == []


def test_every_stage_verb_is_a_command() -> None:
    assert {"check", "plan", "train", "up", "evaluate", "chat", "verify", "doctor"} <= set(verbs())


def test_every_public_name_of_the_command_line_has_a_docstring() -> None:
    bare = [
        f"{path.name}:{node.name}"
        for path in (ROOT / "cli").glob("*.py")
        for node in tree_of(path).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert bare == []


_MODULES_AT_THE_END = """
import atexit, json, sys
atexit.register(lambda: sys.stderr.write("\\n" + json.dumps(sorted(sys.modules))))
from finewright.cli.main import main
sys.argv = ["finewright", *sys.argv[1:]]
main()
"""


class Ended:
    """A process that ended well, and what it printed."""

    def __init__(self, *arguments: str, cwd: Path | None = None) -> None:
        command = [sys.executable, *arguments]
        ended = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True)
        self.out, self.err = ended.stdout, ended.stderr


def python(*arguments: str, cwd: Path | None = None) -> Ended:
    return Ended(*arguments, cwd=cwd)


@pytest.fixture
def good_spec(tmp_path: Path) -> Path:
    """A spec of a thousand good rows."""
    rows = [
        {"messages": [{"role": "user", "content": f"Q{i}"}, {"role": "assistant", "content": "A"}]}
        for i in range(1000)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    spec = {
        "name": "bot",
        "base_models": ["smollm2-135m-instruct"],
        "data": {"sources": [{"path": "rows.jsonl"}], "eval_fraction": 0.1},
    }
    path = tmp_path / "spec.yaml"
    path.write_text(yaml.safe_dump(spec))
    return path


def test_help_is_light() -> None:
    loaded = json.loads(python("-c", _MODULES_AT_THE_END, "--help").err.splitlines()[-1])
    assert (HEAVY | {"pydantic"}).isdisjoint(loaded)


def test_check_is_light(good_spec: Path) -> None:
    loaded = python("-c", _MODULES_AT_THE_END, "check", str(good_spec)).err.splitlines()[-1]
    # Near duplicates are numbers; the word vectors that leaks are found by lie in a file of safetensors.
    assert (HEAVY - {"numpy", "safetensors"}).isdisjoint(json.loads(loaded))


@pytest.mark.parametrize(
    "command", [("runs", "list"), ("data", "list"), ("schema",), ("check", "--help")]
)
def test_light_commands_load_no_torch(command: tuple[str, ...], tmp_path: Path) -> None:
    ended = python("-c", _MODULES_AT_THE_END, *command, cwd=tmp_path)
    assert HEAVY.isdisjoint(json.loads(ended.err.splitlines()[-1]))


def test_importing_the_package_loads_nothing_but_itself() -> None:
    code = (
        "import sys; before = set(sys.modules); import finewright, json;"
        "print(json.dumps([m for m in sys.modules if m.startswith('finewright')]))"
    )
    stages = ["finewright.evaluate", "finewright.train"]  # empty: see finewright/__init__.py
    assert sorted(json.loads(python("-c", code).out)) == ["finewright", *stages]


def test_what_a_command_does_keeps_its_name_when_a_stage_is_loaded() -> None:
    code = (
        "import finewright as fw, finewright.train.loop, finewright.evaluate.score;"
        "from finewright.train import loop;"
        "print(fw.train.__module__, fw.evaluate.__module__, loop.__name__)"
    )
    names = python("-c", code).out.split()
    assert names == ["finewright.commands", "finewright.commands", "finewright.train.loop"]


def test_every_name_of_the_package_is_there_and_has_a_docstring() -> None:
    assert [
        n for n in finewright.__all__ if n != "__version__" and not getattr(finewright, n).__doc__
    ] == []


@pytest.mark.skipif(find_spec("importlinter") is None, reason="import-linter is not installed")
def test_imports_point_downward() -> None:
    linted = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=WORKSPACE,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "0 broken" in linted.stdout, linted.stdout


@cache
def calls_in(path: Path) -> list[tuple[str, ast.Call]]:
    calls = (node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call))
    return [(ast.unparse(call.func), call) for call in calls]


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
