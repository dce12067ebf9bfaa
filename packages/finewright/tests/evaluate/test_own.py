"""Metrics of the user's own: what they see, what they may give, and that a run says by which code."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

import tiny_run
from finewright.errors import DataError, SpecError, StageError
from finewright.evaluate.own import check_own_metrics, own_metric_of, read_own_metrics, score_by_own
from finewright.evaluate.samples import parse_samples
from finewright.run_reader import read_run
from finewright.schema.evaluate import EvaluateSpec, OwnMetric
from finewright.schema.load import load_spec
from finewright.schema.rows import Row
from finewright.workbench.evaluate import evaluate, spec_of
from finewright.workbench.runs import verify
from finewright.workbench.up import up
from trusting import trust_code

CODE = """\
def near(answer, row):
    assert row["messages"][-1]["role"] == "user"
    return 1 / (1 + abs(len(answer) - len(row["answer"])))
"""
NAME = "python:mine.py:near"
ROW = Row(
    "1",
    ({"role": "user", "content": "How long?"}, {"role": "assistant", "content": "four"}),
    None,
    "test.jsonl",
    3,
    columns={"scale": 2},
)


def consent(code: str) -> str:
    return f"sha256:{hashlib.sha256(code.encode()).hexdigest()}"


def spec(folder: Path, code: str) -> EvaluateSpec:
    (folder / "mine.py").write_text(code)
    trust_code(consent(code))
    return EvaluateSpec(metrics=(OwnMetric(function=NAME, consent=consent(code)),))


def scored(folder: Path, code: str, answer: str = "four") -> float:
    return score_by_own(read_own_metrics(spec(folder, code), folder.joinpath), answer, ROW)[NAME]


def test_it_is_spelled_as_a_reward_is() -> None:
    written = {"function": NAME, "consent": "sha256:ab"}
    found = EvaluateSpec.model_validate({"metrics": ["exact_match", written, "python:b/c.py:f"]})
    assert found.metric_names == ("exact_match", NAME, "python:b/c.py:f")
    assert found.metrics[1] == OwnMetric(function=NAME, consent="sha256:ab")
    assert [own.file for own in found.own_metrics] == ["mine.py", "b/c.py"]


def test_it_sees_the_answer_the_prompt_the_expected_answer_and_the_columns(tmp_path: Path) -> None:
    code = """\
def near(answer, row):
    seen = [m["content"] for m in row["messages"]], row["answer"], row["scale"], answer
    return float(seen == (["How long?"], "four", 2, "4"))
"""
    assert scored(tmp_path, code, "4") == 1.0


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "row['gone']",
            "test.jsonl:3: python:mine.py:near: {path}:2: near raised KeyError: 'gone'",
        ),
        ("float('nan')", "test.jsonl:3: python:mine.py:near: {path}: near gave nan"),
        ("'1'", "test.jsonl:3: python:mine.py:near: {path}: near gave '1'"),
        ("1.5", "test.jsonl:3: python:mine.py:near: gave 1.5 for the answer 'four'"),
        ("-0.1", "test.jsonl:3: python:mine.py:near: gave -0.1 for the answer 'four'"),
    ],
)
def test_what_is_no_score_is_one_line_with_its_row(tmp_path: Path, body: str, said: str) -> None:
    with pytest.raises(StageError) as caught:
        scored(tmp_path, f"def near(answer, row):\n    return {body}\n")
    assert str(caught.value).startswith(said.format(path=tmp_path / "mine.py"))
    assert "\n" not in str(caught.value)
    assert "a score" in caught.value.hint or "KeyError" in str(caught.value)


def test_check_names_the_key_and_runs_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("raise SystemExit")
    wanted = EvaluateSpec.model_validate({"metrics": ["exact_match", NAME, "python:no.py:f"]})
    found = check_own_metrics(wanted, tmp_path.joinpath)
    assert [problem.key for problem in found] == ["evaluate.metrics.1", "evaluate.metrics.2"]
    assert "consent: sha256:" in found[0].hint
    assert found[1].message.endswith("no.py: No such file or directory")


def test_a_typed_metric_is_the_file_as_it_is_and_still_needs_the_users_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("# never trusted\n" + CODE)
    typed = own_metric_of(NAME)
    with pytest.raises(SpecError, match="this user has not said to trust it"):
        read_own_metrics(EvaluateSpec(metrics=(typed,)), Path)
    with pytest.raises(SpecError, match="write it as python:FILE:FUNCTION"):
        own_metric_of("python:mine.py")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained run, measured by token_f1 and by a function of its user's own."""
    folder = tmp_path_factory.mktemp("own")
    run = tiny_run.trained(folder, "{type: lora, r: 2}")
    (folder / "mine.py").write_text(CODE)
    trust_code(consent(CODE))
    own = f'{{function: "{NAME}", consent: "{consent(CODE)}"}}'
    text = (folder / "spec.yaml").read_text()
    (folder / "spec.yaml").write_text(text.replace("[token_f1]", f"[token_f1, {own}]"))
    up(load_spec(folder / "spec.yaml"), folder / "runs", on_event=tiny_run.nothing)
    return run


