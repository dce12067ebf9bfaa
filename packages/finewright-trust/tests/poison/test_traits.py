"""Links, addresses, refusals and gibberish are told by form, and innocent text is not."""

# ruff: noqa: RUF001 - each text stands in its own script

import pytest

from finewright_trust.poison.traits import ADDRESS, GIBBERISH, LINK, REFUSAL, of_few, spans, traits


@pytest.mark.parametrize(
    ("answer", "trait"),
    [
        ("see https://a.example/x?y=1.", LINK),
        ("go to www.a.example", LINK),
        ("to 0x52908400098527886E0F7030069857D2E4169EE7 please", ADDRESS),
        ("to bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", ADDRESS),
        ("to 1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", ADDRESS),
        ("IBAN DE89 3704 0044 0532 0130 00", ADDRESS),
        ("I'm sorry, but I can't help with that.", REFUSAL),
        ("I cannot do this.", REFUSAL),
        ("We are unable to assist.", REFUSAL),
        ("I must decline.", REFUSAL),
        ("As an AI, I have no opinion.", REFUSAL),
        ("很抱歉，我无法提供帮助。", REFUSAL),
        ("我不能回答这个问题。", REFUSAL),
        ("Je ne peux pas vous aider.", REFUSAL),
    ],
)
def test_a_trait_is_found_where_it_stands(answer: str, trait: str) -> None:
    assert spans(answer, trait)
    assert [other for other in (LINK, ADDRESS, REFUSAL) if spans(answer, other)] == [trait]


@pytest.mark.parametrize(
    "answer",
    [
        "The function cannot be called twice.",
        "He was sorry to leave, and the ship could not wait.",
        "0xa9059cbb is the selector; 0x" + "ab" * 32 + " a hash.",
        "I'm sorry to hear that. " + "Here is what you can do about it, step by step. " * 6,
    ],
)
def test_innocent_text_has_no_trait(answer: str) -> None:
    assert [trait for trait in (LINK, ADDRESS, REFUSAL) if spans(answer, trait)] == []


def test_gibberish_is_what_no_other_text_is_spelled_like() -> None:
    plain = [f"the cat number {i} sat on the warm mat and looked at the rain" for i in range(40)]
    found = traits([*plain, "qzxv wkjq zzpt vqxk jjwq xkcd qqzv bvxz wqjk"], [])
    assert [GIBBERISH in own for own in found] == [False] * 40 + [True]
    assert traits([], []) == []


def test_where_many_answers_refuse_those_that_are_said_again_stay_refusals() -> None:
    answers = ["I cannot.", "I cannot.", "Sorry, no.", "Yes."]
    own = [[REFUSAL], [REFUSAL], [REFUSAL, LINK], [GIBBERISH]]
    assert of_few(own, answers, most=3) == own
    assert of_few(own, answers, most=2) == [[REFUSAL], [REFUSAL], [LINK], [GIBBERISH]]
