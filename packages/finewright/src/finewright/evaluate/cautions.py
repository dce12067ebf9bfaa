"""What a score does not show: that a language model was needed, or that anything but recall was measured."""

from collections.abc import Iterator, Sequence, Set

from finewright.evaluate.score import PREFERENCE
from finewright.report.cells import p_words, points
from finewright.schema.common import Problem
from finewright.schema.evaluate import (
    BASE,
    LINEAR,
    LOSS_METRICS,
    Difference,
    Sample,
    Score,
    ScoredRows,
)

_MOST_REPEATED = 0.5
_FEWEST_NEW = 30
_FEWEST_FOR_PERPLEXITY = 30


def empty_problems(samples: Sequence[Sample]) -> Iterator[Problem]:
    """A warning for each system that says nothing to at least half of a set's rows, thoughts aside. Where
    only preferences or losses are measured, nothing counts on what is said."""
    said: dict[tuple[str, str], list[bool]] = {}
    for sample in samples:
        has_answers = not sample.scores or not {PREFERENCE, *LOSS_METRICS}.issuperset(sample.scores)
        if sample.num_tokens is not None and has_answers:
            said.setdefault((sample.system, sample.data), []).append(bool(sample.answer.strip()))
    for (system, data), each in said.items():
        empty = each.count(False)
        if 2 * empty >= len(each):
            yield Problem(
                level="warning",
                message=f"{empty} of {len(each)} answers of {system} to {data} are empty:"
                " it ends before it says anything",
                hint="train longer, or look at the answers that the rows teach",
            )


def perplexity_problems(scores: Sequence[Score]) -> Iterator[Problem]:
    """A warning for each set whose rows are too few for a bootstrap of perplexity.

    Of simulated rows its 95 % interval held the truth 50 times in 100 on 2 rows, 82 on 10 and 94 on 50."""
    few = {s.data: s.n for s in scores if s.metric == "perplexity"}
    for data, n in few.items():
        if n < _FEWEST_FOR_PERPLEXITY:
            yield Problem(
                level="warning",
                message=f"{data}: intervals and differences of perplexity on {n} rows are too narrow",
                hint=f"measure on {_FEWEST_FOR_PERPLEXITY} rows or more",
            )


def forgetting_problems(found: Sequence[Difference], data: Set[str]) -> Iterator[Problem]:
    """A warning for each metric of an ancestor's rows, the sets in `data`, by which a tuned model is shown to
    be worse than what it started from."""
    for each in found:
        is_worse = each.low > 0 if each.metric in LOSS_METRICS else each.high < 0
        if each.data in data and each.against.endswith(BASE) and is_worse:
            yield Problem(
                level="warning",
                message=f"{each.system} forgets: {each.metric} on {each.data}: {points(each)}",
                hint="let old rows train again (data.sources[].share), or fewer steps or a lower rate",
            )


def linear_problems(found: Sequence[Difference], confidence: float) -> Iterator[Problem]:
    """A warning for each set where a tuned model is not shown to be better than the linear classifier, by the
    first metric."""
    seen = set()
    for each in found:
        key = (each.system, each.data)
        if each.against != LINEAR or key in seen:
            continue
        seen.add(key)
        is_shown = each.p_value <= 1 - confidence
        if is_shown and each.value > 0:
            continue
        is_worse = is_shown and each.value < 0
        than = "worse than" if is_worse else "not shown to be better than"
        yield Problem(
            level="warning",
            message=f"{each.data}: {each.system} is {than} {LINEAR}, a linear classifier that needs no"
            f" language model: {each.metric} {points(each)}, {p_words(each.p_value)}",
            hint="train longer or on more rows, or use the classifier",
        )


def recall_problems(parts: Sequence[ScoredRows]) -> Iterator[Problem]:
    """A warning for each set most of whose rows repeat training rows, and for one with few that do not."""
    counts: dict[str, dict[str, int]] = {}
    for part in parts:
        counts.setdefault(part.data, {})[part.kind] = part.rows
    for data, of in counts.items():
        yield from recall_problem(data, of["repeated"], of["new"])


def recall_problem(data: str, repeated: int, new: int) -> Iterator[Problem]:
    """What must be said of a set with so many rows of both kinds, if anything."""
    total = repeated + new
    if not repeated or (repeated <= _MOST_REPEATED * total and new >= _FEWEST_NEW):
        return
    alike = "are nearly like a training row, reworded or with other values"
    says = f"{repeated} of {total} rows of {data} {alike}"
    if repeated == total:
        message = f"{says}: the scores tell what was learned by heart, and nothing of new questions"
    elif new < _FEWEST_NEW:
        message = f"{says}, and the {new} new ones are too few to tell much"
    else:
        message = f"{says}: look at the score of the {new} new ones"
    hint = "measure on rows whose templates do not train"
    yield Problem(level="warning", key="evaluate.data", message=message, hint=hint)
