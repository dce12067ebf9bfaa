"""A whole migration on a tiny model: recorded and asked answers, what is frozen, and what is refused."""

import asyncio
import json
import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from html import escape
from pathlib import Path
from typing import Any

import pytest

from finewright.errors import (
    DataError,
    FetchError,
    Interrupted,
    ModelError,
    SpecError,
    StoreError,
    UnknownPlugin,
)
from finewright.report.show import text_of
from finewright_bridge.migrate.fit import report_undeclared_calls
from finewright_bridge.migrate.golden import Wanted, golden_set
from finewright_bridge.migrate.golden_rows import read_files
from finewright_bridge.migrate.openai import Migration, _questions, _Read, migrate
from finewright_bridge.migrate.report import MigrateReport
from finewright_serve.gateway.question import AnswerPiece, GatewayQuestion
from finewright_serve.local import LocalModels
from finewright_serve.spec import ServedTarget
from served import Reply, answered, served

pytestmark = pytest.mark.torch
TODAY = date(2026, 11, 25)
WORDS = ("red", "blue", "green", "white")
JOB = {
    "object": "fine_tuning.job",
    "model": "gpt-4o-mini-2024-07-18",
    "fine_tuned_model": "ft:gpt-4o-mini-2024-07-18:org:colours:abc",
    "status": "succeeded",
    "validation_file": "file-1",
    "seed": 3,
    "method": {
        "type": "supervised",
        "supervised": {"hyperparameters": {"n_epochs": 2, "batch_size": 4}},
    },
}


def row(number: int) -> dict[str, Any]:
    word = WORDS[number % len(WORDS)]
    turns = [("user", f"the {word} {number}"), ("assistant", f"answer {word}")]
    return {"messages": [{"role": role, "content": text} for role, text in turns]}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Migration:
    """Twenty rows to train on, of which two are asked; six recorded answers, one of them wrong."""
    monkeypatch.chdir(tmp_path)
    Path("job.json").write_text(json.dumps(JOB))
    golden = [
        {"messages": row(n)["messages"][:1], "answer": f"answer {WORDS[n % 4]}"}
        for n in range(18, 24)
    ]
    golden[0]["answer"] = "something else"
    return Migration(
        files=(write(Path("train.jsonl"), [row(n) for n in range(20)]),),
        validation=write(Path("valid.jsonl"), [row(n) for n in range(18, 24)]),
        golden=str(write(Path("golden.jsonl"), golden)),
        folder=Path("moved"),
        base_model="./tiny-llama",
        job=Path("job.json"),
        overrides=(
            "train.max_steps=3",
            "train.threads=1",
            "train.prove_elsewhere=false",
            "evaluate.max_new_tokens=4",
        ),
    )


def migrated(asked: Migration) -> MigrateReport:
    return migrate(asked, Path("runs"), today=TODAY, on_event=lambda *_: None)


def test_a_recorded_model_is_followed_from_its_job_to_the_verdict(
    asked: Migration, tiny_folder: Path
) -> None:
    report = migrated(asked)
    assert (report.rows_read, report.rows_train, report.rows_removed) == (
        20,
        18,
        {"same": 1, "prompt": 1},
    )
    assert (report.golden.rows, report.golden.rows_expected) == (6, 6)
    assert report.old_model == JOB["fine_tuned_model"]
    spec = Path("moved/spec.yaml").read_text()
    for line in ("epochs: 2", "batch_size: 4", "seed: 3", "name: colours-migrated"):
        assert line in spec
    # Six rows can show nothing within five points, and it is said before it is tried.
    assert report.verdict == "open"
    told = [problem.message for problem in report.problems]
    assert any("6 golden rows cannot show parity within 5 points" in line for line in told)
    assert told[-1] == "6 answers of the new model did not end, that to row 1 first"
    token_f1, exact = report.against_expected
    assert (report.stated.metric, exact.old.value) == ("token_f1", pytest.approx(5 / 6))
    assert token_f1.difference.n == 6
    # "the red 20" trains as "the red 16": all six questions are of templates that train.
    assert report.rows_repeated == 6
    assert any(
        "6 of 6 rows of the golden set are nearly like a training row" in line for line in told
    )
    assert [bound.difference for bound in report.repeated_rows] == [
        bound.difference for bound in report.against_expected
    ]
    assert report.new_rows == ()
    assert "What of it is recall" in Path("moved/report.html").read_text()
    assert [line.partition(":")[0] for line in report.deadlines] == [
        "2026-05-07, 202 days ago",
        "2026-07-02, 146 days ago",
        "2027-01-06, in 42 days",
        "2027-01-14, in 50 days",
    ]
    saved = MigrateReport.model_validate_json(Path("moved/report.json").read_bytes())
    assert saved == report
    assert escape(report.sentence) in Path("moved/report.html").read_text().replace(
        "&#39;", "&#x27;"
    )
    trained = [json.loads(line) for line in Path("moved/train.jsonl").read_text().splitlines()]
    assert trained == [row(n) for n in range(18)]
    again = migrated(asked)
    assert again == report
    assert len(list(Path("runs").iterdir())) == 1


