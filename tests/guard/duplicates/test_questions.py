"""One question in other words is found whatever is answered; another question of the same kind is not."""

import pytest

from finewright.guard.duplicates.questions import near_questions
from finewright.guard.duplicates.words import wordings
from finewright.rows.texts import parts_of
from guard.duplicates.made import chat

QUESTION = (
    "A farmer sells 48 eggs at the market in the morning and half as many in the afternoon."
    " How many eggs does the farmer sell on that day in total?"
)
LETTER = "Please write a short letter to the landlord about the broken heating in the kitchen."


def found(one: tuple[str, str], other: tuple[str, str]) -> bool:
    known, asked = (wordings([parts_of(chat(*said))], keyed=False) for said in (one, other))
    return bool(near_questions(known, asked))


@pytest.mark.parametrize(
    ("question", "other"),
    [
        (QUESTION, "How many eggs does a farmer sell in total on the day when the farmer sells 48 eggs in "
         "the morning at the market, and half as many in the afternoon?"),
        (QUESTION, f"Hi, please help me with this. {QUESTION.replace('farmer', 'famrer')} Thanks!"),
        (LETTER, "Could you write a short letter about the broken heating of the kitchen to our landlord?"),
    ],
)  # fmt: skip
def test_other_words_and_another_answer_hide_nothing(question: str, other: str) -> None:
    assert found((question, "She sells 72 eggs."), (other, "48 + 24 = 72, so the answer is 72."))


@pytest.mark.parametrize(
    ("question", "other"),
    [
        ("which cyclist withdrew in the tour of 2009", "what cyclist withdraws in the tour of 2009"),
        ("how do I prevent a stroke of the brain", "could somebody say how brain strokes are prevented"),
        ("who plays the voice of the cat in the film", "who played the voice of the cat in the film"),
    ],
)  # fmt: skip
def test_another_tense_or_form_of_a_word_hides_nothing(question: str, other: str) -> None:
    assert found((question, "It is so."), (other, "That is what the record says."))


@pytest.mark.parametrize(
    ("question", "other"),
    [
        ("can i park in the street here", "must i park in the street here"),
        ("did the train to rome leave", "will the train to rome leave"),
        ("was rome a republic of old families", "is rome a republic of old families"),
        ("is the shop open soon", "is the shop open"),
        ("translate to french: i hope this helps", "translate to french:"),
        ("describe the sea in one word", "describe the sea"),
    ],
)
def test_a_small_word_may_be_what_is_asked(question: str, other: str) -> None:
    assert not found((question, "It is so."), (other, "That is what the record says."))


def test_one_word_for_another_in_a_short_question_asks_another_thing() -> None:
    asked = "which ocean does the {} river flow into"
    assert not found((asked.format("murray"), "Southern"), (asked.format("zambezi"), "Indian"))


@pytest.mark.parametrize(
    "other",
    [
        QUESTION.replace("48", "50"),
        QUESTION.replace("half", "twice").replace("eggs", "apples").replace("farmer", "baker"),
        "Please write a short poem about the kitchen.",
        LETTER.replace("broken heating in the kitchen", "noise of the neighbours at night"),
        LETTER.replace("Please write", "Please do not write"),
        LETTER.replace("letter to the landlord", "poem for the children"),
    ],
)
def test_another_question_is_none(other: str) -> None:
    assert not found((QUESTION, "She sells 72 eggs."), (other, "Here it is."))
    assert not found((LETTER, "Dear Sir, it is cold."), (other, "Here it is."))


def test_another_part_of_the_body_is_another_question() -> None:
    question = (
        "Doctor, I have been experiencing severe {} pain for three weeks. What could be the cause?"
    )
    assert not found((question.format("back"), "A strain."), (question.format("leg"), "A wound."))


def test_another_label_is_a_conflict_and_no_leak() -> None:
    asked = "How do I activate the card that came by mail?"
    nearly = "How can I activate the card which came in the mail?"
    assert found((asked, "activate_my_card"), (nearly, "activate_my_card"))
    assert not found((asked, "activate_my_card"), (nearly, "lost_or_stolen"))


def test_each_is_compared_with_the_rows_that_share_its_rarest_words() -> None:
    rows = [
        chat(f"What is the capital of country number {i}, please?", "It is.") for i in range(300)
    ]
    rows.append(chat(LETTER, "Dear Sir."))
    known = wordings(map(parts_of, rows), keyed=False)
    asked = wordings([parts_of(chat(f"Hello! {LETTER}", "Dear Madam."))], keyed=False)
    assert [(i, near.of) for i, near in near_questions(known, asked).items()] == [(0, 300)]


@pytest.mark.parametrize(
    ("one", "other"), [("push origin", "push --force origin"), ("let x = y;", "let mut x = y;")]
)
def test_a_flag_or_a_word_of_code_that_one_side_has_makes_two(one: str, other: str) -> None:
    rest = "Explain to a new colleague what this line does, and say when it is safe to use"
    assert not found(
        (f"{rest}: {one}", "It does what it says."), (f"{rest}: {other}", "It does so.")
    )
    assert found(
        (f"{rest}: {other}", "It does what it says."), (f"Hi! {rest}: {other}", "It does so.")
    )
