"""Where control strings come from, and how they are found in a text."""

from finewright.catalog.tokens import control_tokens as catalog
from finewright.catalog.tokens import pattern


def test_the_catalog_says_of_every_family_where_its_tokens_are_written_down() -> None:
    for family in catalog().families:
        assert len(family.source) > 10
        assert family.answers <= set(family.spellings)
        assert family.ordinary <= set(family.spellings)
        assert len(set(family.spellings)) == len(family.spellings)


def test_the_longest_spelling_is_taken_and_numbers_are_any() -> None:
    found = pattern(["<a>", "<a>b", "<n{n}>"])
    assert found.findall("<a>b<a><n7><n123><n>") == ["<a>b", "<a>", "<n7>", "<n123>"]
    assert pattern([]).search("<a>") is None
