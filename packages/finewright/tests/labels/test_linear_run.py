"""A linear candidate is trained, stored, measured, asked and verified like any other."""

import csv
import json
import random
from pathlib import Path

import pytest

from finewright.errors import DataError, FinewrightError, SpecError, StoreError
from finewright.labels.decider import LinearScorer
from finewright.schema.load import load_spec
from finewright.workbench.check import check
from finewright.workbench.evaluate import evaluate, spec_of
from finewright.workbench.plan import plan
from finewright.workbench.predict import Predicting, predict
from finewright.workbench.runs import verify
from finewright.workbench.systems import load_decider, load_system
from finewright.workbench.up import up

pytestmark = pytest.mark.torch

TOPICS = {
    "card lost": "my card was lost stolen swallowed by the machine gone",
    "top up": "add money top up account balance load transfer funds",
    "fee": "why was i charged a fee cost price for exchange",
}


def make_rows(count: int, seed: int) -> list[dict[str, str]]:
    rng = random.Random(seed)  # noqa: S311
    noise = ["please", "can", "you", "help", "me", "today", "with", "so", "hello", "again"]
    rows = []
    for _ in range(count):
        label = rng.choice(list(TOPICS))
        said = rng.choices(TOPICS[label].split(), k=3) + rng.choices(noise, k=4)
        rows.append({"prompt": " ".join(said), "completion": label})
    return rows


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_spec(folder: Path, rows: list[dict[str, str]], more: str = "") -> Path:
    write(folder / "train.jsonl", rows)
    write(folder / "test.jsonl", make_rows(120, seed=9))
    spec = folder / "spec.yaml"
    spec.write_text(
        "name: lin\nbase_models: [words]\ndata:\n  sources: [{path: train.jsonl}]\n"
        "evaluate:\n  data: [{path: test.jsonl}]\n  compare_with: [linear]\n"
        f"train:\n  method: linear\n{more}",
        encoding="utf-8",
    )
    return spec


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("linear")
    spec = write_spec(folder, make_rows(600, seed=1))
    report = up(load_spec(spec), folder / "runs", on_event=lambda *_: None)
    return Path(report.summary.run)


def test_a_run_keeps_the_model_and_its_decisions_and_can_be_verified(run: Path) -> None:
    report = json.loads((run / "evaluate" / "report.json").read_text())
    (scores,) = [each for each in report["decisions"] if each["system"] == "tuned"]
    assert scores["rows"] == 120
    assert scores["accuracy"] >= 0.9
    assert report["strays"][0]["count"] == 0
    # Coverage 0.9 with 60 calibration rows and 120 asked: two deviations are 0.1.
    assert scores["coverage"] == pytest.approx(0.9, abs=0.1)
    assert verify(run).passed
    assert not list(run.rglob("*.pkl"))


def test_the_weights_are_scikit_learns_on_the_rows_that_did_not_calibrate(run: Path) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    from finewright.labels.calibration import part_rows
    from finewright.labels.rows import label_of, row_question
    from finewright.schema.rows import parse_rows

    rows = parse_rows((run / "data" / "train.jsonl").read_text())
    used = [rows[i] for i in part_rows([label_of(r) for r in rows], 0.1, 0).train]
    decider = load_decider(str(run))
    assert isinstance(decider.scorer, LinearScorer)
    (block,) = decider.scorer.features.blocks([row_question(row) for row in used])
    theirs = linear_model.LogisticRegression(C=10.0, tol=1e-8, max_iter=5000)
    theirs.fit(block.to_dense().numpy(), [label_of(row) for row in used])
    from finewright.labels.calibration import softmax

    ours = softmax(decider.scorer.logits(used))
    expected = theirs.predict_proba(block.to_dense().numpy())
    assert abs(ours - expected).max() < 0.01


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".parquet"])
def test_predict_writes_label_confidence_set_and_unsure(
    run: Path, tmp_path: Path, suffix: str
) -> None:
    rows = write(tmp_path / "ask.jsonl", make_rows(60, seed=4))
    out = tmp_path / f"out{suffix}"
    report = predict(Predicting(str(run), rows, out))
    found = read_back(out)
    assert [row["row"] for row in found] == list(range(1, 61))
    decisions = load_decider(str(run)).decide([_row(each) for each in make_rows(60, seed=4)])
    assert [row["label"] for row in found] == [each.label for each in decisions]
    assert [list(row["set"]) for row in found] == [list(each.set) for each in decisions]
    assert [bool(row["unsure"]) for row in found] == [each.unsure for each in decisions]
    assert report.num_unsure == sum(each.unsure for each in decisions)


@pytest.mark.parametrize("out", ["no/such/out.csv", "/proc/out.csv", "/proc/out.jsonl"])
def test_a_place_that_takes_no_file_is_told_before_a_row_is_decided(
    run: Path, tmp_path: Path, out: str
) -> None:
    rows = write(tmp_path / "ask.jsonl", make_rows(5, seed=4))
    asked: list[object] = []
    with pytest.raises(DataError, match=r"there is no such folder|no file can be made there"):
        predict(Predicting(str(run), rows, tmp_path / out), on_progress=lambda *a: asked.append(a))
    assert asked == []


