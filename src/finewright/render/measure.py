"""A measured decision, for a terminal; the tables are those of the page as well."""

from collections.abc import Iterator, Sequence

from finewright.render.reports import text_of
from finewright.render.text import p_value, table
from finewright.schema.evaluate import Difference, Score
from finewright.schema.measure_report import ArmReport, MeasureReport, Share

Rows = list[tuple[str, ...]]

ARMS = (
    "arm",
    "solved",
    "best in",
    "TTFT ms",
    "p50 ms",
    "p95 ms",
    "tokens in",
    "tokens out",
    "frontier",
)
COSTS = (
    "arm",
    "s a request",
    "s a solved one",
    "$ a 1,000 requests",
    "$ a 1,000 solved",
    "training s",
    "$ a 1,000 at the API",
)
PAIRS = ("arm", "against", "difference", "won : lost", "p", "p (Holm)")
SHOTS = ("examples", "solved on development rows")
CURVE = ("share", "rows", "solved")
FACTS = ("arm", "right before", "follow the new", "give the old", "unchanged facts right")
ABSTENTIONS = ("arm", "abstains, documents gone", "abstains, documents there")
FORGETTING = ("model", "general questions right", "perplexity", "change")
CHANGES = ("question", "was", "is", "documents")


@text_of.register
def _(report: MeasureReport) -> str:
    parts = [
        f"{report.name}: {report.recommendation.sentence}",
        about(report),
        *(f"{p.level}: {p.line()}" for p in report.problems),
        f"held-out rows; solved: {report.solved_by}\n" + table(ARMS, arm_rows(report)),
        *_more_scores(report),
        f"cost, a training paid off over {report.requests:,} requests\n"
        + table(COSTS, cost_rows(report)),
        "all arms against each other, exact McNemar test\n" + table(PAIRS, pair_rows(report)),
        *_probes(report),
        f"experiment: {report.folder}",
    ]
    return "\n\n".join(parts)


def about(report: MeasureReport) -> str:
    """The rows, what they can show, and what was left out of them."""
    power, clean = report.power, report.decontaminated
    shown = f"{100 * power.detectable:.0f} points and more" if power.detectable else "no difference"
    gone = ", ".join(f"{count} {reason}" for reason, count in clean.removed.items()) or "none"
    return (
        f"{report.base_model}: {report.rows_train} rows train, {report.rows_dev} choose the examples, "
        f"{report.rows_test} measure; known from these and so left out of training: {gone}.\n"
        f"A difference of {100 * power.difference:g} points needs {power.rows_needed} rows where "
        f"{100 * power.discordant:g} % of the answers differ; these show {shown}. "
        f"{100 * report.confidence:g} % intervals."
    )


def arm_rows(report: MeasureReport) -> Rows:
    """Each arm's success and speed."""
    return [
        (
            arm_name(arm),
            share(arm.solved),
            f"{arm.p_best:.0%}",
            f"{arm.latency.ttft_p50:,.0f}",
            f"{arm.latency.p50:,.0f}",
            f"{arm.latency.p95:,.0f}",
            f"{arm.tokens.prompt:,.0f}",
            f"{arm.tokens.answer:,.0f}",
            _frontier(arm),
        )
        for arm in report.arms
    ]


def cost_rows(report: MeasureReport) -> Rows:
    """Each arm's cost; empty where nothing is known of it."""
    return [
        (
            arm_name(arm),
            f"{arm.cost.seconds:.3g}",
            _optional(arm.cost.seconds_per_solved),
            _usd(arm.cost.usd),
            _usd(arm.cost.usd_per_solved),
            f"{arm.cost.training_seconds:,.0f}",
            _usd(arm.cost.api_usd.median) if arm.cost.api_usd else "",
        )
        for arm in report.arms
    ]


def pair_rows(report: MeasureReport) -> Rows:
    """Each pair of arms, those that are told apart first."""
    ordered = sorted(report.pairs, key=lambda pair: pair.p_holm)
    named = _named(report)
    return [
        (
            named[pair.arm],
            named[pair.against],
            points(pair.difference),
            f"{pair.won} : {pair.lost}",
            p_value(pair.p_value),
            p_value(pair.p_holm),
        )
        for pair in ordered
    ]


def shot_rows(report: MeasureReport) -> Rows:
    """The numbers of examples that were tried."""
    return [(str(tried.shots), share(tried.solved)) for tried in report.shots]


