"""`migrate openai`: from a hosted fine-tune to an open model that is shown to be as good, or not."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from finewright.catalog.prices import own_folder, prices
from finewright.data.decontaminate import Cleaned, remove_contaminated
from finewright.errors import DataError
from finewright.estimate.freshness import deadline_words
from finewright.evaluate.samples import read_samples, text_of_sample
from finewright.evaluate.score import options_of
from finewright.judge.text import exact_match
from finewright.report.show import write_page
from finewright.rows.identity import to_user_json
from finewright.schema.catalog import Deadline
from finewright.schema.common import Problem, Source
from finewright.schema.evaluate import EvaluateSpec, Sample
from finewright.schema.load import LoadedSpec, load_spec
from finewright.schema.rows import Row
from finewright.store.atomic import os_errors, sha256_file, write_json, write_text
from finewright.store.stage import refuse
from finewright.workbench.signals import goes_on
from finewright.workbench.up import OnEvent, up
from finewright_bridge.migrate.fit import (
    GOLDEN,
    PAGE,
    RECORD,
    REPORT,
    SPEC,
    TRAIN,
    check_fit,
    check_free,
    report_undeclared_calls,
)
from finewright_bridge.migrate.golden import GoldenSet, Wanted, check_wanted, golden_set, recall
from finewright_bridge.migrate.golden_rows import (
    GoldenRow,
    draw_golden,
    prompts_of,
    read_files,
    read_recorded,
    rows_to_measure,
)
from finewright_bridge.migrate.job import Job, carry_settings, family_of, name_of, read_job
from finewright_bridge.migrate.non_inferiority import (
    GoldenAnswers,
    against_expected,
    agreement,
    agreement_bound,
    judge_parity,
)
from finewright_bridge.migrate.report import Apart, MigrateReport
from finewright_bridge.migrate.spec import Destination, as_set, check_spec, spec_text

_SHOWN = 10
_LONGEST_SHOWN = 400
_MUCH = 0.5
_PROVIDER = "openai"
_OPTIONS = options_of(EvaluateSpec())


@dataclass(frozen=True, slots=True)
class Migration:
    """What is migrated and into what. `golden` is a recorded file or https://HOST/v1#MODEL; `folder` gets
    the training rows, the frozen answers, the spec and the report."""

    files: tuple[Path, ...]
    golden: str
    folder: Path
    base_model: str
    job: Path | None = None
    validation: Path | None = None
    metrics: tuple[str, ...] = ()
    margin: float = 0.05
    golden_rows: int = 100
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Read:
    """The good input: the job, the rows to train on, the rows that golden prompts come from."""

    job: Job | None
    rows: tuple[Row, ...]
    validation: tuple[Row, ...]
    problems: tuple[Problem, ...]


def migrate(
    migration: Migration, runs_root: Path, *, today: date, on_event: OnEvent
) -> MigrateReport:
    """Freeze the old model's answers, train the open model on the rest, and compare the two.

    A second call uses what is frozen and goes on with the run. Nothing is trained before the files, the job
    and the answers are found good; raises DataError, FetchError or SpecError with a line per mistake."""
    check_free(migration.folder, _inputs(migration))
    wanted = Wanted(migration.golden, migration.metrics, migration.margin, migration.golden_rows)
    check_wanted(wanted)
    read = _read(migration)
    loaded = _check_options(migration, read)
    check_fit(loaded, read.rows, _questions(migration, read))
    with os_errors(migration.folder):
        migration.folder.mkdir(parents=True, exist_ok=True)
    golden = golden_set(
        migration.folder,
        wanted,
        read.rows,
        validation=read.validation,
        today=today,
        on_answer=lambda done, total: on_event(
            "progress", {"system": "the old model", "data": "golden", "done": done, "total": total}
        ),
    )
    cleaned = remove_contaminated(read.rows, list(rows_to_measure(golden.rows)))
    known = recall(cleaned.rows, golden.rows)
    problems = (
        *read.problems,
        *golden.problems,
        *_report_removed(cleaned, len(read.rows)),
        *known.problems(),
    )
    for problem in problems:
        on_event("problem", {**problem.model_dump(), "message": problem.line()})
    run = _train(migration, read, golden, cleaned, runs_root, on_event)
    samples = _samples(run, len(golden.rows))
    answers = _answers(golden, samples)
    report = _report_migration(migration, read, golden, cleaned, run, answers).model_copy(
        update={
            "rows_repeated": len(known.repeated),
            **known.bounds(answers, golden.frozen.stated, _OPTIONS),
            "problems": (*problems, *_report_unended(samples)),
            "deadlines": _deadlines(read.job, golden, today),
        }
    )
    write_json(migration.folder / REPORT, report.model_dump(mode="json"))
    write_page(report, migration.folder / PAGE)
    return report


def _read(migration: Migration) -> _Read:
    job = read_job(migration.job) if migration.job else None
    rows, problems = read_files(migration.files)
    refuse(problems)
    validation, of_validation = (
        read_files([migration.validation]) if migration.validation else ((), ())
    )
    refuse(of_validation)
    is_dpo = any(row.rejected is not None for row in rows)
    if job and is_dpo != (job.method == "dpo"):
        found = "preference pairs" if is_dpo else "conversations"
        raise DataError(
            f"{job.path}: the job's method needs other rows than the {found} of {migration.files[0]}",
            hint="give the job that these files trained",
        )
    calls = report_undeclared_calls((*rows, *validation))
    return _Read(
        job, rows, validation, (*problems, *of_validation, *calls, *_of_job(job, migration))
    )


def _inputs(migration: Migration) -> Iterator[Path]:
    """All files that are read, that of the recorded answers among them."""
    yield from _list_named_files(migration)
    if "://" not in migration.golden:
        yield Path(migration.golden)


def _questions(migration: Migration, read: _Read) -> tuple[Row, ...]:
    """What the models will be asked, as far as it is known: recorded or validation prompts, none of a frozen
    set, which was looked at before it was frozen."""
    if (migration.folder / RECORD).is_file():
        return ()
    if "://" in migration.golden:
        return prompts_of(read.validation, migration.golden_rows)
    rows, problems = read_recorded(Path(migration.golden), {})
    refuse(problems)
    return tuple(row.prompt for row in draw_golden(rows, migration.golden_rows))


def _check_options(migration: Migration, read: _Read) -> LoadedSpec:
    """Raise what a mistake in --base-model or --set would raise after the answers were frozen."""
    metrics = migration.metrics or ("exact_match",)  # which it will be is known with the answers
    text = _spec_of(migration, read, metrics, longest=1)
    return check_spec(text, migration.folder / SPEC, migration.overrides)


def _of_job(job: Job | None, migration: Migration) -> Iterator[Problem]:
    """What the job says that its files do not hold."""
    if job is None:
        return
    if job.status not in ("succeeded", ""):
        message = f"the job is {job.status}, not succeeded"
        yield Problem(level="warning", file=job.path, key="status", message=message)
    if job.model.startswith("ft:"):
        yield Problem(
            level="warning",
            file=job.path,
            key="model",
            message=f"it began from {job.model}, and what that one had learned is not in these files",
            hint="name its training files too",
        )
    if job.validation_file and not migration.validation:
        yield Problem(
            level="warning",
            file=job.path,
            key="validation_file",
            message=f"{job.validation_file} is not here",
            hint="download it (GET /v1/files/ID/content) and name it with --validation",
        )


def _report_removed(cleaned: Cleaned, rows: int) -> Iterator[Problem]:
    number = sum(cleaned.removed.values())
    if not cleaned.rows:
        raise DataError(
            f"all {rows} training rows are near a golden prompt, so none is left to train on",
            hint="take fewer golden prompts (--golden-rows), or others, in another --folder",
        )
    if number > _MUCH * rows:
        message = f"{number} of {rows} training rows are near a golden prompt and do not train"
        hint = "take fewer golden prompts (--golden-rows), or others, in another --folder"
        yield Problem(level="warning", message=message, hint=hint)


def _train(
    migration: Migration,
    read: _Read,
    golden: GoldenSet,
    cleaned: Cleaned,
    runs_root: Path,
    on_event: OnEvent,
) -> Path:
    rows = "".join(json.dumps(to_user_json(r), ensure_ascii=False) + "\n" for r in cleaned.rows)
    write_text(migration.folder / TRAIN, rows)
    path = migration.folder / SPEC
    longest = max(
        len(text.encode()) for row in golden.rows for text in (row.answer, row.expected or "")
    )
    write_text(path, _spec_of(migration, read, golden.frozen.stated.metrics, longest=longest))
    with goes_on("the same `finewright migrate openai` command goes on from there, to its verdict"):
        report = up(load_spec(path, migration.overrides), runs_root, on_event=on_event)
    return Path(report.summary.run)


def _spec_of(migration: Migration, read: _Read, metrics: tuple[str, ...], *, longest: int) -> str:
    """The run's spec; `longest` is the bytes of the longest old or right answer."""
    destination = Destination(
        name=name_of(read.job),
        base_model=migration.base_model,
        method="dpo" if read.rows[0].rejected is not None else "sft",
        metrics=metrics,
        longest_answer=longest,
    )
    return spec_text(destination, list(carry_settings(read.job)) if read.job else [])


