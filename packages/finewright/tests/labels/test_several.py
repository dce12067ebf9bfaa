"""Several labels a row, and scores: calibrated, bounded and measured as references compute it."""

import csv
import json
import random
from pathlib import Path

import numpy as np
import pytest

from finewright.errors import DataError, FinewrightError, SpecError, StoreError
from finewright.labels.decider import LinearScorer
from finewright.labels.multilabel import (
    best_threshold,
    control_risk,
    fit_platt,
    sigmoid,
    value_by,
)
from finewright.labels.rows import part_answers, row_question
from finewright.report.blocks import Table
from finewright.report.of_decisions import figure_sections
from finewright.schema.decisions import DecisionSpec, MultilabelCalibration, ScoreCalibration
from finewright.schema.evaluate import DecisionFigures, EvaluateReport
from finewright.schema.load import load_spec
from finewright.schema.rows import Row, parse_rows
from finewright.schema.train import TrainReport
from finewright.workbench.check import check
from finewright.workbench.evaluate import evaluate, spec_of
from finewright.workbench.plan import plan
from finewright.workbench.predict import Predicting, predict
from finewright.workbench.runs import verify
from finewright.workbench.systems import load_decider
from finewright.workbench.up import up

pytestmark = pytest.mark.torch
TOPICS = {"card": "lost stolen blocked", "fee": "charged price cost", "top up": "add load balance"}
NOISE = ["please", "can", "you", "help", "me", "today", "hello", "again", "so", "with"]
WORDS = {"great": 2.0, "good": 1.0, "fine": 0.3, "bad": -1.0, "awful": -2.0}


def labelled(count: int, seed: int) -> list[dict[str, str]]:
    rng = random.Random(seed)  # noqa: S311
    rows = []
    for _ in range(count):
        labels = [label for label in TOPICS if rng.random() < 0.3]
        said = [rng.choice(TOPICS[label].split()) for label in labels] + rng.choices(NOISE, k=5)
        maybe = [label for label in TOPICS if label not in labels and rng.random() < 0.4]
        said += [f"perhaps{label[0]}" for label in maybe]
        labels += [label for label in maybe if rng.random() < 0.5]
        rng.shuffle(said)
        rows.append({"prompt": " ".join(said), "completion": json.dumps(labels)})
    return rows


def rated(count: int, seed: int) -> list[dict[str, str]]:
    rng = random.Random(seed)  # noqa: S311
    rows = []
    for _ in range(count):
        said = rng.choices(list(WORDS), k=3)
        score = sum(map(WORDS.__getitem__, said)) + rng.gauss(0, 0.5)
        words = said + rng.choices(NOISE, k=3)
        rows.append({"prompt": " ".join(words), "completion": f"{score:.3f}"})
    return rows


ROWS = {"several": labelled, "score": rated}
METRICS = {"several": "exact_match", "score": "within:0.5"}


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_spec(
    folder: Path, kind: str, rows: list[dict[str, str]], more: str = "", method: str = ""
) -> Path:
    write(folder / "train.jsonl", rows)
    write(folder / "test.jsonl", ROWS[kind](300, seed=9))
    spec = folder / "spec.yaml"
    spec.write_text(
        "name: lin\nbase_models: [words]\ndata:\n  sources: [{path: train.jsonl}]\n"
        f"evaluate:\n  data: [{{path: test.jsonl}}]\n  metrics: ['{METRICS[kind]}']\n"
        f"train:\n  {method or 'method: linear'}\n  decisions:\n    kind: {kind}\n"
        f"    calibration: 0.2\n{more}",
        encoding="utf-8",
    )
    return spec


