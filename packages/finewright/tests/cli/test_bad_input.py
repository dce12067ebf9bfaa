"""Each bad input gives one clear line with file, line, key and mend, exit code 2, and leaves nothing."""

import codecs
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import GOOD, SPEC, Finewright, Result

USER = '{"role": "user", "content": "Q"}'
ANSWER = '{"role": "assistant", "content": "A"}'


def lines_of(result: Result, level: str = "error") -> list[str]:
    return [line for line in result.out.splitlines() if line.startswith(f"{level}: ")]


def messages(*turns: str) -> bytes:
    return f'{{"messages": [{", ".join(turns)}]}}\n'.encode()


BAD_ROWS = {
    "an empty file": (b"", "rows.jsonl: the file is empty (write one JSON object per line)"),
    "blank lines only": (
        b"\n \n",
        "rows.jsonl: there are only blank lines in it (write one JSON object per line)",
    ),
    "not UTF-8": (
        GOOD.encode() + b'{"prompt": "caf\xe9", "completion": "x"}\n',
        "rows.jsonl:2: not UTF-8: byte 0xe9 at column 16, offset 103 of the file (it looks like "
        "cp1252: --encoding cp1252, or in a spec the source's encoding)",
    ),
    "UTF-16 without a mark": (
        GOOD.encode("utf-16-le"),
        "rows.jsonl: this looks like UTF-16 text, UTF-8 is expected "
        "(it looks like utf-16-le: --encoding utf-16-le, or in a spec the source's encoding)",
    ),
    "broken JSON": (
        GOOD.encode() + b'\n{"prompt": "Q", "completion": \n',
        "rows.jsonl:3: broken JSON at column 31: Expecting value (the line is cut off, or a"
        " text in it holds a line end: write that as \\n)",
    ),
    "no assistant turn": (
        messages(USER),
        "rows.jsonl:1: messages: no assistant turn: nothing to learn "
        "(add the answer, or call the list `prompt` if a model is to answer)",
    ),
    "null content": (
        messages('{"role": "user", "content": null}', ANSWER),
        "rows.jsonl:1: messages[0].content: null; only an assistant message with tool_calls may "
        "lack it (write it, or leave the row out)",
    ),
    "all labels masked": (
        messages(USER, '{"role": "assistant", "content": "A", "weight": 0}'),
        "rows.jsonl:1: messages[1]: all labels masked: nothing in this row would be trained "
        "(its assistant turns have weight 0; fill one, or leave the row out)",
    ),
    "an unknown role": (
        messages('{"role": "usr", "content": "Q"}', ANSWER),
        "rows.jsonl:1: messages[0].role: unknown role 'usr'; the roles are system, user, "
        "assistant, tool (did you mean 'user'?)",
    ),
    "other keys": (
        b'{"foo": "Q"}\n',
        "rows.jsonl:1: expected the keys `messages`; `prompt` and `completion`; `chosen` and "
        "`rejected`; or `prompt` alone; found: `foo` "
        "(rename the keys, or name them: --column OURS=THEIRS, or in a spec the source's `columns`)",
    ),
}


