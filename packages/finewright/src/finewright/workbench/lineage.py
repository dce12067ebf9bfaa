"""`runs show --lineage`: what a run builds on, and whether that is still as it was."""

from collections.abc import Iterator
from pathlib import Path

from finewright.errors import FinewrightError
from finewright.schema.common import Problem
from finewright.schema.data import DataReport
from finewright.schema.report import LineageNode, LineageReport
from finewright.schema.train import TrainReport
from finewright.store.atomic import sha256_file
from finewright.store.manifest import read_manifest
from finewright.store.parents import Ancestor, digest_of_result, files_of_result, walk_parents
from finewright.store.rundir import RunDir, open_run


def show_lineage(path: Path) -> LineageReport:
    """The run and every run that it builds on, with the rows and tokens of each."""
    run = open_run(path)
    nodes, ancestors = [*_nodes(run, 0)], list(walk_parents(run))
    for ancestor in ancestors:
        if ancestor.run is None:
            nodes.append(
                LineageNode(
                    depth=ancestor.depth,
                    run=ancestor.record.run,
                    base_model=ancestor.record.candidate,
                    adapter_sha256=ancestor.record.adapter_sha256,
                )
            )
        else:
            nodes += _nodes(ancestor.run, ancestor.depth, ancestor.record.candidate)
    return LineageReport(run=str(path), nodes=tuple(nodes), problems=tuple(check_parents(run)))


def _nodes(run: RunDir, depth: int, base_model: str = "") -> Iterator[LineageNode]:
    stages = read_manifest(run).stages
    rows = run.read_report("data", DataReport).rows_train if "data" in stages else None
    trained = run.read_report("train", TrainReport).candidates if "train" in stages else ()
    for candidate in trained:
        if base_model in ("", candidate.base_model):
            yield LineageNode(
                depth=depth,
                run=run.root.resolve().name,
                path=str(run.root),
                base_model=candidate.base_model,
                method=candidate.method,
                rows=rows,
                steps=candidate.steps,
                tokens=candidate.tokens,
                adapter_sha256=digest_of_result(files_of_result(candidate.artifacts)),
            )


def check_parents(run: RunDir) -> Iterator[Problem]:
    """What is not as the run's record of its parents, and theirs, has it."""
    try:
        for ancestor in walk_parents(run):
            yield from _check(ancestor)
    except FinewrightError as error:
        yield Problem(level="error", file="manifest.json", message=str(error), hint=error.hint)


def _check(ancestor: Ancestor) -> Iterator[Problem]:
    record, run = ancestor.record, ancestor.run
    if run is None:
        yield Problem(
            level="warning",
            file="manifest.json",
            key="parents",
            message=f"cannot be checked: the run {record.run} that it builds on is not there",
            hint=f"put it back at {record.path}, or beside this run",
        )
        return
    candidates = run.read_report("train", TrainReport).candidates
    files = [
        run.root / artifact.path
        for candidate in candidates
        if candidate.base_model == record.candidate
        for artifact in candidate.artifacts
        if artifact.kind == "adapter"
    ]
    found = digest_of_result({path.name: sha256_file(path) for path in files if path.is_file()})
    if found != record.adapter_sha256:
        yield Problem(
            level="error",
            file="manifest.json",
            key="parents",
            message=f"the run {record.run} has another result: recorded {record.adapter_sha256},"
            f" found {found}",
            hint=f"`finewright verify {run.root}` says what changed there",
        )
