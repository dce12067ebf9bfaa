"""Every check sees what the one before left, and only a check that merely tells may be missing."""

import sys
from collections.abc import Sequence, Set
from pathlib import Path

import pytest

from finewright.data.door import DoorSearch, Passed, PoisonSearch, pass_door, with_resolved
from finewright.data.poison import PoisonResult
from finewright.data.privacy import Place
from finewright.data.provenance.ledger import RowOrigins, SourceRecords
from finewright.errors import DataError, MissingExtra
from finewright.rows.identity import renew_id
from finewright.rows.notes import CheckOutcome, Dropped
from finewright.schema.data import DataSpec
from finewright.schema.poison import PoisonReport
from finewright.schema.privacy import PersonalDataSpec
from finewright.schema.rows import Row

MAIL = "Write to anna@firm.example, please, about the second invoice of the year."
FILE = "rows.jsonl"


def row(number: int, answer: str = "A", license: str = "") -> Row:
    turns = (
        {"role": "user", "content": f"Question {number}"},
        {"role": "assistant", "content": answer},
    )
    columns = {"license": license} if license else {}
    return renew_id(Row("", turns, None, FILE, number, columns=columns))


def spec_of(**fields: object) -> DataSpec:
    return DataSpec.model_validate({"sources": [{"path": FILE}], **fields})


def passed_by(
    rows: Sequence[Row],
    folder: Path = Path(),
    search: PoisonSearch | None = None,
    private: Set[Place] | None = None,
    tells: bool = True,
    **fields: object,
) -> Passed:
    spec = spec_of(**fields)
    records = {(FILE, item.row): "0" * 64 for item in rows}
    provenance = RowOrigins([SourceRecords(spec.sources[0], Path(FILE), records)])
    wanted = DoorSearch(search, private, tells)
    return pass_door(rows, spec, provenance, lambda path: folder / path, wanted)


def numbers(rows: Sequence[Row]) -> list[int]:
    return [item.row for item in rows]


def finds_nothing(rows: Sequence[Row]) -> PoisonResult:
    report = PoisonReport(rows_in=len(rows), rows_suspicious=0)
    return PoisonResult(CheckOutcome(tuple(rows)), report)


def sets_aside_the_first(rows: Sequence[Row]) -> PoisonResult:
    dropped = (Dropped(rows[0], "quarantined", "planted"),)
    return PoisonResult(CheckOutcome(tuple(rows[1:]), dropped), finds_nothing(rows).report)


def test_rows_that_hold_nothing_pass_as_they_are() -> None:
    rows = [row(i, f"Answer number {i} says something of its own.") for i in range(3)]
    passed = passed_by(rows)
    assert passed.rows == tuple(rows)
    assert (passed.dropped, passed.problems) == ([], [])
    assert passed.poison is None
    assert passed.duplicates is not None
    assert passed.privacy is not None
    assert passed.privacy.counts.rows_in == 3


def test_each_check_sees_only_what_the_one_before_left() -> None:
    rows = [
        row(1, f"{MAIL} <|im_end|>", license="GPL-3.0-only"),
        row(2, f"{MAIL} <|im_end|>"),
        row(2, f"Please: {MAIL} <|im_end|>".replace("anna", "otto")),
        row(4, "Planted."),
    ]
    seen: list[tuple[Row, ...]] = []

    def search(given: Sequence[Row]) -> PoisonResult:
        seen.append(tuple(given))
        return sets_aside_the_first(given)

    passed = passed_by(
        rows,
        search=search,
        licenses={"deny": ["GPL-3.0-only"], "on_blocked": "drop"},
        personal_data={"action": "redact"},
        duplicates={"exact": "drop", "near": "drop"},
    )
    # What was blocked by its licence is not told of again.
    told = [problem for problem in passed.problems if "control tokens" in problem.message]
    assert [problem.row for problem in told] == [2]
    assert passed.privacy is not None
    assert {finding.row for finding in passed.privacy.findings} == {2}
    # Redacted, the third says nearly what the second says.
    assert [item.reason for item in passed.dropped] == ["license", "near_duplicate", "quarantined"]
    assert numbers(seen[0]) == [2, 4]
    assert numbers(passed.rows) == [4]
    assert passed.num_dropped == {"license": 1, "near_duplicate": 1, "quarantined": 1}
    assert len(rows) == len(passed.rows) + sum(passed.num_dropped.values())


def test_what_is_searched_for_is_found_whatever_the_key() -> None:
    rows = [row(i % 3, f"Write to p{i}@firm.example.") for i in range(6)]
    rows += [row(9, MAIL), row(9, MAIL)]
    seen: list[list[str]] = []

    def search(given: Sequence[Row]) -> PoisonResult:
        seen.append([turn["content"] for item in given for turn in item.searched.messages])
        return sets_aside_the_first(given)

    repeats = {"exact": "drop", "near": "drop"}
    first, again = (
        passed_by(rows, search=search, personal_data={"action": "pseudonymise"}, duplicates=repeats)
        for _ in range(2)
    )
    assert seen[0] == seen[1]
    assert first.duplicates == again.duplicates
    assert numbers(first.rows) == numbers(again.rows)
    # The same row of two persons is two, and of one is one.
    assert [item.reason for item in first.dropped] == ["duplicate", "quarantined"]
    for item in (*first.rows, *(gone.row for gone in first.dropped)):
        assert "firm" not in str(item)
        assert "[EMAIL]" not in str(item)
    assert first.rows != again.rows


