"""`predict`: a model answers the rows of a file, batch by batch; a second call goes on where one was cut."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel

from finewright import __version__
from finewright.compare.local import LoadedModel
from finewright.data.validate import read_validated
from finewright.errors import DataError, Interrupted
from finewright.estimate.context import no_room
from finewright.rows.containers.found import ReadRow
from finewright.rows.formats.untrained import PLAIN_TEXT
from finewright.rows.texts import draw_rows
from finewright.schema.common import Artifact, Problem, without
from finewright.schema.evaluate import Draw
from finewright.schema.predict import Prediction, PredictReport, PredictSettings
from finewright.schema.rows import Row, with_system
from finewright.store.appended import append, appending, claim, keep_batches, settings_path
from finewright.store.atomic import sha256_file
from finewright.store.keys import digest
from finewright.store.stage import refuse
from finewright.workbench.decided import (
    check_form,
    decide_rows,
    is_table,
    kept_columns,
    write_table,
)
from finewright.workbench.signals import stop_requests
from finewright.workbench.systems import (
    check_target,
    is_decider,
    load_decider,
    load_talker,
    measured_length,
    refuse_thoughts,
    target_sha256,
)
from finewright.workbench.taught_rows import refuse_taken, write_taught_rows

if TYPE_CHECKING:
    from finewright.lm.generate import Generation

OnProgress = Callable[[str, str, int, int], None]


_ASKING = ("user", "tool")
# What a proposal of columns says beside the question.
_ANSWERED = re.compile(r" --column '?completion=.*?(?=; or --column|$)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Predicting:
    """Who answers which rows, read how, and in what manner."""

    target: str
    path: Path
    out: Path
    format: str = "auto"
    columns: dict[str, str] | None = None
    encoding: str = ""
    limit: int | None = None
    seed: int = 0
    max_new_tokens: int = 256
    max_thought_tokens: int | None = None
    batch_size: int = 32
    base_model: str = ""
    rows: Path | None = None
    keep: tuple[str, ...] = ()


class _Prompt(NamedTuple):
    text: str
    ids: tuple[int, ...]


class _Questions(NamedTuple):
    rows: tuple[Row, ...]
    draw: Draw | None
    problems: tuple[Problem, ...]


def predicting_by(options: BaseModel) -> Predicting:
    """What a command's options ask for; where they name no longest answer, it is as the run was measured."""
    given = dict(options)
    length = given["max_new_tokens"] or measured_length(given["target"])
    return Predicting(**{**given, "max_new_tokens": length})


def predict(request: Predicting, *, on_progress: OnProgress = lambda *_: None) -> PredictReport:
    """Answer every row greedily, in the order of the file, a JSON line each.

    An answer that a row has already is not looked at. A tuned model is asked with the system prompt that it
    was trained with, where a row has none. A second call with the same settings goes on after the last whole
    batch, and writes the bytes that one call would have. With `rows`, whole answers are also written as rows
    to train another model on.

    Raises DataError, before a model is loaded, for rows that cannot be read and a file that is not ours."""
    if is_decider(request.target, request.base_model):
        return _decide(request, on_progress)
    if is_table(request.out):
        return _predict_table(request, on_progress)
    refuse_thoughts(request.max_thought_tokens, request.max_new_tokens)
    check_target(request.target, base_model=request.base_model)
    if request.rows is not None:
        refuse_taken(request.rows)
    found = _read(request)
    kept = kept_columns(found.rows, request.keep, Prediction.model_fields)
    claim(request.out, _settings(request, found.rows))
    with appending(request.out) as file, stop_requests() as should_stop:
        lines = keep_batches(file, request.batch_size, len(found.rows))
        _check_lines(request.out, lines, found.rows)
        before = len(lines)
        if before < len(found.rows):
            system = load_talker(request.target, base_model=request.base_model)
            prompts = [_prompt(system, row) for row in found.rows[before:]]
            _check_lengths(system, found.rows[before:], prompts, request.max_new_tokens)
        while len(lines) < len(found.rows):
            on_progress(request.target, str(request.path), len(lines), len(found.rows))
            if stop := should_stop():
                hint = "the same command goes on from there"
                raise Interrupted("stopped while answering", signal_number=stop, hint=hint)
            start = len(lines)
            rows = found.rows[start : start + request.batch_size]
            batch = prompts[start - before :][: len(rows)]
            said = _answers(system, batch, request)
            beside = kept[start:][: len(rows)]
            fresh = [_line(system, *each) for each in zip(rows, batch, said, beside, strict=True)]
            append(file, fresh)
            lines += fresh
    on_progress(request.target, str(request.path), len(lines), len(found.rows))
    return _report_prediction(request, found, lines, before)


