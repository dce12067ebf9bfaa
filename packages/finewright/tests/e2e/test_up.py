"""`up` from a spec to a measured adapter: what runs, what is skipped, and what is kept apart."""

import json
import os
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import pytest

from .conftest import Finewright, make_project, row, write_jsonl, write_spec
from .processes import events

pytestmark = pytest.mark.torch

_UP_AND_MODULES = """
import json, sys
from finewright.cli.main import main
sys.argv = ["finewright", "up", "spec.yaml", "--json"]
try:
    main()
finally:
    sys.stderr.write(json.dumps(sorted(sys.modules)))
"""


def test_up_runs_all_stages_and_a_second_up_none(
    project: Path, runs: Path, finewright: Finewright
) -> None:
    first = finewright("up", "spec.yaml", "--json")
    second = finewright("up", "spec.yaml", "--json")
    assert (first.code, second.code) == (0, 0)
    assert first.json["ran"] == ["data", "train", "evaluate"]
    assert second.json["ran"] == []
    assert second.json["train"] == first.json["train"]
    assert second.json["evaluate"] == first.json["evaluate"]
    assert first.json["train"]["candidates"][0]["steps"] == 6
    assert [e["stage"] for e in events(runs, "stage_fresh")] == ["data", "train", "evaluate"]
    assert (first.err, second.err) == ("", "")


def test_what_no_answer_can_reach_is_told_before_the_training(
    project: Path, runs: Path, finewright: Finewright
) -> None:
    report = finewright("up", "spec.yaml", "--set", "evaluate.max_new_tokens=1", "--json").json
    told = "longer than 1 tokens, this one first: an answer that is cut there"
    assert [p["file"] for p in report["evaluate"]["problems"] if told in p["message"]]
    first, *_ = [e for e in events(runs, "problem") if told in e["message"]]
    (training,) = events(runs, "stage_started", stage="train")
    assert first["time"] < training["time"]