def test_a_live_model_is_asked_once_and_then_frozen(asked: Migration, tiny_folder: Path) -> None:
    pytest.importorskip("httpx")

    def reply(call: Any) -> Reply:
        return answered(f"answer {call.body['messages'][-1]['content'].split()[1]}")

    with served(reply) as server:
        live = replace(asked, golden=f"{server.url}#ft:old", job=None)
        report = migrated(live)
    assert len(server.asked) == 6
    assert server.asked[0].body["temperature"] == 0
    assert (report.golden.model, report.golden.rows_expected) == ("m-1", 6)
    assert report.against_expected[0].old.value == 1
    assert migrated(live).golden == report.golden  # the server is gone


def test_without_validation_some_training_prompts_are_asked_and_do_not_train(
    asked: Migration, tiny_folder: Path
) -> None:
    pytest.importorskip("httpx")
    with served(lambda _: answered("answer red")) as server:
        golden = f"{server.url}#m-1"
        report = migrated(replace(asked, golden=golden, validation=None, job=None, golden_rows=5))
    assert (report.golden.rows, report.rows_train) == (5, 15)
    asked_of = {call.body["messages"][-1]["content"] for call in server.asked}
    assert asked_of.isdisjoint(Path("moved/train.jsonl").read_text().split('"'))


