"""A client's wish -> a job, where everything in it can be had; else an error that names the key."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from finewright.lm.chat import Chat
from finewright.rows.containers.card import StatedFile
from finewright.schema.rewards import RewardSpec
from finewright.schema.run import RunSpec
from finewright.schema.train_section import METHODS
from finewright.workbench.coherence import incoherent
from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.steps import QuestionCaller
from finewright_serve.jobs.columns import check_columns
from finewright_serve.jobs.files import FileFolder, UploadedFile
from finewright_serve.jobs.folder import TRAIN, VALID, JobFolder
from finewright_serve.jobs.ids import new_id, readable
from finewright_serve.jobs.job import TuningJob
from finewright_serve.jobs.lengths import ChatOf, check_lengths, fitting_bytes, long_lines
from finewright_serve.jobs.request import (
    METHOD_TYPES,
    ROW_TYPES,
    JobRequest,
    MethodChoice,
    chosen_method,
)
from finewright_serve.jobs.spec import spec_of


class CheckedJob(NamedTuple):
    """A job that may be queued, and its files, name in its folder -> where they are."""

    job: TuningJob
    rows: Mapping[str, Path]


class JobFolders(NamedTuple):
    """Where files and jobs are."""

    files: FileFolder
    jobs: JobFolder


def checked_job(
    asker: QuestionCaller,
    posted: JobRequest,
    folders: JobFolders,
    bases: Mapping[str, str],
    chat_of: ChatOf,
    *,
    now: float,
) -> CheckedJob:
    """The job; nothing is kept of it yet. `bases`: id that clients know -> what a spec names."""
    files, folder = folders
    base = _base(posted.model, bases)
    choice = chosen_method(posted, lambda: _reward_runs(folder, asker))
    _refuse_threads(choice)
    given = {TRAIN: files.find_for(asker, posted.training_file, "training_file")}
    if posted.validation_file is not None:
        given[VALID] = files.find_for(asker, posted.validation_file, "validation_file")
    for file, param in zip(given.values(), ("training_file", "validation_file"), strict=False):
        _check_types(file, param, choice)
    rows = {name: files.content(file) for name, file in given.items()}
    job = TuningJob(
        id=new_id("ftjob"),
        created=now,
        model=posted.model,
        base=base,
        training_file=posted.training_file,
        validation_file=posted.validation_file,
        method_type=choice.type,
        train=choice.train,
        hyperparameters=choice.given,
        learning_rate_multiplier=choice.multiplier,
        suffix=posted.suffix or "",
        seed=choice.settings.seed,
        metadata=posted.metadata or {},
        project=asker.project,
    )
    _check_spec(job)
    chat = chat_of(base)
    for name, file in given.items():
        part = StatedFile(rows[name], file.filename)
        _check_lines(part, choice, chat if name == TRAIN else None)
    return CheckedJob(job, rows)


def _check_lines(part: StatedFile, choice: MethodChoice, chat: Chat | None) -> None:
    """Raise ApiError for lines of a file that lack what a reward compares with, or are too long for the chat;
    the file is read once."""
    rewards, settings = _rewards(choice), choice.settings
    if not rewards and chat is None:
        return
    every, long = long_lines(part.path, 0, fitting_bytes(settings))
    if rewards:
        check_columns(part, every.lines, METHOD_TYPES[choice.type], rewards)
    if chat is not None:
        check_lengths(part, long, chat, settings, f"method.{choice.type}.hyperparameters")


def _rewards(choice: MethodChoice) -> dict[str, RewardSpec]:
    """Key of the request that names a column -> the reward which compares answers with it."""
    where, given = f"method.{choice.type}", choice.train.get("rewards", ())
    return {
        f"{where}.grader.reference" if choice.is_graded else f"{where}.rewards.{i}": (
            RewardSpec.model_validate(each)
        )
        for i, each in enumerate(given)
    }


def _base(model: str, bases: Mapping[str, str]) -> str:
    if model in bases:
        return bases[model]
    if model.startswith("ft:"):
        what = "a tuned model is no base here: `finewright export --to merged` makes one of its run"
    else:
        what = f"the model {model[:100]!r} cannot be trained here; these can: {', '.join(bases) or 'none'}"
    raise ApiError(f"model: {what}", param="model", code="model_not_found")


def _check_types(file: UploadedFile, param: str, choice: MethodChoice) -> None:
    """Raise ApiError where the method cannot take the file's rows."""
    if file.purpose != "fine-tune":
        raise ApiError(
            f"{param}: {file.id} is a result, no rows", param=param, code="invalid_value"
        )
    takes = METHODS[METHOD_TYPES[choice.type]].takes
    others = {name: n for name, n in file.types.items() if name not in ROW_TYPES[takes]}
    if others:
        found = ", ".join(f"{n} of the shape {name}" for name, n in others.items())
        what = f"{param}: {choice.type} learns from {takes}, and {file.filename} has rows beside: {found}"
        raise ApiError(what, param=param, code="invalid_file")


def _check_spec(job: TuningJob) -> None:
    try:
        spec = RunSpec.model_validate(spec_of(job))
    except ValidationError as error:
        raise ApiError(error.errors(include_url=False)[0]["msg"], code="invalid_value") from None
    for problem in incoherent(spec):
        what = f"{problem.key.removeprefix('train.')}: {problem.message}; give a validation_file"
        raise ApiError(what, param="validation_file", code="invalid_value")


def _refuse_threads(choice: MethodChoice) -> None:
    """Raise ApiError for more threads than the machine has cores: each is one, and takes memory."""
    threads, most = choice.settings.threads, os.cpu_count() or 1
    if isinstance(threads, int) and threads > most:
        param = f"method.{choice.type}.hyperparameters.threads"
        what = f"{param}: {threads}, and this machine has {most} cores; leave it out"
        raise ApiError(what, param=param, code="invalid_value")


def _reward_runs(folder: JobFolder, asker: QuestionCaller) -> dict[str, str]:
    """Jobs that trained a reward model, of those that the asker may see -> their runs."""
    found = {}
    for job in folder.all():
        if not asker.may_see(job.project):
            continue
        if not METHODS[METHOD_TYPES[job.method_type]].gives_answers:
            for state in readable(folder.state, [job.id]):
                if state.result is not None:
                    found[job.id] = str((folder.runs / state.run).resolve())
    return found
