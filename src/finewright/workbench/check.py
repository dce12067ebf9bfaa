"""`check`: everything about a spec that can be said without torch, all at once."""

from collections.abc import Callable

from finewright.data.gather import Gathered, gather
from finewright.data.measured import row_sets
from finewright.errors import FinewrightError
from finewright.evaluate.score import check_metrics
from finewright.lm.sources import check_name, config_here
from finewright.schema.common import Problem
from finewright.schema.load import LoadedSpec
from finewright.schema.methods import OnlineSettings
from finewright.schema.plan import CheckReport
from finewright.train import rewards
from finewright.train.rows import rows_for
from finewright.train.support import may_be_beyond_context, unsupported
from finewright.workbench.coherence import incoherent, uncostable, unmeasurable


def check(loaded: LoadedSpec) -> CheckReport:
    """Base models, metrics, and every row of every file that the spec names."""
    spec = loaded.spec
    problems: list[Problem] = []
    for i, name in enumerate(spec.base_models):
        wrong = _refusals(f"base_models.{i}", check_name, name, loaded.path.parent)
        config = None if wrong else config_here(name, loaded.path.parent)
        problems += [*wrong, *unsupported(spec.train, config)]
        problems += may_be_beyond_context(spec.train.max_length, config)
    problems += incoherent(spec)
    problems += uncostable(spec)
    problems += _refusals("evaluate.metrics", check_metrics, spec.evaluate.metrics)
    if not spec.evaluate.data and not spec.data.eval_fraction:
        problems.append(_NOTHING_HELD_OUT)
    gathered = gather(spec.data, loaded.resolve)
    problems += [*gathered.problems, *_of_method(loaded, gathered)]
    for item in row_sets(spec, gathered, loaded.resolve):
        problems += [*item.problems, *unmeasurable(spec, item.name, item.rows)]
    placed = map(loaded.placed, problems)
    return CheckReport(name=spec.name, problems=tuple(dict.fromkeys(placed)))


def _of_method(loaded: LoadedSpec, gathered: Gathered) -> list[Problem]:
    """What the method cannot make of the rows, and what is wrong with its rewards."""
    train = loaded.spec.train
    rows, problems = rows_for(train.method, (*gathered.train, *gathered.eval))
    if isinstance(train, OnlineSettings):
        columns = [row.columns for row in rows]
        problems += rewards.check(train.rewards, columns, loaded.resolve)
    return problems


_NOTHING_HELD_OUT = Problem(
    level="warning",
    key="evaluate.data",
    message="nothing is held out, so the tuned model cannot be measured",
    hint="name held-out files under evaluate.data, or set data.eval_fraction",
)


def _refusals(key: str, claim: Callable[..., None], *arguments: object) -> list[Problem]:
    try:
        claim(*arguments)
    except FinewrightError as error:
        return [Problem(level="error", key=key, message=str(error), hint=error.hint)]
    return []