@pytest.fixture(scope="module", params=["several", "score"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def run(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(kind)
    more = "    cutoff: 1.0\n" if kind == "score" else ""
    spec = write_spec(folder, kind, ROWS[kind](800, seed=1), more)
    return Path(up(load_spec(spec), folder / "runs", on_event=lambda *_: None).summary.run)


def figures_of(run: Path) -> DecisionFigures:
    report = EvaluateReport.model_validate_json((run / "evaluate" / "report.json").read_text())
    assert not report.strays
    assert report.linear is None
    (found,) = report.decision_figures
    return found


def samples_of(run: Path) -> list[dict[str, object]]:
    lines = (run / "evaluate" / "samples.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def split_rows(run: Path) -> tuple[list[Row], list[Row]]:
    """Those that train, and those that calibrate."""
    rows = parse_rows((run / "data" / "train.jsonl").read_text())
    spec = load_spec(run.parent.parent / "spec.yaml").spec.train
    parts = part_answers(rows, spec.decisions, 0)  # type: ignore[attr-defined]
    return [rows[i] for i in parts.train], [rows[i] for i in parts.calibration]


def answers(rows: list[Row]) -> list[object]:
    return [json.loads(row.messages[-1]["content"]) for row in rows]


def test_a_run_trains_proves_measures_and_can_be_verified(run: Path, kind: str) -> None:
    found = figures_of(run)
    (candidate,) = TrainReport.model_validate_json(
        (run / "train" / "report.json").read_text()
    ).candidates
    assert candidate.final_loss < candidate.first_loss
    assert all(proof.passed for proof in candidate.proofs)
    assert verify(run).passed
    # 160 rows calibrate and 300 are asked: two deviations of the coverage are 0.06.
    assert found.coverage == pytest.approx(0.9, abs=0.06)
    if kind == "several":
        assert (
            found.figures["subset_accuracy"] > 0.5
        )  # 0.86 of each label can be told, 0.64 of all three
        assert found.figures["calibration_error"] < 0.05
    else:
        assert found.figures["mae"] < 0.5
        assert found.figures["mae_of_mean"] > 1.2


def test_the_card_speaks_of_what_is_decided(run: Path, kind: str) -> None:
    (shown,) = figure_sections("test", [figures_of(run)])
    table = shown.blocks[0]
    assert isinstance(table, Table)
    words = {"several": "labels a set", "score": "width of an interval"}
    assert [word in table.header for word in words.values()] == [kind == each for each in words]
    drift = figures_of(run).drift
    assert drift is not None
    assert "300 answers are like those to the calibration rows" in drift.line()


def test_weights_are_scikit_learns(run: Path, kind: str) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    decider = load_decider(str(run))
    assert isinstance(decider.scorer, LinearScorer)
    train, _ = split_rows(run)
    (block,) = decider.scorer.features.blocks([row_question(row) for row in train])
    features, ours = block.to_dense().numpy(), decider.scorer.logits(train)
    if kind == "several":
        for k, label in enumerate(decider.labels):
            has = [label in each for each in answers(train)]  # type: ignore[operator]
            theirs = linear_model.LogisticRegression(C=10.0, tol=1e-8, max_iter=5000)
            expected = theirs.fit(features, has).decision_function(features)
            assert abs(sigmoid(ours[:, k]) - sigmoid(expected)).max() < 0.01
        return
    theirs = linear_model.Ridge(alpha=1.0).fit(features, answers(train))
    by = decider.calibration
    assert isinstance(by, ScoreCalibration)
    assert abs(by.mean + by.scale * ours[:, 0] - theirs.predict(features)).max() < 0.01


def test_figures_are_those_of_scikit_learn(run: Path, kind: str) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    found, samples = figures_of(run), samples_of(run)
    decided = [sample["decision"] for sample in samples]
    expected = [json.loads(str(sample["expected"])) for sample in samples]
    if kind == "score":
        scores = [each["score"] for each in decided]  # type: ignore[index]
        stats = pytest.importorskip("scipy.stats")
        assert found.figures["mae"] == pytest.approx(metrics.mean_absolute_error(expected, scores))
        rmse = metrics.root_mean_squared_error(expected, scores)
        assert found.figures["rmse"] == pytest.approx(rmse)
        rho = stats.spearmanr(expected, scores).statistic
        assert found.figures["spearman"] == pytest.approx(rho)
        return
    names = sorted(TOPICS)
    truth, given = (
        np.array([[label in each for label in names] for each in side])
        for side in (expected, [each["labels"] for each in decided])  # type: ignore[index]
    )
    for average in ("micro", "macro"):
        theirs = metrics.f1_score(truth, given, average=average)
        assert found.figures[f"{average}_f1"] == pytest.approx(theirs)
    subset = metrics.accuracy_score(truth, given)
    assert found.figures["subset_accuracy"] == pytest.approx(subset)
    each_f1 = dict(zip(names, metrics.f1_score(truth, given, average=None), strict=True))
    assert {each.label: each.f1 for each in found.labels} == pytest.approx(each_f1)


def test_the_bound_is_the_papers_on_rows_that_trained_nothing(run: Path, kind: str) -> None:
    _, rows = split_rows(run)
    decider = load_decider(str(run))
    by, decided, right = decider.calibration, decider.decide(rows), answers(rows)
    assert by.rows == len(rows) == 160
    if kind == "score":
        errors = sorted(abs(d.score - at) for d, at in zip(decided, right, strict=True))  # type: ignore
        # ceil(161 * 0.9) = 145: the 145th smallest error
        assert by.half_width == pytest.approx(errors[144])  # type: ignore[union-attr]
        return
    assert isinstance(by, MultilabelCalibration)

    def missed(least: float) -> float:
        shares = []
        for d, labels in zip(decided, right, strict=True):
            below = [d.probabilities[label] < least for label in labels]  # type: ignore
            shares.append(sum(below) / len(below) if below else 0.0)
        return (sum(shares) + 1) / (len(rows) + 1)

    assert missed(by.set_probability - 1e-6) <= 0.1
    assert missed(by.set_probability + 1e-6) > 0.1


def test_risk_is_controlled_over_splits() -> None:
    rng = np.random.default_rng(0)
    p = rng.beta(0.4, 1.0, (4000, 6))
    truth = (rng.random(p.shape) < p**1.3).astype(float)  # probabilities that are not right
    held = []
    for _ in range(200):
        order = rng.permutation(len(p))
        a, b = order[:100], order[100:]
        least = control_risk(p[a], truth[a], 0.9)
        kept, has = ((p[b] >= least) & (truth[b] > 0)).sum(axis=1), truth[b].sum(axis=1)
        held.append(np.where(has > 0, kept / np.maximum(has, 1), 1.0).mean())
    assert 0.9 <= np.mean(held) <= 0.915  # at most 2 / (n + 1) above


def test_platts_scaling_is_scikit_learns() -> None:
    calibration = pytest.importorskip("sklearn.calibration")
    rng = np.random.default_rng(1)
    z = rng.normal(-1, 2, (400, 3))
    truth = (rng.random(z.shape) < sigmoid(0.5 * z - 0.3)).astype(float)
    truth[:, 2] = rng.random(400) < 0.2 - 0.19 * (z[:, 2] > 0)  # the wrong way round
    slopes, offsets = fit_platt(z, truth)
    for k in (0, 1):
        a, b = calibration._sigmoid_calibration(z[:, k], truth[:, k])
        assert (slopes[k], offsets[k]) == pytest.approx((-a, -b), abs=1e-3)
    rate = (401 * 0 + truth[:, 2].sum()) / 400
    assert slopes[2] == 0
    assert sigmoid(offsets)[2] == pytest.approx(rate, abs=0.01)


def test_thresholds_are_the_best_of_all() -> None:
    rng = np.random.default_rng(2)
    p = rng.random(60).round(1)  # many ties
    truth = (rng.random(60) < p).astype(float)
    for spec in (
        DecisionSpec(kind="several"),
        DecisionSpec(kind="several", cost_missed=5, cost_wrong=1),
    ):
        value = value_by(spec)

        def of(threshold: float, value=value) -> float:  # type: ignore[no-untyped-def]
            given = p >= threshold
            counts = (truth[given].sum(), (1 - truth[given]).sum(), truth[~given].sum())
            return float(value(*map(np.float64, counts)))

        assert of(best_threshold(p, truth, value)) == max(map(of, np.linspace(0, 1.1, 111)))


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_predict_writes_what_was_decided(run: Path, kind: str, tmp_path: Path, suffix: str) -> None:
    rows = write(tmp_path / "ask.jsonl", ROWS[kind](70, seed=4))
    out = tmp_path / f"out{suffix}"
    report = predict(Predicting(str(run), rows, out))
    if suffix == ".jsonl":
        found = [json.loads(line) for line in out.read_text().splitlines()]
    elif suffix == ".csv":
        found = list(csv.DictReader(out.read_text().splitlines()))
    else:
        import pyarrow.parquet

        found = pyarrow.parquet.read_table(out).to_pylist()
    names = {
        "several": ["labels", "probabilities", "set", "unsure"],
        "score": ["score", "low", "high", "unsure"],
    }[kind]
    assert list(found[0]) == ["file", "row", *names]
    if suffix == ".csv":
        found = [{key: json.loads(row[key]) for key in names} for row in found]
    for row in found:
        if kind == "score":
            assert row["unsure"] == (row["low"] <= 1.0 <= row["high"])
            assert row["low"] < row["score"] < row["high"]
        else:
            by = load_thresholds(run)
            high = {k for k, p in row["probabilities"].items() if p >= by[k] - 1e-6}
            assert set(row["labels"]) == high
            off = sum(1 - p if k in high else p for k, p in row["probabilities"].items())
            assert row["unsure"] == (2 * off > 1)
    assert report.num_unsure == sum(row["unsure"] for row in found)


def load_thresholds(run: Path) -> dict[str, float]:
    stored = json.loads((run / "train" / "words" / "adapter" / "decisions.json").read_text())
    return dict(zip(stored["labels"], stored["calibration"]["thresholds"], strict=True))


def test_texts_of_another_kind_raise_the_alarm(run: Path, tmp_path: Path) -> None:
    rows = [{"prompt": f"xyzzy {i} plugh", "completion": "1"} for i in range(80)]
    report = predict(Predicting(str(run), write(tmp_path / "a.jsonl", rows), tmp_path / "o.jsonl"))
    assert any("differ from" in problem.message for problem in report.problems)


def test_of_unknown_columns_only_the_question_is_proposed(run: Path, tmp_path: Path) -> None:
    rows = [{"mail": f"my card {i} is lost", "topic": "card"} for i in range(12)]
    with pytest.raises(DataError) as told:
        predict(Predicting(str(run), write(tmp_path / "a.jsonl", rows), tmp_path / "o.jsonl"))
    assert "--column prompt=mail" in str(told.value) + (told.value.hint or "")
    assert "completion=" not in str(told.value) + (told.value.hint or "")


def test_it_is_measured_on_a_file_by_metrics_that_fit(run: Path, kind: str, tmp_path: Path) -> None:
    rows = write(tmp_path / "more.jsonl", ROWS[kind](50, seed=6))
    spec = spec_of([str(rows)], [METRICS[kind]], {}, max_new_tokens=8, seed=0)
    report = evaluate([str(run)], spec, tmp_path / "samples.jsonl")
    assert [each.rows for each in report.decision_figures] == [50]
    other = {"several": "macro_f1", "score": "exact_match"}[kind]
    wrong = spec_of([str(rows)], [other], {}, max_new_tokens=8, seed=0)
    with pytest.raises(StoreError, match=other):
        evaluate([str(run)], wrong, tmp_path / "other.jsonl")
    write(tmp_path / "bad.jsonl", [{"prompt": "a", "completion": "card"}] * 3)
    bad = spec_of([str(tmp_path / "bad.jsonl")], [METRICS[kind]], {}, max_new_tokens=8, seed=0)
    with pytest.raises(DataError, match="3 of 3 rows have no"):
        evaluate([str(run)], bad, tmp_path / "third.jsonl")


REFUSED = {
    "no list": (
        "several",
        [*labelled(300, 1), {"prompt": "a", "completion": "card"}],
        "no list of",
    ),
    "twice": (
        "several",
        [*labelled(300, 1), {"prompt": "a", "completion": '["fee", "fee"]'}],
        "no list of different labels",
    ),
    "all alike": (
        "several",
        [{**row, "completion": '["fee"]'} for row in labelled(300, 1)],
        "one answer leaves nothing",
    ),
    "too few": ("several", labelled(30, 1), "sets that cover 0.9 take at least 9"),
    "too few scores": ("score", rated(30, 1), "intervals that cover 0.9 take at least 9"),
    "never seen": (
        "several",
        [row for row in labelled(600, 1) if "fee" not in row["completion"]],
        "expect a label that no training row has",
    ),
    "no number": ("score", [*rated(300, 1), {"prompt": "a", "completion": "NaN"}], "no number"),
    "one number": (
        "score",
        [{**row, "completion": "2"} for row in rated(300, 1)],
        "one answer leaves nothing",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_rows_that_cannot_be_right_are_refused_in_one_line(tmp_path: Path, name: str) -> None:
    kind, rows, message = REFUSED[name]
    loaded = load_spec(write_spec(tmp_path, kind, rows))
    errors = [each for each in check(loaded).problems if each.level == "error"]
    assert any(message in each.message for each in errors)
    if name in ("never seen", "one number"):  # the others go the same way
        with pytest.raises(DataError, match=message):
            plan(loaded)
        with pytest.raises(FinewrightError, match=message):
            up(loaded, tmp_path / "runs", on_event=lambda *_: None)


def test_keys_and_heads_that_do_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cutoff does nothing"):
        load_spec(write_spec(tmp_path, "several", labelled(300, 1), "    cutoff: 1\n"))
    spec = write_spec(tmp_path, "several", labelled(300, 1), method="head: text")
    spec.write_text(spec.read_text().replace("[words]", "[smollm2-135m-instruct]"))
    errors = [each for each in check(load_spec(spec)).problems if each.level == "error"]
    assert any("give one label a row" in each.message for each in errors)
    spec = write_spec(tmp_path, "score", rated(300, 1))
    spec.write_text(spec.read_text().replace("  metrics: ['within:0.5']\n", ""))
    (error,) = [each for each in check(load_spec(spec)).problems if each.level == "error"]
    assert "name `within:0.5`" in error.message
    spec = write_spec(tmp_path, "several", labelled(300, 1))
    spec.write_text(spec.read_text().replace("  metrics: ['exact_match']\n", ""))
    (candidate,) = plan(load_spec(spec)).candidates
    assert candidate.parameters % 3 == 0
