"""The page is whole, loads nothing, and nothing in a row can act."""

import base64
import hashlib
import re
from collections import Counter
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from finewright.render.html.charts import chart
from finewright.render.html.checks import duplicates_section, personal_section, poison_section
from finewright.render.html.page import Entry, Section, Table, data_page
from finewright.render.html.sections import counts_section, problems_section
from finewright.render.html.text import cut, visible
from finewright.schema.common import Problem, RowCounts
from finewright.schema.duplicates import DuplicateRow, DuplicatesReport
from finewright.schema.poison import EvidenceRow, PoisonFinding, PoisonReport
from finewright.schema.privacy import Finding, PrivacyReport, TypeCount
from finewright.schema.quality import Bar, Figure, RowRef

ATTACK = (
    '</pre><script>alert(1)</script><img src="http://evil/x" onerror=a(2)> & "q" \u202e\u200b\x00'
)
REF = RowRef(file=f"a{ATTACK}.jsonl", row=3, id="id")
VOID = {"meta", "br", "img", "link", "rect"}


class Checked(HTMLParser):
    """Tags in their order of nesting, and all attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str | None]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def figure(kind: str = "bars", *, bars: int = 3) -> Figure:
    made = tuple(Bar(label=f"{ATTACK} {i}", count=30 * i, rows=(REF,) * 25) for i in range(bars))
    return Figure.model_validate(
        {"name": f"f-{kind}", "title": ATTACK, "about": ATTACK, "kind": kind, "rows": 90,
         "bars": made, "summary": {"median": 1.5}}
    )  # fmt: skip


def page() -> str:
    section = Section(
        "all", "All", ATTACK,
        tables=(Table(("a", "n"), ((ATTACK, "12"),)),),
        figures=(figure(), figure("histogram"), figure("bars", bars=0).model_copy(update={"name": "e"})),
        entries=(Entry(ATTACK, REF, "error"), Entry("no row")), entries_left_out=7,
    )  # fmt: skip
    return data_page(ATTACK, ATTACK, [section], lambda ref: ATTACK)


def test_every_element_is_closed_and_ids_are_single() -> None:
    found = Checked(page())
    assert found.open == []
    ids = Counter(value for _, name, value in found.attributes if name == "id")
    assert max(ids.values()) == 1


def test_every_link_has_its_target_on_the_page() -> None:
    found = Checked(page())
    ids = {value for _, name, value in found.attributes if name == "id"}
    links = {value for _, name, value in found.attributes if name == "href"}
    assert {f"#{name}" for name in ids} >= links
    assert "#all-f-bars-1" in links
    assert "#all-f-bars-0" not in links  # a bar of no rows leads nowhere


def test_text_of_rows_is_no_markup() -> None:
    found = Checked(page())
    assert found.tags["script"] == found.tags["img"] == 0
    assert not [name for _, name, _ in found.attributes if name.startswith("on")]
    assert '<script>alert(1)</script><img src="http://evil/x"' in found.text


def test_nothing_is_loaded() -> None:
    found = Checked(page())
    assert not {"link", "iframe", "object", "embed", "audio", "video", "base", "form"} & set(
        found.tags
    )
    assert not [a for a in found.attributes if a[1] in {"src", "srcset", "action", "data", "style"}]
    style = re.search(r"<style>(.*?)</style>", page(), re.S)
    assert style is not None
    assert not re.search(r"url\(|@import|@font-face", style[1])


def test_the_policy_allows_the_style_and_nothing_else() -> None:
    text = page()
    style = re.search(r"<style>(.*?)</style>", text, re.S)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = next(
        v for tag, name, v in Checked(text).attributes if tag == "meta" and v and "-src" in v
    )
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def test_dark_light_and_print_are_styled() -> None:
    assert "prefers-color-scheme: dark" in page()
    assert "@media print" in page()


def test_what_is_left_out_is_counted() -> None:
    text = page()
    assert "and 40 more, not shown here" in text  # of 60 rows, 20 are shown
    assert "and 7 more, not shown here" in text


@pytest.mark.parametrize("kind", ["bars", "histogram"])
def test_a_chart_is_xml_with_a_title_and_a_title_for_each_bar(kind: str) -> None:
    root = ElementTree.fromstring(chart(figure(kind), lambda i: f"a{i}"))  # noqa: S314 - ours
    space = "{http://www.w3.org/2000/svg}"
    assert root.attrib["aria-labelledby"] == root[0].attrib["id"]
    links = root.findall(f"{space}a")
    assert [link.attrib["href"] for link in links] == ["#a1", "#a2"]
    assert [(link[0].text or "")[-7:] for link in links] == ["30 rows", "60 rows"]
    rects = [r for r in root.iter(f"{space}rect") if "bar" in r.attrib["class"]]
    side = "width" if kind == "bars" else "height"
    lengths = [float(r.attrib[side]) for r in rects]
    assert lengths[0] == 0
    assert lengths[2] == pytest.approx(2 * lengths[1])


def test_a_small_bar_can_be_seen() -> None:
    made = (Bar(label="a", count=1), Bar(label="b", count=1_000_000))
    small = figure().model_copy(update={"bars": made})
    assert 'width="1.0"' in chart(small, lambda i: f"a{i}")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\n\ttext", "plain\n\ttext"),
        ("a\u200bb", "a\\u{200b}b"),
        ("\u202etxt", "\\u{202e}txt"),
        ("\U000e0041", "\\u{e0041}"),
        ("\x00\x1b", "\\u{0000}\\u{001b}"),
        ("\ud800", "\\u{d800}"),
        ("Straße 你好 é", "Straße 你好 é"),
    ],
)
def test_what_hides_is_made_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_cut_text_says_how_much_is_left_out() -> None:
    assert cut("abcdef", 4) == "abcd ... and 2 more characters"
    assert cut("abcd", 4) == "abcd"


def test_counts_add_up_on_the_page() -> None:
    counts = RowCounts(rows_in=10, rows_kept=7, rows_truncated=2, rows_dropped={"invalid": 3})
    section = counts_section(counts, {"invalid": [REF]})
    assert section.intro == "10 read = 5 kept whole + 2 kept, truncated + 3 dropped."
    assert sum(bar.count for bar in section.figures[0].bars) == 10


def test_errors_stand_first_and_those_left_out_are_counted() -> None:
    problems = [Problem(level="warning", message="w")] * 150 + [Problem(level="error", message="e")]
    section = problems_section(problems)
    assert section.intro == "1 error, 150 warnings."
    assert section.entries[0].level == "error"
    assert len(section.entries) + section.entries_left_out == 151


def test_reports_of_the_checks_become_sections() -> None:
    duplicates = DuplicatesReport(
        rows_in=9, rows_kept=9, found={"exact": 2}, groups=1, largest_group=3,
        examples=(DuplicateRow(kind="exact", file="a", row=2, of_file="a", of_row=1, similarity=1,
                               dropped=False),),
    )  # fmt: skip
    found = Finding(
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
    sections = [duplicates_section(duplicates), personal_section(private), poison_section(poison)]
    bars = [section.figures[0].bars[0] for section in sections]
    assert [(b.label, b.count, [r.row for r in b.rows]) for b in bars] == [
        ("exact", 2, [2]), ("email", 1, [4]), ("trigger: cf", 3, [5]),
    ]  # fmt: skip
    text = data_page("t", "a", sections, lambda ref: f"row {ref.row}")
    assert Checked(text).open == []
    assert "a:2 repeats a:1 (exact, 1.00)" in text
