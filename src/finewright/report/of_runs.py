"""What is shown of runs: one with all its reports, a list of them, whether one is as recorded."""

from collections.abc import Iterator, Sequence

from finewright.report.blocks import Block, Page, Quote, Section, Table, Text, lines, section
from finewright.report.cells import count, gib, loss, number, row_counts
from finewright.report.of_evaluate import score_sections
from finewright.schema.report import (
    EarlierMeasurement,
    QuickstartReport,
    ReplayedAnswer,
    RunList,
    RunReport,
    RunSummary,
    VerifyReport,
)
from finewright.schema.train import Candidate, TrainReport

_OF_METHODS = ("accuracy", "margin", "reward", "kl")
_LONGEST_ANSWER = 400


def run_page(report: RunReport) -> Page:
    """What was decided, prepared, estimated, trained and measured, as far as the run has come."""
    summary = report.summary
    can_go_on = summary.state in {"interrupted", "failed"}
    return Page(
        subject="a run",
        title=summary.run,
        answer=f"{summary.state}; {', '.join(summary.stages) or 'no stage done'}",
        about=[f"go on: finewright up {summary.run}"] if can_go_on else [],
        problems=[
            problem
            for part in (report.data, report.cost, report.evaluate)
            if part
            for problem in part.problems
        ],
        sections=[
            *section("decide", "Decision", Text(report.decide.answer) if report.decide else None),
            *section("data", "Data", Text(row_counts(report.data.counts)) if report.data else None),
            *_cost(report),
            *(section("train", "Training", *_trained(report.train)) if report.train else ()),
            *(score_sections(report.evaluate, "evaluate") if report.evaluate else ()),
            *(
                part
                for i, earlier in enumerate(report.earlier, 1)
                for part in _earlier(earlier, f"earlier-{i}")
            ),
        ],
    )


def quickstart_page(report: QuickstartReport) -> Page:
    """Answers before and after, the run, and what to do next."""
    page, run = run_page(report.run), report.run.summary.run
    commands = [f"finewright {command} {run}" for command in ("chat", "runs show", "verify")]
    return Page(
        subject=page.subject,
        title=page.title,
        answer=page.answer,
        about=page.about,
        problems=page.problems,
        sections=[
            *section("answers", "Before and after", *map(_before_after, report.answers)),
            *page.sections,
            *section("next", "Next", Text("\n".join(commands), "code")),
        ],
    )


def runs_page(report: RunList) -> Page:
    """The runs of a folder, and the groups of runs in it."""
    if not report.runs and not report.groups:
        return Page("runs", "no runs yet")
    groups = [
        Section(
            f"group-{i}",
            f"{group.folder}: {group.report or 'no report yet'}",
            [_runs(group.runs) if group.runs else Text("no runs")],
        )
        for i, group in enumerate(report.groups, 1)
    ]
    return Page("runs", "", sections=[*section("runs", "", _runs(report.runs)), *groups])


def verify_page(report: VerifyReport) -> Page:
    """What differs from what was recorded."""
    num_unchecked = sum(p.message.startswith("cannot be checked") for p in report.problems)
    if not report.passed:
        claim = f"{report.files} files: this run is not what was recorded"
    elif num_unchecked:
        claim = f"{report.files} files as recorded; {num_unchecked} could not be checked"
    else:
        claim = f"{report.files} files: every digest is as recorded"
    return Page("a run", report.run, claim, problems=report.problems)


def _runs(runs: Sequence[RunSummary]) -> Table:
    rows = [(r.run, r.state, r.created, " ".join(r.stages), " ".join(r.base_models)) for r in runs]
    return Table(("run", "state", "created", "done", "base models"), rows)


def _cost(report: RunReport) -> Sequence[Section]:
    if report.cost is None:
        return ()
    from finewright.report.of_cost import cost_sections  # loaded where there is an estimate

    return cost_sections(report.cost)


def _earlier(earlier: EarlierMeasurement, name: str) -> Iterator[Section]:
    said = f"measured earlier, {earlier.finished}, kept in {earlier.path}"
    yield from section(name, "Earlier measurement", Text(said), *earlier.report.problems)
    yield from score_sections(earlier.report, name)


def _trained(report: TrainReport) -> Iterator[Block | None]:
    candidates = report.candidates
    yield lines(*(f"{c.base_model}: {row_counts(c.counts)}" for c in candidates))
    columns = {
        "base model": [c.base_model for c in candidates],
        "steps": [count(c.steps) for c in candidates],
        "first loss": [loss(c.first_loss) for c in candidates],
        "final loss": [loss(c.final_loss) for c in candidates],
        "held-out loss": [loss(c.eval_loss) for c in candidates],
        "tokens": [count(c.tokens) for c in candidates],
        "tokens/s": [number(c.tokens_per_second) for c in candidates],
        "seconds": [number(c.seconds) for c in candidates],
        "peak GiB": [gib(c.peak_gib) for c in candidates],
        **dict(_method_columns(candidates)),
    }
    shown = {name: cells for name, cells in columns.items() if any(cells)}
    yield Table(list(shown), list(zip(*shown.values(), strict=True)))
    yield lines(*(_proved(c) for c in candidates if c.proofs))
    yield from (problem for c in candidates for problem in c.problems)


def _method_columns(candidates: Sequence[Candidate]) -> Iterator[tuple[str, list[str]]]:
    for name in _OF_METHODS:
        values = [c.eval_metrics.get(name, c.final_metrics.get(name)) for c in candidates]
        where = "held-out " if any(name in c.eval_metrics for c in candidates) else ""
        yield where + name, ["" if value is None else f"{value:.3f}" for value in values]


def _proved(candidate: Candidate) -> str:
    passed = sum(proof.passed for proof in candidate.proofs)
    what = "; ".join(f"{p.name} {p.measured:.2g} (bar {p.bar:g})" for p in candidate.proofs)
    how = "".join(f"; {d}" for d in dict.fromkeys(p.detail for p in candidate.proofs if p.detail))
    return (
        f"stored and loaded again: {passed} of {len(candidate.proofs)} checks passed ({what}{how})"
    )


def _before_after(answer: ReplayedAnswer) -> Quote:
    parts = {
        "asked": answer.question,
        "before": answer.before,
        "after": answer.after,
        "expected": answer.expected,
    }
    return Quote(answer.data, "\n".join(f"{name:9}{_short(text)}" for name, text in parts.items()))


def _short(text: str) -> str:
    shown = text if len(text) <= _LONGEST_ANSWER else f"{text[:_LONGEST_ANSWER]} ..."
    return shown.replace("\n", "\n" + " " * 9)
