"""`finewright redteam`: the one call that it is."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from finewright.feature import Session
from finewright.store.atomic import write_text
from finewright_trust.redteam.options import RedteamOptions
from finewright_trust.redteam.sarif import as_sarif
from finewright_trust.redteam.subject import last_turns
from finewright_trust.redteam.suite import attack_all, open_subject, read_attacks

if TYPE_CHECKING:
    from finewright_trust.redteam.subject import OnProgress, Subject

_STOPPED = "stopped while attacking; nothing is kept"


def redteam(options: RedteamOptions, session: Session) -> BaseModel:
    """What the attacks reach."""
    from finewright.workbench.outputs import check_outputs
    from finewright.workbench.signals import goes_on, watch_for_stop

    def tell(what: str, done: int, total: int) -> None:
        session.on_event("attacking", {"what": what, "done": done, "total": total})

    spec = options.spec()
    check_outputs([options.sarif], [])
    read_attacks(spec.attacks)
    with (
        goes_on("the same command attacks again"),
        watch_for_stop(tell, _STOPPED, late=_STOPPED) as watch,
    ):
        subject = _open(options, watch)
        report = attack_all(subject, spec, watch)
    if options.sarif:
        write_text(options.sarif, as_sarif(report))
    return report


def _open(options: RedteamOptions, watch: "OnProgress") -> "Subject":
    """The run or the address that the target names."""
    if not options.is_address:
        return open_subject(options.target, options.base_model, watch)
    from finewright_trust.redteam.address import open_address
    from finewright_trust.redteam.wordings import wordings

    questions = _questions(options.data) if options.data else wordings().questions
    subject = open_address(options.target, options.unguarded_key, questions, watch)
    given = {"data": options.data, "unguarded-key": options.unguarded_key}
    return replace(subject, options={name: str(value) for name, value in given.items() if value})


def _questions(path: Path) -> list[str]:
    """What the rows of a file ask last. Raises DataError."""
    from finewright.data.gather import read_row_set
    from finewright.schema.evaluate import EvalSetSpec
    from finewright.store.stage import refuse

    found = read_row_set(path, EvalSetSpec(path=str(path)), seed=0)
    refuse(found.problems)
    return last_turns(found.rows)
