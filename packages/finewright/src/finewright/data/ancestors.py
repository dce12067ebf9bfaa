"""The held-out rows of the runs that a run builds on: on them it shows what was forgotten."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from finewright.schema.common import Problem
from finewright.schema.data import AncestorSet
from finewright.schema.evaluate import OwnMetric
from finewright.schema.rows import Row, parse_rows
from finewright.schema.run import RunSpec
from finewright.store.atomic import sha256_file
from finewright.store.manifest import read_manifest
from finewright.store.parents import Ancestor
from finewright.store.rundir import RunDir
from finewright.store.speclock import lock_of

_FOLDER = "data/evaluate/"


class AncestorRows(NamedTuple):
    """Sets of held-out rows of ancestors, and why others are not measured."""

    sets: list[tuple[AncestorSet, tuple[Row, ...]]]
    problems: list[Problem]


def read_ancestor_rows(
    ancestors: Iterable[Ancestor], spec: RunSpec, known: Iterable[str]
) -> AncestorRows:
    """Each set of rows that an ancestor was measured on, once: not those whose digest is `known`.

    It is measured by the ancestor's metrics; of functions of its own by those that `spec` names too, with the
    same digest. The rows are as the ancestor's own door left them, found by the digests of its manifest."""
    found, seen = AncestorRows([], []), set(known)
    for ancestor in ancestors:
        name = ancestor.record.run
        if ancestor.run is None:
            found.problems.append(_left_out(name, "its folder is gone"))
        elif not spec.train.gives_answers:
            found.problems.append(_left_out(name, "a reward model gives no answers"))
        else:
            theirs = lock_of(ancestor.run).spec.evaluate.own_metrics
            if lost := sorted({m.argument for m in theirs if m not in spec.evaluate.own_metrics}):
                found.problems.append(_unmeasured(name, lost))
            for each in _sets_of(name, ancestor.run, spec.evaluate.own_metrics):
                if not each.metrics:
                    continue
                path = ancestor.run.root / _FOLDER / f"{each.data}.jsonl"
                if not path.is_file() or sha256_file(path) != each.sha256:
                    found.problems.append(_left_out(name, f"{path} is not what was recorded"))
                elif each.sha256 not in seen:
                    seen.add(each.sha256)
                    found.sets.append((each, tuple(parse_rows(path.read_text(encoding="utf-8")))))
    return found


def _sets_of(name: str, run: RunDir, runnable: Sequence[OwnMetric]) -> Iterator[AncestorSet]:
    """The run's own sets; what else it was measured on is of its own ancestors."""
    spec = lock_of(run).spec.evaluate
    own = {*spec.names(), "eval", "eval-text"}
    kept = tuple(each for each in spec.metrics if isinstance(each, str) or each in runnable)

    def parts(stem: str) -> bool:
        return any(stem.startswith(f"{each.title}-") for each in spec.data if each.by)

    for row in read_manifest(run).artifacts:
        stem = PurePosixPath(row.path).stem
        if row.stage == "data" and row.path.startswith(_FOLDER) and (stem in own or parts(stem)):
            yield AncestorSet(
                name=f"{name}.{stem}",
                run=name,
                data=stem,
                sha256=row.sha256,
                metrics=spec.model_copy(update={"metrics": kept}).metric_names,
            )


def _unmeasured(name: str, metrics: list[str]) -> Problem:
    found = f"what is forgotten of {name} is not measured by {', '.join(metrics)}"
    why = "a function of an earlier run is run again where evaluate.metrics names it, with the same digest"
    return Problem(level="warning", key="base_models", message=f"{found}: {why}")


def _left_out(name: str, why: str) -> Problem:
    return Problem(
        level="warning",
        key="base_models",
        message=f"what is forgotten of {name} is not measured: {why}",
    )
