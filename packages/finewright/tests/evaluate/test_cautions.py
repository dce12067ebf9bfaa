"""What a score does not show is said beside it."""

import pytest

from finewright.evaluate.cautions import empty_problems, perplexity_problems
from finewright.schema.evaluate import Sample, Score


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


def test_where_nothing_was_asked_no_answer_is_empty() -> None:
    weighed = sample("").model_copy(update={"scores": {"preference_accuracy": 1.0}})
    assert list(empty_problems([weighed])) == []


def test_perplexity_of_few_rows_has_no_interval_to_trust() -> None:
    def score(metric: str, n: int) -> Score:
        return Score(system="base", data="held", metric=metric, value=9.0, low=8.0, high=10.0, n=n)

    (problem,) = perplexity_problems([score("perplexity", 29), score("token_f1", 2)])
    assert problem.message.startswith("held: intervals and differences of perplexity on 29 rows")
    assert not list(perplexity_problems([score("perplexity", 30)]))
