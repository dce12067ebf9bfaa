"""`finewright gate`: is a change at least as good as the run that it came from, on that run's own rows?

The change answers the rows that the run measured, as it was asked; its answers are compared with the run's
own, row by row. Not covered: rows that nobody held out."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from finewright.errors import DataError, StoreError
from finewright.evaluate.samples import read_samples
from finewright.evaluate.score import ScoreOptions
from finewright.feature import Session
from finewright.report.markdown import as_markdown
from finewright.schema.evaluate import TUNED, EvalSetSpec, Sample
from finewright.store.atomic import write_text
from finewright.store.rundir import RunDir, open_run
from finewright.store.speclock import lock_of
from finewright_trust.release.compared import compare_answers
from finewright_trust.release.evidence import samples_of_run
from finewright_trust.release.options import GateOptions
from finewright_trust.release.report import GateReport


def gate(options: GateOptions, session: Session) -> GateReport:
    """Train the change where it is a spec, let it answer the base's rows, and compare."""
    from finewright.workbench.outputs import check_outputs
    from finewright_trust.release.page import gate_page

    check_outputs([options.markdown], [options.base])
    base = open_run(options.base)
    theirs = _answers_of(base, options.base_model)
    change = _run_of(options, session)
    ours = _ask(change, base, options.base_model, session)
    spec = lock_of(base).spec.evaluate
    ours, theirs = _pair(ours, theirs, base)
    parts = compare_answers(
        ours,
        theirs,
        spec.metric_names,
        ScoreOptions(options.confidence, spec.resamples, spec.seed),
        options.margin,
    )
    report = GateReport(
        base=str(options.base),
        change=str(change.root),
        margin=options.margin,
        confidence=options.confidence,
        parts=tuple(parts),
    )
    if options.markdown:
        page = gate_page(report)
        write_text(options.markdown, f"**{page.answer}**\n\n{as_markdown(page)}")
    return report


def _answers_of(base: RunDir, base_model: str) -> list[Sample]:
    """What the base's tuned model answered. Raises StoreError where nobody measured it."""
    if not base.report_path("evaluate").is_file():
        raise StoreError(
            f"{base.root}: the stage evaluate is not done, so there are no answers to compare with",
            hint=f"finewright up {base.root} goes on with it",
        )
    several = len(lock_of(base).spec.base_models) > 1
    name = f"{base_model} {TUNED}" if several else TUNED
    found = [sample for sample in samples_of_run(base) if sample.system == name]
    if not found:
        raise DataError(
            f"{base.root}: has no answers of {name!r}", hint="pick one with --base-model"
        )
    return found


def _run_of(options: GateOptions, session: Session) -> RunDir:
    from finewright.schema.load import load_spec
    from finewright.workbench.up import up

    if options.change.is_dir():
        return open_run(options.change)
    loaded = load_spec(options.change, options.overrides)
    trained = up(loaded, options.runs, on_event=session.on_event, through="train")
    return open_run(Path(trained.summary.run))


def _ask(change: RunDir, base: RunDir, base_model: str, session: Session) -> list[Sample]:
    """The change's answers to the base's rows, asked as the base was."""
    from finewright.cli.commands import on_answers
    from finewright.workbench.evaluate import evaluate

    lock = lock_of(base)
    spec, root = lock.spec.evaluate, Path(lock.root)
    sets = sorted((base.root / "data" / "evaluate").glob("*.jsonl"))
    data = tuple(EvalSetSpec(path=str(path), name=path.stem) for path in sets)
    asking = spec.model_copy(update={"data": data, "compare_with": ("base",)})
    with tempfile.TemporaryDirectory() as folder:
        samples = Path(folder) / "samples.jsonl"
        watch = on_answers(session.on_event)
        evaluate(
            [str(change.root)],
            asking,
            samples,
            base_model=base_model,
            resolve=root.joinpath,
            on_progress=watch,
        )
        return read_samples(samples)


def _pair(
    ours: Sequence[Sample], theirs: Sequence[Sample], base: RunDir
) -> tuple[list[Sample], list[Sample]]:
    """Both in one order, with rows numbered alike. Raises StoreError where the base's rows are not those that
    it answered."""
    order = {name: place for place, name in enumerate(dict.fromkeys(s.data for s in theirs))}
    sorted_ours = sorted(ours, key=lambda s: order.get(s.data, len(order)))
    if [(s.data, s.expected) for s in sorted_ours] != [(s.data, s.expected) for s in theirs]:
        raise StoreError(
            f"{base.root}: its held-out rows are not those that it answered",
            hint=f"finewright verify {base.root} names what changed",
        )
    numbered = [
        [s.model_copy(update={"row": row}) for row, s in enumerate(side)]
        for side in (sorted_ours, theirs)
    ]
    return numbered[0], numbered[1]
