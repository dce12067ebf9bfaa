"""The stage of a run: its dossier, as of the day on which the stage runs."""

from finewright.feature import ask_day
from finewright.store.speclock import lock_of
from finewright.store.stage import StageContext, StageResult
from finewright_trust.comply.dossier import STAGE, list_artifacts, read_answers, write_dossier


def run(context: StageContext) -> StageResult:
    """The dossier in the run's folder; its files are cards, which decide nothing."""
    lock = lock_of(context.run)
    answers = read_answers(None, lock)
    report = write_dossier(context.run, lock, answers, ask_day(), context.run.root / STAGE)
    return StageResult(report, list_artifacts(context.run), ())
