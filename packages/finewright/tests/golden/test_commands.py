"""Every command gives on small inputs what it gave."""

import json
import os
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from finewright.cli.verbs import Verb, verbs
from finewright.report.brief import brief_of
from finewright.report.columns import cells
from finewright.report.show import text_of
from finewright.report.text import Room
from finewright.schema.common import Problem
from finewright.table import commands

from .cases import CASES, NOT_KEPT
from .conftest import Project
from .normal import differences, normal

pytestmark = pytest.mark.torch
OUTPUTS = Path(__file__).parent / "outputs"


@pytest.mark.parametrize("name", CASES)
def test_a_command_gives_what_it_gave(name: str, project: Project) -> None:
    found = project.output(name)
    path = OUTPUTS / f"{name}.json"
    if os.environ.get("FINEWRIGHT_WRITE_GOLDEN"):
        path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert found["code"] == CASES[name].code
    assert list(differences(json.loads(path.read_text(encoding="utf-8")), found)) == []


def test_every_command_has_a_case_or_a_reason() -> None:
    named = {*NOT_KEPT}
    for command in _commands(verbs(), ""):
        if any(case.argv.split(" -")[0].startswith(command) for case in CASES.values()):
            named.add(command)
    assert named == set(_commands(verbs(), ""))
    assert {path.stem for path in OUTPUTS.iterdir()} == set(CASES)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.text])
def test_no_line_of_a_report_is_wider_than_the_terminal(name: str, project: Project) -> None:
    project.output(name)
    if name == "schema":
        return  # it is no report
    for width, is_whole in product((40, 80, 100, 140), (False, True)):
        room = Room(width, width)
        shown = text_of(project.reports[name], room, is_whole=is_whole).splitlines()
        assert [line for line in shown if cells(line) > width] == []


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.text])
def test_a_brief_is_short_and_has_the_verdict_and_the_number_of_problems(
    name: str, project: Project
) -> None:
    project.output(name)
    if name == "schema":
        return  # it is no report
    report = project.reports[name]
    brief = brief_of(report, whole="runs/some-run")
    assert len(json.dumps(brief, ensure_ascii=False).encode()) <= 2048
    assert brief["verdict"].strip()
    assert brief.get("passed") == getattr(report, "passed", None)
    counted = {level: brief["problems"][level] for level in ("error", "warning", "info")}
    assert counted == _problems(report.model_dump(mode="json"))


def _problems(report: dict[str, Any]) -> dict[str, int]:
    """Of a report's JSON, wherever they stand, each once, by level."""
    found: dict[str, str] = {}

    def walk(value: Any) -> None:
        if isinstance(value, dict) and value.keys() == Problem.model_fields.keys():
            found[json.dumps(value)] = value["level"]
        for each in value.values() if isinstance(value, dict) else value:
            if isinstance(each, dict | list):
                walk(each)

    walk(report)
    levels = [*found.values()]
    return {level: levels.count(level) for level in ("error", "warning", "info")}


@pytest.mark.parametrize("name", CASES)
def test_a_command_that_only_reads_leaves_no_file_of_the_project_changed(
    name: str, project: Project
) -> None:
    project.output(name)
    if _effect(CASES[name].argv) == "reads":
        assert project.changed[name] == set()


def _effect(argv: str) -> str:
    """The effect of what is typed, by the table."""
    flags = [word for word in argv.split() if word.startswith("--")]
    command = next(
        command
        for name, (_, command) in sorted(commands().items(), reverse=True)
        if f"{argv} ".startswith(f"{name} ")
    )
    return command.effect_of(word.removeprefix("--").replace("-", "_") for word in flags)


def _commands(table: Mapping[str, Verb], name: str) -> Iterator[str]:
    for word, verb in table.items():
        full = f"{name} {word}".strip()
        yield from [full] if verb.action else _commands(verb.inner, full)


@pytest.mark.parametrize(
    ("was", "now", "count"),
    [
        ({"n": 3}, {"n": 4}, 1),
        ({"loss": 2.0}, {"loss": 2.001}, 0),
        ({"loss": 2.0}, {"loss": 2.01}, 1),
        ({"passed": True}, {"passed": 1}, 1),
        ({"n": 0}, {"n": None}, 1),
        ({"winner": "a b"}, {"winner": "a c"}, 1),
        ({"hint": "look here"}, {"hint": "look there"}, 0),
        ({"hint": "look here"}, {"hint": ""}, 1),
        ({"rows": [1, 2]}, {"rows": [1]}, 1),
        ({"rows": list(range(90))}, {"rows": list(range(91))}, 1),
        ({"a": 1}, {"b": 1}, 2),
        ({"train_seconds": 1.0}, {"train_seconds": 9.0}, 0),
        ({"problems": [{"level": "info", "message": "busy"}]}, {"problems": []}, 0),
        ({"problems": [{"level": "error", "message": "busy"}]}, {"problems": []}, 1),
        ({"file": "/x/rows.jsonl"}, {"file": "/x/more.jsonl"}, 1),
    ],
)
def test_numbers_and_names_are_compared_and_prose_is_not(
    was: dict[str, Any], now: dict[str, Any], count: int
) -> None:
    assert len(list(differences(normal(was, "/x"), normal(now, "/x")))) == count
