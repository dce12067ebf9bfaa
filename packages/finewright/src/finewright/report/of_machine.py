"""What is shown of a machine: what is missing, whether the engine computes right, and how fast."""

from finewright.report.blocks import Page, Table, lines, section
from finewright.report.cells import gib, number, row_counts, share
from finewright.schema.bench import BenchReport
from finewright.schema.report import DoctorReport, SelfCheckReport


def doctor_page(report: DoctorReport) -> Page:
    """Each finding, and how to mend what is wrong."""
    rows = [(f.name, _state(f.passed), f.detail) for f in report.findings]
    hints = [f"{f.name}: {f.hint}" for f in report.findings if f.hint]
    table = Table(("what", "state", "detail"), rows)
    num_wrong = sum(not finding.passed for finding in report.findings)
    answer = f"{num_wrong} of {len(rows)} would fail" if num_wrong else "nothing would fail"
    sections = section("", table, lines(*hints))
    return Page("a machine", "This machine", answer, sections=sections)


def selfcheck_page(report: SelfCheckReport) -> Page:
    """Each distance beside what it may be at most."""
    part = "all" if report.layers_checked == report.layers else f"the first {report.layers_checked}"
    computes = "the engine computes what plain transformers computes"
    wrong = "WRONG: the engine does not compute what plain transformers computes"
    rows = [(c.name, _state(c.passed), f"{c.measured:.1e}", f"{c.bar:.1e}") for c in report.checks]
    return Page(
        subject="a machine",
        title=report.base_model,
        answer=computes if report.passed else wrong,
        about=[f"{part} of {report.layers} layers on {report.device}"],
        sections=section(
            "",
            Table(("relative distance of", "state", "measured", "at most"), rows),
            lines(*(f"slower than it could be: {path}" for path in report.slow_paths)),
        ),
    )


def bench_page(report: BenchReport) -> Page:
    """Tokens a second, memory, and how near that is to the machine's peak."""
    speed, machine, train = report.speed, report.machine, report.train
    gemm = ", ".join(f"{name} {number(gflops)}" for name, gflops in machine.gemm_gflops.items())
    steps = f"steps from {number(speed.slowest)} to {number(speed.fastest)}"
    rows = [
        ("tokens/s", number(speed.median), steps),
        ("peak memory, GiB", gib(report.peak_gib), ""),
        (
            "useful GFLOP/s",
            number(speed.useful_gflops),
            f"{speed.flops_per_token / 1e9:.2f} a token",
        ),
        (
            "share of peak",
            share(report.peak_share),
            f"a matrix product here reaches {gemm} GFLOP/s",
        ),
        (
            "seconds to first step",
            number(report.seconds_to_first_step),
            "loading and the first step",
        ),
    ]
    return Page(
        subject="a machine",
        title=report.base_model,
        answer=f"{report.parameters / 1e6:.0f}M parameters,"
        f" {report.trainable_parameters / 1e6:.1f}M trained",
        about=(
            f"{machine.device}; {train.threads} threads, {train.dtype}; kernels {machine.kernels}",
            f"{report.rows.source}: {row_counts(report.rows.counts)}",
            f"{report.warm_up_steps} steps to warm up, then {speed.steps} of {train.batch_size} rows:"
            f" {speed.tokens} tokens, {share(speed.trained_tokens / speed.tokens)} learned",
            *(f"slow: {path}" for path in report.slow_paths),
        ),
        problems=(*report.rows.problems, *report.problems),
        sections=section("", Table(("what", "figure", "more"), rows)),
    )


def _state(passed: bool) -> str:
    return "ok" if passed else "WRONG"
