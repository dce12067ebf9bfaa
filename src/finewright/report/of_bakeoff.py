"""What a bake-off shows: the leaderboard, the rungs, what each model takes, and how its answers behave."""

from collections.abc import Iterator

from finewright.report.blocks import Axis, Block, Page, Plot, Point, Table, Text, section
from finewright.report.cells import (
    confidence,
    counted_share,
    gib,
    money,
    number,
    p_value,
    percent,
    points,
)
from finewright.schema.bakeoff_report import BakeoffReport, Finalist, Rung
from finewright.schema.evaluate import LINEAR, Difference, Score

_HALVING = (
    "Successive halving (Jamieson & Talwalkar 2016): each rung trains every model that is left with a share"
    " of the budget, anew and with a schedule of its own length. The better part goes on, and so does every"
    " other model that is not shown to be worse than the best: the whole paired interval of its difference"
    " on the development rows must lie below 0 before it is dropped."
)
_PAIRED = (
    "The leaderboard's differences are paired by row (bootstrap). p: exact McNemar test for scores of 0 or 1,"
    " sign-flip permutation test for others, corrected for the number of comparisons (Holm 1979). The best is"
    " called a winner only when every p is at most"
)
_CONDUCT = (
    "Each model is asked with its own chat template. Foreign script: letters of a script that neither the"
    " question nor the expected answer has. Other language: by fastText, where both answer and expected"
    " answer are long enough to tell."
)


def bakeoff_page(report: BakeoffReport) -> Page:
    """The whole bake-off."""
    chose = f" {report.rows_development} chose who goes on," if report.rungs else ""
    return Page(
        subject="base models",
        title=report.name,
        answer=report.verdict,
        about=(
            f"{report.rows_train} rows trained,{chose} {report.rows_held_out} that chose nothing are in the"
            f" leaderboard; {confidence(report.confidence)}",
            f"runs and page: {report.folder}",
        ),
        problems=report.problems,
        sections=[
            *section(
                "leaderboard",
                f"Leaderboard by {report.metric}",
                _score_plot(report),
                _leaderboard(report),
                _recall(report),
                _all_metrics(report),
            ),
            *section("rungs", "Rungs, on development rows", *map(_rung, report.rungs)),
            *section("takes", "What each takes", *_takes(report)),
            *section("conduct", "How the answers behave", *_conduct(report)),
            *section(
                "method",
                "Method",
                *(
                    Text(text)
                    for text in (_HALVING, f"{_PAIRED} {1 - report.confidence:.2g}.", _CONDUCT)
                ),
                is_for_page=True,
            ),
        ],
    )


def licence(each: Finalist) -> str:
    """The licence and its class, or that none is known."""
    if each.license == "unknown":
        return "none known"
    return f"{each.license} ({', '.join(each.license_classes)})"


def _score_plot(report: BakeoffReport) -> Plot:
    found = []
    for each in report.finalists:
        score, untuned = _score(each, report.metric), _untuned_score(each, report.metric)
        found.append(Point(each.base_model, score.value, score.low, score.high))
        if untuned:
            found.append(Point(each.base_model, untuned.value, is_main=False))
    caption = "On the held-out rows. Dot: the tuned model, with its interval. Ring: the same model untuned."
    return Plot("score", f"{report.metric} of each finalist", "intervals", found, caption)


def _leaderboard(report: BakeoffReport) -> Table:
    """The finalists by the metric that decides, with what lies between them and the best."""
    duels = {duel.difference.against: duel for duel in report.duels}
    rows = []
    for each in report.finalists:
        duel = duels.get(each.base_model)
        rows.append(
            (
                each.base_model,
                percent(_score(each, report.metric)),
                points(_turned(duel.difference)) if duel else "the best",
                p_value(duel.p_adjusted) if duel else "",
                percent(_untuned_score(each, report.metric))
                + (", told the labels" if each.told_labels else ""),
                points(each.gain),
            )
        )
    if report.linear and report.linear_score:
        behind, p = points(_turned(report.linear)), p_value(report.linear.p_value)
        rows.append((f"{LINEAR}, no model", percent(report.linear_score), behind, p, "", ""))
    header = ("model", "score", "behind the best", "p (Holm)", "untuned", "gain by training")
    return Table(header, rows)


