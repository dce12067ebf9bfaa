"""What a bake-off shows: the leaderboard, the rungs, what each model takes, and how its answers behave."""

from collections.abc import Iterator

from finewright.report import cells
from finewright.report.blocks import (
    Axis,
    Block,
    Page,
    Plot,
    Point,
    Table,
    Text,
    section,
    table_of,
)
from finewright.schema.evaluate import LINEAR, Difference, Score
from finewright_advice.schema.bakeoff_report import BakeoffReport, Finalist, Rung

_HALVING = (
    "Successive halving (Jamieson & Talwalkar 2016): each rung trains every model that is left with a share"
    " of the budget, anew and with a schedule of its own length. The better part goes on, and so does every"
    " other model that is not shown to be worse than the best: the whole paired interval of its difference"
    " on the development rows must lie below 0 before it is dropped."
)
_PAIRED = (
    "The leaderboard's differences are paired by row (Gaffke 2005). p: exact McNemar test for scores of 0 or"
    " 1, sign-flip permutation test for others, corrected for the number of comparisons (Holm 1979). The best"
    " is called a winner only when every p is at most"
)
_BEHAVIOUR = (
    "Each model is asked with its own chat template. Foreign script: letters of a script that neither the"
    " question nor the expected answer has. Other language: by fastText, where both answer and expected"
    " answer are long enough to tell."
)


def bakeoff_page(report: BakeoffReport) -> Page:
    """The whole bake-off."""
    chose = f" {report.rows_development} chose who goes on," if report.rungs else ""
    method = (_HALVING, f"{_PAIRED} {1 - report.confidence:.2g}.", _BEHAVIOUR)
    return Page(
        subject="base models",
        title=report.name,
        answer=report.verdict,
        about=(
            f"{report.rows_train} rows trained,{chose} {report.rows_held_out} that chose nothing are in the"
            f" leaderboard; {cells.confidence(report.confidence)}",
            f"runs and page: {report.folder}",
        ),
        problems=report.problems,
        sections=[
            *section(f"Leaderboard by {report.metric}", *_leaderboard(report)),
            *section("Rungs, on development rows", *map(_rung, report.rungs), is_detail=True),
            *section("What each takes", *_takes(report)),
            *section("How the answers behave", *_behaviour(report), is_detail=True),
            *section("Method", *map(Text, method), is_for_page=True),
        ],
    )


def licence(each: Finalist) -> str:
    """The licence and its class, or that none is known."""
    if each.license == "unknown":
        return "none known"
    return f"{each.license} ({', '.join(each.license_classes)})"


def _leaderboard(report: BakeoffReport) -> Iterator[Block]:
    """The finalists by the metric that decides, with what lies between them and the best."""
    yield _score_plot(report)
    yield _by_score(report)
    if any(each.repeated_rows for each in report.finalists):
        columns = {
            "model": lambda e: e.base_model,
            "rows nearly like a training row": lambda e: _with_n(e.repeated_rows),
            "new rows": lambda e: _with_n(e.new_rows),
        }
        title = f"What of it is recall: {report.metric} by what the rows are to the training rows"
        yield table_of(report.finalists, columns, title)
    names = [score.metric for score in report.finalists[0].scores]
    if len(names) > 1:
        rows = [
            (e.base_model, *(cells.percent(_score(e, name)) for name in names))
            for e in report.finalists
        ]
        yield Table(("model", *names), rows, "All metrics")


def _score_plot(report: BakeoffReport) -> Plot:
    found = []
    for each in report.finalists:
        score, untuned = _score(each, report.metric), _score_of_untuned(each, report.metric)
        found.append(Point(each.base_model, score.value, score.low, score.high))
        if untuned:
            found.append(Point(each.base_model, untuned.value, is_main=False))
    caption = "On the held-out rows. Dot: the tuned model, with its interval. Ring: the same model untuned."
    return Plot(f"{report.metric} of each finalist", "intervals", found, caption)


def _by_score(report: BakeoffReport) -> Table:
    duels = {duel.difference.against: duel for duel in report.duels}
    behind = {name: cells.points(_turn_around(duel.difference)) for name, duel in duels.items()}
    p_values = {name: cells.p_value(duel.p_adjusted) for name, duel in duels.items()}
    table = table_of(
        report.finalists,
        {
            "model": lambda e: e.base_model,
            "score": lambda e: cells.percent(_score(e, report.metric)),
            "behind the best": lambda e: behind.get(e.base_model, "the best"),
            "p (Holm)": lambda e: p_values.get(e.base_model, ""),
            "untuned": lambda e: (
                cells.percent(_score_of_untuned(e, report.metric))
                + (", told the labels" if e.knows_labels else "")
            ),
            "gain by training": lambda e: cells.points(e.gain),
        },
    )
    if not (report.linear and report.linear_score):
        return table
    linear = (
        f"{LINEAR}, no model",
        cells.percent(report.linear_score),
        cells.points(_turn_around(report.linear)),
        cells.p_value(report.linear.p_value),
    )
    return Table(table.header, [*table.rows, (*linear, "", "")])