def curve_rows(report: MeasureReport) -> Rows:
    """The learning curve."""
    found = report.curve.points if report.curve else ()
    return [(f"{point.share:.0%}", str(point.rows), share(point.solved)) for point in found]


def fact_rows(report: MeasureReport) -> Rows:
    """Who follows changed facts, and who keeps the others."""
    named = _named(report)
    return [
        (
            named[probe.arm],
            share(probe.known_before) if probe.known_before else "",
            share(probe.follows_new),
            share(probe.gives_old),
            share(probe.kept),
        )
        for probe in report.facts
    ]


def abstention_rows(report: MeasureReport) -> Rows:
    """Who says that it cannot know."""
    return [
        (each.arm, share(each.unanswerable), share(each.answerable)) for each in report.abstention
    ]


def forgetting_rows(report: MeasureReport) -> Rows:
    """What training took."""
    return [
        (
            each.system,
            _score(each.score),
            f"{each.perplexity.value:.1f} ({each.perplexity.low:.1f}-{each.perplexity.high:.1f})",
            points(each.change) if each.change else "",
        )
        for each in report.forgetting
    ]


def change_rows(report: MeasureReport) -> Rows:
    """The facts that were changed."""
    return [(c.question, c.old, c.new, ", ".join(c.documents)) for c in report.changed]


def retrieval_line(report: MeasureReport) -> str:
    """How often a right document was among the passages; empty without documents."""
    found = report.retrieval
    if found is None:
        return ""
    return (
        f"A right document is among the {found.passages} passages of {share(found.found)} of the held-out "
        f"questions ({found.documents:,} documents, {found.chunks:,} chunks, embedder {found.embedder})."
    )


def arm_name(arm: ArmReport) -> str:
    """The arm; of k-shot with its number of examples."""
    return f"{arm.shots}-shot" if arm.shots else arm.arm


def _named(report: MeasureReport) -> dict[str, str]:
    return {arm.arm: arm_name(arm) for arm in report.arms}


def share(found: Share) -> str:
    """A share with its interval."""
    return f"{100 * found.value:.0f} % ({100 * found.low:.0f}-{100 * found.high:.0f})"


def points(found: Difference) -> str:
    """A difference with its interval."""
    return f"{100 * found.value:+.0f} points ({100 * found.low:+.0f} to {100 * found.high:+.0f})"


def _probes(report: MeasureReport) -> Iterator[str]:
    if report.shots:
        yield "examples for k-shot, base model\n" + table(SHOTS, shot_rows(report))
    if line := retrieval_line(report):
        yield line
    if report.curve:
        yield (
            f"learning curve of {report.curve.arm}: {report.curve.reading}\n"
            + table(CURVE, curve_rows(report))
        )
    if report.facts:
        yield (
            f"facts of training rows changed in the documents after training: {len(report.changed)}\n"
            + table(FACTS, fact_rows(report))
        )
    if report.abstention:
        yield "questions whose documents are gone\n" + table(ABSTENTIONS, abstention_rows(report))
    yield "what training took\n" + table(FORGETTING, forgetting_rows(report))


def _more_scores(report: MeasureReport) -> Iterator[str]:
    """The metrics beside the one that tells what is solved."""
    names = [score.metric for score in report.arms[0].scores]
    if len(names) > 1:
        rows = [(arm_name(arm), *map(_score, arm.scores)) for arm in report.arms]
        yield "all metrics\n" + table(("arm", *names), rows)


def score_cells(scores: Sequence[Score]) -> tuple[str, ...]:
    """Each metric with its interval."""
    return tuple(map(_score, scores))


def _score(score: Score) -> str:
    if score.metric == "perplexity":
        return f"{score.value:.1f} ({score.low:.1f}-{score.high:.1f})"
    return f"{100 * score.value:.1f} % ({100 * score.low:.0f}-{100 * score.high:.0f})"


def _frontier(arm: ArmReport) -> str:
    names = {"cost": arm.is_cost_frontier, "latency": arm.is_latency_frontier}
    return ", ".join(name for name, is_on in names.items() if is_on)


def _optional(value: float | None) -> str:
    return "never" if value is None else f"{value:.3g}"


def _usd(value: float | None) -> str:
    """Dollars of a thousand requests: one costs too little to read."""
    return "" if value is None else f"{1000 * value:.2g}"
