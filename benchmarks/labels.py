"""Models of labels on BANKING77 and CLINC150: right labels, calibration, and sets that cover as stated.

    python benchmarks/labels.py --data FOLDER --bars     # 10 to 20 minutes on two cores
    python benchmarks/labels.py --data FOLDER --head labels --intents 30 --bars   # a language model
    python benchmarks/labels.py --small     # generated rows, in seconds; figures mean nothing

FOLDER holds `train.csv` and `test.csv` of BANKING77 (github.com/PolyAI-LDN/task-specific-datasets,
banking_data) and `data_full.json` of CLINC150 (github.com/clinc/oos-eval), whose 150 labels within scope are
asked; its validation rows train too. Settings were chosen on BANKING77's test rows (features and C), so
CLINC150 is what reports. Each set is trained, calibrated and measured by `up`. For the bar of the coverage
the calibration part and the test rows are shuffled together and parted anew 20 times.

With `--head` a language model decides in place of `words+minilm`, on the first `--intents` labels of
BANKING77 alone; its settings are the defaults but for rows a step, and the time it may train."""

import argparse
import csv
import json
import random
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from bars import Bar, finish, parser_of
from finewright.labels.calibration import calibrate, part_rows, softmax
from finewright.labels.decider import as_truth
from finewright.labels.rows import label_of
from finewright.schema.decisions import DecisionSpec
from finewright.schema.evaluate import LINEAR, EvaluateReport
from finewright.schema.load import load_spec
from finewright.schema.rows import Row, parse_rows
from finewright.schema.train import TrainReport
from finewright.store.rundir import open_run
from finewright.workbench.systems import load_decider
from finewright.workbench.up import up

FEATURES, COVERAGE, SPLITS = "words+minilm", 0.9, 20
RIGHT_AT_LEAST, ERROR_AT_MOST, MINUTES_AT_MOST, OFF_AT_MOST = 0.92, 0.03, 10.0, 1.5

Pairs = list[tuple[str, str]]


def read_banking(folder: Path) -> tuple[Pairs, Pairs]:
    """BANKING77's training and test rows: text and label."""

    def read(name: str) -> Pairs:
        with (folder / name).open(encoding="utf-8", newline="") as file:
            return [(row["text"], row["category"]) for row in csv.DictReader(file)]

    return read("train.csv"), read("test.csv")


def read_clinc(folder: Path) -> tuple[Pairs, Pairs]:
    """CLINC150's rows within scope; the validation rows train."""
    found = json.loads((folder / "data_full.json").read_text(encoding="utf-8"))
    parts = {key: [(text, label) for text, label in found[key]] for key in ("train", "val", "test")}
    return parts["train"] + parts["val"], parts["test"]


def make_small() -> tuple[Pairs, Pairs]:
    """Six topics of six words each, drowned in noise."""
    rng = random.Random(0)  # noqa: S311 - rows, no secret
    topics = [[f"w{topic}{word}" for word in range(6)] for topic in range(6)]
    noise = [f"noise{i}" for i in range(30)]

    def make(count: int) -> Iterator[tuple[str, str]]:
        for _ in range(count):
            topic = rng.randrange(6)
            said = rng.choices(topics[topic], k=2) + rng.choices(noise, k=5)
            yield " ".join(said), f"topic {topic}"

    return list(make(900)), list(make(400))


def first_labels(rows: tuple[Pairs, Pairs], count: int) -> tuple[Pairs, Pairs]:
    """The rows of the first labels of the alphabet."""
    kept = set(sorted({label for _, label in rows[0]})[:count])
    train, test = ([pair for pair in part if pair[1] in kept] for part in rows)
    return train, test


def train_section(options: argparse.Namespace) -> str:
    """Of the features, or of a language model with a head."""
    decided = f"decisions: {{coverage: {COVERAGE}}}"
    if not options.head:
        return f"  method: linear\n  {decided}\n"
    return (
        f"  head: {options.head}\n  {decided}\n  minutes: {options.minutes}\n  batch_size: 16\n"
        f"  threads: {options.threads}\n  prove_elsewhere: false\n"
    )


