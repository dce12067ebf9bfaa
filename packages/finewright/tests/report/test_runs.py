"""Each report as a terminal shows it: the numbers that matter, counted and named."""

import pytest

from finewright.report.show import text_of
from finewright.schema.common import Artifact, Problem, RowCounts
from finewright.schema.cost import CostReport
from finewright.schema.data import DataReport
from finewright.schema.evaluate import EvaluateReport, Score
from finewright.schema.methods import SFTSpec
from finewright.schema.plan import CheckReport, PlannedCandidate, PlanReport, TokenView
from finewright.schema.report import (
    DoctorFinding,
    DoctorReport,
    QuickstartReport,
    ReplayedAnswer,
    RunList,
    RunReport,
    RunSummary,
    SelfCheck,
    SelfCheckReport,
    VerifyReport,
)
from finewright.schema.train import Candidate, TrainReport

ERROR = Problem(
    level="error", file="rows.jsonl", row=3, key="messages", message="no", hint="fix it"
)
WARNING = Problem(level="warning", message="odd")
ARTIFACT = Artifact(path="evaluate/samples.jsonl", kind="samples", sha256="0" * 64, bytes=1)
COUNTS = RowCounts(
    rows_in=10, rows_kept=7, rows_truncated=2, rows_dropped={"overlong": 2, "error": 1}
)
SUMMARY = RunSummary(
    run="runs/r", name="bot", state="finished", created="2026-11-24", stages=("data", "train"),
    base_models=("m",),
)  # fmt: skip
SCORE = Score(system="tuned", data="t", metric="exact_match", value=0.5, low=0.1, high=0.9, n=4)
CANDIDATE = Candidate(
    base_model="m", base_sha256="0" * 64, adapter="train/m/adapter", artifacts=(), counts=COUNTS,
    steps=12, tokens=3456, trained_tokens=1000, first_loss=2.5, final_loss=1.25, seconds=61.4,
    tokens_per_second=56.3, peak_gib=1.234, trainable_parameters=10, problems=(WARNING,),
)  # fmt: skip


def test_a_check_names_each_problem_and_its_verdict() -> None:
    found = CheckReport(name="bot", problems=(WARNING, ERROR))
    assert text_of(found).splitlines() == [
        "bot: not usable",
        "error: rows.jsonl:3: messages: no (fix it)",
        "",
        "warning: odd",
    ]
    assert text_of(CheckReport(name="bot", problems=(WARNING,))).startswith(
        "bot: ok; `plan` counts tokens and reads the chat template too\n"
    )


def test_a_plan_shows_counts_settings_reasons_and_which_tokens_are_learned() -> None:
    view = TokenView(
        file="rows.jsonl", row=1, pieces=(("read", "user\nQ\n"), ("learned", "A<end>"))
    )
    planned = PlannedCandidate(
        base_model="m", parameters=135_000_000, counts=COUNTS, tokens=200, trained_tokens=50,
        longest=40, median=20, steps=12, step_tokens=600, preview=(view,), problems=(WARNING,),
        train=SFTSpec(learning_rate=1e-3, threads=2),
    )  # fmt: skip
    plan = PlanReport(
        name="bot", data=COUNTS, rows_train=6, rows_eval=1, candidates=(planned,),
        values={"train.epochs": "3.0"}, reasons={"train.epochs": "a few looks"}, problems=(),
    )  # fmt: skip
    text = text_of(plan)
    counted = "10 rows read, 7 kept, 2 of them truncated, 2 dropped (overlong), 1 dropped (error)"
    assert text.splitlines()[0] == f"bot: {counted}; 6 train, 1 held out"
    assert f"m (135M parameters)\n{counted}" in text
    assert "tokens: 200 a pass, 25.0 % learned; longest row 40, median 20" in text
    assert "steps: 12, 600 tokens in all" in text
    assert "learning_rate 0.001" in text
    assert "adapter: type lora, r 16, alpha 32, dropout 0, target_modules all-linear" in text
    assert "\nwarning: odd" in text
    assert "    · user\\n\n    · Q\\n\n    █ A<end>" in text
    assert text.splitlines()[-1].split() == ["train.epochs", "3.0", "a", "few", "looks"]
    assert plan.passed


def test_a_run_shows_its_stages_its_training_and_its_scores() -> None:
    data = DataReport(
        counts=COUNTS, types={}, sources=(), problems=(WARNING,), train=ARTIFACT, rows_train=7,
        rows_eval=0,
    )  # fmt: skip
    evaluated = EvaluateReport(confidence=0.95, scores=(SCORE,), samples=ARTIFACT)
    report = RunReport(
        summary=SUMMARY, data=data, train=TrainReport(candidates=(CANDIDATE,)), evaluate=evaluated
    )
    lines = text_of(report).splitlines()
    assert lines[0] == "runs/r: finished; data, train"
    assert lines[1].startswith(f"t, {SCORE.metric}: {SCORE.system} ")
    assert lines[2:4] == ["", "Data"]
    assert lines[4].startswith("10 rows read, 7 kept")
    assert lines[7].startswith("m: 10 rows read, 7 kept, 2 of them truncated, 2 dropped (overlong)")
    assert "held-out loss" not in lines[8]
    assert lines[9].split() == ["m", "12", "2.5000", "1.2500", "3,456", "56", "61", "1.23"]
    assert lines[10] == lines[-1] == "warning: odd"
    assert "t: n = 4 rows, 95 % intervals in brackets" in lines


def test_a_held_out_loss_is_shown_where_there_is_one() -> None:
    trained = TrainReport(candidates=(CANDIDATE.model_copy(update={"eval_loss": 1.5}),))
    text = text_of(RunReport(summary=SUMMARY, train=trained))
    assert "1.2500         1.5000" in text


