"""Chunks are stretches of the text, no longer than asked, and nothing but white space is lost."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finewright.schema.passages import Chunk, Document
from finewright_rag.indexing.chunk import chunks, text_to_index

LINES = st.sampled_from(
    [
        "# One",
        "## Two ##",
        "Under",
        "-----",
        "```python",
        "```",
        "~~~~",
        "- item. Next",
        "| a | b |",
        "",
        "    code = 1",
        "A sentence. And another! A third?",
        "word " * 12,
        "x" * 50,
        "漢字の文。次の文。",
        "> quote",
        "1. first",
        "---",
        "key: value",
        "\t",
        "\u2028",
        "tail\r",
    ]
)
TEXTS = st.one_of(st.lists(LINES, max_size=30).map("\n".join), st.text(max_size=300))


def texts(text: str, longest: int) -> list[str]:
    return [chunk.text for chunk in chunks(Document("d", text), longest)]


@given(TEXTS, st.integers(1, 120))
def test_chunks_are_the_text_they_say_in_order_and_not_too_long(text: str, longest: int):
    at = 0
    for number, chunk in enumerate(chunks(Document("d", text), longest)):
        assert chunk.number == number
        assert chunk.text == text[chunk.start : chunk.end] == chunk.text.strip() != ""
        assert chunk.start >= at
        assert len(chunk.text) <= longest
        at = chunk.end


@given(
    st.lists(LINES.filter(lambda line: line[:1] not in {"#", "-", "=", "k"}), max_size=30),
    st.integers(1, 120),
)
def test_no_text_is_lost_but_white_space(lines: list[str], longest: int):
    text = "\n".join(lines)
    assert "".join("".join(texts(text, longest)).split()) == "".join(text.split())


@given(
    st.lists(LINES.filter(lambda line: line not in {"---", "-----", "Under"}), max_size=30),
    st.integers(1, 120),
)
def test_what_is_lost_of_any_text_is_a_heading_that_chunks_below_have_in_their_path(
    lines: list[str], longest: int
):
    text = "\n".join(lines)
    cut = chunks(Document("d", text), longest)
    lost, at = "", 0
    for chunk in cut:
        lost, at = f"{lost}\n{text[at : chunk.start]}", chunk.end
    last = cut[-1].heading_path if cut else ()
    named = {name for chunk in cut for name in chunk.heading_path}
    for line in lost.splitlines():
        assert not line.strip() or line.strip("# ") in named
    for line in text[at:].splitlines():
        assert not line.strip() or line.startswith("#") or line.strip() in last


def test_a_chunk_takes_as_many_paragraphs_as_fit():
    assert texts("one two\n\nthree\n\nfour five six", 16) == ["one two\n\nthree", "four five six"]


def test_a_long_paragraph_is_cut_after_sentences_then_words_then_characters():
    text = "One sentence is here. Two are here (so). " + "word " * 5 + "z" * 25
    assert texts(text, 21) == [
        "One sentence is here.", "Two are here (so).", "word word word word", "word", "z" * 21, "z" * 4,
    ]  # fmt: skip


def test_east_asian_sentences_end_without_a_space():
    assert texts("手数料は無料。振込は有料です。", 8) == ["手数料は無料。", "振込は有料です。"]


def test_a_block_of_code_that_fits_is_whole():
    code = "```python\na = 1\n\n\nb = 2. Then\n```"
    assert texts(f"Some words before it:\n{code}\nand after. More.", 36) == [
        "Some words before it:", code, "and after. More.",
    ]  # fmt: skip


def test_a_longer_block_of_code_is_cut_between_lines():
    assert texts("```\nfirst = 1. x\nsecond = 2\n```", 17) == [
        "```\nfirst = 1. x",
        "second = 2\n```",
    ]


def test_lists_and_tables_are_cut_between_items():
    assert texts("- one item\n- two item\n- three", 20) == ["- one item", "- two item\n- three"]


def test_a_heading_is_no_chunk_alone():
    found = chunks(Document("d", "# Name\n\n" + "word " * 4), 20)
    assert found == [Chunk(0, "word word word word", ("Name",), 8, 27)]


def test_names_above_a_chunk_are_indexed_with_it_each_once():
    document = Document("d", "# Tokens\n\n## Limits\n\nNone.", title="Tokens")
    assert (
        text_to_index(document, chunks(document, 99)[0]) == "Tokens > Limits\n\n## Limits\n\nNone."
    )
    assert text_to_index(Document("d", "None."), chunks(Document("d", "None."), 99)[0]) == "None."


@pytest.mark.parametrize("text", ["", " \n\t", "# Only a heading", "---\ntitle: x\n---\n"])
def test_a_document_without_text_has_no_chunks(text: str):
    assert texts(text, 100) == []


def test_a_hostile_text_takes_no_longer_than_its_length():
    for text in (
        "```\n" * 20_000,
        "\n" * 100_000,
        ". " * 50_000,
        "# a\n" * 20_000,
        "`" * 100_000,
        " " * 100_000,
    ):
        assert all(len(piece) <= 500 for piece in texts(text, 500))


def test_white_space_without_end_takes_no_time_without_end():
    began = process_time()
    assert texts("a" + " " * 2_000_000 + "b", 1000) == ["a", "b"]
    assert process_time() - began < 10
