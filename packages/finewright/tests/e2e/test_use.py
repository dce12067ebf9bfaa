"""What one does with a finished run: prove it, take its adapter elsewhere, measure it, talk to it."""

import hashlib
import json
import signal
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from .conftest import Finewright, row, write_jsonl
from .processes import start, wait_until

pytestmark = pytest.mark.torch


def evaluate(finewright: Finewright, run: Path, *more: str) -> Any:
    ended = finewright("evaluate", str(run), "--data", "test.jsonl", "--json", *more)
    assert (ended.code, ended.err) == (0, "")
    return ended.json


def test_a_finished_run_verifies(finished: Path, finewright: Finewright) -> None:
    verified = finewright("verify", str(finished), "--json")
    assert verified.code == 0
    # The run was made in the home of another test, and each has a key of its own.
    (signer,) = verified.json["signers"]
    assert signer["whose"] == "unknown"
    (problem,) = verified.json["problems"]
    assert f"finewright trust key {signer['key']} NAME" in problem["hint"]
    # spec, lock, environment; rows, test rows, report; 7 adapter files, metrics, report; samples, report
    assert verified.json["files"] == 23


def test_a_flipped_byte_is_named_with_both_digests(
    finished: Path, tmp_path: Path, finewright: Finewright
) -> None:
    run = copytree(finished, tmp_path / "copy")
    path = run / "train/base/adapter/adapter_model.safetensors"
    content = bytearray(path.read_bytes())
    before = hashlib.sha256(content).hexdigest()
    content[-1] ^= 1
    path.write_bytes(content)
    after = hashlib.sha256(content).hexdigest()
    verified = finewright("verify", str(run))
    assert verified.code == 2
    verdict, error, *_ = verified.out.splitlines()
    assert [error, verdict.partition(";")[0]] == [
        f"error: train/base/adapter/adapter_model.safetensors: changed: recorded sha256 {before}, "
        f"found {after} (run the stage 'train' again, or restore the file from a copy)",
        f"{run}: 23 files: this run is not what was recorded",
    ]


@pytest.mark.usefixtures("after_up")
def test_a_missing_file_is_named_and_up_makes_it_again(
    project: Path, runs: Path, finewright: Finewright
) -> None:
    (run,) = runs.iterdir()
    path = run / "train/base/adapter/adapter_model.safetensors"
    before = path.read_bytes()
    path.unlink()
    verified = finewright("verify", str(run), "--json")
    errors = [p for p in verified.json["problems"] if p["level"] == "error"]
    assert [(p["file"], p["message"]) for p in errors] == [
        ("train/base/adapter/adapter_model.safetensors", "missing")
    ]
    # The adapter that comes back is bitwise the same, so what was measured on it stands.
    assert finewright("up", "spec.yaml", "--json").json["ran"] == ["train"]
    assert path.read_bytes() == before
    assert finewright("verify", str(run)).code == 0


