"""The door itself: every check that the spec asks for, in its order, and what each left.

licences - control tokens - secrets and personal data - duplicates - planted behaviour or, where nobody
asks for that, hidden text alone. A row that is refused
is told no more of; one that is changed goes on as what it says then, and is searched with the
stand-ins of a key that everybody knows, for with each key they are others."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from finewright.data.duplicates import find
from finewright.data.keyless import KeylessRows, own_of
from finewright.data.privacy import apply as apply_privacy
from finewright.data.provenance.changes import RowChanges
from finewright.data.provenance.ledger import RowOrigins
from finewright.data.provenance.policy import by_licence
from finewright.data.row_warnings import (
    broken_texts,
    control_tokens,
    hidden_text,
    odd_turns,
    warnings_of,
)
from finewright.errors import MissingExtra
from finewright.guard.privacy.key_file import key_of
from finewright.rows.notes import CheckOutcome, Dropped
from finewright.schema.common import Problem
from finewright.schema.data import DataSpec
from finewright.schema.duplicates import DuplicatesReport
from finewright.schema.poison import PoisonReport
from finewright.schema.privacy import PersonalDataSpec, PrivacyReport
from finewright.schema.provenance import LicensePolicy
from finewright.schema.rows import Row

if TYPE_CHECKING:
    # The search reads with numpy, which only who asks for it needs.
    from finewright.data.poison import PoisonResult as PoisonApplied


@dataclass(slots=True)
class Passed:
    """The rows that may train, the others with their reasons, and what each check found.

    A report is None where nobody looked."""

    rows: tuple[Row, ...]
    dropped: list[Dropped] = field(default_factory=list)
    changes: RowChanges = field(default_factory=RowChanges)
    problems: list[Problem] = field(default_factory=list)
    duplicates: DuplicatesReport | None = None
    privacy: PrivacyReport | None = None
    poison: PoisonReport | None = None
    key: bytes = b""
    """What pseudonyms were made with; none where nobody looked."""
    keyless: KeylessRows = field(default_factory=KeylessRows, compare=False)

    @property
    def num_dropped(self) -> dict[str, int]:
        """Reason -> rows that were refused for it."""
        return dict(Counter(item.reason for item in self.dropped))


Place = tuple[str, int]
Report = TypeVar("Report", DuplicatesReport, PoisonReport)


class Holding(NamedTuple):
    """The places (file, row) of all rows that hold what a check looks for, where somebody looked before.

    A place too many does no harm: its row is looked at."""

    controls: set[Place]
    private: set[Place]


PoisonSearch = Callable[[Sequence[Row]], "PoisonApplied"]


class DoorSearch(NamedTuple):
    """What is looked for beyond the spec's licences: planted behaviour by a search that may need a model;
    what a check looks for only among those that are `holding` it, where somebody looked before; and, unless
    `tells` is False, also what is only told and refuses or changes no row."""

    poison: PoisonSearch | None = None
    holding: Holding | None = None
    tells: bool = True


def pass_door(
    rows: Sequence[Row],
    spec: DataSpec,
    provenance: RowOrigins,
    resolve: Callable[[str], Path],
    search: DoorSearch,
) -> Passed:
    """All checks over all rows. A check that only tells is left out, with a warning, where its extra is not
    installed; one that refuses or changes rows raises MissingExtra."""
    holding = search.holding
    passed, policy = Passed(tuple(rows)), spec.licenses
    _run_check(passed, "licences", not (policy.allow or policy.deny), _licences(policy, provenance))
    if search.tells:
        controls = _among(passed.rows, holding and holding.controls)
        passed.problems += warnings_of(controls, control_tokens)
        passed.problems += warnings_of(passed.rows, odd_turns, broken_texts)
    only_tells = _only_tells_privacy(spec)
    if search.tells or not only_tells:
        private = _privacy(spec, resolve, holding and holding.private)
        _run_check(passed, "personal data and secrets", only_tells, private)
    only_tells = _only_tells_duplicates(spec)
    if search.tells or not only_tells:
        _run_check(passed, "duplicates", only_tells, _duplicates(spec))
    if search.poison:
        passed.poison = _searched(passed, search.poison)
    elif search.tells:
        passed.problems += warnings_of(passed.rows, hidden_text)
    return passed


def _take(passed: Passed, outcome: CheckOutcome, step: str = "") -> None:
    if step:
        passed.changes = passed.changes.after(step, passed.rows, outcome.rows)
    passed.rows = outcome.rows
    passed.dropped += outcome.dropped
    passed.problems += outcome.problems


def _searched(
    passed: Passed, search: Callable[[Sequence[Row]], tuple[CheckOutcome, Report]]
) -> Report:
    """The search's report; the rows go on as they are, those that it leaves."""
    searched = passed.keyless.instead_of(passed.rows)
    outcome, report = search(searched)
    own = own_of(passed.rows, searched)
    dropped = tuple(item._replace(row=own(item.row)) for item in outcome.dropped)
    _take(passed, replace(outcome, rows=tuple(map(own, outcome.rows)), dropped=dropped))
    return report


