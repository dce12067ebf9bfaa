"""What training took: general questions, asked of the base model and of what was made of it."""

from collections.abc import Sequence

from finewright.evaluate.score import Answered, Scored, ScoreOptions, compare, score_answers
from finewright.features.measure.ask import BASE, Asking
from finewright.features.measure.store import Given, options_of
from finewright.schema.measure_report import Forgetting
from finewright.schema.rows import Row

GENERAL = "general questions"
_METRICS = ("mentions", "perplexity")


def forgetting(
    systems: Sequence[str], rows: Sequence[Row], asking: Asking
) -> tuple[Forgetting, ...]:
    """Each system's share of right answers and its perplexity on the expected ones, the base first.

    An answer is right when it holds the expected words, in whatever case. The change is to the base."""
    options = options_of(asking.models.loaded.spec.evaluate)
    found = {
        name: _scored(
            asking.given(f"general-{name}", name, "general", lambda: rows, ("perplexity",)), options
        )
        for name in (BASE, *systems)
    }
    return tuple(
        Forgetting(
            system=name,
            score=scored.scores[0],
            perplexity=scored.scores[1],
            change=None if name == BASE else compare(scored, found[BASE], options)[0],
        )
        for name, scored in found.items()
    )


def _scored(given: Given, options: ScoreOptions) -> Scored:
    rows = zip(given.samples, given.nll, given.expected_tokens, strict=True)
    answered = [
        Answered(s.row, s.expected.casefold(), s.answer.casefold(), nll, tokens)
        for s, nll, tokens in rows
    ]
    return score_answers(given.system, GENERAL, _METRICS, answered, options)
