"""How rankings were tuned and how good they are, as text."""

from finewright.render.reports import text_of
from finewright.render.text import counted, p_value, printable, table
from finewright.schema.evaluate import Difference, Score
from finewright.schema.rag_report import CALLED, DECIDES, RagEvaluateReport, RagTuneReport


@text_of.register
def tuning(report: RagTuneReport) -> str:
    """The weights, why they are so, and what else was tried."""
    lines = [f"weights: {_weights(report.weights)} ({report.why})"]
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
    tuned = _weights(report.weights["tuned"])
    return "\n".join(
        [
            f"{printable(report.questions)}: {counted(report.n, 'question')}, {confidence}",
            table(["ranking", *metrics], rows),
            "",
            table(["difference", "metric", "points", "p"], changes),
            "",
            f"tuned: {tuned}; chosen by {report.tuned_on}. A search takes {report.query_ms:.1f} ms.",
            *[f"{problem.level}: {problem.line()}" for problem in report.problems],
            _verdict(report),
        ]
    )


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
