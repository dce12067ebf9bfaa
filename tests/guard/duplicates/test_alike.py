"""Which rows are near-duplicates: the words decide, and what would hide a difference does not."""

from functools import cache
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finewright.guard.duplicates.alike import alike, num_common
from finewright.guard.duplicates.facts import fact_bits, have_other_bits, have_other_facts
from finewright.guard.duplicates.middle import middles
from finewright.guard.duplicates.near import near_repeats
from finewright.guard.duplicates.slips import is_misspelled
from finewright.guard.duplicates.words import wordings
from finewright.rows.texts import parts_of
from finewright.schema.rows import Row

from .made import chat

LONG = "the parcel was sent on monday by the depot in the north and has not been seen since then"


def share(one: Row, other: Row, similarity: float = 0.8) -> float | None:
    found = wordings(map(parts_of, [one, other]))
    assert alike(found[0], found[1], similarity) == alike(found[1], found[0], similarity)
    return alike(found[0], found[1], similarity)


NUMBERS = st.lists(st.integers(0, 4), max_size=12)


@settings(max_examples=300, deadline=None)
@given(NUMBERS, NUMBERS)
def test_the_common_subsequence_is_that_of_the_textbook(a: list[int], b: list[int]) -> None:
    @cache
    def lcs(i: int, j: int) -> int:
        if not i or not j:
            return 0
        if a[i - 1] == b[j - 1]:
            return lcs(i - 1, j - 1) + 1
        return max(lcs(i - 1, j), lcs(i, j - 1))

    assert num_common(np.array(a, np.uint32), np.array(b, np.uint32)) == lcs(len(a), len(b))


def test_the_share_is_that_of_common_words() -> None:
    long = " ".join([LONG] * 4)
    edited = long.replace("parcel", "cabinet", 1).replace("depot", "office", 1)
    # 76 + 76 words, of which 4 differ.
    assert share(chat(long, long), chat(edited, edited)) == pytest.approx(1 - 4 / 152)


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
        ("solve x\xb2 = 4", "solve x^2 = 4"),
        ("solve x ^ 2 = 4", "solve x2 = 4"),
        ("how large is 54 m\xb2", "how large is 54 m2"),
        ("where is Ca\xb2\u207a now", "where is Ca2+ now"),
        ("on the 2\u207f\u1d48 day", "on the 2nd day"),
        ("what is 10\u207b\xb3 of it", "what is 10^-3 of it"),
        ("solve x\u207b\xb9 = 4", "solve x^{-1} = 4"),
        ("it was good \U0001f44d", "it was good"),
        ("make it \U0001f9e1 about \U0001f525 and war", "make it about \U0001f525 and war"),
        ("it was good \U0001f389\U0001f389\U0001f389", "it was good \U0001f389"),
        ("go \u2192 there", "go \u27a1\ufe0f there"),
        ("it was done \u2713 in time", "it was done \u2705 in time"),
        ("\U0001f9e1 first\n\U0001f9e1 second", "\U0001f525 first\n\U0001f525 second"),
        (f"{'it was so ' * 20}good \U0001f600", f"{'it was so ' * 20}good \U0001f621"),
        ("\u2713 first thing \u2713 second thing", "\u279c first thing \u279c second thing"),
        ("loops in C# please", "loops in c# please"),
        ("loops in C# please", "loops in C # please"),
        ("send it to R&D# please", "send it to R&D please"),
        ("what is 12 \xf7 4 then", "what is 12/4 then"),
    ],
)
def test_a_power_in_any_spelling_and_decoration_are_no_difference(one: str, other: str) -> None:
    assert share(chat(one, LONG), chat(other, LONG)) == 1.0


@pytest.mark.parametrize(
    "signs",
    ["✅❌", "✓✗", "↑↓", "←→", "☑☐", "🟢🔴", "😀😡", "☀☂", "♠♥", "♂♀", "★☆", "⇒⇔", "🇩🇫"],
)
def test_another_sign_within_a_line_of_few_words_is_another_row(signs: str) -> None:
    one, other = (f"what is this {sign} here" for sign in signs)
    assert share(chat(one, LONG), chat(other, LONG)) is None
    assert share(chat(LONG, f"Answer: {signs[0]}"), chat(LONG, f"Answer: {signs[1]}")) is None
    assert share(chat(one, LONG), chat("what is this here", LONG)) == 1.0


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


