"""Sentences are cut as they stand, and those that hold an answer are found among others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finewright_rag.raft.evidence import (
    LONGEST,
    evidence,
    rarity_in,
    says_the_same,
    sentences,
    words_in,
)

FEES = """## Fees

The account has fees, e.g. for statements. They are due monthly. O(1).

- Paper statements: $2.50
- Wires: $15

| Overdraft fee | $0.00 |
| Paper statement fee | $0.00 |"""


def test_a_sentence_is_one_of_a_paragraph_a_list_or_a_table_and_a_heading_is_none() -> None:
    assert list(sentences(FEES)) == [
        "The account has fees, e.g. for statements.",
        "They are due monthly. O(1).",
        "- Paper statements: $2.50",
        "- Wires: $15",
        "| Overdraft fee | $0.00 |",
        "| Paper statement fee | $0.00 |",
    ]


@given(st.text(alphabet="ab .!\n#-1", max_size=900))
def test_every_sentence_stands_in_the_text_and_is_short(text: str) -> None:
    for sentence in sentences(text):
        assert sentence in text
        assert len(sentence) <= LONGEST


def test_a_long_text_without_an_end_is_cut_between_words() -> None:
    text = "word " * 200
    assert "".join(sentences(text)).replace(" ", "") == text.replace(" ", "")


def found(answer: str, question: str, *texts: str) -> tuple[list[str], float]:
    held = evidence(answer, question, texts, rarity_in(texts))
    return [sentence.text for sentence in held.sentences], held.share


def test_a_number_is_found_in_whatever_form_and_by_what_is_asked() -> None:
    assert found("$2.5", "What do paper statements cost?", FEES)[0] == ["- Paper statements: $2.50"]
    quoted, share = found("$0", "What is the paper statement fee?", FEES)
    assert quoted == ["| Paper statement fee | $0.00 |"]
    assert share == 1.0


def test_a_number_that_is_in_no_sentence_is_no_evidence() -> None:
    assert found("They are due monthly, $3", "When?", FEES) == ([], 0.0)


@pytest.mark.parametrize("answer", ["Yes.", "Bananas ripen slowly", "..."])
def test_an_answer_in_other_words_has_no_evidence(answer: str) -> None:
    assert found(answer, "Are there fees?", FEES)[1] == 0.0


def test_an_answer_of_two_sentences_is_found_in_both_places() -> None:
    quoted, share = found(
        "Wires cost 15 and they are due monthly.", "What do wires cost, and when?", FEES
    )
    assert set(quoted) == {"- Wires: $15", "They are due monthly. O(1)."}
    assert share > 0.5


def test_of_texts_that_say_it_alike_the_first_is_taken() -> None:
    same = "Returns the value of `key`, or zero."
    texts = [f"`get(Uint key)`\n\n{same}", f"`get(Bytes32 key)`\n\n{same}"]
    held = evidence(same, "What does get(Uint) do?", texts, rarity_in(texts))
    assert [sentence.place for sentence in held.sentences] == [0]


def test_overloads_say_the_same_and_other_functions_do_not() -> None:
    text = (
        "## function add\n\n`function add({0} value)`\n\nAdds a value to the end. Reverts if full."
    )
    one, other = text.format("uint48"), text.format("uint256")
    assert says_the_same(one, other)
    assert says_the_same(
        one, f"{other}\n\nNOTE: this is deprecated and will be gone in the next one."
    )
    assert not says_the_same(
        one, "## function pop\n\n`function pop()`\n\nTakes the last value away."
    )


def test_words_of_numbers_have_one_spelling() -> None:
    assert words_in("$1,234.50") == words_in("1234.5") == {"1234.5"}
    assert words_in("uint256 or 7") == {"uint256", "or", "7"}
