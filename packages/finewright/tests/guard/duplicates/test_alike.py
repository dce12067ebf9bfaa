"""Which rows are near-duplicates: all that they say is the same, word by word, but for a slip of the pen."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finewright.guard.duplicates.telling import telling_sentences
from finewright.schema.rows import Row

from .made import chat, near_among

TICKET = "You need an identity card and a proof of address, and it takes ten minutes at the desk of the bank."
LONG = "the parcel was sent on monday by the depot in the north and has not been seen since then"


def share(one: Row, other: Row, *others: Row, similarity: float = 0.8) -> float | None:
    """How near the second row is to the first, the same whichever comes first."""
    found = [
        near_among((*pair, *others), similarity).get(1) for pair in ((one, other), (other, one))
    ]
    assert found[0] == found[1]
    return found[0].similarity if found[0] else None


def test_case_punctuation_and_spaces_do_not_count() -> None:
    assert share(chat(LONG, "Yes, it is."), chat(LONG.upper() + "!", "yes   it is")) == 1.0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # Two questions with one long answer are two questions.
        (chat("what is a proxy", LONG), chat("why does it fail", LONG)),
        # The same text with another label is a conflict.
        (chat(LONG, "refund"), chat(LONG, "complaint")),
        (chat(LONG, "the mail is about a refund"), chat(LONG, "the mail is about a complaint")),
        # The order of words is part of what they say.
        (chat("a b c d e f g h i j", LONG), chat("j i h g f e d c b a", LONG)),
        # Another system prompt makes another row, and so does another verdict.
        (chat(LONG, LONG, system="Be brief."), chat(LONG, LONG, system="Be kind.")),
        (chat(LONG, LONG, label=True), chat(LONG, LONG, label=False)),
    ],
)
def test_rows_that_are_not_near(one: Row, other: Row) -> None:
    assert share(one, other) is None


def test_a_template_with_other_facts_is_another_row() -> None:
    def filled(amount: str, to: str, day: str) -> Row:
        text = f"On {day} the wallet sent {amount} tokens of the pool to {to} and paid the usual fee for it"
        return chat(
            text, f"{amount} tokens went to the address {to} on the day {day} as it was asked for"
        )

    one = filled("12", "0xec69aa01", "2024-01-02")
    assert share(one, filled("13", "0x11ff22aa", "2025-03-04")) is None
    assert share(one, filled("12", "0xec69aa01", "2024-01-03")) is None
    assert share(one, one) == 1.0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("write 10\u00b2 in words", "write 102 in words"),
        ("write 2\u207b\xb3 in words", "write 2\xb3 in words"),
        ("what is 3\u00bd and one", "what is 31/2 and one"),
        ("convert 101\u2082 now", "convert 1012 now"),
        ("what is 8 \xf7 2", "what is 8 \xd7 2"),
        ("is x \u2208 a", "is x \u2209 a"),
        ("what is \u221a16 then", "what is 16 then"),
        ("it was \U0001f44d", "it was \U0001f44e"),
        ("loops in C# please", "loops in C please"),
        ("loops in c# please", "loops in c please"),
        ("what is 10\u207b\xb3 of it", "what is 10\xb3 of it"),
        ("is f the \u2202g", "is f the g"),
    ],
)
def test_a_raised_number_and_a_symbol_are_what_is_said(one: str, other: str) -> None:
    assert share(chat(one, LONG), chat(other, LONG)) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "rate it \u2605\u2605\u2605\u2605\u2605 please",
            "rate it \u2605\u2606\u2606\u2606\u2606 please",
        ),
        ("under \U0001f1e9\U0001f1ea it is", "under \U0001f1eb\U0001f1f7 it is"),
        ("A \u2705 B \u274c then", "A \u274c B \u2705 then"),
        ("\u2611 I agree to it", "\u2610 I agree to it"),
    ],
)
def test_other_stars_flags_and_ticks_are_another_row(one: str, other: str) -> None:
    assert share(chat(one, LONG), chat(other, LONG)) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+\u221e", "-\u221e"),
        ("\u2b50", "\u2b50\u2b50\u2b50"),
        ("\U0001f44d", "\U0001f44d\U0001f44e"),
        (">\u221e", "<\u221e"),
        ("-\u221a2", "\u221a2"),
    ],
)
def test_an_answer_of_signs_alone_is_compared_by_its_characters(one: str, other: str) -> None:
    assert share(chat(LONG, one), chat(LONG, other)) is None


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=30), st.floats(0.05, 1))
def test_a_row_is_like_itself_and_no_pair_is_below_the_bar(letters: list[str], bar: float) -> None:
    one, other = chat(" ".join(letters), LONG), chat(" ".join([*letters[1:], "z"]), LONG)
    assert share(one, one, similarity=bar) == 1.0
    found = share(one, other, similarity=bar)
    assert found is None or found >= bar


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A customer from Iran asks", "A customer from Peru asks"),
        ("require(balance >= amount)", "require(balance <= amount)"),
        ("if (isOwner && isOpen)", "if (isOwner || isOpen)"),
        ("the fee was paid", "the fee was not paid"),
        ("Please activate it", "Please deactivate it"),
        ("Members can share it", "Members can't share it"),
        ("It opens on Monday", "It opens on Tuesday"),
        ("It opens on Monday", "It opens on some day"),
        ("a rate of 3.5 percent", "a rate of 5.3 percent"),
        ("it treats hypertension", "it treats hypotension"),
        ("押金可以退还给租户", "押金不可以退还给租户"),
        ("the largest element of a list", "the smallest element of a list"),
        ("veuillez ouvrir le compte", "veuillez fermer le compte"),
        ("from alice to bob", "from bob to alice"),
        ("It costs ten", "It costs twelve"),
        ("Write to Mr. Miller", "Write to Mr. Baker"),
        ("function f() onlyOwner", "function f() onlyMinter"),
        ("May I pay a fee for it?", "Did I pay a fee for it?"),
        ("Must I show my passport?", "May I show my passport?"),
    ],
)
def test_what_says_the_contrary_is_another_row(one: str, other: str) -> None:
    long = f"{LONG} {LONG} {LONG} {LONG}"
    assert share(chat(f"{one} {LONG}", LONG), chat(f"{other} {LONG}", LONG)) is None
    assert share(chat(f"{one} {long}", LONG), chat(f"{other} {long}", LONG)) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("total += x;", "total -= x;"),
        ("total += x;", "total *= x;"),
        ("total += x;", "total = x;"),
        ("i++", "i--"),
        ("return a & b", "return a | b"),
        ("return a << b", "return a >> b"),
        ("pay(a+b)", "pay(a-b)"),
        ("move +EUR", "move -EUR"),
        ("x = price * 1e18;", "x = price;"),
        ("emit Transfer(a, address(0), x)", "emit Transfer(address(0), a, x)"),
        ("swap(a, b)", "swap(b, a)"),
        ("if (paused)", "if (!paused)"),
        ("unchecked { x = a + b; }", "{ x = a + b; }"),
        ("x = a; require(ok);", "x = a;"),
        ("owner == tx.origin", "owner == msg.sender"),
        ("day > '2019-03-01'", "day < '2019-03-01'"),
        ("to.delegatecall(data)", "to.call(data)"),
        ("the card stays blocked", "the card stays valid"),
        ("the fee is charged", "the fee is waived"),
        ("the sum was refunded", "the sum was paid"),
        ("you may use it", "you may not use it"),
    ],
)
@pytest.mark.parametrize("num", [1, 8])
def test_what_does_the_contrary_is_another_row(one: str, other: str, num: int) -> None:
    long = " ".join([LONG] * num)
    assert share(chat(f"{one} {long}", LONG), chat(f"{other} {long}", LONG)) is None
    assert share(chat(LONG, f"{long} {one}"), chat(LONG, f"{long} {other}")) is None
    assert share(chat(f"{one} {long}", LONG), chat(f"Hello team, {one} {long}", LONG)) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Is the total price of it shown?", "Is the total cost of it shown?"),
        ("The flat tire was changed.", "The apartment tire was changed."),
        ("Translate it: we hide it.", "Translate it: we conceal it."),
        ("SELECT cargo FROM t", "SELECT freight FROM t"),
        ("¿Qué significa año?", "¿Qué significa ano?"),
        ("Nghĩa của từ ba là gì?", "Nghĩa của từ bà là gì?"),
        ("Explain it briefly.", "Explain it."),
        ("Classify: thanks, I am glad", "Classify: thanks"),
        ("Which steps are needed?", "What is needed?"),
    ],
)
def test_a_word_that_may_be_the_point_makes_two_rows(one: str, other: str) -> None:
    assert share(chat(one, LONG), chat(other, LONG)) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("open a savings account for my son at the bank", "open a savings account at the bank"),
        ("which plants die in the frost of winter nights", "which plants in the frost of winter nights"),
        ("is it valid in a war zone for the staff", "is it valid in a zone for the staff"),
        ("how do I reset the OS of the old laptop", "how do I reset the old laptop"),
        ("book a restaurant in HI for the team", "book a restaurant for the team"),
        ("please send it to the IT department by noon", "please send it to the department by noon"),
        ("what does the day ticket for it cost", "what does the evening ticket for it cost"),
        ("how do I delete all files in the folder", "how do I delete files in the folder"),
        ("who signs the contract for the flat", "when signs the contract for the flat"),
        ("do I turn right after the bridge there", "do I turn after the bridge there"),
        ("which form, with no explanation, does it take", "which form does it take"),
        ("how do I close the team account at the bank", "how do I close the account at the bank"),
    ],
)  # fmt: skip
def test_small_words_of_other_languages_or_of_greetings_say_something(one: str, other: str) -> None:
    assert share(chat(one, TICKET), chat(other, TICKET)) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hello team, the customer waits", "the customer waits"),
        ("the customer waits please", "kindly the customer waits"),
        ("a customer waits", "the customer waits"),
        ("- the **customer** waits", "The customer waits."),
        ("# The customer\n\nwaits", "> the customer waits"),
        ("<p>The <b>customer</b> waits</p>", "the customer waits"),
        ("the customer\u2019s \u201cwait\u201d", 'the customer\'s "wait"'),
        ("sie sind auf der Stra\xdfe", "sie sind auf der Strasse"),
        ("how large is 54 m\xb2", "how large is 54 m2"),
        ("bitte, wie setze ich mein Passwort neu", "wie setze ich mein Passwort neu"),
    ],
)
def test_what_only_looks_different_is_the_same(one: str, other: str) -> None:
    assert share(chat(f"{one} {LONG}", LONG), chat(f"{other} {LONG}", LONG)) == 1.0
    assert share(chat(f"{LONG}, thanks in advance!", LONG), chat(LONG, LONG)) == 1.0


@pytest.mark.parametrize(
    ("one", "other"),
    [("Translate 'please'", "Translate 'thanks'"), ("hello", "hey"), ("Define the", "Define a")],
)
def test_a_courtesy_or_article_that_is_spoken_of_counts(one: str, other: str) -> None:
    assert share(chat(one, LONG), chat(other, LONG)) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Good day trading tips for new investors", "trading tips for new investors"),
        ("Hey Jude was sung by which band", "Jude was sung by which band"),
        ("hi-fi sets for a small room", "fi sets for a small room"),
        ("Is option A better than option B", "Is option better than option B"),
        ("Which songs are by The Who", "Which songs are by Who"),
        ("What is (a or b) and c", "What is a or (b and c)"),
        ("Is the interval [0, 1) closed", "Is the interval (0, 1] closed"),
        ("It was great :)", "It was great :("),
        ("It comes to 1.5 in sum", "It comes to 1 5 in sum"),
        ("It is 3:45 there", "It is 3.45 there"),
    ],
)
def test_words_that_part_no_sign_from_the_rest_and_brackets_count(one: str, other: str) -> None:
    assert share(chat(f"{one} {LONG}", LONG), chat(f"{other} {LONG}", LONG)) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is the theme song of Cheers", "What is the theme song of"),
        ("What does it mean to send regards", "What does it mean to send"),
    ],
)
def test_thanks_that_no_sign_parts_from_the_rest_count(one: str, other: str) -> None:
    assert share(chat(one, LONG), chat(other, LONG)) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1) wait there 2) go", "1. wait there 2) go"),
        ("Hello! The customer waits there", "customer waits there"),
        ("THE CUSTOMER HAS A CARD", "the customer has a card"),
    ],
)
def test_an_item_and_a_text_in_capitals_look_different_only(one: str, other: str) -> None:
    assert share(chat(one, LONG), chat(other, LONG)) == 1.0


@pytest.mark.parametrize(
    "part",
    [
        "thanks ",
        "Cheers. ",
        "hi, ",
        "a ",
        "*",
        "<p>",
        "> ",
        "(",
        "`",
        "1) ",
        " - ",
        "a(",
        "(a",
        "<p ",
    ],
)
def test_a_text_is_read_in_a_time_that_grows_as_it_does(part: str) -> None:
    began = time.process_time()
    telling_sentences(f"{part * (400_000 // len(part))}than")
    # About 0.2 s; where each place is tried from each, minutes.
    assert time.process_time() - began < 10


OTHERS = (chat("the customer waits", "no"), chat("a payer waits", "yes"), chat("a payee", "yes"))


@pytest.mark.parametrize(
    ("one", "other", "is_slip"),
    [
        ("the custmoer waits", "the customer waits", True),
        ("the custtomer waits", "the customer waits", True),
        ("the custimer waits", "the customer waits", True),
        # Two letters off.
        ("the custimmer waits", "the customer waits", False),
        # A name, a number, the first letter and the last may make another word.
        ("then Custmoer waits", "then Customer waits", False),
        ("the customer4 waits", "the customer waits", False),
        ("the bustomer waits", "the customer waits", False),
        ("the customes waits", "the customer waits", False),
        # Of two words that one row each has nobody can say which is the slip.
        ("the lender waits", "the lander waits", False),
        # Two words that are both in use.
        ("the payer waits", "the payee waits", False),
    ],
)
def test_a_slip_is_a_word_of_one_row_for_one_that_others_use(
    one: str, other: str, is_slip: bool
) -> None:
    found = share(chat(f"{one} {LONG}", LONG), chat(f"{other} {LONG}", LONG), *OTHERS)
    # 2 and 16 words are asked and 16 are answered, articles not counted.
    assert found == (pytest.approx(1 - 1 / 34) if is_slip else None)


FIRST, SECOND = "send the form to the office by post.", "then wait for the clerk who calls you."


def test_sentences_of_an_answer_may_change_places_and_what_is_asked_may_not() -> None:
    one, other = f"{FIRST} {SECOND}", f"{SECOND} {FIRST}"
    assert share(chat(LONG, one), chat(LONG, other)) == 1.0
    assert share(chat(one, LONG), chat(other, LONG)) is None
    # Of short ones the order may be the point.
    assert share(chat(LONG, "First wait. Then go."), chat(LONG, "Then go. First wait.")) is None


def test_rows_that_are_mostly_signs_are_one_only_to_the_character() -> None:
    one, other = "close [ { ( ] ) <", "close [ ( { ] ) <"
    assert share(chat(one, "> ) ] }"), chat(other, "> ) ] }")) is None
    assert share(chat(one, "> ) ] }"), chat(one.upper(), ">  ) ] }")) == 1.0
