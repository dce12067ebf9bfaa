"""What an arm is judged by, in each of its exams."""

from finewright.schema.evaluate import EvaluateSpec
from finewright_advice.measure.arms import Criterion


def test_a_metric_of_whole_answers_is_scored_in_every_exam() -> None:
    def needed(metric: str) -> tuple[str, ...]:
        return Criterion(metric, 1.0, EvaluateSpec()).needed

    assert needed("tool_schema") == ("tool_schema",)
    assert needed("exact_match") == needed("json_field:city") == ()
