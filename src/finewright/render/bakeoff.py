"""A bake-off and a search of settings, for a terminal; the tables are those of the page as well."""

import math
from collections.abc import Sequence

from finewright.render.reports import text_of
from finewright.render.text import table
from finewright.schema.bakeoff_report import BakeoffReport, Finalist, Share
from finewright.schema.common import Problem
from finewright.schema.cost import Range
from finewright.schema.evaluate import LINEAR, Difference, Score
from finewright.schema.tune_report import Trial, TuneReport

_CENT = 0.01
Rows = list[tuple[str, ...]]

LEADERBOARD = ("model", "score", "behind the best", "p (Holm)", "untuned", "gain by training")
TAKES = (
    "model",
    "parameters",
    "licence",
    "answer ms p50 / p95",
    "first token ms p50 / p95",
    "tokens/s",
    "trained in s",
    "peak GiB",
    "a run on rented machines, USD",
)
CONDUCT = (
    "model",
    "ends by itself",
    "ends in a loop",
    "foreign script",
    "other language",
    "valid JSON",
    "no label",
    "closes a turn with",
)
RECALL = ("model", "rows that repeat training rows but for values", "new rows")
RUNG = ("model", "score", "behind the best", "steps", "seconds", "what becomes of it")
TRIALS = ("trial", "score", "held-out loss", "seconds", "state", "settings")


@text_of.register
def _(report: BakeoffReport) -> str:
    parts = [
        f"{report.name}: {report.verdict}",
        f"{report.rows_train} rows trained,{_chose(report)}"
        f" {report.rows_held_out} that chose nothing are in the leaderboard;"
        f" {100 * report.confidence:g} % intervals",
        *(
            f"rung {rung.number}, {rung.share:.3g} of the budget, development rows\n"
            + table(RUNG, rung_rows(report, rung.number))
            for rung in report.rungs
        ),
        f"leaderboard by {report.metric}\n" + table(LEADERBOARD, leaderboard_rows(report)),
        *_recall(report),
        *_more_scores(report),
        "what each takes\n" + table(TAKES, takes_rows(report)),
        f"none beats them in both score and time: {', '.join(report.frontier)}",
        "how the answers behave\n" + table(CONDUCT, conduct_rows(report)),
        *_strays(report),
        *_problems(report.problems),
        f"runs and page: {report.folder}",
    ]
    return "\n\n".join(parts)


@text_of.register
def _(report: TuneReport) -> str:
    scores = "\n".join(
        f"  {score.system}: {score.metric} {_percent(score)}" for score in report.held_out
    )
    parts = [
        f"{report.name}: {report.verdict}",
        f"{report.rows_train} rows trained, {report.rows_development} chose the settings,"
        f" {report.rows_held_out} that chose nothing tell what they gain;"
        f" {100 * report.confidence:g} % intervals",
        f"trials of {report.base_model} by {report.metric} on development rows\n"
        + table(TRIALS, trial_rows(report)),
        f"on rows that chose nothing\n{scores}",
        *_problems(report.problems),
        f"best settings: {report.written_to}\nruns: {report.folder}",
    ]
    return "\n\n".join(parts)


def rung_rows(report: BakeoffReport, number: int) -> Rows:
    """The attempts of a rung, best first."""
    (rung,) = (rung for rung in report.rungs if rung.number == number)
    return [
        (
            each.base_model,
            _percent(each.score),
            points(each.difference) if each.difference else "",
            str(each.steps),
            f"{each.train_seconds:.0f}",
            each.why,
        )
        for each in rung.attempts
    ]


def leaderboard_rows(report: BakeoffReport) -> Rows:
    """The finalists by the metric that decides, with what lies between them and the best."""
    duels = {duel.difference.against: duel for duel in report.duels}
    rows: Rows = []
    for each in report.finalists:
        duel = duels.get(each.base_model)
        untuned = [score for score in each.untuned if score.metric == report.metric]
        rows.append(
            (
                each.base_model,
                _percent(_score(each, report.metric)),
                points(_turned(duel.difference)) if duel else "the best",
                f"{duel.p_adjusted:.2g}" if duel else "",
                _untuned(untuned[0], told_labels=each.told_labels) if untuned else "",
                points(each.gain) if each.gain else "",
            )
        )
    if report.linear and report.linear_score:
        behind, score = points(_turned(report.linear)), _percent(report.linear_score)
        rows.append((f"{LINEAR}, no model", score, behind, f"{report.linear.p_value:.2g}", "", ""))
    return rows


def recall_rows(report: BakeoffReport) -> Rows:
    """Each finalist's score on held-out rows that repeat training rows and on new ones, by the metric that
    decides; none where no row repeats one, or nobody looked."""
    if not any(each.repeated_rows for each in report.finalists):
        return []
    return [
        (each.base_model, *map(_counted, (each.repeated_rows, each.new_rows)))
        for each in report.finalists
    ]