@pytest.mark.parametrize(("content", "line"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_check_names_a_bad_row(
    content: bytes, line: str, project: Path, finewright: Finewright
) -> None:
    (project / "rows.jsonl").write_bytes(content)
    found = finewright("check", "spec.yaml")
    assert (found.code, found.err) == (2, "")
    assert lines_of(found) == [f"error: {line}"]
    assert "bot: not usable" in found.out.splitlines()


@pytest.mark.parametrize(("content", "line"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_plan_refuses_a_bad_row_and_writes_nothing(
    content: bytes, line: str, project: Path, finewright: Finewright
) -> None:
    (project / "rows.jsonl").write_bytes(content)
    before = sorted(project.rglob("*"))
    assert finewright("plan", "spec.yaml") == (2, "", f"error: {line}\n")
    assert sorted(project.rglob("*")) == before


@pytest.mark.parametrize(("content", "line"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_evaluate_refuses_a_bad_row_before_any_model_is_loaded(
    content: bytes, line: str, project: Path, finewright: Finewright
) -> None:
    (project / "rows.jsonl").write_bytes(content)
    refused = finewright("evaluate", "smollm2-135m-instruct", "--data", "rows.jsonl")
    assert refused == (2, "", f"error: {line}\n")
    assert not (project / "samples.jsonl").exists()


def test_every_bad_row_is_named_at_once(project: Path, finewright: Finewright) -> None:
    rows = [
        messages(USER),
        GOOD.encode(),
        b"{\n",
        messages('{"role": "usr", "content": "Q"}', ANSWER),
    ]
    (project / "rows.jsonl").write_bytes(b"".join(rows))
    found = finewright("check", "spec.yaml", "--json").json["problems"]
    assert sorted(p["row"] for p in found if p["level"] == "error") == [1, 3, 4]


def test_a_byte_order_mark_is_accepted_with_a_warning(
    project: Path, finewright: Finewright
) -> None:
    (project / "rows.jsonl").write_bytes(codecs.BOM_UTF8 + GOOD.encode())
    found = finewright("check", "spec.yaml")
    assert found.code == 0
    assert lines_of(found, "warning") == [
        "warning: rows.jsonl:1: a byte order mark was skipped (save as UTF-8 without BOM)"
    ]


def test_an_evaluation_row_without_a_question_is_named(
    project: Path, finewright: Finewright
) -> None:
    (project / "test.jsonl").write_bytes(messages(ANSWER))
    found = finewright("check", "spec.yaml")
    assert lines_of(found) == [
        "error: test.jsonl:1: messages: nothing is asked before the answer (add the question)"
    ]


@pytest.mark.parametrize("command", ["check", "plan", "train", "up"])
def test_a_missing_spec_is_named(command: str, project: Path, finewright: Finewright) -> None:
    assert finewright(command, "spek.yaml") == (
        2,
        "",
        "error: spek.yaml: no such file\n hint: give the path of a run spec\n",
    )


@pytest.mark.parametrize("command", ["check", "plan", "train"])
def test_a_folder_is_no_spec(command: str, project: Path, finewright: Finewright) -> None:
    (project / "folder").mkdir()
    assert finewright(command, "folder") == (
        2,
        "",
        "error: folder: is a folder, not a spec file\n hint: give the .yaml file in it\n",
    )


@pytest.mark.parametrize("command", [("up",), ("verify",), ("runs", "show")])
def test_a_folder_that_is_no_run_is_refused(
    command: tuple[str, ...], project: Path, finewright: Finewright
) -> None:
    (project / "folder").mkdir()
    refused = finewright(*command, "folder")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.splitlines() == [
        "error: folder: is no run folder; it lacks spec.yaml, spec.lock.yaml, manifest.json",
        " hint: a run folder looks like runs/2026-11-24-support-bot-7f3a; "
        "`finewright runs list` lists them",
    ]
    assert list((project / "folder").iterdir()) == []


@pytest.mark.parametrize("command", [("verify",), ("runs", "show")])
def test_a_run_that_is_not_there_is_named(command: tuple[str, ...], finewright: Finewright) -> None:
    refused = finewright(*command, "runs/none")
    assert refused.code == 2
    assert refused.err.startswith("error: runs/none: no such run folder\n")


def test_a_missing_data_file_is_named_with_its_key(project: Path, finewright: Finewright) -> None:
    (project / "rows.jsonl").rename(project / "row.jsonl")
    checked = finewright("check", "spec.yaml")
    assert lines_of(checked) == [
        "error: rows.jsonl: there is no such file (did you mean row.jsonl?)"
    ]
    assert finewright("up", "spec.yaml") == (
        2,
        "",
        "error: spec.yaml:5: data.sources.0.path: rows.jsonl: there is no such file"
        " (paths start from the spec's own folder)\n",
    )
    assert not (project / "runs").exists()


def test_an_unknown_key_is_named_with_line_and_mend(project: Path, finewright: Finewright) -> None:
    (project / "spec.yaml").write_text(SPEC + "train: {learning_rte: 1}\n")
    refused = finewright("check", "spec.yaml")
    assert refused == (
        2,
        "",
        "error: spec.yaml:8: train.learning_rte: unknown key; did you mean 'learning_rate'?\n",
    )


def test_a_wrong_learning_rate_is_named(project: Path, finewright: Finewright) -> None:
    (project / "spec.yaml").write_text(SPEC + "train:\n  learning_rate: 1\n")
    refused = finewright("check", "spec.yaml")
    assert refused.code == 2
    assert refused.err == "error: spec.yaml:9: train.learning_rate: must be less than 1, not 1\n"


@pytest.mark.parametrize(
    ("assignment", "what"),
    [
        ("train.learning_rte=1", "train.learning_rte: unknown key; did you mean 'learning_rate'?"),
        ("train.epochs=many", "train.epochs: must be a number, not 'many'"),
        ("epochs", "write it as key=value, such as train.epochs=1"),
    ],
)
def test_a_wrong_override_is_named(assignment: str, what: str, finewright: Finewright) -> None:
    refused = finewright("check", "spec.yaml", "--set", assignment)
    assert refused == (2, "", f"error: --set {assignment}: {what}\n")


PRIVACY = {
    "unit=customer": "train.privacy.unit: 1 of 1 rows have no column 'customer'",
    "delta=0.5": "train.privacy.delta: 0.5 is not below 1 / ",
    "epsilon=1.0e-9": "train.privacy.epsilon: 1e-09 cannot be reached in ",
}


@pytest.mark.parametrize(("given", "line"), PRIVACY.items(), ids=PRIVACY)
def test_check_says_what_privacy_cannot_have_with_these_rows(
    given: str, line: str, project: Path, finewright: Finewright
) -> None:
    rows = 1 if given.startswith("unit") else 9
    (project / "rows.jsonl").write_text(
        "".join(GOOD.replace("Q", f"Question {i}") for i in range(rows))
    )
    changes = ("train.privacy.epsilon=8", f"train.privacy.{given}", "train.batch_size=1")
    options = [part for each in changes for part in ("--set", each)]
    checked = finewright("check", "spec.yaml", *options)
    assert checked.code == 2
    assert any(line in found for found in lines_of(checked)), checked


NO_MODELS = {
    "./folder": "folder: no model here: config.json is missing",
    "./gone": "base model './gone': there is no such file or folder",
    "./rows.jsonl": "base model './rows.jsonl': a file must be a .gguf; this is not one",
    "smollm2-135m": "unknown base model 'smollm2-135m'; did you mean 'smollm2-135m-instruct'?",
}


@pytest.mark.parametrize(("name", "line"), NO_MODELS.items(), ids=NO_MODELS)
def test_a_base_model_that_is_none_is_named(
    name: str, line: str, project: Path, finewright: Finewright
) -> None:
    (project / "folder").mkdir()
    checked = finewright("check", "spec.yaml", "--set", f"base_models.0={name}")
    refused = finewright("up", "spec.yaml", "--set", f"base_models.0={name}")
    (found,) = lines_of(checked)
    assert found.startswith(f"error: --set base_models.0={name}: base_models.0: {line}")
    assert refused.code == 2
    assert refused.err == f"{found}\n"
    assert not (project / "runs").exists()


def test_a_run_that_is_not_there_is_not_asked_of_the_hub(finewright: Finewright) -> None:
    refused = finewright("chat", "runs/bot-2", "-p", "Hello")
    assert refused.code == 2
    assert refused.err == (
        "error: runs/bot-2: there is no such run or model\n"
        " hint: `finewright runs list` shows the runs\n"
    )


def test_a_spec_for_another_command_is_told_which(project: Path, finewright: Finewright) -> None:
    (project / "decide.yaml").write_text("name: bot\ndecide: {}\n")
    refused = finewright("check", "decide.yaml")
    assert refused.code == 2
    assert "decide.yaml:1: data: required key is missing" in refused.err
    assert refused.err.endswith("with `decide` alone is read by `finewright decide`\n")


def test_plan_names_the_key_of_a_model_that_is_none(finewright: Finewright) -> None:
    refused = finewright("plan", "spec.yaml", "--set", "base_models.0=zzz")
    assert refused.code == 2
    assert refused.err.startswith("error: --set base_models.0=zzz: base_models.0: unknown base")


@pytest.mark.parametrize("command", [("chat",), ("evaluate", "--data", "test.jsonl")])
def test_an_unknown_model_is_named_with_what_was_meant(
    command: tuple[str, ...], finewright: Finewright
) -> None:
    refused = finewright(*command, "smollm2-135m")
    assert refused == (
        2,
        "",
        "error: unknown base model 'smollm2-135m'; did you mean 'smollm2-135m-instruct'?\n"
        " hint: packaged: smollm2-135m-instruct, gemma3-270m; or a local folder, a .gguf file, "
        "a hub id: org/model, org/model@revision\n",
    )


def test_what_stands_in_the_file_is_named_with_its_line(
    project: Path, finewright: Finewright
) -> None:
    spec = project / "spec.yaml"
    lines = spec.read_text().splitlines()
    added = len(lines) + 2
    spec.write_text("\n".join([*lines, "cost:", "  providers: [runpodd]"]) + "\n")
    found = [line for line in lines_of(finewright("check", "spec.yaml")) if "runpodd" in line]
    assert found[0].startswith(
        f"error: spec.yaml:{added}: cost.providers.0: unknown provider 'runpodd'; did you mean 'runpod'?"
    )
    refused = finewright("up", "spec.yaml")
    assert refused.code == 2
    assert refused.err.startswith(f"error: spec.yaml:{added}: cost.providers.0: ")
    assert not (project / "runs").exists()


def test_an_unknown_metric_is_named_with_what_was_meant(
    project: Path, finewright: Finewright
) -> None:
    wrong = ("--set", "evaluate.metrics=[exact_mtch]")
    (found,) = lines_of(finewright("check", "spec.yaml", *wrong))
    where = "--set evaluate.metrics=[exact_mtch]: evaluate.metrics"
    assert found.startswith(f"error: {where}: no scorer named 'exact_mtch'")
    assert found.endswith(" (did you mean 'exact_match'?)")
    assert finewright("up", "spec.yaml", *wrong) == (2, "", f"{found}\n")
    refused = finewright("evaluate", "./base", "--data", "test.jsonl", "--metric", "exact_mtch")
    assert refused.code == 2
    assert refused.err.startswith("error: no scorer named 'exact_mtch'")
    assert refused.err.endswith("\n hint: did you mean 'exact_match'?\n")
    assert not (project / "runs").exists()


def test_up_refuses_all_that_could_only_fail_later_and_the_gravest_comes_first(
    project: Path, finewright: Finewright
) -> None:
    (project / "rows.jsonl").unlink()
    wrong = ("base_models=[./gone]", "evaluate.metrics=[exact_mtch]", "evaluate.data=[]")
    sets = [part for each in (*wrong, "train.keep=best+last") for part in ("--set", each)]
    refused = finewright("up", "spec.yaml", *sets)
    keys = (
        "base_models.0",
        "train.keep",
        "evaluate.metrics",
        "data.sources.0.path",
        "evaluate.data",
    )
    lines = refused.err.removeprefix("error: ").splitlines()
    assert (refused.code, refused.out) == (2, "")
    assert [key for line in lines for key in keys if f": {key}: " in line] == list(keys)
    assert "nothing is held out" in lines[-1]
    assert not (project / "runs").exists()


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        (
            "evaluate.data",
            "[{path: test.jsonl}, {path: a/test.jsonl}]",
            "two files are called 'test'; give each a `name` of its own",
        ),
        (
            "evaluate.data.0.name",
            "../../evil",
            "must be usable as a file name: no slash, and no dot in front",
        ),
        ("base_models", "[./a, ./a]", "'./a' is named twice; name it once"),
    ],
)
def test_names_that_would_collide_in_a_run_are_refused(
    key: str, value: str, what: str, finewright: Finewright
) -> None:
    refused = finewright("check", "spec.yaml", "--set", f"{key}={value}")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.endswith(f": {key}: {what}\n")


def test_an_unknown_data_set_is_named_with_what_was_meant(
    project: Path, finewright: Finewright
) -> None:
    assert finewright("data", "get", "erc773") == (
        2,
        "",
        "error: no data set named 'erc773'\n hint: did you mean 'erc7730'?\n",
    )
    assert not (project / "datasets").exists()


def test_a_negative_or_unknown_option_is_a_usage_error(finewright: Finewright) -> None:
    refused = finewright("chat", "./base", "--temperature", "-1")
    assert (refused.code, refused.out) == (2, "")
    assert "--temperature" in refused.err
    assert finewright("check", "spec.yaml", "--jsn").code == 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 KiB; skipped where none can be mounted."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can mount a small file system")
    folder = tmp_path / "small-disk"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=8k", "tmpfs"]
    if subprocess.run(["mount", *options, folder], capture_output=True, check=False).returncode:
        pytest.skip("this system does not let root mount")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.torch
def test_a_full_disk_is_one_line_and_leaves_no_run(
    small_disk: Path, project: Path, finewright: Finewright
) -> None:
    _fake_model(project / "base")
    refused = finewright(
        "train",
        "spec.yaml",
        "--set",
        "base_models.0=./base",
        "--runs",
        str(small_disk / "runs"),
        "--json",
    )
    lines = refused.err.splitlines()
    assert (refused.code, refused.json["code"], len(lines)) == (2, 2, 2)
    assert lines[0].startswith(f"error: {small_disk}/runs/")
    assert lines[0].endswith(": the disk is full")
    assert lines[1] == " hint: free some space, then repeat the command; finished stages are kept"
    assert list((small_disk / "runs").iterdir()) == []


@pytest.mark.torch
@pytest.mark.parametrize(
    ("number", "what"),
    [
        (28, "the disk is full"),
        (30, "permission denied, or the file system is read-only"),
        (5, "Input/output error"),
    ],
)
def test_a_failing_disk_is_one_line_and_leaves_no_run(
    number: int, what: str, project: Path, finewright: Finewright, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    _fake_model(project / "base")
    monkeypatch.setattr(os, "write", fail)
    refused = finewright("train", "spec.yaml", "--set", "base_models.0=./base", "--json")
    monkeypatch.undo()
    lines = refused.err.splitlines()
    assert (refused.code, refused.json["code"], len(lines)) == (2, 2, 2)
    assert lines[0].startswith("error: runs/")
    assert lines[0].endswith(f": {what}")
    assert list((project / "runs").iterdir()) == []


def test_runs_cannot_lie_in_a_file(project: Path, finewright: Finewright) -> None:
    (project / "taken").write_text("")
    listed = finewright("runs", "list", "--runs", "taken")
    assert (listed.code, listed.out) == (0, "no runs yet\n")


def _fake_model(folder: Path) -> None:
    """What passes for a base model until its weights are loaded."""
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama"}')
    header = b'{"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}'
    content = len(header).to_bytes(8, "little") + header + bytes(4)
    (folder / "model.safetensors").write_bytes(content)


@pytest.mark.parametrize(
    ("words", "what", "hint"),
    [
        (
            "rag search i.sqlite x --limit 0",
            "Invalid value for '--limit'",
            "rag search --help",
        ),
        ("check --nosuch", "No such option", "check --help"),
        ("check", "Missing argument 'SPEC'", "check --help"),
        ("nosuch", "No such command 'nosuch'", "--help"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line_and_a_mend(
    finewright: Finewright, words: str, what: str, hint: str
) -> None:
    result = finewright(*words.split())
    error, mend = result.err.splitlines()
    assert (result.code, result.out) == (2, "")
    assert error.startswith("error: ")
    assert what in error
    assert mend == f" hint: finewright {hint}"
