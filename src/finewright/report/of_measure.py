"""A measured decision: the arms, their tests, their cost, and the probes that were held."""

from collections.abc import Iterator

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
)
from finewright.report.cells import confidence, number, p_value, percent, points, share
from finewright.schema.measure_report import ArmReport, MeasureReport

_THOUSAND = 1000


def measure_page(report: MeasureReport) -> Page:
    """The recommendation, and what it rests on."""
    return Page(
        subject="an experiment",
        title=report.name,
        answer=report.recommendation.sentence,
        about=[*_about(report), f"experiment: {report.folder}"],
        problems=report.problems,
        sections=[
            *section("arms", f"Arms on held-out rows; solved: {report.solved_by}", *_arms(report)),
            *section("tests", "All arms against each other", *_tests(report)),
            *section(
                "cost",
                f"Cost and time, a training paid off over {report.requests:,} requests",
                *_cost(report),
            ),
            *_probes(report),
            *section("forgetting", "What training took", *_forgetting(report)),
            *section("method", "Method", Text("\n".join(_method(report))), is_for_page=True),
        ],
    )


def _about(report: MeasureReport) -> Iterator[str]:
    """The rows, what they can show, and what was left out of them."""
    power, clean = report.power, report.decontaminated
    shown = f"{100 * power.detectable:.0f} points and more" if power.detectable else "no difference"
    gone = ", ".join(f"{count} {reason}" for reason, count in clean.removed.items()) or "none"
    yield (
        f"{report.base_model}: {report.rows_train} rows train, {report.rows_dev} choose the examples, "
        f"{report.rows_test} measure; known from these and so left out of training: {gone}."
    )
    yield (
        f"A difference of {100 * power.difference:g} points needs {power.rows_needed} rows where "
        f"{100 * power.discordant:g} % of the answers differ; these show {shown}. "
        f"{confidence(report.confidence)}."
    )


def _arms(report: MeasureReport) -> Iterator[Block | None]:
    """Each arm's success and speed, and what else was scored."""
    yield Text(
        "Best in: the share of bootstrap resamples of the rows in which the arm solves the most. Times are of"
        " one request at a time.",
        "page",
    )
    rows = [
        (
            _name(arm),
            percent(arm.solved),
            share(arm.p_best),
            number(arm.latency.ttft_p50),
            number(arm.latency.p50),
            number(arm.latency.p95),
            number(arm.tokens.prompt),
            number(arm.tokens.answer),
            _frontier(arm),
        )
        for arm in report.arms
    ]
    header = (
        *("arm", "solved", "best in", "TTFT ms", "p50 ms", "p95 ms", "tokens in", "tokens out"),
        "frontier",
    )
    yield Table(header, rows)
    names = [score.metric for score in report.arms[0].scores]
    if len(names) > 1:
        scores = [(_name(arm), *map(percent, arm.scores)) for arm in report.arms]
        yield Table(("arm", *names), scores, "All metrics")
    yield _retrieval(report)
    shots = [(str(tried.shots), percent(tried.solved)) for tried in report.shots]
    yield Table(
        ("examples", "solved on development rows"), shots, "Examples for k-shot, base model"
    )


def _retrieval(report: MeasureReport) -> Text | None:
    """How often a right document was among the passages."""
    found = report.retrieval
    if found is None:
        return None
    return Text(
        f"A right document is among the {found.passages} passages of {percent(found.found)} of the held-out "
        f"questions ({found.documents:,} documents, {found.chunks:,} chunks, embedder {found.embedder})."
    )


def _tests(report: MeasureReport) -> Iterator[Block]:
    """Each pair of arms, those that differ most surely first."""
    yield Text(
        "On the same rows: exact McNemar test of solved or not, corrected by Holm for their number. Won and"
        " lost: rows that only one of the two solved."
    )
    named = _named(report)
    rows = [
        (
            named[pair.arm],
            named[pair.against],
            points(pair.difference),
            f"{pair.won} : {pair.lost}",
            p_value(pair.p_value),
            p_value(pair.p_holm),
        )
        for pair in sorted(report.pairs, key=lambda pair: pair.p_holm)
    ]
    yield Table(("arm", "against", "difference", "won : lost", "p", "p (Holm)"), rows)


def _cost(report: MeasureReport) -> Iterator[Block]:
    """Each arm's cost; empty where nothing is known of it."""
    yield from _cost_plots(report)
    rows = [
        (
            _name(arm),
            number(arm.cost.seconds),
            number(arm.cost.seconds_per_solved, "never"),
            _usd(arm.cost.usd),
            _usd(arm.cost.usd_per_solved),
            number(arm.cost.training_seconds),
            _usd(arm.cost.api_usd.median if arm.cost.api_usd else None),
        )
        for arm in report.arms
    ]
    header = (
        *("arm", "s a request", "s a solved one", "$ a 1,000 requests", "$ a 1,000 solved"),
        *("training s", "$ a 1,000 at the API"),
    )
    yield Table(header, rows)


