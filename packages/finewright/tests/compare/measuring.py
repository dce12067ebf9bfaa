"""A loaded model measured with an answers log that nobody sees again."""

import tempfile
from pathlib import Path

from finewright.compare.asking import OnProgress, RowAnswer
from finewright.compare.asking import measure as measure_system
from finewright.compare.local_model import loaded
from finewright.compare.models import LoadedModel
from finewright.evaluate.measured import Measured, RowSet, Settings
from finewright.store.answers import AnswersLog


def measure(
    subject: LoadedModel, row_set: RowSet, settings: Settings, on_progress: OnProgress
) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        log = AnswersLog(Path(folder) / "answers.jsonl", RowAnswer)
        return measure_system(loaded(subject, "key"), row_set, settings, log, on_progress)