def _samples(run: Path, rows: int) -> dict[tuple[str, int], Sample]:
    """(system, row) -> what it answered, of the tuned model and its base."""
    path = run / "evaluate" / "samples.jsonl"
    found = {(s.system, s.row): s for s in read_samples(path)}
    for system in ("tuned", "base"):
        for row in range(1, rows + 1):
            if (system, row) not in found:
                raise DataError(
                    f"{path}: no answer of the {system} model to golden row {row}",
                    hint="do not change `evaluate.data` or `evaluate.compare_with` with --set",
                )
    return found


def _answers(golden: GoldenSet, samples: Mapping[tuple[str, int], Sample]) -> list[GoldenAnswers]:
    """What the old model, the new one and its base answered to each golden row."""
    return [
        GoldenAnswers(
            i,
            row.expected,
            row.answer,
            *(text_of_sample(samples[name, i]) for name in ("tuned", "base")),
        )
        for i, row in enumerate(golden.rows, 1)
    ]


def _report_unended(samples: Mapping[tuple[str, int], Sample]) -> Iterator[Problem]:
    cut = [row for (system, row), s in samples.items() if system == "tuned" and not s.stopped]
    if cut:
        message = f"{len(cut)} answers of the new model did not end, that to row {cut[0]} first"
        hint = "train longer, or raise evaluate.max_new_tokens with --set"
        yield Problem(level="warning", file=GOLDEN, message=message, hint=hint)