def _cost_plots(report: MeasureReport) -> Iterator[Plot]:
    """Success over what a request costs, in dollars where the machine has a price, and over its time."""
    has_price = all(arm.cost.usd is not None for arm in report.arms)
    unit = "USD a thousand requests" if has_price else "seconds of this machine a request"
    yield _scatter(
        "cost",
        "Success by cost",
        unit,
        [
            (
                arm,
                _THOUSAND * (arm.cost.usd or 0.0) if has_price else arm.cost.seconds,
                arm.is_cost_frontier,
            )
            for arm in report.arms
        ],
        "Left and up is better. Dot: no arm is as cheap and as good; ring: another is. Upright lines are"
        " intervals.",
    )
    yield _scatter(
        "latency",
        "Success by time",
        "median ms of one request",
        [(arm, arm.latency.p50, arm.is_latency_frontier) for arm in report.arms],
        "The same against the median time of one request, with the search for passages.",
    )


def _scatter(
    name: str, title: str, unit: str, arms: list[tuple[ArmReport, float, bool]], caption: str
) -> Plot:
    found = [
        Point(
            _name(arm),
            arm.solved.value,
            arm.solved.low,
            arm.solved.high,
            x,
            is_on,
            f"{_name(arm)}: {percent(arm.solved)}, {number(x)} {unit}",
        )
        for arm, x, is_on in arms
    ]
    return Plot(name, title, "scatter", found, caption, across=Axis(unit, is_log=True))


def _probes(report: MeasureReport) -> Iterator[Section]:
    if curve := report.curve:
        yield from section("curve", f"Learning curve of {curve.arm}", *_curve(report))
    if report.facts:
        yield from section(
            "facts",
            f"Facts of training rows changed in the documents after training: {len(report.changed)}",
            *_facts(report),
        )
    rows = [(e.arm, percent(e.unanswerable), percent(e.answerable)) for e in report.abstention]
    yield from section(
        "abstention",
        "Questions whose documents are gone",
        Text(
            "Held-out questions asked again after their documents were taken out of the index, and with them"
            " in it. The second column is wrong to abstain, where the passages do hold the answer.",
            "page",
        ),
        Table(("arm", "abstains, documents gone", "abstains, documents there"), rows),
    )


def _curve(report: MeasureReport) -> Iterator[Block]:
    curve = report.curve
    assert curve is not None
    yield Text(f"{curve.reading}")
    yield Plot(
        "curve",
        f"Learning curve of {curve.arm}",
        "lines",
        [
            Point(
                curve.arm,
                point.solved.value,
                point.solved.low,
                point.solved.high,
                point.rows,
                note=f"{point.rows} rows: {percent(point.solved)}",
            )
            for point in curve.points
        ],
        "The arm trained on parts of the rows, each part within the next, by the same epochs. One training"
        " each.",
        across=Axis("training rows"),
    )
    rows = [(share(p.share), str(p.rows), percent(p.solved)) for p in curve.points]
    yield Table(("share", "rows", "solved"), rows)


def _facts(report: MeasureReport) -> Iterator[Block]:
    """Who follows changed facts, and who keeps the others."""
    yield Text(
        "After training, facts of training rows were changed in the documents, which were indexed again, and"
        " asked again. Facts that stayed were asked on the same index.",
        "page",
    )
    named = _named(report)
    rows = [
        (
            named[probe.arm],
            percent(probe.known_before),
            percent(probe.follows_new),
            percent(probe.gives_old),
            percent(probe.kept),
        )
        for probe in report.facts
    ]
    header = ("arm", "right before", "follow the new", "give the old", "unchanged facts right")
    yield Table(header, rows)
    changed = [(c.question, c.old, c.new, ", ".join(c.documents)) for c in report.changed]
    yield Fold("What was changed", [Table(("question", "was", "is", "documents"), changed)])


def _forgetting(report: MeasureReport) -> Iterator[Block]:
    yield Text(
        "General questions, asked as they are. Perplexity is of the expected answers.", "page"
    )
    rows = [
        (each.system, percent(each.score), percent(each.perplexity), points(each.change))
        for each in report.forgetting
    ]
    yield Table(("model", "general questions right", "perplexity", "change"), rows)


def _method(report: MeasureReport) -> Iterator[str]:
    yield (
        f"One base model, the same {report.rows_test} held-out rows for all arms;"
        f" {confidence(report.confidence)}, tests at {100 * report.alpha:g} % after Holm's correction."
    )
    yield (
        "Each arm was trained once: another seed of the training moves its score too, and no interval here"
        " has that in it."
    )
    yield (
        "Not significantly different does not mean equal: the rows show what is said under the answer."
    )
    if report.prices:
        yield (
            f"API prices: catalog {report.prices}. The API's model was not asked; its price is of the same"
            " tokens."
        )
    yield f"Answers, trainings and indexes lie in {report.folder}."


def _name(arm: ArmReport) -> str:
    """The arm; of k-shot with its number of examples."""
    return f"{arm.shots}-shot" if arm.shots else arm.arm


def _named(report: MeasureReport) -> dict[str, str]:
    return {arm.arm: _name(arm) for arm in report.arms}


def _frontier(arm: ArmReport) -> str:
    names = {"cost": arm.is_cost_frontier, "latency": arm.is_latency_frontier}
    return ", ".join(name for name, is_on in names.items() if is_on)


def _usd(value: float | None) -> str:
    """Dollars of a thousand requests: one costs too little to read."""
    return number(None if value is None else _THOUSAND * value)
