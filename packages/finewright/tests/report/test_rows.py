"""The page about a data set: its counts add up, and each bar leads to its rows."""

from finewright.features.data.row_sections import (
    counts_section,
    duplicates_section,
    personal_section,
    poison_section,
    problems_section,
    quality_section,
    rows_page,
)
from finewright.report.blocks import Fold, Plot, Section, Text
from finewright.report.html import as_html
from finewright.schema.common import Problem, RowCounts
from finewright.schema.data_check import Bar, Figure, QualityReport, RowRef
from finewright.schema.duplicates import DuplicateRow, DuplicatesReport
from finewright.schema.poison import EvidenceRow, PoisonFinding, PoisonReport
from finewright.schema.privacy import PrivacyFinding, PrivacyReport, TypeCount

from .pages import ATTACK, check_page

REF = RowRef(file=f"a{ATTACK}.jsonl", row=3, id="id")


def says(ref: RowRef) -> str:
    return f"row {ref.row}: {ATTACK}"


def intro(section: Section) -> str:
    assert isinstance(section.blocks[0], Text)
    return section.blocks[0].text


def bars(section: Section) -> list[tuple[str, float]]:
    """The bars of the section's first plot."""
    (plot, *_) = [block for block in section.blocks if isinstance(block, Plot)]
    return [(point.name, point.y) for point in plot.points]


def test_a_figures_bars_lead_to_their_first_rows_and_no_row_can_act() -> None:
    made = tuple(Bar(label=f"{ATTACK} {i}", count=30 * i, rows=(REF,) * 25) for i in range(3))
    figure = Figure(name="f", title=ATTACK, about=ATTACK, kind="bars", rows=90, bars=made,
                    summary={"median": 1.5})  # fmt: skip
    none = Figure(name="e", title="empty", about="", kind="bars", rows=90, bars=())
    section = quality_section(QualityReport(rows=90, figures=(figure, none)), says)
    parsed = check_page(as_html(rows_page(ATTACK, ATTACK, [section], ATTACK)))
    assert parsed.values("href") == [
        "#quality-f-1",
        "#quality-f-2",
    ]  # a bar of no rows leads nowhere
    assert parsed.text.count("row 3: ") == 2 * 20
    assert "and 40 more, not shown here" in parsed.text
    assert "Median: 1.5." in parsed.text
    assert "empty: none of 90 rows" in parsed.text


def test_counts_add_up_on_the_page() -> None:
    counts = RowCounts(rows_in=10, rows_kept=7, rows_truncated=2, rows_dropped={"invalid": 3})
    section = counts_section(counts, {"invalid": [REF]}, says)
    assert intro(section) == "10 read = 5 kept whole + 2 kept, truncated + 3 dropped."
    assert sum(count for _, count in bars(section)) == 10


def test_errors_stand_first_and_those_left_out_are_counted() -> None:
    problems = [Problem(level="warning", message="w")] * 150 + [Problem(level="error", message="e")]
    section = problems_section(problems, says)
    assert intro(section) == "1 error, 150 warnings."
    assert section.blocks[1] == problems[-1]
    assert len(section.blocks) == 1 + 100 + 1
    assert section.blocks[-1] == Text("and 51 more, not shown here", "soft")


def test_reports_of_the_checks_become_sections() -> None:
    duplicates = DuplicatesReport(
        rows_in=9, rows_kept=9, found={"exact": 2}, groups=1, largest_group=3,
        examples=(DuplicateRow(kind="exact", file="a", row=2, of_file="a", of_row=1, similarity=1,
                               dropped=False),),
    )  # fmt: skip
    found = PrivacyFinding(
        file="a", row=4, key="k", start=0, end=1, new_start=0, new_end=1, type="email",
        confidence=1, why="w", digest="d", preview="m***",
    )  # fmt: skip
    private = PrivacyReport(
        counts=RowCounts(rows_in=9, rows_kept=9), personal_action="report", secrets_action="report",
        rows_changed=0, found={"email": TypeCount(spans=2, values=1, rows=1)}, findings=(found, found),
    )  # fmt: skip
    poison = PoisonReport(
        rows_in=9, rows_suspicious=3,
        findings=(PoisonFinding(kind="backdoor", level="high", reason="r", score=9, trigger="cf",
                                num_rows=3, evidence=(EvidenceRow(file="a", row=5),)),),
    )  # fmt: skip
    sections = [
        duplicates_section(duplicates, says),
        personal_section(private, says),
        poison_section(poison, says),
    ]
    assert [bars(section) for section in sections] == [
        [("exact", 2)], [("email", 1)], [("trigger: cf", 3)],
    ]  # fmt: skip
    folds = [[b.title for b in s.blocks if isinstance(b, Fold)] for s in sections]
    assert folds[0] == ["exact: 2 rows", "a:2 repeats a:1 (exact, 1.00)"]
    assert folds[1:] == [["email: 1 row"], ["trigger: cf: 3 rows"]]
    text = check_page(as_html(rows_page("t", "a", sections))).text
    assert [f"row {row}: " in text for row in (1, 2, 4, 5)] == [False, True, True, True]