def test_a_fit_that_reads_no_tokens_shows_none() -> None:
    linear = CANDIDATE.model_copy(update={"tokens": 0, "tokens_per_second": 0.0})
    header = next(
        line
        for line in text_of(
            RunReport(summary=SUMMARY, train=TrainReport(candidates=(linear,)))
        ).splitlines()
        if line.startswith("base model")
    )
    assert "steps" in header
    assert "tokens" not in header


def test_a_run_in_which_nothing_is_done_says_so() -> None:
    summary = SUMMARY.model_copy(update={"stages": (), "state": "new"})
    assert text_of(RunReport(summary=summary)) == "runs/r: new; no stage done"


def test_an_evaluation_says_where_the_answers_are() -> None:
    report = EvaluateReport(confidence=0.9, scores=(SCORE,), samples=ARTIFACT)
    assert text_of(report).startswith(
        "Evaluation: tuned\nanswers: evaluate/samples.jsonl\n\nt: n = 4"
    )
    assert "answers" not in text_of(report.model_copy(update={"samples": None}))


def test_the_quickstart_shows_both_answers_and_what_to_do_next() -> None:
    answer = ReplayedAnswer(data="t", question="Q\nmore", expected="E", before="B", after="A" * 500)
    report = QuickstartReport(
        task="intents",
        measured=RunReport(summary=SUMMARY),
        compared_with="bag of words",
        answers=(answer,),
        commands=("finewright verify runs/r",),
    )
    text = text_of(report)
    assert text.splitlines()[2:7] == [
        "Answers of bag of words, and tuned",
        "t",
        "    asked        Q",
        "                 more",
        "    bag of words B",
    ]
    assert f"    tuned        {'A' * 400} ..." in text
    assert text.splitlines()[-2:] == ["Next", "finewright verify runs/r"]


def test_the_doctor_marks_what_is_wrong_and_gives_the_mends() -> None:
    findings = (
        DoctorFinding(name="python", passed=True, detail="3.11"),
        DoctorFinding(name="torch", passed=False, detail="not installed", hint="pip install it"),
    )
    lines = text_of(DoctorReport(findings=findings)).splitlines()
    assert lines[0] == "This machine: 1 of 2 would fail"
    assert [line.split()[:2] for line in lines[3:5]] == [["python", "ok"], ["torch", "WRONG"]]
    assert lines[5:] == ["torch: pip install it"]


@pytest.mark.parametrize(
    ("measured", "state", "verdict"),
    [
        (2.5e-6, "ok", "the engine computes what plain transformers computes"),
        (0.1, "WRONG", "WRONG: the engine does not compute what plain transformers computes"),
    ],
)
def test_the_selfcheck_sets_each_distance_beside_its_bar(
    measured: float, state: str, verdict: str
) -> None:
    check = SelfCheck(name="fp32 gradients", measured=measured, bar=1e-4, passed=measured <= 1e-4)
    report = SelfCheckReport(
        base_model="smol", device="CPU", layers=30, layers_checked=2, checks=(check,),
        slow_paths=("no kernels",),
    )  # fmt: skip
    first, second, _, _, row, *others = text_of(report).splitlines()
    assert (first, second) == (f"smol: {verdict}", "the first 2 of 30 layers on CPU")
    assert row.split() == ["fp32", "gradients", state, f"{measured:.1e}", "1.0e-04"]
    assert others == ["slower than it could be: no kernels"]


@pytest.mark.parametrize(
    ("problems", "claim"),
    [
        ((), "every digest is as recorded"),
        ((WARNING,), "every digest is as recorded"),
        ((ERROR,), "this run is not what was recorded"),
    ],
)
def test_verify_begins_with_its_verdict(problems: tuple[Problem, ...], claim: str) -> None:
    text = text_of(VerifyReport(run="runs/r", files=3, problems=problems))
    assert text.splitlines()[0] == f"runs/r: 3 files: {claim}"


def test_verify_says_how_many_files_it_could_not_check() -> None:
    gone = Problem(
        level="warning",
        file="a.jsonl",
        message="cannot be checked: the raw file of 12 rows is not there",
    )
    text = text_of(VerifyReport(run="runs/r", files=3, problems=(gone, WARNING)))
    assert text.splitlines()[0] == "runs/r: 3 files as recorded; 1 could not be checked"


def test_a_list_of_runs_is_a_table() -> None:
    assert text_of(RunList(runs=())) == "no runs yet"
    _, line = text_of(RunList(runs=(SUMMARY,))).splitlines()
    assert line.split() == ["runs/r", "finished", "m", "2026-11-24", "data", "train"]


def test_a_list_of_runs_has_the_score_and_what_each_builds_on() -> None:
    score = SCORE.model_copy(update={"system": "m tuned", "metric": "rouge_l", "data": "t"})
    later = SUMMARY.model_copy(update={"scores": (score,), "parents": ("2026-r0",)})
    header, first, second = text_of(RunList(runs=(SUMMARY, later))).splitlines()
    assert header.split()[:5] == ["run", "state", "score", "builds", "on"]
    assert "2026-r0" not in first
    assert second.split()[2:4] == ["m:", "rouge_l"]
    assert second.partition(" on t  ")[2].split()[0] == "2026-r0"


def test_a_run_that_estimated_its_cost_shows_the_estimate_before_the_training() -> None:
    cost = CostReport(name="r", candidates=(), prices="prices of 2026-11-01")
    trained = TrainReport(candidates=(CANDIDATE,))
    text = text_of(RunReport(summary=SUMMARY, cost=cost, train=trained))
    assert text.index("prices of 2026-11-01. Ranges are") < text.index("3,456")