def _report_migration(
    migration: Migration,
    read: _Read,
    golden: GoldenSet,
    cleaned: Cleaned,
    run: Path,
    answers: Sequence[GoldenAnswers],
) -> MigrateReport:
    frozen, stated = golden.frozen.golden, golden.frozen.stated
    options = _OPTIONS
    bounds = against_expected(answers, stated, options)
    agreed = agreement_bound(answers, stated.confidence)
    verdict, sentence = judge_parity(bounds, agreed, stated, len(answers))
    return MigrateReport(
        name=name_of(read.job),
        old_model=_old_model(read.job, golden),
        base_model=migration.base_model,
        deadlines=(),
        carried=as_set(tuple(carry_settings(read.job)), migration.overrides) if read.job else (),
        files=tuple(
            Source(path=str(p), sha256=sha256_file(p)) for p in _list_named_files(migration)
        ),
        rows_read=len(read.rows),
        rows_train=len(cleaned.rows),
        rows_removed=cleaned.removed,
        golden=frozen,
        stated=stated,
        run=str(run),
        against_expected=bounds,
        agreement=agreement(answers, stated, options),
        agreement_bound=agreed,
        verdict=verdict,
        sentence=sentence,
        apart=tuple(_apart(answers, golden.rows)),
    )


def _list_named_files(migration: Migration) -> Iterator[Path]:
    yield from migration.files
    yield from (path for path in (migration.validation, migration.job) if path)


def _old_model(job: Job | None, golden: GoldenSet) -> str:
    return (job and (job.fine_tuned_model or job.model)) or golden.frozen.golden.model or "unknown"


def _apart(answers: Sequence[GoldenAnswers], golden: Sequence[GoldenRow]) -> Iterator[Apart]:
    """Some prompts that the models answer otherwise, in the order of the set."""
    others = [a for a in answers if not exact_match(a.new, a.old)]
    for found in others[:_SHOWN]:
        prompt = str(golden[found.row - 1].prompt.messages[-1].get("content") or "")
        yield Apart(
            row=found.row,
            prompt=prompt[:_LONGEST_SHOWN],
            expected=found.expected and found.expected[:_LONGEST_SHOWN],
            old=found.old[:_LONGEST_SHOWN],
            new=found.new[:_LONGEST_SHOWN],
        )


def _deadlines(job: Job | None, golden: GoldenSet, today: date) -> tuple[str, ...]:
    """When fine-tuning at the provider ends, and when the old model is switched off, as the catalog knows."""
    names = {_old_model(job, golden), job.model if job else "", golden.frozen.golden.model}
    families = {family_of(name) for name in names if name}
    found = [
        row
        for row in prices(own_folder()).deadlines
        if row.provider == _PROVIDER and _concerns(row, families)
    ]
    return tuple(deadline_words(row, today) for row in sorted(found, key=lambda row: row.date))


def _concerns(row: Deadline, families: set[str]) -> bool:
    return "fine-tuning" in row.what or not families.isdisjoint(row.models)
