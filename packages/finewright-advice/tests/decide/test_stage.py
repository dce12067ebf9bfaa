"""The stage keeps the advice in the run, as of the day on which the run was made."""

from datetime import UTC, datetime
from pathlib import Path

from by_hand import context_of, run_in
from decide.advising import spec
from finewright.schema.run import RunSpec
from finewright.store.stage import StageContext
from finewright_advice.decide.results import DecideReport
from finewright_advice.decide.spec import DecideSpec
from finewright_advice.decide.stage import run


class WithDecision(RunSpec):
    """A run spec that has a decision to take."""

    decide: DecideSpec | None = None


def context(tmp_path: Path, day: int) -> StageContext:
    data = {"name": "bot", "base_models": ["m"], "data": {"sources": [{"path": "a.jsonl"}]}}
    made = run_in(tmp_path, datetime(2026, 11, day, tzinfo=UTC))
    return context_of(tmp_path, made, WithDecision.model_validate({**data, "decide": spec()}))


def test_the_report_is_the_advice_of_the_runs_day(tmp_path: Path) -> None:
    at = context(tmp_path, 20)
    result = run(at)
    assert isinstance(result.report, DecideReport)
    assert (result.report.name, result.report.today.day) == ("bot", 20)
    assert result.artifacts == ()
    at.run.write_report("decide", result.report)
    assert at.run.read_report("decide", DecideReport) == result.report


def test_the_same_run_gives_the_same_advice_again(tmp_path: Path) -> None:
    at = context(tmp_path, 20)
    assert run(at).report.model_dump_json() == run(at).report.model_dump_json()