def _row(data: dict[str, str]):  # type: ignore[no-untyped-def]
    from finewright.schema.rows import Row

    messages = ({"role": "user", "content": data["prompt"]},)
    return Row(id="", messages=messages, tools=None, file="x", row=1)


def read_back(path: Path) -> list[dict[str, object]]:
    text = path.read_bytes()
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in text.splitlines()]
    if path.suffix == ".json":
        return list(json.loads(text))
    if path.suffix == ".csv":
        rows = list(csv.DictReader(text.decode().splitlines()))
        plain = {"row": int, "set": json.loads, "unsure": json.loads}
        return [{k: plain.get(k, str)(v) for k, v in row.items()} for row in rows]
    import pyarrow.parquet

    return list(pyarrow.parquet.read_table(path).to_pylist())


def test_texts_of_another_kind_raise_the_alarm(run: Path, tmp_path: Path) -> None:
    rows = [{"prompt": f"xyzzy {i} plugh", "completion": "fee"} for i in range(80)]
    report = predict(Predicting(str(run), write(tmp_path / "a.jsonl", rows), tmp_path / "o.jsonl"))
    assert any("differ from" in problem.message for problem in report.problems)
    same = write(tmp_path / "b.jsonl", make_rows(80, seed=5))
    report = predict(Predicting(str(run), same, tmp_path / "p.jsonl"))
    assert not any("differ from" in problem.message for problem in report.problems)


def test_it_is_measured_on_a_file_and_never_taken_for_a_language_model(
    run: Path, tmp_path: Path
) -> None:
    rows = write(tmp_path / "more.jsonl", make_rows(50, seed=6))
    spec = spec_of([str(rows)], ["label_accuracy"], {}, max_new_tokens=8, seed=0)
    report = evaluate([str(run)], spec, tmp_path / "samples.jsonl")
    assert {each.system for each in report.decisions} == {run.name, "bag of words"}
    with pytest.raises(StoreError, match="no language model"):
        load_system(str(run))
    text = spec_of([str(rows)], ["perplexity"], {}, max_new_tokens=8, seed=0)
    with pytest.raises(StoreError, match="perplexity says nothing"):
        evaluate([str(run)], text, tmp_path / "other.jsonl")


def test_a_changed_file_of_the_model_is_refused(run: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / run.name
    shutil.copytree(run, copy)
    path = copy / "train" / "words" / "adapter" / "decisions.json"
    path.write_text(path.read_text().replace('"temperature": ', '"temperature": 1'))
    with pytest.raises(StoreError, match="changed since it was trained"):
        load_decider(str(copy))


def refusals() -> dict[str, tuple[list[dict[str, str]], str, str]]:
    many = make_rows(600, seed=1)
    return {
        "one label": (
            [{**row, "completion": "fee"} for row in many],
            "",
            "one label leaves nothing",
        ),
        "no labels": (
            [*many, {"prompt": "a", "completion": "a long answer that goes on for ever and ever"}],
            "",
            "no label for an answer",
        ),
        "too few": (many[:60], "", "would calibrate, and sets that cover 0.9 take at least 9"),
        "never seen": (
            [row for row in many if row["completion"] != "fee"],
            "",
            "expect a label that no training row has",
        ),
        "an unread key": (many, "  epochs: 5\n", "one convex fit"),
    }


@pytest.mark.parametrize("name", refusals())
def test_what_cannot_be_right_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    rows, more, message = refusals()[name]
    loaded = load_spec(write_spec(tmp_path, rows, more))
    errors = [each for each in check(loaded).problems if each.level == "error"]
    assert len(errors) <= 2
    assert any(message in each.message for each in errors)
    with pytest.raises(DataError, match=message):
        plan(loaded)
    with pytest.raises(FinewrightError, match=message):
        up(loaded, tmp_path / "runs", on_event=lambda *_: None)


def test_features_that_are_none_are_refused(tmp_path: Path) -> None:
    spec = write_spec(tmp_path, make_rows(100, seed=1))
    spec.write_text(spec.read_text().replace("[words]", "[wrods]"))
    (error,) = [p for p in check(load_spec(spec)).problems if p.level == "error"]
    assert "no features named 'wrods'" in error.message


def test_plan_says_how_many_weights_there_are(tmp_path: Path) -> None:
    loaded = load_spec(write_spec(tmp_path, make_rows(600, seed=1)))
    (candidate,) = plan(loaded).candidates
    assert candidate.parameters % 3 == 0
    assert candidate.counts.rows_kept == 600
    with pytest.raises(SpecError):
        load_spec(write_spec(tmp_path, make_rows(9, seed=1), "  C: -1\n"))


@pytest.mark.parametrize(
    ("name", "known"),
    [("words", "Apache-2.0"), ("words+minilm", "Apache-2.0"), ("words+my-embedder", "unknown")],
)
def test_the_licence_of_features_is_that_of_their_parts(name: str, known: str) -> None:
    from finewright.labels.features import features_license

    assert features_license(name) == known