def measure(
    name: str, rows: tuple[Pairs, Pairs], base: str, folder: Path, options: argparse.Namespace
) -> list[Bar]:
    """Train on the first part, and measure on the second."""
    folder.mkdir()
    for part, pairs in zip(("train", "test"), rows, strict=True):
        lines = (json.dumps({"prompt": text, "completion": label}) + "\n" for text, label in pairs)
        (folder / f"{part}.jsonl").write_text("".join(lines), encoding="utf-8")
    spec = folder / "spec.yaml"
    spec.write_text(
        f"name: labels\nbase_models: [{base}]\ndata:\n  sources: [{{path: train.jsonl}}]\n"
        f"train:\n{train_section(options)}"
        "evaluate:\n  data: [{path: test.jsonl}]\n  compare_with: [linear]\n",
        encoding="utf-8",
    )
    began = time.perf_counter()
    report = up(load_spec(spec), folder / "runs", on_event=lambda *_: None)
    minutes = (time.perf_counter() - began) / 60
    run = open_run(Path(report.summary.run))
    scores = {s.system: s for s in run.read_report("evaluate", EvaluateReport).decisions}
    (trained,) = run.read_report("train", TrainReport).candidates
    tuned, words = scores["tuned"], scores[LINEAR]
    assert tuned.calibration_error is not None
    covered = cover(str(run.root), parse_rows((run.root / "data/train.jsonl").read_text()), folder)
    known = {label for _, label in rows[0]}
    answers = {label_of(row) for row in parse_rows((run.root / "data/train.jsonl").read_text())}
    strays = run.read_report("evaluate", EvaluateReport).strays[0].count
    assert answers == known
    low, high = min(covered), max(covered)
    print(
        f"{name}: {len(rows[0])} rows train, {len(rows[1])} are asked, {len(known)} labels;"
        f" trained in {trained.seconds:.0f} s; official test coverage {tuned.coverage:.3f},"
        f" {tuned.set_size:.2f} labels a set, {tuned.empty_sets} empty; unsure {tuned.unsure}, right when"
        f" sure {tuned.accuracy_when_sure or 0:.3f}; over {SPLITS} splits {low:.3f} to {high:.3f}"
    )
    off = 100 * abs(float(np.mean(covered)) - COVERAGE)
    return [
        Bar("share of right labels", tuned.accuracy, RIGHT_AT_LEAST, on=name),
        Bar("points above bag of words", 100 * (tuned.accuracy - words.accuracy), 0.0, on=name),
        Bar("minutes for all", minutes, MINUTES_AT_MOST, at_most=True, on=name),
        Bar("answers that are no label", strays, 0, at_most=True, on=name),
        Bar("calibration error", tuned.calibration_error, ERROR_AT_MOST, at_most=True, on=name),
        Bar("coverage, points off", off, OFF_AT_MOST, at_most=True, on=f"{name}, mean of {SPLITS}"),
    ]


def cover(run: str, train: Sequence[Row], folder: Path) -> list[float]:
    """How often sets cover, over random parts of the rows that trained nothing."""
    spec = DecisionSpec(coverage=COVERAGE)
    decider = load_decider(run)
    held = part_rows([label_of(row) for row in train], spec.calibration, 0).calibration
    test = parse_rows((Path(run) / "data" / "evaluate" / "test.jsonl").read_text(encoding="utf-8"))
    pool = [*(train[i] for i in held), *test]
    logits = decider.scorer.logits(pool)
    truth = as_truth([label_of(row) for row in pool], decider.labels)
    covered = []
    for seed in range(SPLITS):
        order = np.random.default_rng(seed).permutation(len(pool))
        one, other = order[: len(held)], order[len(held) :]
        found = calibrate(logits[one], truth[one], spec)
        probabilities = softmax(logits[other] / found.temperature)
        of_truth = probabilities[np.arange(len(other)), truth[other]]
        covered.append(float((of_truth >= found.set_probability).mean()))
    return covered


def run_all(options: argparse.Namespace, folder: Path) -> list[Bar]:
    """The public sets, or the generated one."""
    if options.small:
        return measure("generated", make_small(), "words", folder / "small", options)
    banking = read_banking(options.data)
    if options.head:
        rows, name = first_labels(banking, options.intents), f"{options.intents} of BANKING77"
        return measure(name, rows, options.model, folder / "banking", options)
    found = measure("BANKING77, chosen on", banking, FEATURES, folder / "banking", options)
    clinc = read_clinc(options.data)
    return found + measure("CLINC150", clinc, FEATURES, folder / "clinc", options)


if __name__ == "__main__":
    import tempfile

    parser = parser_of(__doc__)
    sets = parser.add_mutually_exclusive_group(required=True)
    sets.add_argument("--data", type=Path, help="the folder of train.csv, test.csv, data_full.json")
    sets.add_argument("--small", action="store_true", help="a generated set")
    parser.add_argument("--head", choices=("labels", "text"), help="of a language model")
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--intents", type=int, default=30)
    parser.add_argument("--minutes", type=float, default=8.0, help="of training")
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        sys.exit(finish(run_all(chosen, Path(scratch)), chosen))
