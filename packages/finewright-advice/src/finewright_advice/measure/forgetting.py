"""What training took: general questions, asked of the base model and of what was made of it."""

from collections.abc import Sequence

from finewright.compare.asking import RowAnswer
from finewright.evaluate.score import AnsweredRow, compare, options_of, score_answers
from finewright.schema.rows import Row
from finewright_advice.measure.ask import BASE, ArmQuestions
from finewright_advice.schema.measure_report import Forgetting

GENERAL = "general questions"
_METRICS = ("mentions", "perplexity")


def forgetting(
    systems: Sequence[str], rows: Sequence[Row], asking: ArmQuestions
) -> tuple[Forgetting, ...]:
    """Each system's share of right answers and its perplexity on the expected ones, the base first.

    An answer is right when it holds the expected words, in whatever case. The change is to the base."""
    options = options_of(asking.models.loaded.spec.evaluate)
    found = {}
    for name in (BASE, *systems):
        answers = asking.answers(f"general-{name}", name, "general", rows, metrics=("perplexity",))
        lower = [_lower(answer) for answer in answers.answers]
        found[name] = score_answers(answers.system, GENERAL, _METRICS, lower, options)
    return tuple(
        Forgetting(
            system=name,
            score=scored.scores[0],
            perplexity=scored.scores[1],
            change=None if name == BASE else compare(scored, found[BASE], options)[0],
        )
        for name, scored in found.items()
    )


def _lower(answer: RowAnswer) -> AnsweredRow:
    sample = answer.sample
    expected, text = sample.expected.casefold(), sample.answer.casefold()
    return AnsweredRow(sample.row, expected, text, answer.nll, answer.expected_tokens)