def test_plain_transformers_and_peft_give_the_same_logits(finished: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from finewright.lm.load import load_lm
    from finewright.lm.load_chat import load_chat
    from finewright.lm.sources import locate

    base = locate("./base", finished.parents[1])
    adapter = finished / "train/base/adapter"
    ours = load_lm(base, adapter, dtype="fp32").model
    plain = AutoModelForCausalLM.from_pretrained(base.folder, dtype=torch.float32)
    theirs = PeftModel.from_pretrained(plain, adapter).eval()
    tokenizer = AutoTokenizer.from_pretrained(adapter)
    turns = row(3)["messages"]
    text = tokenizer.apply_chat_template(turns, tokenize=False)
    assert text == load_chat(base).render(turns)
    ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
    with torch.no_grad():
        expected = theirs(ids).logits
        found = ours(ids).logits
        with theirs.disable_adapter():
            without = theirs(ids).logits
    assert (found - expected).abs().max() < 1e-5
    assert (without - expected).abs().max() > 0.5


def test_evaluate_gives_scores_with_intervals_and_writes_the_answers(
    finished: Path, project: Path, finewright: Finewright
) -> None:
    report = evaluate(finewright, finished, "--against", "./base", "--max-new-tokens", "8")
    assert [(s["system"], s["data"], s["metric"], s["n"]) for s in report["scores"]] == [
        (finished.name, "test", "exact_match", 4),
        (finished.name, "test", "token_f1", 4),
        ("./base", "test", "exact_match", 4),
        ("./base", "test", "token_f1", 4),
    ]
    assert all(0 <= s["low"] <= s["value"] <= s["high"] <= 1 for s in report["scores"])
    assert [(d["system"], d["against"], d["metric"]) for d in report["differences"]] == [
        (finished.name, "./base", "exact_match"),
        (finished.name, "./base", "token_f1"),
    ]
    samples = [json.loads(line) for line in (project / "samples.jsonl").read_text().splitlines()]
    assert [(s["system"], s["row"]) for s in samples] == [
        (system, number) for system in (finished.name, "./base") for number in (1, 2, 3, 4)
    ]
    assert samples[0]["prompt"] == "the red 100"
    assert samples[0]["expected"] == "answer red"
    digest = hashlib.sha256((project / "samples.jsonl").read_bytes()).hexdigest()
    assert report["samples"]["sha256"] == digest


def test_evaluate_measures_as_the_evaluate_stage_does(
    finished: Path, finewright: Finewright
) -> None:
    stage = json.loads((finished / "evaluate/report.json").read_text())
    report = evaluate(finewright, finished, "--max-new-tokens", "8")
    ours = {(s["metric"], s["value"], s["low"], s["high"]) for s in report["scores"]}
    assert ours == {
        (s["metric"], s["value"], s["low"], s["high"])
        for s in stage["scores"]
        if s["system"] == "tuned"
    }


def test_evaluate_never_overwrites_answers(
    finished: Path, project: Path, finewright: Finewright
) -> None:
    (project / "samples.jsonl").write_text("mine")
    asked = ("evaluate", str(finished), "--data", "test.jsonl")
    refused = finewright(*asked, "--samples", "samples.jsonl")
    assert (refused.code, refused.err) == (
        2,
        "error: samples.jsonl: already there\n hint: name another file with --samples\n",
    )
    assert finewright(*asked).code == 0
    assert (project / "samples-2.jsonl").is_file()
    assert (project / "samples.jsonl").read_text() == "mine"


@pytest.mark.usefixtures("after_up")
def test_a_changed_adapter_is_not_used(project: Path, runs: Path, finewright: Finewright) -> None:
    (run,) = runs.iterdir()
    path = run / "train/base/adapter/adapter_model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    refused = finewright("chat", str(run), "--prompt", "Hi")
    assert (refused.code, refused.out) == (2, "")
    assert "adapter_model.safetensors: changed since it was trained" in refused.err
    path.unlink()
    refused = finewright("chat", str(run), "--prompt", "Hi")
    assert (refused.code, refused.out) == (2, "")
    assert "adapter_model.safetensors: missing" in refused.err
    assert f"`finewright up {run}` trains it again" in refused.err
    assert finewright("up", str(run), "--json").json["ran"] == ["train"]
    assert path.read_bytes() == whole


def test_a_run_that_is_not_there_is_no_hub_id(runs: Path, finewright: Finewright) -> None:
    runs.mkdir(exist_ok=True)
    for command in (("evaluate", "--data", "test.jsonl"), ("chat", "--prompt", "Hi")):
        refused = finewright(command[0], f"{runs.name}/nope", *command[1:])
        assert refused.code == 2
        assert refused.err.startswith(f"error: {runs.name}/nope: there is no such run or model\n")


def test_evaluate_looks_for_the_answers_folder_before_it_measures(
    finished: Path, finewright: Finewright
) -> None:
    refused = finewright(
        "evaluate", str(finished), "--data", "test.jsonl", "--samples", "no/a.jsonl"
    )
    assert refused.code == 2
    assert refused.err.startswith("error: no: there is no such folder\n")


def test_evaluate_reads_the_columns_of_the_file_and_says_what_was_drawn(
    finished: Path, project: Path, finewright: Finewright
) -> None:
    rows = [row(i)["messages"] for i in range(40)]
    lines = "".join(f"{asked['content']},{said['content']}\n" for asked, said in rows)
    (project / "test.csv").write_text("utterance,intent\n" + lines)
    told = ("--column", "prompt=utterance", "--column", "completion=intent", "--limit", "8")
    ended = finewright("evaluate", str(finished), "--data", "test.csv", *told, "--seed", "5")
    assert ended.code == 0
    drawn = "test: n = 8 of 40 rows, sampled by seed 5, stratified by answer; 95 % intervals in brackets"
    assert drawn in ended.out.splitlines()
    samples = [json.loads(line) for line in (project / "samples.jsonl").read_text().splitlines()]
    assert sorted(s["expected"] for s in samples) == sorted(
        2 * [f"answer {word}" for word in ("red", "blue", "green", "white")]
    )


def test_evaluate_tells_files_of_the_same_name_apart(
    finished: Path, project: Path, finewright: Finewright
) -> None:
    for folder, count in (("a", 2), ("b", 3)):
        (project / folder).mkdir()
        write_jsonl(project / folder / "test.jsonl", [row(i) for i in range(count)])
    ended = finewright(
        "evaluate", str(finished), "--data", "a/test.jsonl", "--data", "b/test.jsonl", "--json"
    )
    assert {(s["data"], s["n"]) for s in ended.json["scores"]} == {("a-test", 2), ("b-test", 3)}


def test_evaluate_tells_runs_of_the_same_name_apart(
    finished: Path, project: Path, finewright: Finewright
) -> None:
    other = copytree(finished, project / finished.name)
    report = evaluate(finewright, finished, "--against", str(other))
    assert [s["system"] for s in report["scores"][::2]] == [finished.name, str(other)]


def test_evaluate_refuses_a_system_against_itself(finished: Path, finewright: Finewright) -> None:
    run = str(finished)
    refused = finewright("evaluate", run, "--against", run, "--data", "test.jsonl")
    assert refused.code == 2
    assert refused.err.startswith(f"error: {run}: named twice")


def test_evaluate_shows_what_was_asked_when_a_row_ends_with_the_user(
    finished: Path, project: Path, finewright: Finewright
) -> None:
    turns = [*row(1)["messages"], {"role": "user", "content": "thanks"}]
    write_jsonl(project / "test.jsonl", [{"messages": turns}])
    evaluate(finewright, finished, "--max-new-tokens", "2")
    sample = json.loads((project / "samples.jsonl").read_text())
    assert (sample["prompt"], sample["expected"]) == ("the blue 1", "answer blue")


def test_a_stopped_evaluation_leaves_no_file(
    finished: Path, project: Path, finewright: Finewright
) -> None:
    write_jsonl(project / "test.jsonl", [row(i) for i in range(400)])
    running = start(("evaluate", str(finished), "--data", "test.jsonl"), folder=project)
    wait_until(lambda: running.err.exists() and "measuring" in running.err.read_text())
    running.send(signal.SIGTERM)
    ended = running.result()
    assert ended.code == 128 + signal.SIGTERM
    assert ended.err.splitlines()[-2:] == [
        "error: stopped while measuring; what was answered is kept",
        " hint: the same command goes on from there",
    ]
    assert not (project / "samples.jsonl").exists()


@pytest.mark.usefixtures("after_train")
def test_a_run_whose_base_model_changed_is_not_used(
    project: Path, runs: Path, finewright: Finewright
) -> None:
    import tiny

    tiny.tiny_model("llama", seed=1).save_pretrained(project / "base")
    run = next(runs.iterdir())
    refused = finewright("chat", str(run), "-p", "the red")
    assert (refused.code, refused.err) == (
        2,
        f"error: {run}: the base model ./base has changed since this run trained on it\n"
        " hint: put the old one back, or train again\n",
    )


def test_chat_answers_a_prompt_piece_by_piece(finished: Path, finewright: Finewright) -> None:
    greedy = [finewright("chat", str(finished), "-p", "the red 100") for _ in range(2)]
    samples = (finished / "evaluate/samples.jsonl").read_text().splitlines()
    expected = next(
        s["answer"]
        for s in map(json.loads, samples)
        if s["system"] == "tuned" and s["prompt"] == "the red 100"
    )
    assert [(r.code, r.err) for r in greedy] == [(0, ""), (0, "")]
    assert greedy[0].out == greedy[1].out
    assert greedy[0].out.startswith(expected)


def test_each_piped_line_is_answered_as_if_it_came_alone_and_a_blank_one_by_a_blank_one(
    finished: Path, finewright: Finewright
) -> None:
    short = ("chat", str(finished), "--max-new-tokens", "6")
    alone = [finewright(*short, "-p", said).out for said in ("the red 100", "the blue 101")]
    piped = finewright(*short, stdin="the red 100\n\nthe blue 101\n  \nthe red 100\n")
    assert (piped.code, piped.err) == (0, "")
    assert alone[0] != alone[1]
    red, blue = (said + "\n" * ("\n" in said[:-1]) for said in alone)
    assert piped.out == red + "\n" + blue + "\n" + red


def test_a_temperature_samples_by_its_seed(finished: Path, finewright: Finewright) -> None:
    def ask(seed: str) -> str:
        hot = ("--temperature", "5", "--seed", seed, "--max-new-tokens", "12")
        return finewright("chat", "./base", "-p", "the red", *hot).out

    assert ask("1") == ask("1")
    assert ask("1") != ask("2")


def test_runs_list_and_show_tell_of_a_finished_run(finished: Path, finewright: Finewright) -> None:
    listed = finewright("runs", "list", "--runs", str(finished.parent), "--json").json["runs"]
    assert [(r["name"], r["state"], r["stages"], r["base_models"]) for r in listed] == [
        ("tiny", "finished", ["data", "train", "evaluate"], ["./base"])
    ]
    shown = finewright("runs", "show", str(finished), "--json").json
    assert shown["summary"] == listed[0]
    assert shown["ran"] == []
    assert shown["data"]["sources"][0]["license"] == "CC0-1.0"


def test_chat_asks_with_the_system_prompt_of_the_training_rows(
    project: Path, runs: Path, finewright: Finewright
) -> None:
    system = {"role": "system", "content": "answer in one word"}
    rows = [{"messages": [system, *row(i)["messages"]]} for i in range(16)]
    write_jsonl(project / "rows.jsonl", rows)
    assert finewright("train", "spec.yaml").code == 0

    def ask(*more: str) -> str:
        run = str(next(runs.iterdir()))
        return finewright("chat", run, "-p", "the red", "--max-new-tokens", "24", *more).out

    assert ask() == ask("--system", "answer in one word")
    assert ask() != ask("--system", "the other the other the other")
