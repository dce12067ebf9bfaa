"""A loaded model measured with an answers log that nobody sees again."""

import tempfile
from pathlib import Path

from finewright.compare.asking import OnProgress, RowAnswer
from finewright.compare.asking import measure as measure_system
from finewright.compare.local import LoadedModel, system_of_loaded
from finewright.evaluate.measured import Measured, RowSet, Settings
from finewright.store.answers import AnswersLog


def measure(
    subject: LoadedModel, row_set: RowSet, settings: Settings, on_progress: OnProgress
) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        log = AnswersLog(Path(folder) / "answers.jsonl", RowAnswer)
        return measure_system(system_of_loaded(subject, "key"), row_set, settings, log, on_progress)
