"""A measured decision: the arms, their tests, their cost, and the probes that were held."""

from collections.abc import Iterator

from finewright.report import cells
from finewright.report.blocks import (
    Axis,
    Block,
    Fold,
    Page,
    Plot,
    Point,
    Section,
    Table,
    Text,
    section,
    table_of,
)
from finewright.report.cells import number, percent
from finewright_advice.schema.measure_report import ArmReport, FoundPrompt, GainCurve, MeasureReport

_THOUSAND = 1000
_BEST_IN = (
    "Best in: the share of bootstrap resamples of the rows in which the option solves the most. Times are of"
    " one request at a time."
)
_TESTS = (
    "On the same rows: exact McNemar test of solved or not, corrected by Holm for their number. Won and lost:"
    " rows that only one of the two solved."
)
_COST_PLOT = (
    "Left and up is better. Dot: no option is as cheap and as good; ring: another is. Upright lines are"
    " intervals."
)
_LATENCY_PLOT = "The same against the median time of one request, with the search for passages."
_CURVE = (
    "Trained on parts of the rows, each within the next, by the same epochs. One training each."
)
_FACTS = (
    "After training, facts of training rows were changed in the documents, which were indexed again, and"
    " asked again. Facts that stayed were asked on the same index."
)
_ABSTENTION = (
    "Held-out questions asked again after their documents were taken out of the index, and with them in it."
    " The second column is wrong to abstain, where the passages do hold the answer."
)
_FORGETTING = "General questions, asked as they are. Perplexity is of the expected answers."


def measure_page(report: MeasureReport) -> Page:
    """The recommendation, and what it rests on."""
    changed = (
        f"Facts of training rows changed in the documents after training: {len(report.changed)}"
    )
    cost = f"Cost and time, a training paid off over {report.requests:,} requests"
    return Page(
        subject="an experiment",
        title=report.name,
        answer=report.recommendation.sentence,
        about=[*_about(report), f"experiment: {report.folder}"],
        problems=report.problems,
        sections=[
            *section(f"Arms on held-out rows; solved: {report.solved_by}", *_arms(report)),
            *section("All options against each other", Text(_TESTS), _tests(report)),
            *section("Baselines for labels", *_baselines(report)),
            *section(cost, *_cost(report)),
            *(_curve(report.curve) if report.curve else ()),
            *section(changed, *(_facts(report) if report.facts else ())),
            *section(
                "Questions whose documents are gone", Text(_ABSTENTION, "page"), _abstention(report)
            ),
            *section("What training took", Text(_FORGETTING, "page"), _forgetting(report)),
            *section("Method", Text("\n".join(_method(report))), is_for_page=True),
        ],
    )


def _baselines(report: MeasureReport) -> Iterator[Block]:
    """What needs no training, or no language model, and the best arm's lead over it."""
    if report.baselines:
        yield table_of(
            report.baselines,
            {
                "baseline": lambda each: each.name,
                "solved": lambda each: percent(each.solved),
                "best option": lambda each: each.difference.system,
                "points more": lambda each: cells.points(each.difference),
                "p": lambda each: cells.p_value(each.difference.p_value),
            },
        )


def _about(report: MeasureReport) -> Iterator[str]:
    """The rows, what they can show, and what was left out of them."""
    power, clean = report.power, report.decontaminated
    shown = f"{100 * power.detectable:.0f} points and more" if power.detectable else "no difference"
    gone = cells.list_counts(clean.removed) or "none"
    yield (
        f"{report.base_model}: {report.rows_train} rows train, {report.rows_dev} choose the examples, "
        f"{report.rows_test} measure; known from these and so left out of training: {gone}."
    )
    yield (
        f"A difference of {100 * power.difference:g} points needs {power.rows_needed} rows where "
        f"{100 * power.discordant:g} % of the answers differ; these show {shown}. "
        f"{cells.confidence(report.confidence)}."
    )


