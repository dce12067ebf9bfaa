"""Several labels a row, and scores, on public sets: F1 and error, calibration, and bounds that hold.

    python benchmarks/label_kinds.py --data FOLDER --bars       # 10 minutes on a core
    python benchmarks/label_kinds.py --only nlupp generated --features words --rows 600    # in seconds

Several labels: `nlupp`, the intents of NLU++'s bank, comes with finewright; `goemotions` reads
FOLDER/goemotions/{train,dev,test}.tsv and labels.txt (github.com/monologg/GoEmotions-pytorch, data/original).
Scores: `tweets`, `amazon`, `movies` and `nyt`, rated for sentiment from -4 to 4 by twenty people each, read
FOLDER/hutto_ICWSM_2014/*.txt (in vaderSentiment 2.5 of PyPI, additional_resources). C was chosen on `nlupp`
and `tweets`; the others report. `generated` means nothing.

The referees are scikit-learn's: one logistic regression a label, or a ridge regression, on tf-idf of words
and pairs of words. A referee's threshold is the one of best micro F1 on the rows that are asked. For the
bounds the calibration part and the rows that are asked are shuffled together and parted anew 20 times."""

import argparse
import io
import json
import random
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from bars import Bar, finish, parser_of
from finewright.labels.calibration import Floats
from finewright.labels.decider import Decider
from finewright.labels.multilabel import as_indicators, control_risk, sigmoid
from finewright.labels.rows import part_answers, score_of, targets_of
from finewright.labels.scores import calibrate_scores
from finewright.schema.decisions import (
    DecisionFigures,
    DecisionSpec,
    MultilabelCalibration,
    ScoreCalibration,
)
from finewright.schema.evaluate import EvaluateReport
from finewright.schema.load import load_spec
from finewright.schema.rows import Row, parse_rows
from finewright.store.rundir import open_run
from finewright.workbench.systems import load_decider
from finewright.workbench.up import up

COVERAGE, SPLITS = 0.9, 20
ERROR_AT_MOST, OFF_AT_MOST, MINUTES_AT_MOST = 0.03, 1.5, 10.0
TEST_FOLDS = 16
"""As in `bank-details`: the last four of the authors' 20 folds test."""
ASKED = 0.2

Kind = Literal["several", "score"]


class Pair(NamedTuple):
    """A text, and its answer as a row of the training data has it."""

    text: str
    answer: str


class Parts(NamedTuple):
    """Rows that train and calibrate, and rows that are asked."""

    train: list[Pair]
    asked: list[Pair]


def read_nlupp(_: Path) -> Parts:
    """The intents of NLU++ banking; a text that is in both parts is asked."""
    archive = files("finewright.data.sets").joinpath("bank_requests.zip").read_bytes()
    found = Parts([], [])
    seen: set[str] = set()
    with zipfile.ZipFile(io.BytesIO(archive)) as members:
        for fold in reversed(range(20)):
            name = next(n for n in members.namelist() if n.endswith(f"banking/fold{fold}.json"))
            for row in json.loads(members.read(name)):
                if row["text"].casefold() not in seen:
                    seen.add(row["text"].casefold())
                    pair = Pair(row["text"], json.dumps(sorted(set(row.get("intents", [])))))
                    found[fold >= TEST_FOLDS].append(pair)
    return found


def read_goemotions(folder: Path) -> Parts:
    """As its authors parted it; the development rows train."""
    names = (folder / "goemotions/labels.txt").read_text(encoding="utf-8").split()

    def read(part: str) -> Iterator[Pair]:
        lines = (folder / f"goemotions/{part}.tsv").read_text(encoding="utf-8").splitlines()
        for text, places, _ in (line.split("\t") for line in lines):
            yield Pair(text, json.dumps([names[int(place)] for place in places.split(",")]))

    return Parts([*read("train"), *read("dev")], list(read("test")))


def read_rated(name: str) -> Callable[[Path], Parts]:
    """Texts with the mean of what people gave; sentences of one review or article stay together."""

    def read(folder: Path) -> Parts:
        path = folder / f"hutto_ICWSM_2014/{name}_GroundTruth.txt"
        lines = path.read_text(encoding="latin-1").splitlines()
        found = [line.split("\t", 2) for line in lines]
        groups = sorted({row[0].partition("_")[0] for row in found})
        asked = set(random.Random(0).sample(groups, round(ASKED * len(groups))))  # noqa: S311
        parts = Parts([], [])
        for place, score, text in found:
            parts[place.partition("_")[0] in asked].append(Pair(text, str(float(score))))
        return parts

    return read


