"""Sections keep their place: every one is the text it says, and no word outside headings is lost."""

from hypothesis import given, settings
from hypothesis import strategies as st

from finewright.data.sections import sections

TEXT = """intro

# A
one

## B
two
```python
# no heading
```
### C ###
#no heading
# D

    # code, no heading
#
last
"""


def test_headings_are_told_from_code_and_nest():
    found = [(TEXT[s.start : s.end], s.heading_path) for s in sections(TEXT, 1000)]
    assert found == [
        ("intro", ()),
        ("# A\none", ("A",)),
        ("## B\ntwo\n```python\n# no heading\n```", ("A", "B")),
        ("### C ###\n#no heading", ("A", "B", "C")),
        ("# D\n\n    # code, no heading", ("D",)),
        ("#\nlast", ("",)),
    ]


def test_a_heading_with_nothing_under_it_is_no_section():
    found = [s.heading_path for s in sections("# A\n\n## B\nx\n# C\n", 1000)]
    assert found == [("A", "B")]


def test_long_sections_are_cut_between_paragraphs_first():
    text = "# A\n" + "a" * 50 + "\n\n" + "b" * 50 + "\n\n" + "c" * 50
    found = [text[s.start : s.end] for s in sections(text, 110)]
    assert found == ["# A\n" + "a" * 50 + "\n\n" + "b" * 50, "c" * 50]


def test_a_code_block_is_kept_whole_where_it_fits():
    code = "```\nx\n\ny\n```"
    text = "# A\n" + "a" * 90 + "\n\n" + code + "\n"
    assert [text[s.start : s.end] for s in sections(text, 100)][-1] == code


def test_a_long_line_is_cut_between_words():
    text = "word " * 100
    found = [text[s.start : s.end] for s in sections(text, 52)]
    assert all(set(piece.split()) == {"word"} for piece in found)
    assert sum(len(piece.split()) for piece in found) == 100


LINES = st.lists(
    st.sampled_from(["# A", "## B", "text here", "", "```", "~~~~", "long " * 20, "x" * 90, "\t"])
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=15),
    max_size=20,
)


@settings(max_examples=300, deadline=None)
@given(LINES, st.integers(20, 200))
def test_sections_are_in_order_within_length_and_leave_only_headings_out(lines, longest):
    text = "\n".join(lines)
    end = 0
    left_out = []
    for section in sections(text, longest):
        assert end <= section.start < section.end <= len(text)
        assert section.end - section.start <= longest
        left_out.append(text[end : section.start])
        end = section.end
    left_out.append(text[end:])
    for line in "".join(left_out).splitlines():
        assert not line.strip() or line.lstrip().startswith("#")