def _arms(report: MeasureReport) -> Iterator[Block]:
    """Each arm's success and speed, and what else was scored."""
    yield Text(_BEST_IN, "page")
    yield table_of(
        report.arms,
        {
            "option": _name,
            "solved": lambda arm: percent(arm.solved),
            "best in": lambda arm: cells.share(arm.p_best),
            "TTFT ms": lambda arm: number(arm.latency.ttft_p50),
            "p50 ms": lambda arm: number(arm.latency.p50),
            "p95 ms": lambda arm: number(arm.latency.p95),
            "tokens in": lambda arm: number(arm.tokens.prompt),
            "tokens out": lambda arm: number(arm.tokens.answer),
            "frontier": _frontier,
        },
    )
    names = [score.metric for score in report.arms[0].scores]
    if len(names) > 1:
        scores = [(_name(arm), *map(percent, arm.scores)) for arm in report.arms]
        yield Table(("option", *names), scores, "All metrics")
    if found := report.retrieval:
        yield Text(
            f"A right document is among the {found.passages} passages of {percent(found.found)} of the"
            f" held-out questions ({found.documents:,} documents, {found.chunks:,} chunks, embedder"
            f" {found.embedder})."
        )
    if report.prompt:
        yield from _prompt(report.prompt)
    shots = [(str(tried.shots), percent(tried.solved)) for tried in report.shots]
    header = ("examples", "solved on development rows")
    yield Table(header, shots, "Examples for k-shot, base model")


def _prompt(found: FoundPrompt) -> Iterator[Block]:
    """The instructions of `gepa`, and what finding them took."""
    tokens = (
        f", {found.tokens_in:,} tokens read and {found.tokens_out:,} written"
        if found.tokens_out
        else ""
    )
    yield Text(
        f"gepa: {cells.count_of(found.rewrites, 'rewrite')} by {found.by}{tokens}, {found.kept} kept;"
        f" {found.answers:,} answers of the base model, {number(found.seconds)} s. Solved on development"
        f" rows: {percent(found.before)} before, {percent(found.after)} after."
    )
    yield (
        Fold("The instructions of gepa", [Text(found.instructions)])
        if found.instructions
        else Text("No rewrite beat the question as it is, so gepa asks as 0-shot does.")
    )


def _tests(report: MeasureReport) -> Table:
    """Each pair of arms, those that differ most surely first."""
    named = _name_arms(report)
    return table_of(
        sorted(report.pairs, key=lambda pair: pair.p_holm),
        {
            "option": lambda pair: named[pair.arm],
            "against": lambda pair: named[pair.against],
            "difference": lambda pair: cells.points(pair.difference),
            "won : lost": lambda pair: f"{pair.won} : {pair.lost}",
            "p": lambda pair: cells.p_value(pair.p_value),
            "p (Holm)": lambda pair: cells.p_value(pair.p_holm),
        },
    )


def _cost_of(arm: ArmReport, *, in_dollars: bool) -> float:
    return _THOUSAND * (arm.cost.usd or 0.0) if in_dollars else arm.cost.seconds


def _cost(report: MeasureReport) -> Iterator[Block]:
    """Success over what a request costs, in dollars where the machine has a price, and over its time."""
    has_price = all(arm.cost.usd is not None for arm in report.arms)
    unit = "USD a thousand requests" if has_price else "seconds of this machine a request"
    by_cost = [
        _point(arm, _cost_of(arm, in_dollars=has_price), unit, is_on=arm.is_cost_frontier)
        for arm in report.arms
    ]
    by_time = [
        _point(arm, arm.latency.p50, "ms", is_on=arm.is_latency_frontier) for arm in report.arms
    ]
    median = Axis("median ms of one request", is_log=True)
    yield Plot("Success by cost", "scatter", by_cost, _COST_PLOT, Axis(unit, is_log=True))
    yield Plot("Success by time", "scatter", by_time, _LATENCY_PLOT, median)
    yield table_of(
        report.arms,
        {
            "option": _name,
            "s a request": lambda arm: number(arm.cost.seconds),
            "s a solved one": lambda arm: number(arm.cost.seconds_per_solved, "never"),
            "$ a 1,000 requests": lambda arm: _usd(arm.cost.usd),
            "$ a 1,000 solved": lambda arm: _usd(arm.cost.usd_per_solved),
            "training or search s": lambda arm: number(arm.cost.training_seconds),
            "$ a 1,000 at the API": lambda arm: (
                _usd(arm.cost.api_usd.median) if arm.cost.api_usd else ""
            ),
        },
    )