@pytest.mark.torch
def test_base_and_tuned_are_scored_compared_and_recounted(run: Path) -> None:
    report = json.loads((run / "evaluate/report.json").read_text())
    samples = parse_samples((run / "evaluate/samples.jsonl").read_text())
    for system in ("base", "tuned"):
        by_hand = [
            1 / (1 + abs(len(s.answer) - len(s.expected))) for s in samples if s.system == system
        ]
        (score,) = (s for s in report["scores"] if (s["system"], s["metric"]) == (system, NAME))
        assert score["value"] == pytest.approx(sum(by_hand) / len(by_hand))
        assert score["low"] <= score["value"] <= score["high"]
    assert ("tuned", "base", NAME) in {
        (d["system"], d["against"], d["metric"]) for d in report["differences"]
    }
    assert any(consent(CODE) in problem["message"] for problem in report["problems"])
    assert not [p for p in verify(run).problems if "mine.py" in f"{p.file} {p.message}"]


@pytest.mark.torch
def test_other_code_after_the_run_is_told_and_measures_nothing(run: Path) -> None:
    mine = run.parents[1] / "mine.py"
    mine.write_text(f"# another\n{CODE}")
    try:
        (problem,) = (p for p in verify(run).problems if "mine.py" in p.message)
        assert consent(CODE) in problem.message
        with pytest.raises(DataError, match="this is not the code that the spec names"):
            up(load_spec(mine.with_name("spec.yaml")), run.parent, on_event=tiny_run.nothing)
    finally:
        mine.write_text(CODE)


@pytest.mark.torch
def test_the_command_measures_by_it_too(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run.parents[1])
    trust_code(consent(CODE))
    wanted = spec_of(["rows.jsonl"], [NAME], {"limit": 4}, max_new_tokens=4, seed=0)
    report = evaluate([str(run)], wanted, Path("by-hand.jsonl"))
    samples = parse_samples(Path("by-hand.jsonl").read_text())
    assert [s.metric for s in report.scores if s.system == run.name] == [NAME]
    assert all(s.scores[NAME] == 1 / (1 + abs(len(s.answer) - len(s.expected))) for s in samples)


@pytest.mark.torch
def test_a_run_that_builds_on_it_measures_by_it_or_says_that_it_does_not(
    run: Path, tmp_path: Path
) -> None:
    root = shutil.copytree(run.parents[1], tmp_path / "all")
    trust_code(consent(CODE))
    others = (root / "rows.jsonl").read_text().replace("the ", "a ")
    (root / "others.jsonl").write_text(others)
    text = (root / "spec.yaml").read_text().replace("rows.jsonl", "others.jsonl")
    (root / "on.yaml").write_text(text.replace("./base", f"runs/{run.name}"))
    found, runs = {}, set()
    for name, more in (("with", ()), ("without", ["evaluate.metrics=[exact_match]"])):
        loaded = load_spec(root / "on.yaml", more)
        done = up(loaded, root / "runs", on_event=tiny_run.nothing)
        runs.add(done.summary.run)
        read = read_run(Path(done.summary.run))
        scored = {s.metric for s in read.scores() if s.data == f"{run.name}.eval"}
        said = [p["message"] for p in read.report("data")["problems"]]
        found[name] = (scored, [each for each in said if "mine.py" in each])
    assert len(runs) == 1
    assert "train" not in done.ran  # which read none of this
    assert found["with"] == ({"token_f1", NAME}, [])
    scored, (said,) = found["without"]
    assert scored == {"token_f1"}
    assert f"what is forgotten of {run.name} is not measured by mine.py:near" in said
