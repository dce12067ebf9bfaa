"""A candidate as a stage trains it: looks at held-out rows, the best step, cuts, and what is written."""

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification

import tiny
from by_hand import context_of, run_in, spec_of
from finewright.errors import Interrupted, StoreError
from finewright.lm.encode import encode_example
from finewright.lm.example import Example
from finewright.lm.load import load_lm
from finewright.lm.load_chat import load_chat
from finewright.lm.sources import LocalBase
from finewright.schema.common import RowCounts
from finewright.schema.rows import Row
from finewright.schema.run import RunSpec
from finewright.store.manifest import describe
from finewright.train import trained
from finewright.train.candidate import TrainingOutcome, train_candidate
from finewright.train.reward_runs import load_reward_model
from finewright.train.rewards import PolicyAnswer
from finewright.train.work import Work
from finewright.workbench.systems import load_talker

if TYPE_CHECKING:
    from finewright.schema.train import TrainSettings
    from finewright.store.rundir import RunDir

pytestmark = pytest.mark.torch

FIXED = {"dtype": "fp32", "threads": 1, "learning_rate": 0.02, "batch_size": 2, "max_length": 256}


def row(question: str, answer: str, rejected: str | None = None) -> Row:
    asked = {"role": "user", "content": question}
    chosen, other = ({"role": "assistant", "content": text} for text in (answer, rejected or ""))
    return Row(
        f"{question}/{answer}",
        (asked, chosen),
        None,
        "rows.jsonl",
        1,
        rejected=(asked, other) if rejected else None,
    )


SFT_ROWS = [row(f"q{i}", f"answer {i}") for i in range(6)]
PAIRS = [row(f"q{i}", f"yes {i}", f"never {i}") for i in range(6)]


