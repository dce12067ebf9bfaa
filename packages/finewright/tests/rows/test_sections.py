"""Sections keep their place: every one is the text it says, and no word outside headings is lost."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finewright.rows.sections import heading_of, sections, title_of

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


def test_underlined_headings_are_headings_and_what_only_looks_like_one_is_not():
    text = """---
title: Cards
---
Guide
=====
one

Fees
---
two

A sentence of text.
---
Two lines
of text
---
- a list
---
```
Code
---
```
| a |
---

Last
  =
three
"""
    found = [(text[s.start : s.end], s.heading_path) for s in sections(text, 1000)]
    middle = text[text.index("Fees") : text.index("\n\nLast")]
    assert found == [
        ("Guide\n=====\none", ("Guide",)),
        (middle, ("Guide", "Fees")),
        ("Last\n  =\nthree", ("Last",)),
    ]


@pytest.mark.parametrize(
    ("text", "title", "heading"),
    [
        ("---\ntitle: 'The card'\nx: 1\n---\n# Other\n", "The card", "Other"),
        ('---\r\nx: 1\r\ntitle: "A: b"\r\n---\r\ntext', "A: b", ""),
        ("---\nx: 1\n---\nGuide\n===\n", "", "Guide"),
        ("```\n# code\n```\n## Two\n# One #\n", "", "One"),
        ("---\n\ntitle: a rule\n\n---\n# Guide\n", "", "Guide"),
        ("---\nA line.\n---\n# Guide\n", "", "Guide"),
        ("text\n\n---\ntitle: no\n---\n", "", ""),
        ("---\ntitle: never closed\n", "", ""),
    ],
)
def test_a_title_is_that_of_the_front_matter_or_the_first_heading(text, title, heading):
    assert (title_of(text), heading_of(text)) == (title, heading)


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


UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*")
LINES = st.lists(
    st.sampled_from(["# A", "## B", "text here", "", "```", "~~~~", "long " * 20, "x" * 90, "\t"])
    | st.sampled_from(["Name", "===", "---", "a sentence."])
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
    rest = "".join(left_out).splitlines()
    for line, after in zip(rest, [*rest[1:], ""], strict=False):
        is_heading = line.lstrip().startswith("#") or UNDERLINE.fullmatch(after)
        assert not line.strip() or is_heading or UNDERLINE.fullmatch(line)
