"""What a score does not show is said beside it."""

import pytest

from finewright.evaluate.cautions import empty_problems
from finewright.schema.evaluate import Sample


def sample(answer: str, system: str = "tuned") -> Sample:
    return Sample(
        system=system,
        data="held",
        row=1,
        prompt="Q",
        expected="A",
        answer=answer,
        stopped=True,
        scores={},
        num_tokens=len(answer),
    )


@pytest.mark.parametrize(("answers", "said"), [(["", " "], 1), (["", "x"], 1), (["", "x", "y"], 0)])
def test_a_system_that_says_nothing_is_named(answers: list[str], said: int) -> None:
    found = list(empty_problems([*map(sample, answers), sample("x", "base")]))
    assert len(found) == said
    assert all("answers of tuned to held are empty" in problem.message for problem in found)