@pytest.mark.parametrize("signs", ["\U0001f44d\U0001f44e", "\u222a\u2229", "\xd7\xf7"])
def test_a_sign_counts_or_not_beside_none_as_it_does_beside_another(signs: str) -> None:
    rows = [chat(f"what is A {sign} B here", LONG) for sign in (*signs, "")]
    num_kept = {
        len(order) - len(near_repeats(list(map(parts_of, order)), 0.8))
        for order in permutations(rows)
    }
    assert len(num_kept) == 1


def test_another_figure_among_many_other_words_is_another_row() -> None:
    one = f"{LONG} {LONG} {LONG} {LONG} and has a duplicate fee of 38 EUR, ref 1008"
    other = one.replace("parcel", "cabinet", 1)
    assert share(chat(one, LONG), chat(other, LONG)) is not None
    for figures in (("1008", "1017"), ("38", "855"), ("38 EUR", "855EUR")):
        assert share(chat(one, LONG), chat(other.replace(*figures), LONG)) is None


def test_a_number_that_is_spelled_or_left_out_does_not_hide_a_repeat() -> None:
    one = f"{LONG} {LONG} {LONG} {LONG} at 10"
    for figures in (("at 10", "at ten"), ("at 10", "promptly")):
        other = one.replace("parcel", "cabinet", 1).replace(*figures)
        assert share(chat(one, LONG), chat(other, LONG)) is not None


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=30), st.floats(0.05, 1))
def test_a_row_is_like_itself_and_no_pair_is_below_the_bar(letters: list[str], bar: float) -> None:
    one, other = chat(" ".join(letters), LONG), chat(" ".join([*letters[1:], "z"]), LONG)
    assert share(one, one, bar) == 1.0
    found = share(one, other, bar)
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
        ("the custmoer waits", "the customer waits"),
        ("Hello team, the customer waits", "the customer waits"),
        ("the customer waits, thanks in advance", "the customer waits"),
        ("THE CUSTOMER CAN'T WAIT", "the customer cannot wait"),
        ("the customer waits please", "kindly the customer waits"),
        ("it costs 10", "it costs ten"),
        ("die Straße ist schön", "die Strasse ist schoen"),
        ("sie sind bei der FPÖ für ihn", "sie sind bei der FPO fur ihn"),
        ("está aquí por la mañana", "esta aqui por la manana"),
        ("his car was fixed", "his car was repaired"),
        ("the customer waits. I hope this helps!", "the customer waits"),
        ("Certainly, here you go: the customer waits", "the customer waits"),
    ],
)
def test_what_only_looks_different_is_a_repeat(one: str, other: str) -> None:
    assert share(chat(f"{one} {LONG}", LONG), chat(f"{other} {LONG}", LONG)) is not None


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


def test_an_ordinary_word_of_a_long_text_and_moved_prose_beside_code_are_repeats() -> None:
    long = " ".join([LONG] * 4)
    code = f"{long} and then the parcel of cash.pay(a, b) goes"
    for words in (("parcel", "cabinet"), ("depot in", "in depot")):
        assert share(chat(code, LONG), chat(code.replace(*words, 1), LONG)) is not None


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("biologist", "urologist", False),
        ("basketball", "baseball", False),
        ("biologist", "bioolgsit", True),
        ("urologist", "rologist", True),
        ("broadcast", "broadcasted", True),
    ],
)
def test_two_slips_do_not_make_another_word(one: str, other: str, expected: bool) -> None:
    assert is_misspelled(one, other) == expected


FIRST, SECOND = "send the form to the office by post.", "then wait for the clerk who calls you."


def test_sentences_of_an_answer_may_change_places_and_what_is_asked_may_not() -> None:
    one, other = (f"{a} {b} nothing else is needed." for a, b in ((FIRST, SECOND), (SECOND, FIRST)))
    assert share(chat(LONG, one), chat(LONG, other)) == 1.0
    assert share(chat(one, LONG), chat(other, LONG)) is None
    assert share(chat(LONG, f"{LONG} to a from b"), chat(LONG, f"{LONG} to b from a")) is None


