"""The stage answers from the rows of the data stage and the config of each base model."""

import json
from pathlib import Path

from by_hand import context_of, run_in, spec_of
from finewright.schema.cost import CostReport
from finewright.schema.methods import SFTSpec
from finewright.schema.rows import Message, Row, write_rows
from finewright_advice.cost.stage import run

from .jobs import LLAMA_8B

TURNS = ({"role": "user", "content": "why?"}, {"role": "assistant", "content": "so"})


def estimated(folder: Path, turns: tuple[Message, ...] = TURNS) -> CostReport:
    """The stage's report on ten rows of these turns."""
    for name in ("one", "two"):
        (folder / name).mkdir(parents=True)
        (folder / name / "config.json").write_text(json.dumps(LLAMA_8B))
    place = run_in(folder)
    rows = [Row(str(i), turns, None, "f", i) for i in range(10)]
    (place.stage_dir("data") / "train.jsonl").write_text(write_rows(rows))
    resolved = SFTSpec(learning_rate=1e-4, micro_batch_tokens=1024, dtype="bf16", threads=1)
    candidates = {"./one": resolved, "./two": resolved}
    spec = spec_of(base_models=list(candidates))
    report = run(context_of(folder, place, spec, candidates=candidates)).report
    assert isinstance(report, CostReport)
    return report


def test_the_stage_reports_every_candidate(tmp_path: Path) -> None:
    report = estimated(tmp_path)
    assert [c.base_model for c in report.candidates] == ["./one", "./two"]
    # two candidates: a project is two runs, what fails of them, and their evaluations
    fitting = next(m for m in report.candidates[0].machines if m.project_usd and m.usd)
    assert fitting.usd is not None
    assert fitting.project_usd is not None
    assert abs(fitting.project_usd.median - 2.6 * fitting.usd.median) < 1e-9


def test_a_turn_that_no_training_reads_costs_nothing(tmp_path: Path) -> None:
    thanks = {"role": "user", "content": "ok, thanks " * 99}
    assert estimated(tmp_path / "more", (*TURNS, thanks)) == estimated(tmp_path / "plain")
