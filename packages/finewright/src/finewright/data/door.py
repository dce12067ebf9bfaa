"""The door itself: every check that the spec asks for, in its order, and what each left.

licences - control tokens - secrets and personal data - duplicates - planted behaviour or, where nobody
asks for that, hidden text alone. A row that is refused
is told no more of; one that is changed goes on as what it says then."""

from collections import Counter
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from finewright.data.duplicates import find
from finewright.data.privacy import Place
from finewright.data.privacy import apply as apply_privacy
from finewright.data.provenance.ledger import RowOrigins
from finewright.data.provenance.policy import by_licence
from finewright.data.row_warnings import (
    control_tokens,
    note_broken_texts,
    note_hidden_text,
    odd_turns,
    warnings_of,
)
from finewright.errors import MissingExtra
from finewright.guard.privacy.pseudonyms import key_of
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
    problems: list[Problem] = field(default_factory=list)
    duplicates: DuplicatesReport | None = None
    privacy: PrivacyReport | None = None
    poison: PoisonReport | None = None
    key: bytes = b""
    """What pseudonyms were made with; none where nobody looked."""

    @property
    def num_dropped(self) -> dict[str, int]:
        """Reason -> rows that were refused for it."""
        return dict(Counter(item.reason for item in self.dropped))


PoisonSearch = Callable[[Sequence[Row]], "PoisonApplied"]


class DoorSearch(NamedTuple):
    """What is looked for beyond the spec's licences: planted behaviour by a search that may need a model;
    personal data and secrets only in the rows at the `private` places, where somebody looked before; and,
    unless `tells` is False, also what is only told and refuses or changes no row."""

    poison: PoisonSearch | None = None
    private: Set[Place] | None = None
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
    passed, policy = Passed(tuple(rows)), spec.licenses
    _run_check(passed, "licences", not (policy.allow or policy.deny), _licences(policy, provenance))
    if search.tells:
        passed.problems += warnings_of(passed.rows, control_tokens, odd_turns, note_broken_texts)
    only_tells = _only_tells_privacy(spec)
    if search.tells or not only_tells:
        private = _privacy(spec, resolve, search.private)
        _run_check(passed, "personal data and secrets", only_tells, private)
    only_tells = _only_tells_duplicates(spec)
    if search.tells or not only_tells:
        _run_check(passed, "duplicates", only_tells, _duplicates(spec))
    if search.poison:
        outcome, passed.poison = search.poison(passed.rows)
        _take(passed, outcome)
    elif search.tells:
        passed.problems += warnings_of(passed.rows, note_hidden_text)
    return passed


def _take(passed: Passed, outcome: CheckOutcome) -> None:
    passed.rows = outcome.rows
    passed.dropped += outcome.dropped
    passed.problems += outcome.problems


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
    return lambda passed: _take(passed, by_licence(passed.rows, provenance.licence_of, policy))


def _privacy(
    spec: DataSpec, resolve: Callable[[str], Path], places: Set[Place] | None
) -> Callable[[Passed], None]:
    def check(passed: Passed) -> None:
        personal = with_resolved(spec.personal_data, resolve)
        if not personal.actions and spec.secrets.action == "off":
            return
        key = key_of(Path(personal.key_file) if personal.key_file else None)
        outcome, passed.privacy = apply_privacy(passed.rows, personal, spec.secrets, key, places)
        passed.key = key
        _take(passed, outcome)

    return check


def with_resolved(personal: PersonalDataSpec, resolve: Callable[[str], Path]) -> PersonalDataSpec:
    """The section with its paths as this process opens them."""
    paths = {"key_file": personal.key_file, "ner": personal.ner}
    return personal.model_copy(
        update={key: str(resolve(path)) if path else "" for key, path in paths.items()}
    )


def _duplicates(spec: DataSpec) -> Callable[[Passed], None]:
    def check(passed: Passed) -> None:
        outcome, passed.duplicates = find(passed.rows, spec.duplicates)
        _take(passed, outcome)

    return check


def _only_tells_privacy(spec: DataSpec) -> bool:
    return {*spec.personal_data.actions.values(), spec.secrets.action} <= {"off", "report"}


def _only_tells_duplicates(spec: DataSpec) -> bool:
    section = spec.duplicates
    return {section.exact, section.near} <= {"off", "report"}