def takes_rows(report: BakeoffReport) -> Rows:
    """What it takes to use and to train each finalist."""
    return [
        (
            each.base_model,
            f"{each.parameters / 1e6:,.0f}M",
            licence(each),
            f"{each.speed.answer_ms_p50:,.0f} / {each.speed.answer_ms_p95:,.0f}",
            f"{each.speed.first_token_ms_p50:,.0f} / {each.speed.first_token_ms_p95:,.0f}",
            f"{each.speed.tokens_per_second:.1f}",
            f"{each.train_seconds:,.0f}",
            f"{each.peak_gib:.2f}",
            f"{_money(each.usd)} ({each.usd_on})" if each.usd else "not known",
        )
        for each in report.finalists
    ]


def conduct_rows(report: BakeoffReport) -> Rows:
    """How each finalist's answers behave."""
    return [
        (
            each.base_model,
            _share(each.conduct.ended),
            _share(each.conduct.looped),
            _share(each.conduct.other_script),
            _share(each.conduct.other_language)
            if each.conduct.other_language
            else "not looked for",
            _share(each.conduct.valid_json) if each.conduct.valid_json else "none expected",
            _share(each.conduct.no_label) if each.conduct.no_label else "no labels",
            each.end_of_turn,
        )
        for each in report.finalists
    ]


def trial_rows(report: TuneReport) -> Rows:
    """The trials, best first, then those without a score."""
    best_first = sorted(report.trials, key=lambda t: -t.score.value if t.score else math.inf)
    return [
        (
            f"{trial.number}{' (best)' if trial.number == report.best else ''}",
            _percent(trial.score) if trial.score else "",
            "" if trial.loss is None else f"{trial.loss:.4f}",
            "" if trial.train_seconds is None else f"{trial.train_seconds:.0f}",
            trial.why or trial.state,
            settings(trial),
        )
        for trial in best_first
    ]


def settings(trial: Trial) -> str:
    """What a trial varied, in a line."""
    named = ", ".join(f"{key} {_value(value)}" for key, value in trial.values.items())
    return named or "as written"


def licence(each: Finalist) -> str:
    """The licence and its class, or that none is known."""
    if each.license == "unknown":
        return "none known"
    return f"{each.license} ({', '.join(each.license_classes)})"


def points(difference: Difference) -> str:
    """A difference in points of a hundred, with its interval."""
    ends = f"{100 * difference.low:+.1f} to {100 * difference.high:+.1f}"
    return f"{100 * difference.value:+.1f} ({ends})"


def _turned(difference: Difference) -> Difference:
    ends = {"low": -difference.high, "high": -difference.low}
    return difference.model_copy(update={"value": -difference.value, **ends})


def _chose(report: BakeoffReport) -> str:
    return f" {report.rows_development} chose who goes on," if report.rungs else ""


def _recall(report: BakeoffReport) -> list[str]:
    rows = recall_rows(report)
    return (
        [f"{report.metric} by what the rows are to the training rows\n" + table(RECALL, rows)]
        if rows
        else []
    )


def _untuned(score: Score, *, told_labels: bool) -> str:
    return _percent(score) + (", told the labels" if told_labels else "")


def _counted(score: Score | None) -> str:
    return f"{_percent(score)}, n = {score.n}" if score else "none"


def _more_scores(report: BakeoffReport) -> list[str]:
    """The metrics that decide nothing."""
    names = [s.metric for s in report.finalists[0].scores if s.metric != report.metric]
    if not names:
        return []
    rows = [
        (each.base_model, *(_percent(_score(each, name)) for name in names))
        for each in report.finalists
    ]
    return ["other metrics\n" + table(("model", *names), rows)]


def _strays(report: BakeoffReport) -> list[str]:
    lines = [
        f"  {each.base_model}: {stray}"
        for each in report.finalists
        for stray in each.conduct.strays
    ]
    return ["answers that drifted\n" + "\n".join(lines)] if lines else []


def _problems(problems: Sequence[Problem]) -> list[str]:
    lines = [f"{problem.level}: {problem.line()}" for problem in problems]
    return ["\n".join(lines)] if lines else []


def _score(each: Finalist, metric: str) -> Score:
    return next(score for score in each.scores if score.metric == metric)


def _percent(score: Score) -> str:
    return f"{100 * score.value:.1f} % ({100 * score.low:.0f}-{100 * score.high:.0f})"


def _share(share: Share) -> str:
    return f"{share.count} of {share.n} ({100 * share.low:.0f}-{100 * share.high:.0f} %)"


def _money(usd: Range) -> str:
    if usd.high < _CENT:
        return "under 0.01"
    return " - ".join(f"{value:.2g}" for value in (usd.low, usd.median, usd.high))


def _value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