def _predict_table(request: Predicting, on_progress: OnProgress) -> PredictReport:
    """The same as a table, once every row is answered; until then the answers are lines beside it."""
    check_form(request.out)
    lines = request.out.with_name(f"{request.out.name}.jsonl")
    report = predict(replace(request, out=lines), on_progress=on_progress)
    found = [Prediction.model_validate_json(line) for line in lines.read_bytes().splitlines()]
    always = {"file", "row", "answer", "ended"}
    filled = {name for each in found for name, value in each if value} | always
    kept = tuple(found[0].model_extra or ())
    names = [*kept, *(name for name in Prediction.model_fields if name in filled)]
    dumped = (each.model_dump(mode="json") for each in found)
    write_table(request.out, [{name: each[name] for name in names} for each in dumped])
    lines.unlink()
    settings_path(lines).unlink()
    out = report.out.model_copy(
        update={
            "path": str(request.out),
            "sha256": sha256_file(request.out),
            "bytes": request.out.stat().st_size,
        }
    )
    return report.model_copy(update={"out": out})


def _decide(request: Predicting, on_progress: OnProgress) -> PredictReport:
    """The same by a model of labels, all rows in one go: it takes seconds."""
    if request.rows is not None:
        raise DataError(
            f"{request.rows}: a model of labels teaches no text", hint="leave --rows out"
        )
    check_form(request.out)
    found = _read(request)
    decider = load_decider(request.target, base_model=request.base_model)
    on_progress(request.target, str(request.path), 0, len(found.rows))
    decided, problems = decide_rows(decider, found.rows, request.out, request.keep)
    on_progress(request.target, str(request.path), len(found.rows), len(found.rows))
    size = request.out.stat().st_size
    return PredictReport(
        model=request.target,
        data=str(request.path),
        rows=len(decided),
        rows_answered_before=0,
        num_cut=0,
        num_faults=0,
        num_unsure=sum(bool(each.unsure) for each in decided),
        max_new_tokens=request.max_new_tokens,
        out=Artifact(
            path=str(request.out), kind="answers", sha256=sha256_file(request.out), bytes=size
        ),
        draw=found.draw,
        problems=(*found.problems, *problems),
    )


def _read(request: Predicting) -> _Questions:
    checked = read_validated(
        request.path,
        format=request.format,
        columns=request.columns,
        encoding=request.encoding,
        change=_to_answer,
    )
    refuse([_of_asking(problem) for problem in checked.problems])
    if lost := next((row for row in checked.rows if not row.prompt), None):
        raise DataError(f"{lost.file}:{lost.row}: nothing is asked before the answer")
    if not checked.rows:
        raise DataError(f"{request.path}: no rows to answer")
    warnings = tuple(problem for problem in checked.problems if problem.level != "info")
    return _draw_questions(request, checked.rows, warnings)


def _draw_questions(
    request: Predicting, rows: tuple[Row, ...], warnings: tuple[Problem, ...]
) -> _Questions:
    if request.limit is None or request.limit >= len(rows):
        return _Questions(rows, None, warnings)
    drawn = draw_rows(rows, request.limit, request.seed)
    draw = Draw(
        data=request.path.name,
        rows=request.limit,
        rows_in_file=len(rows),
        seed=request.seed,
        is_stratified=drawn.is_stratified,
    )
    return _Questions(drawn.rows, draw, warnings)


def _of_asking(problem: Problem) -> Problem:
    """Texts alone can be asked, though nothing is learned from them, and need no column of answers."""
    if not problem.message.startswith(PLAIN_TEXT):
        hint = _ANSWERED.sub("", problem.hint.replace("which is learned", "which is asked"))
        return problem.model_copy(update={"hint": hint})
    return problem.model_copy(
        update={
            "message": problem.message.replace(", and it is answers that are trained", ""),
            "hint": f"--column prompt={problem.key} asks what is in it",
        }
    )


def _ends_asking(said: object) -> bool:
    last = said[-1] if isinstance(said, list) and said else None
    return isinstance(last, dict) and last.get("role") in _ASKING


def _to_answer(row: ReadRow) -> ReadRow:
    """A conversation that ends with the turn to be answered is a prompt, as it is to a chat API."""
    said = row.data.get("messages")
    if "prompt" in row.data or not _ends_asking(said):
        return row
    rest = without(row.data, ("messages",))
    return row._replace(data={**rest, "prompt": said})


def _settings(request: Predicting, rows: Sequence[Row]) -> PredictSettings:
    is_file = request.path.is_file()
    return PredictSettings(
        finewright=__version__,
        model=request.target,
        model_sha256=target_sha256(request.target, base_model=request.base_model),
        rows_sha256=sha256_file(request.path) if is_file else digest([row.id for row in rows]),
        format=request.format,
        columns=request.columns or {},
        encoding=request.encoding,
        limit=request.limit,
        seed=request.seed,
        max_new_tokens=request.max_new_tokens,
        max_thought_tokens=request.max_thought_tokens,
        batch_size=request.batch_size,
        keep=request.keep,
    )