def _point(arm: ArmReport, x: float, unit: str, *, is_on: bool) -> Point:
    name, solved = _name(arm), arm.solved
    note = f"{name}: {percent(solved)}, {number(x)} {unit}"
    return Point(name, solved.value, solved.low, solved.high, x, is_on, note)


def _curve(curve: GainCurve) -> list[Section]:
    """Success over training rows."""
    found = [
        Point(curve.arm, p.solved.value, p.solved.low, p.solved.high, p.rows,
              note=f"{p.rows} rows: {percent(p.solved)}")
        for p in curve.points
    ]  # fmt: skip
    title, rows = f"Learning curve of {curve.arm}", Axis("training rows")
    table = [(cells.share(p.share), str(p.rows), percent(p.solved)) for p in curve.points]
    return section(
        title,
        Text(curve.reading),
        Plot(title, "lines", found, _CURVE, rows),
        Table(("share", "rows", "solved"), table),
    )


def _facts(report: MeasureReport) -> Iterator[Block]:
    """Who follows changed facts, and who keeps the others."""
    named = _name_arms(report)
    yield Text(_FACTS, "page")
    yield table_of(
        report.facts,
        {
            "option": lambda probe: named[probe.arm],
            "right before": lambda probe: percent(probe.known_before),
            "follow the new": lambda probe: percent(probe.follows_new),
            "give the old": lambda probe: percent(probe.gives_old),
            "unchanged facts right": lambda probe: percent(probe.kept),
        },
    )
    changed = [(c.question, c.old, c.new, ", ".join(c.documents)) for c in report.changed]
    yield Fold("What was changed", [Table(("question", "was", "is", "documents"), changed)])


def _abstention(report: MeasureReport) -> Table:
    rows = [(e.arm, percent(e.unanswerable), percent(e.answerable)) for e in report.abstention]
    return Table(("option", "abstains, documents gone", "abstains, documents there"), rows)


def _forgetting(report: MeasureReport) -> Table:
    rows = [
        (each.system, percent(each.score), percent(each.perplexity), cells.points(each.change))
        for each in report.forgetting
    ]
    return Table(("model", "general questions right", "perplexity", "change"), rows)


def _method(report: MeasureReport) -> Iterator[str]:
    yield (
        f"One base model, the same {report.rows_test} held-out rows for all options;"
        f" {cells.confidence(report.confidence)}, tests at {100 * report.alpha:g} % after Holm's correction."
    )
    yield (
        "Each option was trained once: another seed of the training moves its score too, and no interval here"
        " has that in it."
    )
    yield "Not significantly different does not mean equal: what the rows show is said under the answer."
    if report.prices:
        yield (
            f"API prices: catalog {report.prices}. The API's model was not asked; its price is of the same"
            " tokens."
        )
    yield f"Answers, trainings and indexes lie in {report.folder}."


def _name(arm: ArmReport) -> str:
    """The arm; of k-shot with its number of examples."""
    return f"{arm.shots}-shot" if arm.shots else arm.arm


def _name_arms(report: MeasureReport) -> dict[str, str]:
    return {arm.arm: _name(arm) for arm in report.arms}


def _frontier(arm: ArmReport) -> str:
    names = {"cost": arm.is_cost_frontier, "latency": arm.is_latency_frontier}
    return ", ".join(name for name, is_on in names.items() if is_on)


def _usd(value: float | None) -> str:
    """Dollars of a thousand requests: one costs too little to read."""
    return number(None if value is None else _THOUSAND * value)
