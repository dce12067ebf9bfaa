"""Judges: a model here by its probabilities, one behind an address by JSON, and what is not a verdict."""

import csv
import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import tiny_run
from cli.conftest import Finewright
from finewright.errors import DataError, StageError
from finewright.schema.load import load_spec
from finewright.workbench.systems import load_system
from finewright.workbench.up import up
from finewright_advice.judging.judges import LocalJudge
from finewright_advice.judging.report import judge_page
from finewright_advice.judging.run import Judging, judge_answers, make_sheet
from finewright_advice.judging.tasks import MARKS, Selection
from served import Asked, Reply, answered, served

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny run with its answers, of the tuned model and its base."""
    folder = tmp_path_factory.mktemp("judged")
    tiny_run.trained(folder, "{type: lora, r: 2}")
    report = up(load_spec(folder / "spec.yaml"), folder / "runs", on_event=tiny_run.nothing)
    return Path(report.summary.run)


def selection(**how: object) -> Selection:
    return Selection(**({"systems": ("tuned",), "limit": 4} | how))  # type: ignore[arg-type]


def test_a_local_judges_shares_are_transformers_probabilities(run: Path) -> None:
    base = run.parents[1] / "base"
    judge = LocalJudge(load_system(str(base), dtype="fp32"))
    messages = [{"role": "user", "content": "the cat 4"}]
    found = judge.choose(messages, MARKS)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(base)
    asked = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    with torch.no_grad():
        ids = tokenizer(asked, return_tensors="pt", add_special_tokens=False).input_ids
        every = model(ids).logits[0, -1].double()
    heads = [tokenizer(f"{asked}{mark}", add_special_tokens=False).input_ids for mark in MARKS]
    assert {len(each) for each in heads} == {ids.shape[1] + 1}
    want = every[[each[-1] for each in heads]].softmax(0)
    assert list(found.shares.values()) == pytest.approx(want.tolist(), rel=1e-3)
    assert found.option == MARKS[int(want.argmax())]


def test_two_orders_that_disagree_are_a_tie(run: Path, tmp_path: Path) -> None:
    def first(_: Asked) -> Reply:
        return answered(json.dumps({"reason": "it is first", "verdict": "A"}))

    with served(first) as server:
        request = Judging(
            run, selection(against="base"), tmp_path / "v", f"{server.url}#m", "Better?"
        )
        report = judge_answers(request, on_progress=tiny_run.nothing)
    (duel,) = report.duels
    assert (duel.won, duel.lost, duel.tied, duel.turned) == (0, 0, 4, 4)
    assert len(server.asked) == 8
    body = server.asked[0].body
    assert body["response_format"]["json_schema"]["schema"]["properties"]["verdict"]["enum"] == [
        "A",
        "B",
        "tie",
    ]
    assert (report.tokens_in, report.tokens_out) == (8 * 7, 8 * 3)
    assert judge_page(report).answer.startswith("not calibrated")
    assert "nobody has checked this judge" in [p.message for p in report.problems]


def test_questions_that_not_every_system_answered_are_counted(run: Path, tmp_path: Path) -> None:
    lines = (run / "evaluate" / "samples.jsonl").read_text().splitlines()
    lost = next(line for line in lines if json.loads(line)["system"] == "base")
    samples = tmp_path / "samples.jsonl"
    samples.write_text("".join(f"{line}\n" for line in lines if line != lost))
    with served(lambda _: answered(json.dumps({"reason": "", "verdict": "A"}))) as server:
        request = Judging(
            samples, selection(against="base"), tmp_path / "v", f"{server.url}#m", "Better?"
        )
        report = judge_answers(request, on_progress=tiny_run.nothing)
    sheet = make_sheet(samples, selection(against="base"), tmp_path / "sheet.csv")
    asked = len({json.loads(line)["row"] for line in lines})
    said = f"1 of {asked} questions have no answer of every one of tuned, base, and are left out"
    assert said in [problem.message for problem in report.problems]
    assert said in [problem.message for problem in sheet.problems]


def test_people_say_how_far_a_judge_is_to_be_believed(run: Path, tmp_path: Path) -> None:
    make_sheet(run, selection(), tmp_path / "sheet.csv")
    rows = list(csv.DictReader((tmp_path / "sheet.csv").read_text().splitlines()))
    marks = {row["question"]: str(1 + i % 2) for i, row in enumerate(rows)}
    with (tmp_path / "sheet.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {"mark": marks[row["question"]]} for row in rows)

    def agreeing(asked: Asked) -> Reply:
        told = asked.body["messages"][-1]["content"]
        mark = next(mark for question, mark in marks.items() if question in told)
        return answered(json.dumps({"reason": "", "verdict": mark}))

    with served(agreeing) as server:
        request = Judging(
            run, selection(), tmp_path / "v", f"{server.url}#m", "Good?", tmp_path / "sheet.csv"
        )
        report = judge_answers(request, on_progress=tiny_run.nothing)
        asked = len(server.asked)
        judge_answers(request, on_progress=tiny_run.nothing)  # goes on from the file
        assert len(server.asked) == asked == 4
    assert report.agreement is not None
    assert (report.agreement.n, report.agreement.kappa, report.agreement.same) == (4, 1.0, 1.0)
    (marked,) = report.marks
    assert marked.judged.value == pytest.approx(0.125)
    assert marked.corrected is None  # four are too few


def test_a_judge_of_nonsense_is_no_judge_and_nothing_is_lost(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "v"
    with served(lambda _: answered("I would rather not say")) as server:
        request = Judging(run, selection(), out, f"{server.url}#m", "Good?")
        with pytest.raises(StageError, match="4 of 4 answers of the judge are no verdict"):
            judge_answers(request, on_progress=tiny_run.nothing)
    assert len(out.read_text().splitlines()) == 4
    with pytest.raises(DataError, match=r"other settings: different rubric \(rubric_sha256"):
        judge_answers(
            Judging(run, selection(), out, request.by, "Short?"), on_progress=tiny_run.nothing
        )


def test_the_command_says_what_is_missing(run: Path, finewright: Finewright) -> None:
    def failed(*args: str) -> str:
        result = finewright("judge", *args)
        assert result.code == 2
        return result.err

    told = ("--by", "x", "--rubric", "y")
    assert "--by is missing" in failed(str(run))
    assert "no answers" in failed(str(run.parent), *told)
    assert "there is no such file" in failed(str(run), "--by", "x", "--rubric", "gone.md")
    assert "is no file of answers" in failed(str(run / "evaluate/report.json"), *told)