class Training:
    """A run folder in which a spec can be trained again and again, as a user would go on with it."""

    def __init__(self, root: Path, base: LocalBase, rows: list[Row], held_out: list[Row]) -> None:
        self.root, self.base, self.rows, self.held_out = root, base, rows, held_out
        self.chat = load_chat(base)
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.stop_after = math.inf
        self.run: RunDir | None = None

    def train(self, **settings: object) -> TrainingOutcome:
        train = {**FIXED, **settings}
        spec = spec_of(base_models=[self.base.name], train=train)
        self.run = self.run or run_in(self.root)
        self.spec: TrainSettings = spec.train
        context = context_of(
            self.root,
            self.run,
            spec,
            candidates={self.base.name: spec.train},
            key=json.dumps(train, sort_keys=True),
            emit=lambda kind, **fields: self.events.append((kind, fields)),
            should_stop=lambda: 15 if self.steps() >= self.stop_after else 0,
        )
        rows, held_out = (self.encoded(part) for part in (self.rows, self.held_out))
        return train_candidate(Work(context, spec.train, self.base, self.chat, rows, held_out))

    def encoded(self, rows: list[Row]) -> list[Example]:
        return [encode_example(self.chat, row) for row in rows]

    def steps(self) -> int:
        return sum(kind == "metric" for kind, _ in self.events)

    @property
    def folder(self) -> Path:
        assert self.run is not None
        return self.run.root / "train" / self.base.name

    def metrics(self) -> list[dict[str, Any]]:
        text = (self.folder / "metrics.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def said(self) -> list[str]:
        return [fields["message"] for kind, fields in self.events if kind == "problem"]

    def adapter(self) -> bytes:
        return (self.folder / "adapter" / "adapter_model.safetensors").read_bytes()


@pytest.fixture
def base(tmp_path: Path) -> LocalBase:
    folder = tmp_path / "tiny"
    tiny.tiny_model("llama").save_pretrained(folder)
    tiny.tiny_tokenizer().save_pretrained(folder)
    return LocalBase("tiny", folder, "0" * 64, "unknown")


Make = Callable[[list[Row], list[Row]], Training]


@pytest.fixture
def training(tmp_path: Path, base: LocalBase) -> Make:
    def make(rows: list[Row], held_out: list[Row]) -> Training:
        root = tmp_path / f"root-{len(list(tmp_path.iterdir()))}"
        root.mkdir()
        return Training(root, base, rows, held_out)

    return make


# Learning these by heart makes the held-out answers less likely, sooner or later.
OTHERS = [row(f"q{i}", f"{chr(75 + i)}{chr(99 + i)}") for i in range(4)]


def test_early_stopping_ends_the_run_and_takes_the_best_look(training: Make) -> None:
    run = training(SFT_ROWS, OTHERS)
    outcome = run.train(epochs=40, eval_steps=2, early_stopping=3, lr_scheduler="constant")
    looks = {m["step"]: m["metrics"]["eval_loss"] for m in run.metrics() if m["step"] % 2 == 0}
    best = min(looks, key=lambda step: looks[step])
    assert outcome.progress.step == best + 6 < 120
    assert outcome.progress.best_step == best
    assert outcome.eval_loss == pytest.approx(looks[best], rel=1e-6)
    assert any(f"no held-out look was better than that of step {best}" in s for s in run.said())
    stored = load_file(run.folder / "checkpoints" / "best" / "weights.safetensors")
    assert all(
        torch.equal(t, stored[n])
        for n, t in load_file(run.folder / "adapter" / "adapter_model.safetensors").items()
    )


def test_what_was_said_before_a_cut_is_in_the_report_too(training: Make) -> None:
    settings = {"epochs": 40, "eval_steps": 2, "early_stopping": 3, "lr_scheduler": "constant"}
    whole = training(SFT_ROWS, OTHERS)
    outcome = whole.train(**settings)
    signs = [p.message for p in outcome.problems if "held-out" in p.message]
    assert len(signs) == 2  # the rows are learned by heart; it stopped early
    cut = training(SFT_ROWS, OTHERS)
    cut.stop_after = outcome.progress.step  # as it would have ended
    with pytest.raises(Interrupted):
        cut.train(**settings)
    cut.stop_after = math.inf
    again = cut.train(**settings)
    assert [p.message for p in again.problems if "held-out" in p.message] == signs


def test_keep_best_takes_the_best_of_a_whole_run(training: Make) -> None:
    run = training(SFT_ROWS, OTHERS)
    outcome = run.train(epochs=10, eval_steps=3, keep="best+last", lr_scheduler="constant")
    looks = [m["metrics"]["eval_loss"] for m in run.metrics() if "eval_loss" in m["metrics"]]
    assert outcome.progress.step == 30
    assert outcome.eval_loss == pytest.approx(min(looks), rel=1e-6)
    assert looks[-1] > min(looks)


def test_without_asking_the_last_step_is_the_result(training: Make) -> None:
    run = training(SFT_ROWS, OTHERS)
    outcome = run.train(epochs=10, eval_steps=3, lr_scheduler="constant")
    assert outcome.eval_loss == run.metrics()[-1]["metrics"]["eval_loss"]
    assert not (run.folder / "checkpoints" / "best").exists()


@pytest.mark.parametrize("is_damaged", [True, False])
def test_a_best_checkpoint_that_is_not_that_of_the_best_step_is_said_and_not_used(
    is_damaged: bool, training: Make
) -> None:
    run = training(SFT_ROWS, OTHERS)
    run.stop_after = 12
    settings = {"epochs": 10, "eval_steps": 3, "keep": "best+last", "lr_scheduler": "constant"}
    with pytest.raises(Interrupted):
        run.train(**settings)
    run.stop_after = math.inf
    best = run.folder / "checkpoints" / "best"
    looks = [m["metrics"].get("eval_loss", math.inf) for m in run.metrics()]
    if is_damaged:
        path = best / "weights.safetensors"
        path.write_bytes(path.read_bytes()[:-1] + b"\0")
    else:
        state = json.loads((best / "state.json").read_text())
        del state["sha256"]
        state["progress"]["step"] -= 1
        seal = hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()
        (best / "state.json").write_text(json.dumps({**state, "sha256": seal}))
    later = run.train(**settings)
    assert later.progress.best_step <= len(looks)  # no later step was better
    what = "weights.safetensors is damaged" if is_damaged else "it is of step 11"
    assert any(what in said for said in run.said())


@pytest.mark.parametrize("method", ["dpo", "reward"])
def test_a_cut_run_ends_bitwise_as_an_uninterrupted_one(method: str, training: Make) -> None:
    settings = {"method": method, "max_steps": 6, "save_steps": 2, "eval_steps": 2}
    settings |= {"keep": "best+last"}
    whole = training(PAIRS, PAIRS[:2])
    true = whole.train(**settings)
    cut = training(PAIRS, PAIRS[:2])
    cut.stop_after = 3
    with pytest.raises(Interrupted):
        cut.train(**settings)
    cut.stop_after = math.inf
    again = cut.train(**settings)
    assert cut.adapter() == whole.adapter()
    assert (again.final_loss, again.eval_loss) == (true.final_loss, true.eval_loss)
    assert [m["loss"] for m in cut.metrics()] == [m["loss"] for m in whole.metrics()]


def test_dpo_begins_at_ln_2_and_finds_its_references_again(training: Make) -> None:
    run = training(PAIRS, [])
    run.stop_after = 2
    with pytest.raises(Interrupted):
        run.train(method="dpo", max_steps=4)
    assert run.metrics()[0]["loss"] == pytest.approx(math.log(2), rel=1e-6)
    before = (run.folder / "references.json").read_text()
    run.stop_after = math.inf
    run.train(method="dpo", max_steps=4)
    assert (run.folder / "references.json").read_text() == before


def test_curves_are_drawn_beside_the_adapter(training: Make) -> None:
    run = training(SFT_ROWS, [])
    run.train(max_steps=3)
    assert (run.folder / "curves.svg").read_text().lstrip().startswith("<?xml")
    assert (run.folder / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_every_weight_learns_and_the_model_is_stored_whole(training: Make, base: LocalBase) -> None:
    run = training(SFT_ROWS, [])
    run.train(adapter={"type": "none"}, max_steps=3, learning_rate=1e-3)
    tuned = load_lm(base, run.folder / "adapter", dtype="fp32").model.state_dict()
    before = load_lm(base, None, dtype="fp32").model.state_dict()
    assert all(not torch.equal(tuned[name], before[name]) for name in before)


@pytest.mark.parametrize("adapter", [{"type": "lora", "r": 4}, {"type": "none"}])
def test_a_reward_model_rates_alike_here_in_its_run_and_in_transformers(
    adapter: dict[str, Any], training: Make, base: LocalBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = training(PAIRS, [])
    outcome = run.train(method="reward", adapter=adapter, max_steps=20, learning_rate=5e-3)
    assert outcome.final_metrics["accuracy"] == 1.0
    folder = run.folder / "adapter"
    monkeypatch.chdir(base.folder.parent)  # the adapter names its base by its name alone
    classifier = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1).eval()
    sequences = [s for example in run.encoded(PAIRS) for s in example.sequences]
    classifier.config.pad_token_id = None
    with torch.no_grad():
        theirs = [
            classifier(input_ids=torch.tensor([s.input_ids])).logits.item() for s in sequences
        ]
    assert all(a > b for a, b in zip(theirs[0::2], theirs[1::2], strict=True))

    finished(run, outcome)
    monkeypatch.setattr(trained, "locate_in", lambda *_, **__: base)
    with pytest.raises(StoreError, match="rates answers and gives none"):
        load_talker(str(run.run.root))  # type: ignore[union-attr]
    rate = load_reward_model(run.run.root)  # type: ignore[union-attr]
    answers = [
        PolicyAnswer(str(turns[-1]["content"]), turns[:-1], {}, stopped=True)
        for pair in PAIRS
        for turns in (pair.messages, pair.rejected or ())
    ]
    assert rate(answers) == pytest.approx(theirs, abs=1e-4)


def test_a_run_that_trained_no_reward_model_rates_nothing(training: Make) -> None:
    run = training(SFT_ROWS, [])
    finished(run, run.train(max_steps=1))
    with pytest.raises(StoreError, match="trained by sft"):
        load_reward_model(run.run.root)  # type: ignore[union-attr]


def finished(run: Training, outcome: TrainingOutcome) -> None:
    """Write the report and the lock as the workbench does after the stage."""
    from finewright.schema.lock import Lock
    from finewright.schema.train import Candidate, TrainReport
    from finewright.store.speclock import lock_text

    assert run.run is not None
    folder = run.folder / "adapter"
    report = TrainReport(
        candidates=(
            Candidate(
                base_model=run.base.name,
                base_sha256=run.base.sha256,
                method=run.spec.method,
                adapter=folder.relative_to(run.run.root).as_posix(),
                artifacts=tuple(describe(run.run, p, "adapter") for p in sorted(folder.iterdir())),
                counts=RowCounts(rows_in=1, rows_kept=1),
                steps=1,
                tokens=1,
                trained_tokens=1,
                first_loss=1.0,
                final_loss=outcome.final_loss,
                seconds=1.0,
                tokens_per_second=1.0,
                peak_gib=1.0,
                trainable_parameters=1,
            ),
        )
    )
    (run.run.root / "train" / "report.json").write_text(report.model_dump_json())
    lock = Lock(
        finewright="0",
        code_sha256="0" * 64,
        root=str(run.root),
        spec=RunSpec.model_validate(
            {
                "name": "t",
                "base_models": [run.base.name],
                "data": {"sources": [{"path": "rows.jsonl"}]},
                "train": run.spec,
            }
        ),
        candidates={run.base.name: run.spec},
        reasons={},
        inputs={},
    )
    run.run.spec_lock.write_text(lock_text(lock))


def test_minutes_that_suffice_change_nothing(training: Make) -> None:
    timed, free = training(SFT_ROWS, []), training(SFT_ROWS, [])
    outcome = timed.train(epochs=4, minutes=600.0)
    free.train(epochs=4)

    assert outcome.progress.step == len(free.metrics())
    assert timed.adapter() == free.adapter()
    assert not any("minutes" in text for text in timed.said())


def test_minutes_that_do_not_suffice_cut_the_steps_and_say_so(training: Make) -> None:
    run = training(SFT_ROWS, [])
    outcome = run.train(epochs=40, minutes=1e-9)

    assert outcome.progress.step == 1
    whole = 40 * len(SFT_ROWS) // run.spec.batch_size
    assert run.said()[0] == f"1e-09 minutes are enough for about 1 of {whole} steps here"


def test_a_run_that_was_cut_goes_on_with_the_steps_it_began_with(training: Make) -> None:
    run = training(SFT_ROWS, [])
    run.stop_after = 2
    with pytest.raises(Interrupted):
        run.train(epochs=40, minutes=1.0)
    pace = run.folder / "pace.json"
    found = json.loads(pace.read_text())
    pace.write_text(json.dumps({**found, "steps": 5}))
    run.stop_after = 1_000

    assert run.train(epochs=40, minutes=1.0).progress.step == 5
    assert json.loads(pace.read_text())["steps"] == 5


def test_the_pace_of_other_settings_is_measured_anew(training: Make) -> None:
    run = training(SFT_ROWS, [])
    run.train(epochs=2, minutes=600.0)
    pace = run.folder / "pace.json"
    found = json.loads(pace.read_text())
    pace.write_text(json.dumps({**found, "key": "another", "steps": 1}))

    outcome = run.train(epochs=2, minutes=600.0)
    assert outcome.progress.step == 2 * len(SFT_ROWS) // run.spec.batch_size
