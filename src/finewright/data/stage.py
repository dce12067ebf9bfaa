"""The data stage: put the rows that train, and those that measure, into the run."""

from collections.abc import Sequence
from pathlib import Path

from finewright.data.gather import Gathered, gather, leaks, measured_share, read_row_set
from finewright.schema.common import Artifact, Problem
from finewright.schema.data import DataReport
from finewright.schema.rows import Row, write_rows
from finewright.store.atomic import write_text
from finewright.store.manifest import describe
from finewright.store.rundir import RunDir
from finewright.store.stage import StageContext, StageResult, refuse


def run(context: StageContext) -> StageResult:
    """Read, validate and split; refuse when a row is wrong, naming every one of them."""
    gathered = gather(context.spec.data, context.resolve)
    row_sets = _row_sets(context, gathered)
    problems = [*gathered.problems, *(p for _, _, found in row_sets for p in found)]
    problems += [p for name, rows, _ in row_sets for p in leaks(gathered.train, name, rows)]
    refuse(problems)
    folder = context.run.stage_dir("data")
    train = _write(context.run, folder / "train.jsonl", gathered.train)
    held_out = _write(context.run, folder / "eval.jsonl", gathered.eval) if gathered.eval else None
    (folder / "evaluate").mkdir(exist_ok=True)
    sets = [
        _write(context.run, folder / "evaluate" / f"{name}.jsonl", rows)
        for name, rows, _ in row_sets
    ]
    report = DataReport(
        counts=gathered.counts,
        types=gathered.types,
        sources=gathered.sources,
        problems=tuple(problems),
        train=train,
        eval=held_out,
        rows_train=len(gathered.train),
        rows_eval=len(gathered.eval),
    )
    artifacts = (train, *([held_out] if held_out else []), *sets)
    return StageResult(report, artifacts, tuple(source.sha256 for source in gathered.sources))


def _row_sets(
    context: StageContext, gathered: Gathered
) -> list[tuple[str, tuple[Row, ...], tuple[Problem, ...]]]:
    """(name, rows, problems) of each file under evaluate.data, or of the held-out share."""
    spec = context.spec.evaluate
    if not spec.data:
        rows, problems = measured_share(gathered.eval)
        return [("eval", rows, problems)] if gathered.eval else []
    found = []
    for name, item in zip(spec.names(), spec.data, strict=True):
        rows, problems = read_row_set(context.resolve(item.path), item.limit)
        found.append((name, rows, problems))
    return found


def _write(run: RunDir, path: Path, rows: Sequence[Row]) -> Artifact:
    write_text(path, write_rows(rows))
    return describe(run, path, "rows")
