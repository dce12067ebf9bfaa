"""What is shown of runs: one with all its reports, a list of them, whether one is as recorded."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from finewright.report import cells
from finewright.report.blocks import (
    Block,
    Page,
    Quote,
    Section,
    Table,
    Text,
    lines,
    section,
    table_of,
)
from finewright.report.layouts import page_of
from finewright.report.of_evaluate import headlines, score_sections
from finewright.schema.evaluate import TUNED, Score
from finewright.schema.report import (
    EarlierMeasurement,
    QuickstartReport,
    ReplayedAnswer,
    RunList,
    RunReport,
    RunSummary,
    Signer,
    TrustReport,
    VerifyReport,
)
from finewright.schema.train import Candidate, TrainReport

_OF_METHODS = ("accuracy", "margin", "reward", "kl")
_LONGEST_ANSWER = 400
_SHOWN_OF_KEY = 16
_MINUTES = len("2026-12-02T09:30")


def run_page(report: RunReport) -> Page:
    """What was decided, prepared, estimated, trained and measured, as far as the run has come."""
    summary, pages = report.summary, [page_of(each) for each in report.of_features()]
    can_go_on = summary.state in {"interrupted", "failed"}
    return Page(
        subject="a run",
        title=summary.run,
        answer=f"{summary.state}; {', '.join(summary.stages) or 'no stage done'}",
        about=[
            *([f"go on: finewright up {summary.run}"] if can_go_on else []),
            *(headlines(report.evaluate) if report.evaluate else []),
        ],
        problems=[
            problem
            for part in (report.data, *pages, report.evaluate)
            if part
            for problem in part.problems
        ],
        sections=list(_sections(report, pages)),
    )


def _sections(report: RunReport, pages: Sequence[Page]) -> Iterator[Section]:
    for page in pages:
        yield from _answer(page) if page.answer else ()
    if report.data:
        yield from section("Data", Text(cells.row_counts(report.data.counts)))
    for page in pages:
        yield from () if page.answer else page.sections
    if report.train:
        yield from section("Training", *_show_training(report.train))
    if report.evaluate:
        yield from score_sections(report.evaluate)
    for earlier in report.earlier:
        yield from _earlier(earlier)


def _answer(page: Page) -> list[Section]:
    """Of a page with an answer, that alone."""
    return section(page.subject.removeprefix("a ").capitalize(), Text(page.answer))


def quickstart_page(report: QuickstartReport) -> Page:
    """Answers of both systems, what was measured, and what to do next."""
    measured = page_of(report.measured)
    shown = [_show_answers(each, report.compared_with) for each in report.answers]
    sections = [
        *section(f"Answers of {report.compared_with}, and tuned", *shown),
        *measured.sections,
        *section("Next", Text("\n".join(report.commands), "code")),
    ]
    return replace(measured, sections=sections)


def runs_page(report: RunList) -> Page:
    """The runs of a folder, and the groups of runs in it."""
    if not report.runs and not report.groups:
        return Page("runs", "no runs yet")
    groups = [
        Section(
            f"{group.folder}: {group.report or 'no report yet'}",
            [_runs(group.runs) if group.runs else Text("no runs")],
        )
        for group in report.groups
    ]
    return Page("runs", "", sections=[*section("", _runs(report.runs)), *groups])


def trust_page(report: TrustReport) -> Page:
    """What is trusted, and as what."""
    rows = [(t.kind, t.value, t.since, t.what) for t in report.trusted]
    table = Table(("kind", "sha256 or key", "since", "what"), rows) if rows else Text("nothing")
    return Page("trust", "", report.said, sections=section("", table))


def verify_page(report: VerifyReport) -> Page:
    """What differs from what was recorded."""
    num_unchecked = sum(p.message.startswith("cannot be checked") for p in report.problems)
    if not report.passed:
        claim = f"{report.files} files: this run is not what was recorded"
    elif num_unchecked:
        claim = f"{report.files} files as recorded; {num_unchecked} could not be checked"
    else:
        claim = f"{report.files} files: every digest is as recorded"
    if report.passed and report.scores:
        claim += f"; {report.scores} figures counted again from the answers"
    claim += "".join(f"; {line}" for line in report.privacy)
    if report.signers:
        claim += (
            f"; {'; '.join(_describe_signer(s, len(report.signers) > 1) for s in report.signers)}"
        )
    return Page("a run", report.run, claim, problems=report.problems)


def _describe_signer(signer: Signer, with_parts: bool) -> str:
    """`signed by your own key`, or by whose, and of several signers what."""
    key = f"{signer.key[:_SHOWN_OF_KEY]}..."
    said = {
        "own": "signed by your own key",
        "known": f"signed by {signer.name} (known key {key})",
        "unknown": f"signed by an unknown key ({key})",
        "unsigned": "unsigned",
    }
    return said[signer.whose] + (f": {', '.join(signer.parts)}" if with_parts else "")


def _runs(runs: Sequence[RunSummary]) -> Table:
    table = table_of(
        runs,
        {
            "run": lambda r: r.run,
            "state": lambda r: r.state,
            "score": lambda r: ", ".join(map(_show_score, r.scores)),
            "builds on": lambda r: ", ".join(r.parents),
            "base models": lambda r: " ".join(r.base_models),
            "created": lambda r: r.created[:_MINUTES],
            "done": lambda r: " ".join(r.stages),
        },
    )
    return _without_empty_columns(table)


def _show_score(score: Score) -> str:
    """`exact_match 93.3 % (90-96) on test`, with the system where there are several."""
    system = score.system.removesuffix(TUNED).rstrip()
    return f"{system + ': ' if system else ''}{score.metric} {cells.percent(score)} on {score.data}"


def _earlier(earlier: EarlierMeasurement) -> Iterator[Section]:
    said = Text(f"measured earlier, {earlier.finished}, kept in {earlier.path}")
    yield from section("Earlier measurement", said, *earlier.report.problems)
    yield from score_sections(earlier.report)


def _show_training(report: TrainReport) -> Iterator[Block | None]:
    candidates = report.candidates
    yield lines(*(f"{c.base_model}: {cells.row_counts(c.counts)}" for c in candidates))
    table = table_of(
        candidates,
        {
            "base model": lambda c: c.base_model,
            "steps": lambda c: cells.count(c.steps),
            "first loss": lambda c: cells.loss(c.first_loss),
            "final loss": lambda c: cells.loss(c.final_loss),
            "held-out loss": lambda c: cells.loss(c.eval_loss),
            "tokens": lambda c: cells.count(c.tokens) if c.tokens else "",
            "tokens/s": lambda c: cells.number(c.tokens_per_second) if c.tokens else "",
            "seconds": lambda c: cells.number(c.seconds),
            "peak GiB": lambda c: cells.gib(c.peak_gib),
            **{_name_metric(name, candidates): _metric_of(name) for name in _OF_METHODS},
        },
    )
    yield _without_empty_columns(table)
    of = (f"{c.base_model}: " if len(candidates) > 1 else "" for c in candidates)
    yield lines(
        *(name + _describe_proofs(c) for name, c in zip(of, candidates, strict=True) if c.proofs)
    )
    yield lines(*(f"privacy: {c.privacy.spent_line()}" for c in candidates if c.privacy))
    yield from dict.fromkeys(problem for c in candidates for problem in c.problems)


def _without_empty_columns(table: Table) -> Table:
    if not table.rows:
        return table
    columns = zip(table.header, *table.rows, strict=True)
    header, *rows = zip(*(column for column in columns if any(column[1:])), strict=True)
    return Table(header, rows)


def _name_metric(metric: str, candidates: Sequence[Candidate]) -> str:
    is_held_out = any(metric in c.eval_metrics for c in candidates)
    return f"held-out {metric}" if is_held_out else metric


def _metric_of(metric: str) -> Callable[[Candidate], str]:
    def show(candidate: Candidate) -> str:
        value = candidate.eval_metrics.get(metric, candidate.final_metrics.get(metric))
        return "" if value is None else f"{value:.3f}"

    return show


def _describe_proofs(candidate: Candidate) -> str:
    passed = sum(proof.passed for proof in candidate.proofs)
    what = "; ".join(f"{p.name} {p.measured:.2g} (bar {p.bar:g})" for p in candidate.proofs)
    how = "".join(f"; {d}" for d in dict.fromkeys(p.detail for p in candidate.proofs if p.detail))
    return (
        f"stored and loaded again: {passed} of {len(candidate.proofs)} checks passed ({what}{how})"
    )


def _show_answers(answer: ReplayedAnswer, compared_with: str) -> Quote:
    parts = {
        "asked": answer.question,
        compared_with: answer.before,
        "tuned": answer.after,
        "expected": answer.expected,
    }
    width = max(map(len, parts)) + 1
    said = (f"{name:{width}}{_short(text, width)}" for name, text in parts.items())
    return Quote(answer.data, "\n".join(said))


def _short(text: str, indent: int) -> str:
    shown = text if len(text) <= _LONGEST_ANSWER else f"{text[:_LONGEST_ANSWER]} ..."
    return shown.replace("\n", "\n" + " " * indent)
