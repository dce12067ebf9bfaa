"""`finewright comply`: the one call that it is."""

from dataclasses import replace
from datetime import UTC, datetime

from pydantic import BaseModel

from finewright.feature import Session
from finewright.sdk import write_text
from finewright_trust.comply.dossier import (
    STAGE,
    list_artifacts,
    read_answers,
    write_dossier,
    write_pdf,
)
from finewright_trust.comply.options import ComplyOptions
from finewright_trust.comply.pdf import missing_library
from finewright_trust.comply.template import answers_template


def comply(options: ComplyOptions, session: Session) -> BaseModel:
    """The dossier of the run, in the run or in a folder of its own."""
    from finewright.store.keys import digest
    from finewright.store.lock import run_lock
    from finewright.store.manifest import record_stage
    from finewright.store.rundir import open_run
    from finewright.store.speclock import lock_of
    from finewright.workbench.outputs import check_outputs

    check_outputs([options.init, options.out, options.pdf], [])
    if options.pdf and (refusal := missing_library()):
        raise refusal
    run = open_run(options.run)
    lock = lock_of(run)
    answers = read_answers(options.answers, lock)
    given = {"roles": options.roles, "regimes": options.regimes}
    changed = answers.spec.model_copy(update={key: each for key, each in given.items() if each})
    answers = replace(answers, spec=changed)
    if options.out:
        report = write_dossier(run, lock, answers, session.today, options.out)
    else:
        with run_lock(run):
            report = write_dossier(run, lock, answers, session.today, run.root / STAGE)
            key = digest(STAGE, session.today.isoformat(), answers.spec)
            record_stage(run, STAGE, key, list_artifacts(run), datetime.now(UTC))
    if options.pdf:
        write_pdf(report, options.pdf)
    if options.init:
        write_text(options.init, answers_template(lock.spec.name, answers.spec))
    return report