@pytest.mark.usefixtures("after_up")
def test_a_second_up_imports_no_torch(project: Path) -> None:
    again = subprocess.run(
        [sys.executable, "-c", _UP_AND_MODULES],
        cwd=project,
        env={**os.environ, "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(again.stdout)["ran"] == []
    loaded = set(json.loads(again.stderr))
    assert loaded.isdisjoint({"torch", "transformers", "safetensors", "numpy"})


def test_training_learns_and_measuring_shows_it(project: Path, finewright: Finewright) -> None:
    report = finewright("up", "spec.yaml", "--set", "train.max_steps=30", "--json").json
    (trained,), measured = report["train"]["candidates"], report["evaluate"]
    assert trained["final_loss"] < trained["first_loss"] / 2
    by_key = {(s["system"], s["metric"]): s["value"] for s in measured["scores"]}
    assert by_key["tuned", "token_f1"] > by_key["base", "token_f1"]
    (gain,) = [d for d in measured["differences"] if d["metric"] == "token_f1"]
    assert gain["value"] == pytest.approx(
        by_key["tuned", "token_f1"] - by_key["base", "token_f1"], abs=1e-12
    )


@pytest.mark.usefixtures("after_up")
def test_changed_data_make_a_new_run_and_the_old_one_tells_of_the_change(
    project: Path, runs: Path, finewright: Finewright
) -> None:
    (old,) = runs.iterdir()
    write_jsonl(project / "rows.jsonl", [row(i) for i in range(12)])
    again = finewright("up", "spec.yaml", "--json")
    assert again.json["ran"] == ["data", "train", "evaluate"]
    assert again.json["data"]["rows_train"] == 12
    assert len(list(runs.iterdir())) == 2
    told = finewright("verify", str(old), "--json").json["problems"]
    files = {problem["file"] for problem in told if not problem["hint"].startswith("ask whose")}
    assert files == {"rows.jsonl"}  # and none of the run's own


@pytest.mark.usefixtures("after_train")
def test_a_changed_base_model_makes_a_new_run(
    project: Path, runs: Path, finewright: Finewright
) -> None:
    import tiny

    tiny.tiny_model("llama", seed=1).save_pretrained(project / "base")
    assert finewright("train", "spec.yaml", "--json").json["ran"] == ["data", "train"]
    assert len(list(runs.iterdir())) == 2


@pytest.mark.usefixtures("after_train")
def test_a_run_that_goes_on_reads_no_rows_but_its_own(
    project: Path, finewright: Finewright, runs: Path
) -> None:
    (run,) = runs.glob("2*")
    write_jsonl(project / "rows.jsonl", [row(7)] * 16)
    assert finewright("up", str(run)).code == 0  # measures; the rows are in the run
    (run / "data" / "train.jsonl").unlink()
    refused = finewright("up", str(run))
    assert refused.code == 2
    assert "data.sources.0.path: what it names has changed" in refused.err


@pytest.mark.usefixtures("after_train")
def test_new_makes_another_run_of_the_same_spec(
    project: Path, runs: Path, finewright: Finewright
) -> None:
    assert finewright("train", "spec.yaml", "--new", "--json").json["ran"] == ["data", "train"]
    first, second = sorted(runs.iterdir())
    assert second.name == f"{first.name}-2"
    weights = "train/base/adapter/adapter_model.safetensors"
    assert (first / weights).read_bytes() == (second / weights).read_bytes()


def test_train_then_up_only_evaluates(project: Path, finewright: Finewright) -> None:
    trained = finewright("train", "spec.yaml", "--json")
    finished = finewright("up", "spec.yaml", "--json")
    assert (trained.json["ran"], trained.json["evaluate"]) == (["data", "train"], None)
    assert finished.json["ran"] == ["evaluate"]
    assert finished.json["train"] == trained.json["train"]


@pytest.mark.usefixtures("after_train")
def test_set_overrides_a_key_and_names_another_run(
    project: Path, runs: Path, finewright: Finewright
) -> None:
    shorter = finewright("train", "spec.yaml", "--set", "train.max_steps=2", "--json")
    assert shorter.json["train"]["candidates"][0]["steps"] == 2
    assert len(list(runs.iterdir())) == 2


@pytest.mark.usefixtures("after_train")
def test_a_run_folder_goes_on_without_its_spec_and_takes_no_overrides(
    project: Path, runs: Path, finewright: Finewright
) -> None:
    (project / "spec.yaml").unlink()
    run = str(next(runs.iterdir()))
    refused = finewright("up", run, "--set", "train.epochs=1")
    assert (refused.code, refused.err) == (
        2,
        f"error: {run}: the spec of a run is locked\n hint: change the spec file and run that\n",
    )
    assert finewright("up", run, "--json").json["ran"] == ["evaluate"]


def test_a_held_out_share_gives_a_held_out_loss_and_is_measured(
    project: Path, finewright: Finewright
) -> None:
    spec = write_spec(project, rest="evaluate: {max_new_tokens: 4, metrics: [perplexity]}")
    spec.write_text(spec.read_text().replace("data:\n", "data:\n  eval_fraction: 0.25\n", 1))
    report = finewright("up", "spec.yaml", "--json").json
    held_out = report["data"]["rows_eval"]
    assert report["data"]["rows_train"] + held_out == 16
    assert held_out in range(1, 9)
    assert {(s["data"], s["n"]) for s in report["evaluate"]["scores"]} == {("eval", held_out)}
    (candidate,) = report["train"]["candidates"]
    tuned = next(s for s in report["evaluate"]["scores"] if s["system"] == "tuned")
    # Both are the mean over the same answers' tokens, and perplexity is its exponential.
    assert tuned["value"] == pytest.approx(2.718281828459045 ** candidate["eval_loss"], rel=1e-4)


@pytest.mark.parametrize(
    ("policy", "counts"),
    [
        ("truncate", {"rows_in": 16, "rows_kept": 16, "rows_truncated": 2, "rows_dropped": {}}),
        (
            "drop",
            {"rows_in": 16, "rows_kept": 14, "rows_truncated": 0, "rows_dropped": {"overlong": 2}},
        ),
    ],
)
def test_overlong_rows_are_counted_alike_in_plan_and_report(
    policy: str, counts: dict[str, object], project: Path, finewright: Finewright
) -> None:
    rows = [row(i) for i in range(16)]
    for number in (3, 7):
        rows[number]["messages"][1]["content"] += " blue" * 60
    write_jsonl(project / "rows.jsonl", rows)
    write_spec(project, train=f"  max_length: 120\n  on_overlong: {policy}")
    planned = finewright("plan", "spec.yaml", "--json").json["candidates"][0]
    trained = finewright("train", "spec.yaml", "--json").json["train"]["candidates"][0]
    assert planned["counts"] == trained["counts"] == counts
    assert planned["steps"] == trained["steps"] == 6
    assert planned["step_tokens"] == trained["tokens"]
    assert planned["longest"] <= 120


def test_rows_beyond_the_context_of_the_model_are_said_by_plan_and_by_the_run(
    project: Path, finewright: Finewright
) -> None:
    rows = [row(i) for i in range(16)]
    rows[4]["messages"][1]["content"] += " blue" * 300
    write_jsonl(project / "rows.jsonl", rows)
    write_spec(project, train="  max_length: 2000")
    planned = finewright("plan", "spec.yaml", "--json").json["candidates"][0]
    trained = finewright("train", "spec.yaml", "--json").json["train"]["candidates"][0]
    assert planned["longest"] > 256
    by_plan, by_run = (
        next(p for p in found["problems"] if p["key"] == "train.max_length")
        for found in (planned, trained)
    )
    assert by_plan["message"] == by_run["message"]
    assert by_run["message"].startswith(f"{planned['longest']:,} tokens are more than the 256")
    assert by_plan["file"].endswith("spec.yaml")


def test_settings_beyond_the_context_are_no_warning_where_no_row_is_so_long(
    project: Path, finewright: Finewright
) -> None:
    write_jsonl(project / "rows.jsonl", [row(i) for i in range(16)])
    write_spec(project, train="  max_length: 2000")
    planned = finewright("plan", "spec.yaml", "--json").json["candidates"][0]
    trained = finewright("train", "spec.yaml", "--json").json["train"]["candidates"][0]
    told = [p["key"] for found in (planned, trained) for p in found["problems"]]
    assert "train.max_length" not in told
    (may_be,) = (
        p for p in finewright("check", "spec.yaml", "--json").json["problems"]
        if p["key"] == "train.max_length"
    )  # fmt: skip
    assert may_be["level"] == "info"


def test_rows_that_truncating_loses_are_warned_of_with_their_share(
    project: Path, finewright: Finewright
) -> None:
    rows = [row(i) for i in range(16)]
    for lost in rows[3:9]:
        lost["messages"][0]["content"] += " blue" * 60
    write_jsonl(project / "rows.jsonl", rows)
    write_spec(project, train="  max_length: 120\n  on_overlong: truncate")
    planned = finewright("plan", "spec.yaml", "--json").json["candidates"][0]
    trained = finewright("train", "spec.yaml", "--json").json["train"]["candidates"][0]
    by_plan, by_run = (
        [p for p in found["problems"] if "left to learn" in p["message"]]
        for found in (planned, trained)
    )
    assert [(p["level"], p["row"]) for p in by_plan] == [("warning", 4)]
    assert by_plan[0]["message"].startswith("6 of 16 rows (38 %) have nothing left to learn")
    assert [p["message"] for p in by_run] == [p["message"] for p in by_plan]


def test_an_overlong_row_is_an_error_by_default_and_named(
    project: Path, runs: Path, finewright: Finewright
) -> None:
    rows = [row(i) for i in range(16)]
    rows[4]["messages"][1]["content"] += " blue" * 60
    write_jsonl(project / "rows.jsonl", rows)
    write_spec(project, train="  max_length: 120")
    planned = finewright("plan", "spec.yaml", "--json").json["candidates"][0]
    refused = finewright("up", "spec.yaml")
    assert planned["counts"]["rows_dropped"] == {"error": 1}
    (line,) = [line for line in refused.err.splitlines() if line.startswith("error: ")]
    assert refused.code == 2
    assert line.startswith(f"error: {project}/rows.jsonl:5: ")
    assert "1 of 16 rows (6 %) have more than 120 tokens" in line
    assert "(set train.max_length to " in line
    assert not list(runs.glob("2*/train/base"))


def test_two_base_models_are_trained_and_measured_apart(
    project: Path, runs: Path, finewright: Finewright
) -> None:
    import tiny

    copytree(project / "base", project / "other")
    tiny.tiny_model("llama", seed=1).save_pretrained(project / "other")
    write_spec(project, models="./base, ./other")
    report = finewright("up", "spec.yaml", "--json").json
    first, second = report["train"]["candidates"]
    assert (first["base_model"], second["base_model"]) == ("./base", "./other")
    assert (first["adapter"], second["adapter"]) == ("train/base/adapter", "train/other/adapter")
    assert first["first_loss"] != second["first_loss"]
    assert [s["system"] for s in report["evaluate"]["scores"][::2]] == [
        "./base base",
        "./base tuned",
        "./other base",
        "./other tuned",
    ]
    run = str(next(runs.iterdir()))
    ambiguous = finewright("chat", run, "-p", "the red")
    assert ambiguous.code == 2
    assert "pick one with --base-model: ./base, ./other" in ambiguous.err
    assert finewright("chat", run, "-p", "the red", "--base-model", "./other").code == 0


def test_base_models_whose_names_look_alike_get_folders_of_their_own(
    tmp_path: Path, base_model: Path, project: Path, finewright: Finewright
) -> None:
    import tiny

    make_project(project / "a", base_model)
    tiny.tiny_model("llama", seed=1).save_pretrained(project / "a/base")
    copytree(project / "a/base", project / "a-base")
    tiny.tiny_model("llama", seed=2).save_pretrained(project / "a-base")
    write_spec(project, models="a/base, a-base")
    first, second = finewright("train", "spec.yaml", "--json").json["train"]["candidates"]
    assert first["adapter"] != second["adapter"]
    assert first["first_loss"] != second["first_loss"]


def test_rows_that_the_template_refuses_are_named(project: Path, finewright: Finewright) -> None:
    template = project / "base/chat_template.jinja"
    text = (
        "{% if messages[0]['content'] == 'the blue 1' %}{{ raise_exception('no blue') }}{% endif %}"
    )
    template.write_text(text + template.read_text())
    refused = finewright("train", "spec.yaml")
    assert refused.code == 2
    assert refused.err.splitlines()[-1] == (
        f"error: {project}/rows.jsonl:2: the chat template refuses this conversation: no blue"
    )


def test_a_diverging_run_says_so(project: Path, finewright: Finewright) -> None:
    from safetensors.torch import load_file, save_file

    import tiny

    mark = tiny.tiny_tokenizer().convert_tokens_to_ids("<|im_start|>")
    path = project / "base/model.safetensors"
    weights = load_file(path)
    weights["model.embed_tokens.weight"][mark] = float("inf")
    save_file(weights, path, metadata={"format": "pt"})
    failed = finewright("train", "spec.yaml")
    assert failed.code == 4
    assert failed.err.splitlines()[-2].startswith("error: training diverged: step 1: loss nan")
    assert failed.err.splitlines()[-1] == " hint: lower train.learning_rate"


def test_what_a_run_needs_is_said_where_torch_is_missing(project: Path) -> None:
    code = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "from importlib import util\n"
        "found = util.find_spec\n"
        "from finewright.lm import runtime\n"
        "runtime.find_spec = lambda name: None if name == 'torch' else found(name)\n"
        "sys.argv = ['finewright', 'plan', 'spec.yaml']\n"
        "from finewright.cli.main import main\n"
        "main()\n"
    )
    refused = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=False
    )
    error, hint = refused.stderr.splitlines()
    assert (refused.returncode, error) == (
        3,
        "error: this needs the model runtime (torch not installed)",
    )
    assert hint.startswith(" hint: pip install --editable ")
    assert hint.endswith("/packages/finewright[train]'")


def test_a_result_is_proved_elsewhere_and_carries_its_card(
    project: Path, runs: Path, finewright: Finewright
) -> None:
    more = ("--set", "train.max_steps=30", "--set", "train.prove_elsewhere=true", "--json")
    trained = finewright("train", "spec.yaml", *more)
    (run,) = runs.iterdir()
    card = run / "train" / "base" / "adapter" / "README.md"
    assert "Not measured yet." in card.read_text()
    (candidate,) = trained.json["train"]["candidates"]
    elsewhere = [proof for proof in candidate["proofs"] if "another process" in proof["detail"]]
    assert elsewhere
    assert all(proof["passed"] for proof in elsewhere)
    measured = finewright("up", "spec.yaml", *more)
    assert measured.json["ran"] == ["evaluate"]
    assert "| tuned | test | token\\_f1 |" in card.read_text()
    assert finewright("up", "spec.yaml", *more).json["ran"] == []
    assert finewright("verify", str(run), "--json").json["problems"] == []
    for path in card.parent.iterdir():
        assert str(project).encode() not in path.read_bytes(), path