def make_rated(_: Path) -> Parts:
    """Sums of what words are worth, and noise."""
    rng = random.Random(0)  # noqa: S311 - rows, no secret
    worth = {f"w{i}": i - 10 for i in range(21)}

    def make(count: int) -> Iterator[Pair]:
        for _ in range(count):
            said = rng.choices(list(worth), k=4)
            yield Pair(" ".join(said), str(sum(map(worth.__getitem__, said)) + rng.gauss(0, 1)))

    return Parts(list(make(1200)), list(make(400)))


SETS: dict[str, tuple[Kind, Callable[[Path], Parts]]] = {
    "nlupp": ("several", read_nlupp),
    "goemotions": ("several", read_goemotions),
    "tweets": ("score", read_rated("tweets")),
    "amazon": ("score", read_rated("amazonReviewSnippets")),
    "movies": ("score", read_rated("movieReviewSnippets")),
    "nyt": ("score", read_rated("nytEditorialSnippets")),
    "generated": ("score", make_rated),
}


def measure(name: str, folder: Path, options: argparse.Namespace) -> Iterator[Bar]:
    """Train and measure by `up`, ask the referee, and part the rows anew."""
    kind, read = SETS[name]
    parts = Parts(*(part[: options.rows] for part in read(options.data)))
    folder.mkdir()
    for part, pairs in zip(("train", "asked"), parts, strict=True):
        lines = (json.dumps({"prompt": p.text, "completion": p.answer}) + "\n" for p in pairs)
        (folder / f"{part}.jsonl").write_text("".join(lines), encoding="utf-8")
    metric = "exact_match" if kind == "several" else "within:0.5"
    c = f"  C: {options.C}\n" if options.C else ""
    (folder / "spec.yaml").write_text(
        f"name: kinds\nbase_models: [{options.features}]\ndata:\n  sources: [{{path: train.jsonl}}]\n"
        f"train:\n  method: linear\n{c}  decisions: {{kind: {kind}, coverage: {COVERAGE}}}\n"
        f"evaluate:\n  data: [{{path: asked.jsonl}}]\n  metrics: ['{metric}']\n",
        encoding="utf-8",
    )
    began = time.process_time()
    report = up(load_spec(folder / "spec.yaml"), folder / "runs", on_event=lambda *_: None)
    minutes = (time.process_time() - began) / 60
    root = Path(report.summary.run)
    (found,) = open_run(root).read_report("evaluate", EvaluateReport).decision_figures
    train = parse_rows((root / "data/train.jsonl").read_text(encoding="utf-8"))
    asked = parse_rows((root / "data/evaluate/asked.jsonl").read_text(encoding="utf-8"))
    held = part_answers(train, DecisionSpec(kind=kind), 0).calibration
    pool = [train[i] for i in held] + list(asked)
    print(f"{name}: {len(train)} rows train, {len(asked)} are asked; {found.figures}")
    print(f"    bound {found.coverage:.3f} on the rows asked, {found.size:.2f} wide")
    bars = several_bars if kind == "several" else score_bars
    yield from bars(name, parts, found, (load_decider(str(root)), pool, len(held)))
    yield Bar("minutes of the processor", minutes, MINUTES_AT_MOST, at_most=True, on=name)


Pool = tuple[Decider, Sequence[Row], int]
"""What decided, the rows that trained nothing, and how many of them calibrate."""


def several_bars(name: str, parts: Parts, found: DecisionFigures, pool: Pool) -> Iterator[Bar]:
    """F1 above the referee's, calibration, and the share of labels that sets hold."""
    theirs = referee_f1(parts)
    for average in ("micro", "macro"):
        ours = 100 * found.figures[f"{average}_f1"]
        on = f"{name}: {ours:.1f} against {theirs[average]:.1f}"
        yield Bar(f"{average} F1, points above", ours - theirs[average], 0.0, on=on)
    error = found.figures["calibration_error"]
    yield Bar("calibration error", error, ERROR_AT_MOST, at_most=True, on=name)
    decider, rows, num_held = pool
    by = decider.calibration
    assert isinstance(by, MultilabelCalibration)
    p = sigmoid(np.array(by.slopes) * decider.scorer.logits(rows) + np.array(by.offsets))
    truth = as_indicators([targets_of(row, "several") or () for row in rows], decider.labels)

    def held_by(one: Any, other: Any) -> float:  # Any: places, of numpy
        least = control_risk(p[one], truth[one], COVERAGE)
        kept, has = ((p[other] >= least) * truth[other]).sum(1), truth[other].sum(1)
        return float(np.where(has > 0, kept / np.maximum(has, 1), 1.0).mean())

    yield from bound_bars(name, split(held_by, len(rows), num_held))