def test_preference_files_train_by_dpo(asked: Migration, tiny_folder: Path) -> None:
    pairs = [
        {
            "input": {"messages": row(n)["messages"][:1]},
            "preferred_output": row(n)["messages"][1:],
            "non_preferred_output": [{"role": "assistant", "content": "no"}],
        }
        for n in range(12)
    ]
    method = {"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.2}}}
    Path("job.json").write_text(json.dumps({**JOB, "method": method}))
    report = migrated(replace(asked, files=(write(Path("pairs.jsonl"), pairs),), validation=None))
    assert report.rows_train == 12
    spec = Path("moved/spec.yaml").read_text()
    assert "method: dpo" in spec
    assert "beta: 0.2" in spec
    assert any("file-1 is not here" in problem.message for problem in report.problems)


class Reached(Exception):  # noqa: N818 - the test's own
    """The training would begin."""


@pytest.fixture
def untrained(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that is there, and nothing that trains it."""

    def up(*_: object, **__: object) -> None:
        raise Reached

    monkeypatch.setattr("finewright_bridge.migrate.openai.up", up)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"margin": 0.1}, "--margin was 0.05 when the answers were frozen, and is 0.1"),
        ({"metrics": ("rouge_l",)}, "--metric was token_f1, exact_match when"),
        ({"golden": "other.jsonl"}, r"--golden was golden\.jsonl when"),
        ({"golden_rows": 2}, "--golden-rows was 100 when the answers were frozen, and is 2"),
    ],
)
def test_what_parity_means_is_said_before_and_not_after(
    asked: Migration, untrained: None, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(Reached):
        migrated(asked)
    with pytest.raises(DataError, match=said):
        migrated(replace(asked, **changes))


def test_frozen_answers_that_were_touched_are_refused(asked: Migration, untrained: None) -> None:
    with pytest.raises(Reached):
        migrated(asked)
    path = Path("moved/golden.jsonl")
    path.write_text(path.read_text().replace("answer blue", "answer red"))
    with pytest.raises(DataError, match="changed since it was frozen on 2026-11-25"):
        migrated(asked)


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"margin": 0.0}, DataError, "margin 0: must be between 0 and 1"),
        ({"margin": float("nan")}, DataError, "margin nan: must be between 0 and 1"),
        ({"metrics": ("bleu",)}, UnknownPlugin, "no scorer named 'bleu'"),
        ({"metrics": ("perplexity",)}, DataError, "needs the old model's probabilities"),
        ({"files": (Path("gone.jsonl"),)}, DataError, r"gone\.jsonl"),
        ({"golden": "gone.jsonl"}, DataError, r"gone\.jsonl"),
        ({"golden": "https://host/v1"}, FetchError, "not the address of a model"),
        ({"golden": "https://host.example/v1#m"}, FetchError, "FINEWRIGHT_OFFLINE"),
        ({"job": Path("train.jsonl")}, DataError, r"train\.jsonl: not readable JSON"),
        ({"validation": Path("job.json")}, DataError, r"job\.json"),
        (
            {"base_model": "smollm2-135m-instrukt"},
            ModelError,
            "did you mean 'smollm2-135m-instruct'",
        ),
        ({"base_model": "./gone"}, ModelError, "no such file or folder"),
        ({"overrides": ("train.lr=1",)}, SpecError, r"--set train\.lr=1: train\.lr: unknown key"),
        ({"overrides": ("train.epochs=-1",)}, SpecError, r"--set train\.epochs=-1: train\.epochs"),
        ({"overrides": ("train.early_stopping=2",)}, DataError, "needs rows that are held out"),
        ({"overrides": ("evaluate.metrics=[bleu]",)}, UnknownPlugin, "no scorer named 'bleu'"),
    ],
)
def test_bad_input_is_said_before_anything_is_frozen(
    asked: Migration, untrained: None, changes: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        migrated(replace(asked, **changes))
    assert not Path("moved").exists() or not list(Path("moved").iterdir())


def test_a_job_of_another_method_than_the_rows_is_refused(
    asked: Migration, untrained: None
) -> None:
    Path("job.json").write_text(json.dumps({**JOB, "method": {"type": "dpo"}}))
    with pytest.raises(DataError, match="needs other rows than the conversations"):
        migrated(asked)


def test_nothing_left_to_train_on_is_refused(asked: Migration, untrained: None) -> None:
    rows = [{"prompt": row(n)["messages"][0]["content"], "answer": "a"} for n in range(20)]
    write(Path("golden.jsonl"), rows)
    with pytest.raises(DataError, match="all 20 training rows are near a golden prompt"):
        migrated(asked)


def test_golden_rows_that_the_run_was_told_to_skip_are_named(
    asked: Migration, tiny_folder: Path
) -> None:
    overrides = (*asked.overrides, "evaluate.data.0.limit=4")
    with pytest.raises(DataError, match=r"no answer of the tuned model to golden row \d$"):
        migrated(replace(asked, overrides=overrides))


def test_a_text_of_the_job_adds_no_key_to_the_spec(asked: Migration, untrained: None) -> None:
    Path("job.json").write_text(json.dumps({**JOB, "validation_file": "x\nname: taken"}))
    with pytest.raises(Reached):
        migrated(asked)
    names = [n for n in Path("moved/spec.yaml").read_text().splitlines() if n.startswith("name:")]
    assert names == ["name: colours-migrated"]


def test_a_folder_that_cannot_be_made_is_one_line(asked: Migration, untrained: None) -> None:
    with pytest.raises(StoreError, match=r"train\.jsonl"):
        migrated(replace(asked, folder=Path("train.jsonl")))


def test_a_wrong_override_is_refused_by_its_key(asked: Migration) -> None:
    with pytest.raises(SpecError, match=r"train\.epoch: unknown key"):
        migrated(replace(asked, overrides=("train.epoch=1",)))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("folder", [".", "moved/..", "link"])
def test_an_input_file_is_never_overwritten(asked: Migration, untrained: None, folder: str) -> None:
    Path("moved").mkdir()
    Path("link").symlink_to(".", target_is_directory=True)
    before = contents(Path())
    with pytest.raises(DataError, match=r"train\.jsonl: is one of the input files") as raised:
        migrated(replace(asked, folder=Path(folder)))
    assert raised.value.hint == "name another --folder"
    assert contents(Path()) == before


def test_an_input_file_is_safe_even_beside_a_record_of_ours(
    asked: Migration, untrained: None
) -> None:
    with pytest.raises(Reached):
        migrated(asked)
    before = contents(Path("moved"))
    with pytest.raises(DataError, match=r"moved/train\.jsonl: is one of the input files"):
        migrated(replace(asked, files=(Path("moved/train.jsonl"),)))
    assert contents(Path("moved")) == before


@pytest.mark.parametrize(
    "name",
    ["train.jsonl", "golden.jsonl", "golden.json", "spec.yaml", "report.json", "report.html"],
)
def test_a_file_that_no_migration_wrote_is_not_overwritten(
    asked: Migration, untrained: None, name: str
) -> None:
    path = Path("moved") / name
    path.parent.mkdir()
    path.write_text("{}")
    with pytest.raises(DataError, match=rf"moved/{name}: is there, was not written by this"):
        migrated(asked)
    assert contents(Path("moved")) == {name: b"{}"}


def test_a_folder_of_other_files_is_a_folder_to_migrate_into(
    asked: Migration, untrained: None
) -> None:
    Path("moved").mkdir()
    Path("moved/notes.txt").write_text("mine")
    with pytest.raises(Reached):
        migrated(asked)
    assert Path("moved/notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("old", "right", "tokens"),
    [("1" * 60, "1", 64), ("1", "2" * 64, 64), ("é" * 33, "1", 80), ("1", "1", 16)],
)
def test_an_answer_has_as_many_tokens_as_the_longest_has_bytes(
    asked: Migration, untrained: None, old: str, right: str, tokens: int
) -> None:
    write(Path("golden.jsonl"), [{"prompt": "how many?", "answer": old, "expected": right}])
    with pytest.raises(Reached):
        migrated(asked)
    longest = max(len(old.encode()), len(right.encode()))
    assert (
        f"max_new_tokens: {tokens}  # the longest old or right answer has {longest} bytes"
        in Path("moved/spec.yaml").read_text()
    )


TOOL = {"type": "function", "function": {"name": "get_price", "parameters": {"type": "object"}}}
CALL = {"id": "1", "type": "function", "function": {"name": "get_price", "arguments": "{}"}}


def with_a_call(number: int) -> dict[str, Any]:
    turns = row(number)["messages"]
    asks = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    result = {"role": "tool", "tool_call_id": "1", "content": "7"}
    return {"messages": [turns[0], asks, result, turns[1]], "tools": [TOOL]}


@pytest.fixture
def no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINEWRIGHT_CACHE", str(tmp_path / "cache"))


def test_rows_that_the_base_cannot_hold_are_one_line_before_anything_is_asked_or_written(
    asked: Migration, tiny_folder: Path, no_cache: None
) -> None:
    """The template of the base has no words for tools."""
    write(Path("train.jsonl"), [row(0), *(with_a_call(n) for n in range(1, 20))])
    with served(answered("x")) as host:
        live = replace(asked, golden=f"{host.url}/v1#m")
        with pytest.raises(DataError) as raised:
            migrated(live)
        assert host.asked == []
    (line,) = str(raised.value).splitlines()
    assert "cannot hold 19 of 26 rows and prompts, train.jsonl row 2 first: " in line
    assert raised.value.hint.startswith(
        "templates of these have words for tools: --base-model Qwen"
    )
    assert not Path("moved").exists()


def test_the_prompts_that_are_tried_on_the_template_are_those_that_get_frozen(
    asked: Migration,
) -> None:
    few = replace(asked, golden_rows=2)
    read = _Read(None, (), (), ())
    tried = [row.messages for row in _questions(few, read)]
    few.folder.mkdir()
    wanted = Wanted(few.golden, ("exact_match",), 0.05, 2)
    frozen = golden_set(
        few.folder, wanted, (), validation=(), today=TODAY, on_answer=lambda *_: None
    )
    assert len(tried) == 2
    assert tried == [row.prompt.messages for row in frozen.rows]


def test_calls_of_tools_that_a_row_does_not_declare_are_counted(tmp_path: Path) -> None:
    rows = [with_a_call(n) for n in range(4)]
    del rows[2]["tools"]
    rows[3]["tools"] = [{**TOOL, "function": {**TOOL["function"], "name": "other"}}]
    found, _ = read_files([write(tmp_path / "rows.jsonl", rows)])
    (problem,) = report_undeclared_calls(found)
    assert (problem.level, problem.row) == ("warning", 3)
    assert problem.message.startswith("2 of 4 rows call tools that they do not declare")
    assert problem.message.endswith("get_price")
    assert report_undeclared_calls(found[:2]) == ()


def test_what_so_few_rows_cannot_show_is_said_before_the_training(
    asked: Migration, untrained: None
) -> None:
    heard: list[str] = []

    def hear(kind: str, fields: Mapping[str, Any]) -> None:
        heard.append(f"{kind}: {fields.get('message', '')}")

    with pytest.raises(Reached):
        migrate(asked, Path("runs"), today=TODAY, on_event=hear)
    assert any("6 golden rows cannot show parity within 5 points" in line for line in heard)


def test_a_setting_that_is_set_here_is_told_with_its_value(
    asked: Migration, tiny_folder: Path
) -> None:
    job = json.loads(json.dumps(JOB))
    job["method"]["supervised"]["hyperparameters"] = {
        "n_epochs": 2,
        "batch_size": "auto",
        "learning_rate_multiplier": 1.8,
    }
    Path("job.json").write_text(json.dumps(job))
    overrides = (*asked.overrides, "train.learning_rate=0.002", "train.epochs=1")
    report = migrated(replace(asked, overrides=overrides))
    here = {c.setting: (c.key, c.becomes) for c in report.carried}
    assert here["learning_rate_multiplier"] == ("train.learning_rate", "0.002")
    assert here["n_epochs"] == ("train.epochs", "1")
    assert here["batch_size"] == ("", "")
    told = {c.setting: c.why for c in report.carried}
    assert told["learning_rate_multiplier"].endswith("; set here")
    assert "chosen" not in told["learning_rate_multiplier"]


def test_a_migration_that_is_stopped_goes_on_to_its_verdict_by_the_command_of_the_hint(
    asked: Migration, tiny_folder: Path
) -> None:
    def stop(kind: str, fields: Mapping[str, Any]) -> None:
        if (kind, fields.get("stage")) == ("stage_ended", "train"):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted) as stopped:
        migrate(asked, Path("runs"), today=TODAY, on_event=stop)
    assert stopped.value.exit_code == 128 + signal.SIGTERM
    assert stopped.value.hint.startswith("the same `finewright migrate openai` command goes on")
    started: list[str] = []

    def hear(kind: str, fields: Mapping[str, Any]) -> None:
        if kind == "stage_started":
            started.append(fields["stage"])

    report = migrate(asked, Path("runs"), today=TODAY, on_event=hear)
    assert report.verdict == "open"
    assert started == ["evaluate"]


def test_the_report_ends_with_the_line_that_serves_the_new_model(
    asked: Migration, tiny_folder: Path
) -> None:
    report = migrated(asked)
    line = next(line for line in text_of(report).splitlines() if line.startswith("serve it: "))
    command, target = line.removeprefix("serve it: ").rsplit(" ", 1)
    assert command == "finewright serve"
    engine = LocalModels(8, 1).serve([ServedTarget(target=target)])
    (model,) = engine.models()
    assert model.id == f"tiny-llama:{Path(report.run).name}"
    question = GatewayQuestion(model.id, ({"role": "user", "content": "the red 1"},), max_tokens=4)

    async def answer() -> list[AnswerPiece]:
        pieces = [piece async for piece in engine.answer(question)]
        await engine.close()
        return pieces

    assert asyncio.run(answer())[-1].finish in ("stop", "length")