def test_an_order_that_is_asked_for_and_halves_that_change_places_are_no_repeat() -> None:
    one, other = (f"{a} {b} nothing else is needed." for a, b in ((FIRST, SECOND), (SECOND, FIRST)))
    asked = f"{LONG}. Sort the sentences by time."
    assert share(chat(asked, one), chat(asked, other)) is None
    assert share(chat(LONG, f"{FIRST} {SECOND}"), chat(LONG, f"{SECOND} {FIRST}")) is None


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
    ("question", "one", "other"),
    [
        ("sort them", f"{LONG}. Then we go home.", f"Then we go home. {LONG}."),
        ("cu\xe1ntos a\xf1os tiene", LONG, LONG),
        ("ai l\xe0 tr\u01b0\u1edfng c\u1ee7a ch\xfang ta", LONG, LONG),
    ],
)
def test_an_order_and_marks_of_letters_may_be_the_point(
    question: str, one: str, other: str
) -> None:
    is_marked = one is other
    unmarked = question.replace("a\xf1os", "anos").replace("\u1edf", "\u1edd")
    assert share(chat(question, one), chat(unmarked if is_marked else question, other)) is None


def test_synonyms_stand_for_each_other_in_one_of_ten_words_of_prose() -> None:
    one, fixed = f"we hide it {LONG}", f"we conceal it {LONG}"
    assert share(chat(one, LONG), chat(fixed, LONG)) is not None
    assert share(chat("we hide it today", LONG), chat("we conceal it today", LONG)) is None
    more = "a companion hides the cargo in the cellar by the coast"
    other = "a comrade conceals the freight in the basement by the seacoast"
    assert share(chat(f"{more} {LONG}", LONG), chat(f"{other} {LONG}", LONG)) is None


LIST = "<ul><li>milk</li><li>bread and eggs and so on for all of the week</li></ul>"


def test_other_tags_make_two_rows_and_none_beside_some_do_not() -> None:
    asked = "what is to be bought for the whole of the week in the shop"
    assert share(chat(asked, LIST), chat(asked, LIST.replace("ul>", "ol>"))) is None
    bare = LIST.replace("<ul>", "<ul class='red'>")
    assert share(chat(asked, LIST), chat(asked, bare)) is None
    plain = "milk bread and eggs and so on for all of the week"
    assert share(chat(asked, LIST), chat(asked, plain)) == 1.0
    html = "make an html list of it"
    assert share(chat(html, LIST), chat(html, plain)) is None


@given(st.lists(st.integers(0, 3), max_size=12), st.lists(st.integers(0, 3), max_size=12))
def test_what_two_texts_begin_and_end_with_is_taken_off_once(a: list[int], b: list[int]) -> None:
    head, tail, one, other = middles(np.array(a, np.uint32), np.array(b, np.uint32))
    assert [*a[:head], *one.tolist(), *a[len(a) - tail :]] == a
    assert [*b[:head], *other.tolist(), *b[len(b) - tail :]] == b
    assert (a[:head], a[len(a) - tail :]) == (b[:head], b[len(b) - tail :])
    assert not (len(one) and len(other)) or (one[0] != other[0] and one[-1] != other[-1])


def test_other_facts_are_seen_before_the_words_are_compared() -> None:
    def facts(text: str) -> np.ndarray:
        return wordings([parts_of(chat(text, "yes"))])[0].prompt

    assert have_other_facts(facts("pay 170 to 4"), facts("pay 4 to 180"))
    assert not have_other_facts(facts("pay 170 to 4"), facts("pay 4"))
    # `ten` may stand for 10 on either side.
    assert not have_other_facts(facts("pay 10 and twelve"), facts("pay ten and 12"))


@given(
    st.lists(st.tuples(*[st.lists(st.integers(18, 24), max_size=4)] * 2), min_size=2, max_size=2)
)
def test_bits_never_say_more_than_the_facts(rows: list[tuple[list[int], list[int]]]) -> None:
    texts = [[" ".join(["a", *map(str, part)]) for part in row] for row in rows]
    found = wordings([parts_of(chat(*text)) for text in texts])
    if have_other_bits(fact_bits(found), 0, 1):
        one, other = found[0], found[1]
        assert any(have_other_facts(a, b) for a, b in zip(one.parts, other.parts, strict=True))


TICKET = "You need an identity card and a proof of address, and it takes ten minutes at the desk of the bank."


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
        ("hi team, how do I reset my password for the portal", "how do I reset my password for the portal"),
        ("good morning, how do I reset my password please", "how do I reset my password"),
        ("bitte, wie setze ich mein Passwort im Portal neu", "wie setze ich das Passwort im Portal neu"),
        ("por favor, cómo cambio mi contraseña del portal", "cómo cambio la contraseña del portal"),
    ],
)  # fmt: skip
def test_greetings_and_articles_of_a_texts_own_language_say_nothing(one: str, other: str) -> None:
    assert share(chat(one, TICKET), chat(other, TICKET)) == 1.0