def score_bars(name: str, parts: Parts, found: DecisionFigures, pool: Pool) -> Iterator[Bar]:
    """Error below the referee's, and how many scores the intervals hold."""
    theirs = referee_errors(parts)
    for figure in ("mae", "rmse"):
        ours = found.figures[figure]
        on = f"{name}: {ours:.3f} against {theirs[figure]:.3f}"
        yield Bar(f"{figure}, share of the referee's", ours / theirs[figure], 1.0, True, on=on)
    decider, rows, num_held = pool
    by = decider.calibration
    assert isinstance(by, ScoreCalibration)
    scores = decider.scorer.logits(rows)[:, 0]
    truth = (np.array([score_of(row) for row in rows]) - by.mean) / by.scale
    spec = DecisionSpec(kind="score", coverage=COVERAGE)

    def held_by(one: Any, other: Any) -> float:  # Any: places, of numpy
        width = calibrate_scores(scores[one], truth[one], spec, 0.0, 1.0).half_width
        return float((np.abs(scores[other] - truth[other]) <= width).mean())

    yield from bound_bars(name, split(held_by, len(rows), num_held))


def split(held_by: Callable[[Any, Any], float], num_rows: int, num_held: int) -> Floats:
    """What bounds hold, over random parts of the rows that trained nothing."""
    orders = (np.random.default_rng(seed).permutation(num_rows) for seed in range(SPLITS))
    return np.array([held_by(order[:num_held], order[num_held:]) for order in orders])


def bound_bars(name: str, held: Floats) -> Iterator[Bar]:
    """As often as stated, and what is missed not more than stated but for chance."""
    on = f"{name}, mean of {SPLITS}: {100 * held.min():.1f} to {100 * held.max():.1f} %"
    off = 100 * abs(held.mean() - COVERAGE)
    yield Bar("coverage, points off", off, OFF_AT_MOST, at_most=True, on=on)
    missed = 1 - held.mean() - 2 * held.std(ddof=1) / np.sqrt(SPLITS)
    yield Bar("missed, less two standard errors", missed, 1 - COVERAGE, at_most=True, on=name)


def bag_of_words(parts: Parts) -> tuple[Any, Any]:  # Any: scikit-learn's matrices
    """Of both parts."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(ngram_range=(1, 2))
    return words.fit_transform([p.text for p in parts.train]), words.transform(
        [p.text for p in parts.asked]
    )


def referee_f1(parts: Parts) -> dict[str, float]:
    """One logistic regression a label; the better of two thresholds, by micro F1."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import f1_score
    from sklearn.multiclass import OneVsRestClassifier

    said = [[json.loads(p.answer) for p in part] for part in parts]
    names = sorted({label for labels in said[0] for label in labels})
    truth, due = (as_indicators(part, names) for part in said)
    train, asked = bag_of_words(parts)
    model = OneVsRestClassifier(LogisticRegression(C=10.0, max_iter=1000)).fit(train, truth)
    p = model.predict_proba(asked)

    def f1(threshold: float, average: str) -> float:
        return 100 * float(f1_score(due, p >= threshold, average=average, zero_division=0))

    best = max(np.arange(0.05, 0.96, 0.05), key=lambda t: f1(t, "micro"))
    print(f"    referee at 0.5: {f1(0.5, 'micro'):.1f}, {f1(0.5, 'macro'):.1f}; best at {best:.2f}")
    return {average: f1(best, average) for average in ("micro", "macro")}


def referee_errors(parts: Parts) -> dict[str, float]:
    """Ridge regression."""
    from sklearn.linear_model import Ridge

    truth, due = (np.array([float(p.answer) for p in part]) for part in parts)
    train, asked = bag_of_words(parts)
    off = Ridge(alpha=1.0).fit(train, truth).predict(asked) - due
    return {"mae": float(np.abs(off).mean()), "rmse": float(np.sqrt((off**2).mean()))}


if __name__ == "__main__":
    import tempfile

    parser = parser_of(__doc__)
    parser.add_argument("--data", type=Path, default=Path(), help="the folder of the public sets")
    parser.add_argument("--only", nargs="+", choices=SETS, default=list(SETS)[:-1])
    parser.add_argument("--features", default="words+minilm")
    parser.add_argument("--C", type=float, help="default: the method's")
    parser.add_argument("--rows", type=int, help="of each part at most; default: all")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        bars = [bar for name in chosen.only for bar in measure(name, Path(scratch) / name, chosen)]
    sys.exit(finish(bars, chosen))