def _run_check(
    passed: Passed, what: str, only_tells: bool, check: Callable[[Passed], None]
) -> None:
    try:
        check(passed)
    except MissingExtra as error:
        if not only_tells:
            raise
        message = f"{what} were not looked for: {error}"
        passed.problems.append(
            Problem(level="warning", key="data", message=message, hint=error.hint)
        )


def _licences(policy: LicensePolicy, provenance: RowOrigins) -> Callable[[Passed], None]:
    return lambda passed: _take(passed, by_licence(passed.rows, provenance.stated, policy))


def _privacy(
    spec: DataSpec, resolve: Callable[[str], Path], places: Set[Place] | None
) -> Callable[[Passed], None]:
    def check(passed: Passed) -> None:
        personal = with_resolved(spec.personal_data, resolve)
        if personal.action == spec.secrets.action == "off":
            return
        key = key_of(Path(personal.key_file) if personal.key_file else None)
        among = _among(passed.rows, places)
        outcome, report, passed.keyless = apply_privacy(among, personal, spec.secrets, key)
        rows = tuple(_put_back(passed.rows, among, outcome))
        counted = {"rows_in": len(passed.rows), "rows_kept": len(rows)}
        counts = report.counts.model_copy(update=counted)
        passed.privacy, passed.key = report.model_copy(update={"counts": counts}), key
        _take(passed, replace(outcome, rows=rows), "personal data and secrets replaced")

    return check


def with_resolved(personal: PersonalDataSpec, resolve: Callable[[str], Path]) -> PersonalDataSpec:
    """The section with its paths as this process opens them."""
    paths = {"key_file": personal.key_file, "ner": personal.ner}
    return personal.model_copy(
        update={key: str(resolve(path)) if path else "" for key, path in paths.items()}
    )


def _among(rows: Sequence[Row], places: Set[Place] | None) -> Sequence[Row]:
    return rows if places is None else [row for row in rows if (row.file, row.row) in places]


def _put_back(rows: Sequence[Row], among: Sequence[Row], outcome: CheckOutcome) -> Iterator[Row]:
    """All rows in their order, those `among` them as the check left them."""
    looked = {id(row) for row in among}
    gone = {id(item.row) for item in outcome.dropped}
    left = iter(outcome.rows)
    for row in rows:
        if id(row) not in looked:
            yield row
        elif id(row) not in gone:
            yield next(left)


def _duplicates(spec: DataSpec) -> Callable[[Passed], None]:
    def check(passed: Passed) -> None:
        passed.duplicates = _searched(passed, lambda rows: find(rows, spec.duplicates))

    return check


def _only_tells_privacy(spec: DataSpec) -> bool:
    return {spec.personal_data.action, spec.secrets.action} <= {"off", "report"}


def _only_tells_duplicates(spec: DataSpec) -> bool:
    section = spec.duplicates
    return {section.exact, section.near} <= {"off", "report"}
