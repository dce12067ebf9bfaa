"""The cost stage: before anything is trained, what it will take, kept beside what it then took."""

from finewright.catalog.prices import read_packaged_prices
from finewright.estimate.families import shape_of
from finewright.schema.rows import parse_rows
from finewright.store.manifest import read_manifest
from finewright.store.stage import StageContext, StageResult, refuse
from finewright.train.rows import rows_for
from finewright_advice.cost.assemble import CostQuestion, JobMeasurements, report
from finewright_advice.cost.job import TrainingJob
from finewright_advice.cost.model import describe_model
from finewright_advice.cost.rows import count
from finewright_advice.cost.spec import CostSpec


def run(context: StageContext) -> StageResult:
    """The closed formulas for every base model, on the rows of the data stage, as on the day of the run."""
    text = (context.run.stage_dir("data") / "train.jsonl").read_text(encoding="utf-8")
    rows = rows_for(context.spec.train.method, parse_rows(text))
    refuse(rows.problems)
    jobs, found = [], {}
    for name, resolved in context.candidates.items():
        described = describe_model(name, context.root)
        train = resolved.model_copy(
            update={"micro_batch_tokens": context.spec.train.micro_batch_tokens}
        )
        counted = count(rows, train, described.base, context.spec)
        found[name] = JobMeasurements(problems=(*described.problems, *counted.problems))
        shape = shape_of(described.config, described.origin)
        jobs.append(TrainingJob(name, shape, train, counted.rows, counted.steps, counted.tokens))
    section = context.spec.section("cost", CostSpec) or CostSpec()
    today = read_manifest(context.run).created.date()
    return StageResult(
        report(
            CostQuestion(context.spec.name, jobs, section, found), read_packaged_prices(), today
        ),
        (),
        (),
    )