def _prompt(system: LoadedModel, row: Row) -> _Prompt:
    messages = with_system(row.prompt, system.system_prompt)
    try:
        prompt = system.chat.whole_prompt(messages, row.tools)
    except DataError as error:
        raise DataError(f"{row.file}:{row.row}: {error}", hint=error.hint) from None
    return _Prompt(prompt.text, tuple(system.chat.tokens(prompt).ids))


def _check_lengths(
    system: LoadedModel, rows: Sequence[Row], prompts: Sequence[_Prompt], max_new_tokens: int
) -> None:
    """Raise DataError for the longest row where the model reads no answer after it."""
    from finewright.evaluate.answers import reads_of

    reads = reads_of(system.lm)
    row, longest = max(
        zip(rows, (len(prompt.ids) for prompt in prompts), strict=True), key=lambda pair: pair[1]
    )
    if what := no_room("the question is", longest, max_new_tokens, system.name, reads):
        raise DataError(
            f"{row.file}:{row.row}: {what}", hint="shorten the row, or lower --max-new-tokens"
        )


class _Generated(NamedTuple):
    made: "Generation"
    thought_cut: bool


def _answers(
    system: LoadedModel, prompts: Sequence[_Prompt], request: Predicting
) -> Iterator[_Generated]:
    from finewright.lm.generate import Sampling, generate
    from finewright.lm.thoughts import Thoughts, make_thought_bound

    system.lm.model.eval()
    sampling = Sampling(max_new_tokens=request.max_new_tokens)
    ids = [prompt.ids for prompt in prompts]
    thoughts = None
    if request.max_thought_tokens is not None:
        thoughts = Thoughts.after(make_thought_bound(system.chat, request.max_thought_tokens), ids)
    stop_ids = system.chat.stop_ids
    found = generate(system.lm, ids, stop_ids=stop_ids, sampling=sampling, thoughts=thoughts)
    for i, made in enumerate(found):
        yield _Generated(made, thoughts is not None and thoughts.is_cut(i))


def _line(
    system: LoadedModel,
    row: Row,
    prompt: _Prompt,
    generated: _Generated,
    kept: Mapping[str, Any],
) -> bytes:
    from finewright.lm.answers.reader import answer_of_tokens

    found = generated.made
    answer = answer_of_tokens(
        system.chat, found.ids, prompt=prompt.text, tools=row.tools, ended=found.stopped
    )
    said = Prediction(
        file=row.file,
        row=row.row,
        answer=answer.content,
        ended=answer.ended,
        thoughts=answer.thoughts,
        calls=tuple({"name": call.name, "arguments": call.arguments} for call in answer.calls),
        fault=answer.fault,
        thought_cut=generated.thought_cut,
        **kept,
    )
    return f"{said.model_dump_json(exclude_defaults=True)}\n".encode()


def _check_lines(out: Path, lines: Sequence[bytes], rows: Sequence[Row]) -> None:
    """Raise DataError where the file's lines are not the answers to these rows."""
    for number, (line, row) in enumerate(zip(lines, rows, strict=False), 1):
        try:
            said = Prediction.model_validate_json(line)
        except ValueError:
            said = None
        if said is None or (said.file, said.row) != (row.file, row.row):
            raise DataError(
                f"{out}:{number}: is not the answer to {row.file}:{row.row}, which belongs there",
                hint="somebody changed the file; name another one with --out",
            )


def _report_prediction(
    request: Predicting, found: _Questions, lines: Sequence[bytes], before: int
) -> PredictReport:
    said = [Prediction.model_validate_json(line) for line in lines]
    problems = found.problems
    if request.rows is not None:
        sha256 = target_sha256(request.target, base_model=request.base_model)
        problems += tuple(write_taught_rows(request.rows, found.rows, said, request.target, sha256))
    size = request.out.stat().st_size
    return PredictReport(
        model=request.target,
        data=str(request.path),
        rows=len(said),
        rows_answered_before=before,
        num_cut=sum(not each.ended for each in said),
        num_faults=sum(bool(each.fault) for each in said),
        num_thoughts_cut=sum(each.thought_cut for each in said),
        max_thought_tokens=request.max_thought_tokens,
        max_new_tokens=request.max_new_tokens,
        out=Artifact(
            path=str(request.out), kind="answers", sha256=sha256_file(request.out), bytes=size
        ),
        draw=found.draw,
        problems=problems,
    )
