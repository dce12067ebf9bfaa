"""Half of a made question's longer words are exchanged, the short ones stay, and the same comes out again."""

from collections import Counter

from finewright_rag.search.questions import Question
from finewright_rag.search.tuning import harder

QUESTIONS = [
    Question(
        f"the card{i} is for those who travel{i} often{i} and pay{i} abroad{i} by phone{i}",
        (f"d{i}",),
        kind="opening",
    )
    for i in range(200)
]


def test_about_half_of_the_longer_words_are_others_and_the_rest_is_as_it_was():
    kept: Counter[bool] = Counter()
    for before, after in zip(QUESTIONS, harder(QUESTIONS), strict=True):
        assert (before.gold, before.kind) == (after.gold, after.kind)
        pairs = list(zip(before.prompt.split(), after.prompt.split(), strict=True))
        assert all(a == b for a, b in pairs if len(a) < 4)
        kept.update(a == b for a, b in pairs if len(a) >= 4)
    assert 0.45 < kept[False] / kept.total() < 0.55


def test_the_same_questions_give_the_same():
    assert harder(QUESTIONS) == harder(QUESTIONS)


def test_what_has_too_few_words_to_exchange_is_left_out():
    assert harder([Question("cards abroad", ("d",))]) == []
    assert harder([]) == []
