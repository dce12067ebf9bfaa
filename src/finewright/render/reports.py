"""Each report as the text that a terminal shows."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import singledispatch
from importlib import import_module

from pydantic import BaseModel

from finewright.render.text import score_card, table
from finewright.schema.bench import BenchReport
from finewright.schema.common import Problem, RowCounts
from finewright.schema.evaluate import EvaluateReport
from finewright.schema.methods import OnlineSettings
from finewright.schema.plan import CheckReport, PlannedCandidate, PlanReport, TokenView
from finewright.schema.report import (
    DoctorReport,
    QuickstartReport,
    ReplayedAnswer,
    RunList,
    RunReport,
    RunSummary,
    SelfCheckReport,
    VerifyReport,
)
from finewright.schema.train import Candidate, TrainReport

_READ, _LEARNED = "·", "█"
_OF_METHODS = ("accuracy", "margin", "reward", "kl")


@singledispatch
def text_of(report: BaseModel) -> str:
    """The report as text; a kind without a layout of its own prints its fields."""
    return report.model_dump_json(indent=2)


@text_of.register
def _(report: CheckReport) -> str:
    problems = [_problem(problem) for problem in report.problems]
    verdict = (
        "ok; `plan` counts tokens and reads the chat template too"
        if report.passed
        else "not usable"
    )
    return "\n".join([*problems, f"{report.name}: {verdict}"])


@text_of.register
def _(report: PlanReport) -> str:
    parts = [
        f"{report.name}: {_counts(report.data)}; {report.rows_train} train, {report.rows_eval} held out"
    ]
    if report.chat_template:
        parts.append(
            f"chat template, here and wherever the run is asked: {_settings(report.chat_template)}"
        )
    parts += [_problem(problem) for problem in report.problems]
    parts += [_planned(candidate) for candidate in report.candidates]
    rows = [[key, report.values[key], why] for key, why in report.reasons.items()]
    parts.append("defaults and their reasons\n" + table(["key", "value", "reason"], rows))
    return "\n\n".join(parts)


@text_of.register
def _(report: EvaluateReport) -> str:
    where = f"\n\nanswers: {report.samples.path}" if report.samples else ""
    return "\n".join([*map(_problem, report.problems), score_card(report) + where])


@text_of.register
def _(report: RunReport) -> str:
    summary = report.summary
    lines = [f"{summary.run}: {summary.state}; {', '.join(summary.stages) or 'no stage done'}"]
    if report.decide:
        lines.append(f"decide: {report.decide.answer}")
    if report.data:
        lines.append(f"data: {_counts(report.data.counts)}")
        lines += [_problem(problem) for problem in report.data.problems]
    if report.cost:
        import_module("finewright.render.cost")  # its layout is not every command's
        lines += ["", text_of(report.cost), ""]
    if report.train:
        lines.append(_trained(report.train))
    if report.evaluate:
        lines += ["", score_card(report.evaluate)]
    for earlier in report.earlier:
        lines += ["", f"measured earlier, {earlier.finished}, kept in {earlier.path}"]
        lines.append(score_card(earlier.report))
    if summary.state in {"interrupted", "failed"}:
        lines.append(f"go on: finewright up {summary.run}")
    return "\n".join(lines)


@text_of.register
def _(report: QuickstartReport) -> str:
    answers = "\n\n".join(_before_after(i, a) for i, a in enumerate(report.answers, 1))
    run = report.run.summary.run
    following = "\n".join(
        [
            "next:",
            f"  finewright chat {run}",
            f"  finewright runs show {run}",
            f"  finewright verify {run}",
        ]
    )
    return f"{answers}\n\n{text_of(report.run)}\n\n{following}"


@text_of.register
def _(report: DoctorReport) -> str:
    rows = [[f.name, "ok" if f.passed else "WRONG", f.detail] for f in report.findings]
    hints = [f"{f.name}: {f.hint}" for f in report.findings if f.hint]
    return "\n".join([table(["what", "state", "detail"], rows), *hints])


@text_of.register
def _(report: SelfCheckReport) -> str:
    part = "all" if report.layers_checked == report.layers else f"the first {report.layers_checked}"
    rows = [
        [c.name, "ok" if c.passed else "WRONG", f"{c.measured:.1e}", f"{c.bar:.1e}"]
        for c in report.checks
    ]
    verdict = (
        "the engine computes what" if report.passed else "WRONG: the engine does not compute what"
    )
    return "\n".join(
        [
            f"{report.base_model}: {part} of {report.layers} layers on {report.device}",
            table(["relative distance of", "state", "measured", "at most"], rows),
            *(f"slower than it could be: {path}" for path in report.slow_paths),
            f"{report.base_model}: {verdict} plain transformers computes",
        ]
    )


@text_of.register
def _(report: BenchReport) -> str:
    speed, machine, train = report.speed, report.machine, report.train
    learned = speed.trained_tokens / speed.tokens
    problems = [*report.rows.problems, *report.problems]
    gemm = ", ".join(f"{name} {gflops:.0f}" for name, gflops in machine.gemm_gflops.items())
    rows = [
        [
            "tokens/s",
            f"{speed.median:.0f}",
            f"steps from {speed.slowest:.0f} to {speed.fastest:.0f}",
        ],
        ["peak memory, GiB", f"{report.peak_gib:.2f}", ""],
        [
            "useful GFLOP/s",
            f"{speed.useful_gflops:.0f}",
            f"{speed.flops_per_token / 1e9:.2f} a token",
        ],
        [
            "share of peak",
            f"{report.peak_share:.0%}",
            f"a matrix product here reaches {gemm} GFLOP/s",
        ],
        [
            "seconds to first step",
            f"{report.seconds_to_first_step:.1f}",
            "loading and the first step",
        ],
    ]
    return "\n".join(
        [
            f"{report.base_model}: {report.parameters / 1e6:.0f}M parameters, "
            f"{report.trainable_parameters / 1e6:.1f}M trained",
            f"{machine.device}; {train.threads} threads, {train.dtype}; kernels {machine.kernels}",
            f"{report.rows.source}: {_counts(report.rows.counts)}",
            f"{report.warm_up_steps} steps to warm up, then {speed.steps} of {train.batch_size} rows: "
            f"{speed.tokens} tokens, {learned:.0%} learned",
            *map(_problem, problems),
            *(f"slow: {path}" for path in report.slow_paths),
            "",
            table(["what", "figure", "more"], rows),
        ]
    )


@text_of.register
def _(report: VerifyReport) -> str:
    problems = [_problem(problem) for problem in report.problems]
    num_unchecked = sum(p.message.startswith("cannot be checked") for p in report.problems)
    if not report.passed:
        claim = f"{report.files} files: this run is not what was recorded"
    elif num_unchecked:
        claim = f"{report.files} files as recorded; {num_unchecked} could not be checked"
    else:
        claim = f"{report.files} files: every digest is as recorded"
    return "\n".join([*problems, f"{report.run}: {claim}"])


@text_of.register
def _(report: RunList) -> str:
    if not report.runs and not report.groups:
        return "no runs yet"
    parts = [_runs_table(report.runs)] if report.runs else []
    for group in report.groups:
        title = f"{group.folder}: {group.report or 'no report yet'}"
        parts.append("\n".join([title, *([_runs_table(group.runs)] if group.runs else [])]))
    return "\n\n".join(parts)


def _runs_table(runs: Sequence[RunSummary]) -> str:
    rows = [[r.run, r.state, r.created, " ".join(r.stages), " ".join(r.base_models)] for r in runs]
    return table(["run", "state", "created", "done", "base models"], rows)


def _problem(problem: Problem) -> str:
    return f"{problem.level}: {problem.line()}"


def _counts(counts: RowCounts) -> str:
    dropped = "".join(f", {n} dropped ({why})" for why, n in counts.rows_dropped.items())
    cut = f", {counts.rows_truncated} of them truncated" if counts.rows_truncated else ""
    return f"{counts.rows_in} rows read, {counts.rows_kept} kept{cut}{dropped}"


def _planned(planned: PlannedCandidate) -> str:
    share = planned.trained_tokens / max(1, planned.tokens)
    settings = planned.train.model_dump(mode="json", exclude={"adapter"})
    adapter = planned.train.adapter.model_dump(mode="json")
    lines = [
        f"{planned.base_model} ({planned.parameters / 1e6:.0f}M parameters): {_counts(planned.counts)}",
        f"  tokens: {planned.tokens} a pass, {share:.0%} learned; longest row {planned.longest}, "
        f"median {planned.median}",
        f"  steps: {planned.steps}, {planned.step_tokens} tokens in all",
        *_sampled(planned),
        f"  settings: {_settings(settings)}",
        f"  adapter: {_settings(adapter)}",
        *(f"  slower than it could be: {path}" for path in planned.slow_paths),
        *(f"  {_problem(problem)}" for problem in planned.problems),
        *(_tokens(view) for view in planned.preview),
    ]
    return "\n".join(lines)


def _sampled(planned: PlannedCandidate) -> Iterator[str]:
    """What an online method adds to its prompts."""
    train = planned.train
    if isinstance(train, OnlineSettings):
        prompts = train.batch_size * train.gradient_accumulation
        answers = prompts * train.num_generations
        yield (
            f"  and the answers it samples: {answers} a step ({prompts} prompts x {train.num_generations}),"
            f" of at most {train.max_new_tokens} tokens"
        )


def _settings(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items() if value is not None)


def _tokens(view: TokenView) -> str:
    """Each line of the row behind a mark: read only, or learned."""
    lines = [
        f"  {view.file}:{view.row}{f', {view.side},' if view.side else ''} as the model sees it"
        f" ({_LEARNED} {'scored' if view.side else 'learned'}, {_READ} read only)"
    ]
    for fate, text in view.pieces:
        mark = _LEARNED if fate == "learned" else _READ
        lines += [
            f"    {mark} {json.dumps(line, ensure_ascii=False)[1:-1]}" for line in _lines(text)
        ]
    return "\n".join(lines)


def _lines(text: str) -> Iterable[str]:
    return text.splitlines(keepends=True)


def _trained(report: TrainReport) -> str:
    has_held_out = any(c.eval_loss is not None for c in report.candidates)
    columns = {
        "base model": [c.base_model for c in report.candidates],
        "steps": [str(c.steps) for c in report.candidates],
        "first loss": [f"{c.first_loss:.4f}" for c in report.candidates],
        "final loss": [f"{c.final_loss:.4f}" for c in report.candidates],
        "held-out loss": [
            "" if c.eval_loss is None else f"{c.eval_loss:.4f}" for c in report.candidates
        ],
        "tokens": [str(c.tokens) for c in report.candidates],
        "tokens/s": [f"{c.tokens_per_second:.0f}" for c in report.candidates],
        "seconds": [f"{c.seconds:.0f}" for c in report.candidates],
        "peak GiB": [f"{c.peak_gib:.2f}" for c in report.candidates],
    }
    if not has_held_out:
        del columns["held-out loss"]
    for name in _OF_METHODS:
        values = [c.eval_metrics.get(name, c.final_metrics.get(name)) for c in report.candidates]
        if any(value is not None for value in values):
            where = "held-out " if any(name in c.eval_metrics for c in report.candidates) else ""
            columns[where + name] = ["" if v is None else f"{v:.3f}" for v in values]
    rows = list(zip(*columns.values(), strict=True))
    fates = [f"{c.base_model}: {_counts(c.counts)}" for c in report.candidates]
    proofs = [_proved(c) for c in report.candidates if c.proofs]
    notes = [_problem(p) for c in report.candidates for p in c.problems]
    return "\n".join([*fates, table(list(columns), rows), *proofs, *notes])


def _proved(candidate: Candidate) -> str:
    passed = sum(proof.passed for proof in candidate.proofs)
    what = "; ".join(f"{p.name} {p.measured:.2g} (bar {p.bar:g})" for p in candidate.proofs)
    how = "".join(f"; {d}" for d in dict.fromkeys(p.detail for p in candidate.proofs if p.detail))
    return (
        f"stored and loaded again: {passed} of {len(candidate.proofs)} checks passed ({what}{how})"
    )


def _before_after(number: int, answer: ReplayedAnswer) -> str:
    parts = {
        "asked": answer.question,
        "before": answer.before,
        "after": answer.after,
        "expected": answer.expected,
    }
    body = [f"  {name:9}{_indented(text)}" for name, text in parts.items()]
    return "\n".join([f"[{number}] {answer.data}", *body])


def _indented(text: str, longest: int = 400) -> str:
    shown = text if len(text) <= longest else text[:longest] + " ..."
    return shown.replace("\n", "\n" + " " * 11)