def _recall(report: BakeoffReport) -> Table | None:
    """Scores on rows that repeat training rows and on new ones, where any row repeats one."""
    if not any(each.repeated_rows for each in report.finalists):
        return None
    rows = [
        (each.base_model, _with_n(each.repeated_rows), _with_n(each.new_rows))
        for each in report.finalists
    ]
    header = ("model", "rows that repeat training rows but for values", "new rows")
    title = f"What of it is recall: {report.metric} by what the rows are to the training rows"
    return Table(header, rows, title)


def _all_metrics(report: BakeoffReport) -> Table | None:
    names = [score.metric for score in report.finalists[0].scores]
    if len(names) == 1:
        return None
    rows = [
        (each.base_model, *(percent(_score(each, name)) for name in names))
        for each in report.finalists
    ]
    return Table(("model", *names), rows, "All metrics")


def _rung(rung: Rung) -> Table:
    rows = [
        (
            each.base_model,
            percent(each.score),
            points(each.difference),
            str(each.steps),
            number(each.train_seconds),
            each.why,
        )
        for each in rung.attempts
    ]
    header = ("model", "score", "behind the best", "steps", "seconds", "what becomes of it")
    return Table(header, rows, f"Rung {rung.number}: {rung.share:.3g} of the budget")


def _takes(report: BakeoffReport) -> Iterator[Block]:
    """What it takes to use and to train each finalist."""
    scores = [_score(each, report.metric) for each in report.finalists]
    yield Plot(
        "frontier",
        "Score by time of an answer",
        "scatter",
        [
            Point(
                each.base_model,
                score.value,
                score.low,
                score.high,
                x=each.speed.answer_ms_mean,
                is_main=each.base_model in report.frontier,
                note=f"{each.base_model}: {percent(score)}, {number(each.speed.answer_ms_mean)} ms",
            )
            for each, score in zip(report.finalists, scores, strict=True)
        ],
        "Upper left is better. Dot: no other model is as good in both score and time. Ring: another one is."
        " Mean time of one answer, asked one by one on the machine of this bake-off.",
        across=Axis("ms an answer", is_log=True),
    )
    header = (
        *("model", "parameters", "licence", "answer ms p50 / p95", "first token ms p50 / p95"),
        *("tokens/s", "trained in s", "peak GiB", "a run on rented machines, USD"),
    )
    yield Table(header, [_taken(each) for each in report.finalists])
    yield Text(f"none beats them in both score and time: {', '.join(report.frontier)}")


def _taken(each: Finalist) -> tuple[str, ...]:
    speed = each.speed
    return (
        each.base_model,
        f"{each.parameters / 1e6:,.0f}M",
        licence(each),
        f"{number(speed.answer_ms_p50)} / {number(speed.answer_ms_p95)}",
        f"{number(speed.first_token_ms_p50)} / {number(speed.first_token_ms_p95)}",
        number(speed.tokens_per_second),
        number(each.train_seconds),
        gib(each.peak_gib),
        f"{money(each.usd)} ({each.usd_on})" if each.usd else "not known",
    )


def _conduct(report: BakeoffReport) -> Iterator[Block]:
    header = (
        *("model", "ends by itself", "ends in a loop", "foreign script", "other language"),
        *("valid JSON", "no label", "closes a turn with"),
    )
    rows = [
        (
            each.base_model,
            counted_share(each.conduct.ended),
            counted_share(each.conduct.looped),
            counted_share(each.conduct.other_script),
            counted_share(each.conduct.other_language, "not looked for"),
            counted_share(each.conduct.valid_json, "none expected"),
            counted_share(each.conduct.no_label, "no labels"),
            each.end_of_turn,
        )
        for each in report.finalists
    ]
    yield Table(header, rows)
    strays = [(e.base_model, stray) for e in report.finalists for stray in e.conduct.strays]
    yield Table(("model", "answer"), strays, "Answers that drifted")


def _turned(difference: Difference) -> Difference:
    ends = {"low": -difference.high, "high": -difference.low}
    return difference.model_copy(update={"value": -difference.value, **ends})


def _with_n(score: Score | None) -> str:
    return f"{percent(score)}, n = {score.n}" if score else "none"


def _score(each: Finalist, metric: str) -> Score:
    return next(score for score in each.scores if score.metric == metric)


def _untuned_score(each: Finalist, metric: str) -> Score | None:
    return next((score for score in each.untuned if score.metric == metric), None)
