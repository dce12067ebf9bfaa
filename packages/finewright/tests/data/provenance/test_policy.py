"""A policy blocks rows and says which ones and why."""

from finewright.data.provenance.policy import StatedLicence, by_licence
from finewright.schema.provenance import LicensePolicy
from finewright.schema.rows import Row

LICENCES = ["MIT", "GPL-3.0-only", "GPL-3.0-only", "unknown", "MITT"]
TURNS = ({"role": "user", "content": "q"}, {"role": "assistant", "content": "a"})
ROWS = [Row(str(i), TURNS, None, "a.jsonl", i + 1) for i in range(5)]


def stated(row: Row) -> StatedLicence:
    return StatedLicence(LICENCES[row.row - 1], "row")


def test_without_a_policy_every_row_is_kept() -> None:
    outcome = by_licence(ROWS, stated, LicensePolicy())
    assert outcome.rows == tuple(ROWS)
    assert [(p.level, p.row, p.hint) for p in outcome.problems] == [
        ("warning", 5, "did you mean MIT?")
    ]


def test_a_policy_blocks_and_names_the_rows() -> None:
    outcome = by_licence(ROWS, stated, LicensePolicy(deny=("copyleft",)))
    assert [row.row for row in outcome.rows] == [1, 4, 5]
    assert [(d.row.row, d.reason) for d in outcome.dropped] == [(2, "license"), (3, "license")]
    first = outcome.problems[0]
    assert (first.level, first.file, first.row, first.key) == (
        "error",
        "a.jsonl",
        2,
        "data.licenses",
    )
    assert first.message == (
        "2 rows are under GPL-3.0-only (rows 2, 3): GPL-3.0-only is copyleft, which is denied"
    )


def test_rows_can_be_left_out_instead() -> None:
    policy = LicensePolicy(allow=("permissive",), on_blocked="drop")
    outcome = by_licence(ROWS, stated, policy)
    assert [row.row for row in outcome.rows] == [1]
    assert len(outcome.rows) + len(outcome.dropped) == len(ROWS)
    assert {p.level for p in outcome.problems} == {"warning"}


def test_a_wrong_policy_drops_nothing_and_is_an_error() -> None:
    outcome = by_licence(ROWS, stated, LicensePolicy(deny=("copylefft",)))
    assert outcome.rows == tuple(ROWS)
    assert [p.hint for p in outcome.problems] == ["did you mean copyleft?"]


def test_a_text_that_speaks_against_the_licence_is_said() -> None:
    said = StatedLicence(
        "(MIT) AND (GPL-3.0-only)", "row", "MIT is stated, its text says GPL-3.0-only"
    )
    outcome = by_licence(ROWS, lambda row: said, LicensePolicy())
    assert [p.message for p in outcome.problems] == [
        "MIT is stated, its text says GPL-3.0-only (rows 1, 2, 3, 4, 5): both are taken to hold"
    ]