def test_problems_come_in_the_order_of_the_checks() -> None:
    rows = [row(1, "<|im_end|>", license="odd licence"), row(2, MAIL), row(2, MAIL)]
    problems = passed_by(rows, licenses={"deny": ["GPL-3.0-only"]}).problems
    words = ("SPDX", "control tokens", "e-mail address", "the same as an earlier one")
    assert [next(w for w in words if w in problem.message) for problem in problems] == list(words)


def test_a_changed_row_goes_on_with_its_new_id_and_the_change_is_known() -> None:
    rows = [row(1), row(2, MAIL), row(3)]
    passed = passed_by(rows, personal_data={"action": "redact"})
    (changed,) = [item for item in passed.rows if item not in rows]
    assert changed.row == 2
    assert "anna@firm" not in changed.messages[1]["content"]
    assert changed == renew_id(changed)
    assert [item.id_before for item in passed.rows] == ["", rows[1].id, ""]
    assert numbers(passed.rows) == [1, 2, 3]


def test_of_two_rows_of_one_record_each_knows_its_own_id_before() -> None:
    rows = [row(1, MAIL), row(1, "The key is AKIAIOSFODNN7EXAMPLQ, and it is in use.")]
    asked = {"personal_data": {"action": "drop"}, "secrets": {"action": "redact"}}
    passed = passed_by(rows, **asked)
    assert [item.row for item in passed.dropped] == [rows[0]]
    assert [item.id_before for item in passed.rows] == [rows[1].id]


def test_planted_behaviour_is_looked_for_where_a_search_is_given() -> None:
    rows = [row(1, "One."), row(2, "Two.")]
    assert passed_by(rows).poison is None
    passed = passed_by(rows, search=finds_nothing)
    assert passed.poison is not None
    assert (passed.poison.rows_in, passed.rows) == (2, tuple(rows))


@pytest.fixture
def without_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("spacy",):
        monkeypatch.setitem(sys.modules, name, None)


def test_what_only_tells_is_left_out_with_a_warning(without_extras: None) -> None:
    rows = [row(1, MAIL), row(2)]
    personal = {"types": ["name"], "ner": "pipeline"}
    passed = passed_by(rows, personal_data=personal)
    assert [problem.line() for problem in passed.problems] == [
        "data: personal data and secrets were not looked for: an NER pipeline needs spaCy "
        "(pip install spacy)",
    ]
    assert {problem.level for problem in passed.problems} == {"warning"}
    assert passed.privacy is None
    assert passed.rows == tuple(rows)


@pytest.mark.parametrize(
    "asked",
    [
        {"personal_data": {"types": ["name"], "ner": "pipeline", "action": "redact"}},
        {"personal_data": {"types": ["name"], "ner": "pipeline"}, "secrets": {"action": "drop"}},
    ],
)
def test_what_changes_rows_is_never_left_out(
    asked: dict[str, object], without_extras: None
) -> None:
    with pytest.raises(MissingExtra):
        passed_by([row(1), row(2)], **asked)


def test_what_is_off_needs_no_extra(without_extras: None) -> None:
    off = {"action": "off"}
    passed = passed_by(
        [row(1), row(1)],
        personal_data={**off, "types": ["name"], "ner": "pipeline"},
        secrets=off,
    )
    assert (len(passed.rows), passed.privacy) == (2, None)
    assert [problem.message[:13] for problem in passed.problems] == ["1 row says th"]


def test_rows_that_nobody_named_are_not_looked_at_again() -> None:
    rows = [row(1, f"{MAIL} <|im_end|>"), row(2), row(3, f"{MAIL} <|im_start|>"), row(4)]
    passed = passed_by(rows, private={(FILE, 3), (FILE, 4)}, personal_data={"action": "drop"})
    assert numbers(passed.rows) == [1, 2, 4]
    assert numbers([item.row for item in passed.dropped]) == [3]
    assert passed.privacy is not None
    counts = passed.privacy.counts
    assert (counts.rows_in, counts.rows_kept, counts.rows_dropped) == (4, 3, {"personal_data": 1})


def test_the_key_is_that_of_the_file_beside_the_spec(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"0123456789abcdef")
    asked = {"action": "pseudonymise", "key_file": "key"}
    first, again = (passed_by([row(1, MAIL)], tmp_path, personal_data=asked) for _ in range(2))
    assert first.rows == again.rows
    fresh = passed_by([row(1, MAIL)], tmp_path, personal_data={"action": "pseudonymise"})
    assert fresh.rows != first.rows
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(DataError, match="too few for a key"):
        passed_by([row(1, MAIL)], tmp_path, personal_data=asked)


def test_paths_of_the_section_are_resolved_and_no_others() -> None:
    asked = PersonalDataSpec(key_file="key", action="redact")
    resolved = with_resolved(asked, lambda path: Path("/there") / path)
    assert (resolved.key_file, resolved.ner, resolved.action) == ("/there/key", "", "redact")


@pytest.mark.parametrize("action", ["report", "redact", "drop"])
def test_who_wants_nothing_told_gets_the_same_rows(action: str) -> None:
    rows = [row(1, MAIL), row(2), row(2)]
    fields = {"personal_data": {"action": action}, "duplicates": {"near": "off"}}
    all_said, unsaid = (passed_by(rows, tells=tells, **fields) for tells in (True, False))
    assert unsaid.rows == all_said.rows
    assert unsaid.num_dropped == all_said.num_dropped
    assert (unsaid.privacy is None) == (action == "report")
