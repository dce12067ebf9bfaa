"""`finewright judge`: its options, and the call that it is."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel

from finewright.feature import Session
from finewright.schema.options import CommandOptions, Flag, argument, option


class JudgeOptions(CommandOptions):
    """Whose answers are judged, by whom, and what people said of them."""

    target: Annotated[Path, argument("RUN")] = option(
        ..., "A run, or a file of answers that `evaluate` wrote."
    )
    by: str = option("", "The judge: a model, a run or https://HOST/v1#MODEL.")
    rubric: str = option("", "What a good answer is, in words, or a file of them.")
    systems: Annotated[tuple[str, ...], Flag("--system")] = option(
        (), "Whose answers; all systems of the score card."
    )
    against: str = option(
        "", "Compare with this system's answers, in both orders, in place of marks."
    )
    data: str = option("", "The set of rows, where there are several.")
    limit: int = option(100, "Rows that are judged, sampled by the seed.", ge=1)
    seed: int = option(0, "Seed of the sampled rows.")
    sheet: Path | None = option(None, "Write a CSV file for people to mark, and judge nothing.")
    marks: Path | None = option(None, "That file with people's marks: how far the judge agrees.")
    out: Path = option(Path("verdicts.jsonl"), "The new file of verdicts, JSONL.")


def judge(options: JudgeOptions, session: Session) -> BaseModel:
    """The marks of a judge, or a sheet for people."""
    from finewright.cli.commands import on_answers
    from finewright.errors import SpecError
    from finewright_advice.judging.run import Judging, judge_answers, make_sheet
    from finewright_advice.judging.tasks import Selection

    o = options
    selection = Selection(o.data, o.systems, o.against, o.limit, o.seed)
    if o.sheet is not None:
        return make_sheet(o.target, selection, o.sheet)
    for name, value in (("--by", o.by), ("--rubric", o.rubric)):
        if not value:
            raise SpecError(f"{name} is missing", hint="or --sheet FILE for people to mark")
    request = Judging(o.target, selection, o.out, o.by, _read_rubric(o.rubric), o.marks)
    return judge_answers(request, on_progress=on_answers(session.on_event))


def _read_rubric(rubric: str) -> str:
    """The words, or those of the file of that name. Raises DataError."""
    from finewright.errors import DataError
    from finewright.store.atomic import os_errors

    path = Path(rubric)
    try:
        is_file = path.is_file()
    except OSError:  # words that are too long for a path
        is_file = False
    if not is_file:
        if path.suffix in {".txt", ".md"} and " " not in rubric:
            raise DataError(f"{rubric}: there is no such file")
        return rubric
    with os_errors(path):
        return path.read_text(encoding="utf-8").strip()
