"""How rankings were tuned and how good they are, as text."""

from finewright.render.reports import text_of
from finewright.render.text import counted, p_value, printable, table
from finewright.schema.evaluate import Difference, Score
from finewright.schema.rag_report import (
    CALLED,
    DECIDES,
    CalibrationSeen,
    RagEvaluateReport,
    RagTuneReport,
)

_NOT_CALIBRATED = "the index is not calibrated"
NOT_CALIBRATED = (
    f"{_NOT_CALIBRATED} (`finewright rag index --tune` does it, if the documents give 30 questions or you"
    " name 60 of your own: `rag.questions`)"
)


@text_of.register
def tuning(report: RagTuneReport) -> str:
    """The weights, why they are so, and what else was tried."""
    lines = [f"weights: {_weights(report.weights)} ({report.why})"]
    if report.other_weights:
        lines.append(f"weights for questions in other words: {_weights(report.other_weights)}")
    lines.append(_calibration(report.calibration))
    if report.tried:
        rows = [
            [
                *(f"{weight:g}" for weight in tried.weights.values()),
                *(_percent(tried.mrr), _percent(tried.recall_at_1)),
                "chosen" if tried.weights == report.weights else "",
            ]
            for tried in report.tried
        ]
        lines.append(table(["words", "vectors", "mrr", "recall@1", ""], rows))
    return "\n".join(lines)


def _calibration(found: CalibrationSeen | None) -> str:
    if found is None:
        return f"no document has this: never said; {_NOT_CALIBRATED}"
    refused = f"{_percent(found.refused)} of {counted(found.num_questions, 'answerable question')}"
    caught = f"{_percent(found.foreign_caught)} of everyday questions and nonsense"
    return f"no document has this: said to {refused} and to {caught}, on which this was set"


@text_of.register
def _(report: RagEvaluateReport) -> str:
    metrics = list(dict.fromkeys(score.metric for score in report.scores))
    cells = {(score.system, score.metric): _score(score) for score in report.scores}
    rows = [[CALLED[name], *(cells[name, metric] for metric in metrics)] for name in report.weights]
    changes = [
        [f"tuned - {CALLED[d.against]}", d.metric, _change(d), p_value(d.p_value)]
        for d in report.differences
        if d.metric in (DECIDES, "mrr")
    ]
    confidence = f"{100 * report.confidence:g} % intervals in brackets"
    return "\n".join(
        [
            f"{printable(report.questions)}: {counted(report.n, 'question')}, {confidence}",
            *_kind_of_questions(report),
            table(["ranking", *metrics], rows),
            "",
            table(["difference", "metric", "points", "p"], changes),
            "",
            f"tuned: {_tuned(report)}; chosen by {report.tuned_on}. "
            f"A search takes {report.query_ms:.1f} ms.",
            _refused(report),
            *[f"{problem.level}: {problem.line()}" for problem in report.problems],
            _verdict(report),
        ]
    )


def _kind_of_questions(report: RagEvaluateReport) -> list[str]:
    """What the questions are, where that makes the scores better than people will find them."""
    if report.num_left_out:
        left_out = counted(report.num_left_out, "question")
        return [f"{left_out} of the file tuned the index and were not asked"]
    if not report.are_made:
        return []
    lines = ["they repeat the documents' own words: what people ask in theirs is found less often"]
    for name in report.weights:
        found = {s.metric: s for s in report.hard_scores if s.system == name}
        if found:
            scores = f"mrr {_score(found['mrr'])}, recall@10 {_score(found['recall@10'])}"
            lines.append(f"with half of their words exchanged, {CALLED[name]}: {scores}")
    return lines


def _tuned(report: RagEvaluateReport) -> str:
    own = _weights(report.weights["tuned"])
    if not report.other_weights:
        return own
    return f"{own}; for questions in other words {_weights(report.other_weights)}"


def _refused(report: RagEvaluateReport) -> str:
    if report.refused is None:
        return f"no document has this: never said; {NOT_CALIBRATED}"
    return f"no document has this: said, wrongly, to {_percent(report.refused)} of these questions"


def _verdict(report: RagEvaluateReport) -> str:
    head, questions = f"verdict by {DECIDES}:", counted(report.n, "question")
    if not report.is_enough:
        few = "is too few" if report.n == 1 else "are too few"
        return f"{head} none, {questions} {few} to tell anything; {report.fewest} are needed"
    if report.worse:
        return f"{head} use {CALLED[report.worse[0].against]} alone for questions like these"
    better = " and than ".join(CALLED[d.against] for d in report.better)
    alone = " or than ".join(CALLED[name] for name in report.parts)
    found = f"better than {better}" if better else f"neither better nor worse than {alone}"
    return f"{head} tuned is {found} alone, as far as {questions} can tell"


def _weights(weights: dict[str, float]) -> str:
    return ", ".join(f"{CALLED[name]} {weight:g}" for name, weight in weights.items())


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _score(score: Score) -> str:
    return f"{_percent(score.value)} ({100 * score.low:.0f}-{100 * score.high:.0f})"


def _change(found: Difference) -> str:
    return f"{100 * found.value:+.1f} ({100 * found.low:+.1f} to {100 * found.high:+.1f})"