def _rung(rung: Rung) -> Table:
    columns = {
        "model": lambda a: a.base_model,
        "score": lambda a: cells.percent(a.score),
        "behind the best": lambda a: cells.points(a.difference),
        "steps": lambda a: str(a.steps),
        "seconds": lambda a: cells.number(a.train_seconds),
        "what becomes of it": lambda a: a.why,
    }
    return table_of(rung.attempts, columns, f"Rung {rung.number}: {rung.share:.3g} of the budget")


def _takes(report: BakeoffReport) -> Iterator[Block]:
    """What it takes to use and to train each finalist."""
    yield _frontier_plot(report)
    losses = {
        "first loss": lambda e: cells.loss(e.first_loss),
        "last loss": lambda e: cells.loss(e.final_loss),
    }
    columns = {
        "model": lambda e: e.base_model,
        "parameters": lambda e: f"{e.parameters / 1e6:,.0f}M",
        "licence": licence,
        "answer ms p50 / p95": lambda e: _pair(e.speed.answer_ms_p50, e.speed.answer_ms_p95),
        "first token ms p50 / p95": lambda e: _pair(
            e.speed.first_token_ms_p50, e.speed.first_token_ms_p95
        ),
        "tokens/s": lambda e: cells.number(e.speed.tokens_per_second),
        "trained in s": lambda e: cells.number(e.train_seconds),
        "peak GiB": lambda e: cells.gib(e.peak_gib),
        "a run on rented machines, USD": lambda e: (
            f"{cells.money(e.usd)} ({e.usd_on})" if e.usd else "not known"
        ),
        **(losses if len({e.backend for e in report.finalists}) > 1 else {}),
    }
    yield table_of(report.finalists, columns)
    yield Text(f"none beats them in both score and time: {', '.join(report.frontier)}")


def _frontier_plot(report: BakeoffReport) -> Plot:
    found = []
    for each in report.finalists:
        score, ms = _score(each, report.metric), each.speed.answer_ms_mean
        note = f"{each.base_model}: {cells.percent(score)}, {cells.number(ms)} ms"
        is_main = each.base_model in report.frontier
        found.append(Point(each.base_model, score.value, score.low, score.high, ms, is_main, note))
    caption = (
        "Upper left is better. Dot: no other model is as good in both score and time. Ring: another one is."
        " Mean time of one answer, asked one by one on the machine of this bake-off."
    )
    across = Axis("ms an answer", is_log=True)
    return Plot("Score by time of an answer", "scatter", found, caption, across)


def _behaviour(report: BakeoffReport) -> Iterator[Block]:
    share = cells.format_count_share
    columns = {
        "model": lambda e: e.base_model,
        "ends by itself": lambda e: share(e.behaviour.ended),
        "ends in a loop": lambda e: share(e.behaviour.looped),
        "foreign script": lambda e: share(e.behaviour.other_script),
        "other language": lambda e: share(e.behaviour.other_language, "not looked for"),
        "valid JSON": lambda e: share(e.behaviour.valid_json, "none expected"),
        "no label": lambda e: share(e.behaviour.no_label, "no labels"),
        "closes a turn with": lambda e: e.end_of_turn,
    }
    yield table_of(report.finalists, columns)
    strays = [(e.base_model, stray) for e in report.finalists for stray in e.behaviour.strays]
    yield Table(("model", "answer"), strays, "Answers that drifted")


def _turn_around(difference: Difference) -> Difference:
    ends = {"low": -difference.high, "high": -difference.low}
    return difference.model_copy(update={"value": 0.0 - difference.value, **ends})


def _pair(p50: float, p95: float) -> str:
    return f"{cells.number(p50)} / {cells.number(p95)}"


def _with_n(score: Score | None) -> str:
    return f"{cells.percent(score)}, n = {score.n}" if score else "none"


def _score(each: Finalist, metric: str) -> Score:
    return next(score for score in each.scores if score.metric == metric)


def _score_of_untuned(each: Finalist, metric: str) -> Score | None:
    return next((score for score in each.untuned if score.metric == metric), None)
