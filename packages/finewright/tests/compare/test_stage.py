"""The evaluate stage measures what the run holds: each tuned model and, where asked, its base."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import tiny
from by_hand import candidate_of, context_of, run_in, spec_of
from finewright.compare.stage import run
from finewright.errors import DataError, Interrupted
from finewright.lm.adapters.kinds import save_adapter
from finewright.lm.adapters.lora import add_lora
from finewright.schema.adapter import LoraSpec
from finewright.schema.common import Artifact, RowCounts
from finewright.schema.data import DataReport
from finewright.schema.duplicates import ContaminationReport
from finewright.schema.evaluate import Draw, EvaluateReport
from finewright.schema.methods import SFTSpec
from finewright.schema.rows import Row, write_rows
from finewright.schema.train import TrainReport
from finewright.store.atomic import sha256_file
from finewright.store.rundir import RunDir
from finewright.store.stage import StageContext, StageResult

pytestmark = pytest.mark.torch

DATA = DataReport(
    counts=RowCounts(rows_in=1, rows_kept=1),
    types={"messages": 1},
    sources=(),
    train=Artifact(path="data/train.jsonl", kind="rows", sha256="0" * 64, bytes=1),
    rows_train=1,
    rows_eval=0,
    draws=(Draw(data="b", rows=2, rows_in_file=9, seed=4, is_stratified=False),),
)


def adapter_of(folder: Path) -> None:
    """An adapter that changes what the tiny model says."""
    model, spec = tiny.tiny_model("llama"), LoraSpec(r=2)
    adapters = add_lora(model, spec, seed=0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for adapter in adapters.values():
            torch.nn.init.normal_(adapter.lora_B, std=0.3)
    folder.mkdir(parents=True)
    save_adapter(folder, model, adapters, spec, base=tiny.base_of(Path()))


def context(folder: Path, names: Sequence[str] = ("./tiny-llama",), **fields: Any) -> StageContext:
    """A run in which training is done; `folder` holds the base models."""
    evaluate = {"max_new_tokens": 3, "metrics": ["exact_match"], "resamples": 100, **fields}
    made = run_in(folder)
    adapter_of(made.root / "train/adapter")
    made.write_report("data", DATA)
    made.write_report("train", TrainReport(candidates=tuple(map(candidate_of, names))))
    candidates = {name: SFTSpec(dtype="fp32") for name in names}
    spec = spec_of(base_models=names, evaluate=evaluate)
    return context_of(folder, made, spec, candidates=candidates)


def put_rows(run_dir: RunDir, name: str, count: int) -> None:
    answer = {"role": "assistant", "content": "A"}
    asked = [{"role": "user", "content": f"Q{i}"} for i in range(count)]
    rows = [Row(str(i), (turn, answer), None, "t", i) for i, turn in enumerate(asked)]
    folder = run_dir.root / "data/evaluate"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.jsonl").write_text(write_rows(rows))


def report_of(result: StageResult) -> EvaluateReport:
    assert isinstance(result.report, EvaluateReport)
    return result.report


def test_base_and_tuned_are_measured_on_each_set_in_the_specs_order(tiny_folder: Path) -> None:
    sets = [{"path": "z.jsonl"}, {"path": "a.jsonl", "name": "second"}]
    made = context(tiny_folder.parent, data=sets)
    put_rows(made.run, "second", 2)
    put_rows(made.run, "z", 3)
    result = run(made)
    report = report_of(result)
    assert [(s.system, s.data, s.n) for s in report.scores] == [
        ("base", "z", 3),
        ("base", "second", 2),
        ("tuned", "z", 3),
        ("tuned", "second", 2),
    ]
    assert [(d.system, d.against, d.data) for d in report.differences] == [
        ("tuned", "base", "z"),
        ("tuned", "base", "second"),
    ]
    samples = made.run.root / "evaluate/samples.jsonl"
    lines = [json.loads(line) for line in samples.read_text().splitlines()]
    assert len(lines) == 10
    assert report.samples is not None
    assert report.samples.sha256 == sha256_file(samples)
    assert result.artifacts == (report.samples,)


def test_the_report_says_which_rows_were_drawn(tiny_folder: Path) -> None:
    made = context(tiny_folder.parent)
    put_rows(made.run, "b", 2)
    (draw,) = report_of(run(made)).draws
    assert (draw.data, draw.line()) == ("b", "2 of 9 rows, sampled by seed 4")


def test_the_adapter_is_on_for_tuned_and_off_for_base(tiny_folder: Path) -> None:
    made = context(tiny_folder.parent)
    put_rows(made.run, "eval", 4)
    run(made)
    lines = map(json.loads, (made.run.root / "evaluate/samples.jsonl").read_text().splitlines())
    answers: dict[str, list[str]] = {}
    for line in lines:
        answers.setdefault(line["system"], []).append(line["answer"])
    assert answers["base"] != answers["tuned"]


def test_without_a_comparison_only_the_tuned_model_is_measured(tiny_folder: Path) -> None:
    made = context(tiny_folder.parent, compare_with=[])
    put_rows(made.run, "eval", 1)
    report = report_of(run(made))
    assert [s.system for s in report.scores] == ["tuned"]
    assert report.differences == ()


def test_several_base_models_are_told_apart_by_name(tiny_folder: Path) -> None:
    (tiny_folder.parent / "other").symlink_to(tiny_folder)
    made = context(tiny_folder.parent, ("./tiny-llama", "./other"))
    put_rows(made.run, "eval", 1)
    report = report_of(run(made))
    assert [s.system for s in report.scores] == [
        "./tiny-llama base",
        "./tiny-llama tuned",
        "./other base",
        "./other tuned",
    ]
    assert [(d.system, d.against) for d in report.differences] == [
        ("./tiny-llama tuned", "./tiny-llama base"),
        ("./other tuned", "./other base"),
    ]


def test_a_run_without_held_out_rows_says_how_to_get_some(tiny_folder: Path) -> None:
    with pytest.raises(DataError, match="there is nothing to evaluate on") as refused:
        run(context(tiny_folder.parent))
    assert (
        refused.value.hint == "name held-out files under evaluate.data, or set data.eval_fraction"
    )


def test_a_stopped_measurement_goes_on_and_asks_nothing_twice(tiny_folder: Path) -> None:
    made = context(tiny_folder.parent, batch_size=2)
    put_rows(made.run, "eval", 5)
    whole = run(made)
    said = (made.run.root / "evaluate/samples.jsonl").read_text()
    (made.run.root / "evaluate/samples.jsonl").unlink()
    answered: list[int] = []

    def stops_at(total: int) -> Callable[[], int]:
        return lambda: 15 if len(answered) >= total else 0

    def emit(kind: str, /, **fields: Any) -> None:
        if fields["done"]:
            answered.append(fields["done"])

    with pytest.raises(Interrupted) as raised:
        run(replace(made, should_stop=stops_at(4), emit=emit))
    assert raised.value.exit_code == 143
    assert answered == [2, 4, 5, 2]  # the base, and a batch of the tuned model
    assert not (made.run.root / "evaluate/samples.jsonl").exists()
    answered.clear()
    assert run(replace(made, emit=emit)) == whole
    assert answered == [2, 4, 5]
    assert (made.run.root / "evaluate/samples.jsonl").read_text() == said
    assert not (made.run.root / "evaluate/asked.jsonl").exists()


def labelled(asked: str, answer: str, number: int) -> Row:
    turns = ({"role": "user", "content": asked}, {"role": "assistant", "content": answer})
    return Row(f"{asked} {number}", turns, None, "rows.jsonl", number)


def put_labels(run_dir: RunDir) -> None:
    """Training rows of two labels that one word tells apart, and six held-out ones, one of them wrong."""
    words = {"fee": "charged", "lost": "gone"}
    train = [
        labelled(f"my card {word} number {i}", label, i)
        for i in range(10)
        for label, word in words.items()
    ]
    (run_dir.root / "data").mkdir(exist_ok=True)
    (run_dir.root / "data/train.jsonl").write_text(write_rows(train))
    asked = ["gone", "gone", "gone", "charged", "charged", "charged"]
    right = ["lost", "lost", "lost", "fee", "fee", "lost"]
    rows = [labelled(f"it is {a}", r, i) for i, (a, r) in enumerate(zip(asked, right, strict=True))]
    folder = run_dir.root / "data/evaluate"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "eval.jsonl").write_text(write_rows(rows))


def test_labels_are_told_to_the_base_and_learned_by_a_bag_of_words(tiny_folder: Path) -> None:
    made = context(tiny_folder.parent)
    put_labels(made.run)
    report = report_of(run(made))
    scores = {score.system: score.value for score in report.scores}
    assert list(scores) == ["base", "base + labels", "tuned", "bag of words"]
    assert scores["bag of words"] == pytest.approx(5 / 6)
    assert [(d.system, d.against) for d in report.differences] == [
        ("tuned", "base"),
        ("tuned", "base + labels"),
        ("tuned", "bag of words"),
    ]
    # The tiny model's noise names no label.
    assert [(s.system, s.count, s.n) for s in report.strays] == [
        ("base", 6, 6),
        ("base + labels", 6, 6),
        ("tuned", 6, 6),
        ("bag of words", 0, 6),
    ]
    # A classifier generates no text, so there is nothing to say of its thoughts and ends.
    assert [counts.system for counts in report.answers] == ["base", "base + labels", "tuned"]
    assert report.linear is not None
    assert (report.linear.rows, report.linear.labels) == (20, 2)
    # 0 against 5 of 6: McNemar's exact p is 2 / 2^5 = 0.06.
    (problem,) = report.problems
    assert problem.message.startswith("eval: tuned is not shown to be better than bag of words")
    samples = (made.run.root / "evaluate/samples.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in samples if '"base + labels"' in line]
    assert told[0]["prompt"] == "it is gone"


def test_a_spec_that_names_the_base_alone_measures_nothing_else(tiny_folder: Path) -> None:
    made = context(tiny_folder.parent, compare_with=["base"])
    put_labels(made.run)
    report = report_of(run(made))
    assert [score.system for score in report.scores] == ["base", "tuned"]
    assert report.linear is None


def test_rows_that_repeat_training_rows_are_scored_apart(tiny_folder: Path) -> None:
    made = context(tiny_folder.parent, compare_with=["linear"])
    put_labels(made.run)
    found = ContaminationReport(name="eval", rows=6, rows_train=20, ngram=8, repeated=(0, 5))
    counts = RowCounts(rows_in=20, rows_kept=20)
    artifact = Artifact(path="data/train.jsonl", kind="rows", sha256="0" * 64, bytes=1)
    of_data = {"counts": counts, "types": {}, "sources": (), "train": artifact, "rows_train": 20}
    made.run.write_report("data", DataReport(**of_data, rows_eval=0, contamination=(found,)))
    report = report_of(run(made))
    scores = {(p.kind, s.system): (s.value, s.n) for p in report.parts for s in p.scores}
    # Of the places 0 and 5 the classifier errs on 5.
    assert scores["repeated", "bag of words"] == (0.5, 2)
    assert scores["new", "bag of words"] == (1.0, 4)
    assert [part.rows for part in report.parts] == [2, 4]
    assert "the 4 new ones are too few to tell much" in report.problems[-1].message
    lines = (made.run.root / "evaluate/samples.jsonl").read_text().splitlines()
    marked = [json.loads(line)["repeated"] for line in lines if '"system":"tuned"' in line]
    assert marked == [True, False, False, False, False, True]


def put_objects(run_dir: RunDir) -> None:
    """Rows that ask for JSON objects."""
    rows = [labelled(f"read {i}", f'{{"n": {i}, "ok": true}}', i) for i in range(5)]
    for path, some in (("train.jsonl", rows[:2]), ("evaluate/eval.jsonl", rows[2:])):
        (run_dir.root / "data" / path).parent.mkdir(parents=True, exist_ok=True)
        (run_dir.root / "data" / path).write_text(write_rows(some))


JSON_SYSTEMS = [
    "base",
    "base + examples",
    "base + schema",
    "base + examples + schema",
    "tuned",
    "tuned + schema",
]


def test_where_answers_are_json_the_base_has_examples_and_a_schema_and_so_has_tuned(
    tiny_folder: Path,
) -> None:
    pytest.importorskip("llguidance")
    made = context(tiny_folder.parent, max_new_tokens=60, metrics=["valid_json", "json_f1"])
    put_objects(made.run)
    asked: list[tuple[Any, ...]] = []
    stops = iter([0] * 5 + [2])

    def emit(event_type: str, /, **fields: Any) -> None:
        asked.append((fields["system"], fields["done"]))

    cut = replace(made, should_stop=lambda: next(stops, 0), emit=emit)
    with pytest.raises(Interrupted):
        run(cut)
    before, asked[:] = [*asked], []
    report = report_of(run(cut))
    # What was answered before the stop is not asked again.
    answered = {system for system, done in before if done == 3}
    assert answered
    assert not answered & {system for system, _ in asked}
    assert list(dict.fromkeys(score.system for score in report.scores)) == JSON_SYSTEMS
    valid = {s.system: s.value for s in report.scores if s.metric == "valid_json"}
    lines = map(json.loads, (made.run.root / "evaluate/samples.jsonl").read_text().splitlines())
    held = [line for line in lines if line["system"].endswith("schema") and line["stopped"]]
    assert held  # of a model of random numbers, which writes no JSON by itself
    for line in held:
        found = json.loads(line["answer"])
        assert list(found) == ["n", "ok"]
        assert isinstance(found["ok"], bool)
    assert valid["base"] == valid["tuned"] == 0
    pairs = {(d.system, d.against) for d in report.differences}
    assert pairs == {(t, b) for t in JSON_SYSTEMS[4:] for b in JSON_SYSTEMS[:4]}
    assert report.rivals is not None
    assert report.rivals.schema_source == "inferred from 2 training answers"


def test_a_schema_that_no_answer_can_be_held_to_leaves_out_what_is_held_to_it_and_says_so(
    tiny_folder: Path,
) -> None:
    pytest.importorskip("llguidance")
    (tiny_folder.parent / "s.json").write_text('{"type": "object", "not": {"required": ["x"]}}')
    made = context(tiny_folder.parent, json_schema="s.json")
    put_objects(made.run)
    report = report_of(run(made))
    systems = list(dict.fromkeys(score.system for score in report.scores))
    assert systems == ["base", "base + examples", "tuned"]
    said = [p.message for p in report.problems if "is not measured" in p.message]
    assert [line.partition(":")[0] for line in said] == [
        "base + schema is not measured",
        "tuned + schema is not measured",
    ]
