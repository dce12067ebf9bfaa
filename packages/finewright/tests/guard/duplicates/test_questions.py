"""One question in other words is found whatever is answered; another question of the same kind is not."""

import pytest

from finewright.guard.duplicates.questions import near_questions
from finewright.rows.texts import parts_of
from guard.duplicates.made import chat

QUESTION = (
    "A farmer sells 48 eggs at the market in the morning and half as many in the afternoon."
    " How many eggs does the farmer sell on that day in total?"
)
LETTER = "Please write a short letter to the landlord about the broken heating in the kitchen."


def found(one: tuple[str, str], other: tuple[str, str]) -> bool:
    known, asked = ([parts_of(chat(*said))] for said in (one, other))
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
        LETTER.replace("letter to the landlord", "poem for the children"),
    ],
)
def test_another_question_is_none(other: str) -> None:
    assert not found((QUESTION, "She sells 72 eggs."), (other, "Here it is."))
    assert not found((LETTER, "Dear Sir, it is cold."), (other, "Here it is."))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("at 9:30", "at 9:45"),
        ("in /var/log/app", "in /var/lib/app"),
        ("with retry_count", "with retry_limit"),
        ("by Anna Keller", "by Jonas Brandt"),
        ("\u67d0", "\u738b"),
    ],
)
def test_another_time_path_or_name_asks_another_thing(one: str, other: str) -> None:
    asked = "Why does the nightly export of the warehouse stop {} and how is it started again?"
    assert not found((asked.format(one), "It is full."), (asked.format(other), "Somebody did it."))
    assert found(
        (asked.format(one), "It is full."),
        (f"This came up at dinner. {asked.format(one)}", "Somebody stopped it."),
    )


def test_of_a_long_prompt_the_last_question_is_compared_by_itself() -> None:
    story = " ".join(
        f"The carrier brought parcel {i} to the depot in the north." for i in range(40)
    )
    one, other = (f"{story}\n{asked}" for asked in ("Who was late?", "Where is the depot?"))
    assert not found(
        (one, "The carrier was."), (other, "It lies far away, in the north of the island.")
    )
    assert found(
        (one, "The carrier was."),
        (f"{one} Take your time.", "It lies far away, in the north of the island."),
    )


def test_the_nearest_are_the_same_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    known = [parts_of(chat(f"How many {a} does the {b} sell?", "A few of them are sold on that day."))
             for a in ("eggs", "lamps", "boats", "shoes") for b in ("farmer", "baker", "smith")]  # fmt: skip
    asked = [row._replace(prompt=[f"Let us try another one. {row.prompt[0]}"]) for row in known]
    whole = near_questions(known, asked)
    assert {place: near.of for place, near in whole.items()} == {i: i for i in range(12)}
    monkeypatch.setattr("finewright.guard.duplicates.questions._CELLS", 24)
    assert near_questions(known, asked).keys() == whole.keys()
    assert [near.of for near in near_questions(known, asked).values()] == [*range(12)]


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
    known = [parts_of(row) for row in rows]
    asked = [parts_of(chat(f"Hello! {LETTER}", "Dear Madam."))]
    assert [(i, near.of) for i, near in near_questions(known, asked).items()] == [(0, 300)]


@pytest.mark.parametrize(
    ("one", "other"), [("push origin", "push --force origin"), ("let x = y;", "let x += y;")]
)
def test_a_flag_or_a_sign_of_code_that_one_side_has_makes_two(one: str, other: str) -> None:
    rest = "Explain to a new colleague what this line does, and say when it is safe to use"
    assert not found(
        (f"{rest}: {one}", "It does what it says."), (f"{rest}: {other}", "It does so.")
    )
    assert found(
        (f"{rest}: {other}", "It does what it says."), (f"Hi! {rest}: {other}", "It does so.")
    )
