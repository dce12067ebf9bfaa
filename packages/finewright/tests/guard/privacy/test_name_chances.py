"""How likely a word is part of a name, by its neighbours and by the same word elsewhere."""

import pytest

from finewright.guard.privacy.name_features import TEMPLATES, around, features, words_of
from finewright.guard.privacy.names import NEIGHBOURS, NameWeights, beside, chances


def test_a_score_is_the_bias_and_what_the_tables_have_of_each_value():
    weights = NameWeights(-1.0, ({"a": 2.0}, {"b": 0.5, "c": 4.0}))
    assert weights.score(("a", "b")) == 1.5
    assert weights.score(("b", "?")) == -1.0


def test_beside_has_the_scores_of_neighbours_and_of_the_word_elsewhere():
    words = words_of("Anna Berger, Berger.")
    found = beside(words, {0: 1.2, 1: -9.0, 3: 0.6})
    # In halves: 1.2 is 2, -9 is at most -8, 0.6 is 1; the comma stands between Berger and Berger.
    assert found == [
        ("2", "", "-8", "|2|-8", ""),
        ("-8", "2", "", "2|-8|", "1"),
        ("1", "", "", "|1|", "-8"),
    ]
    assert len(NEIGHBOURS) == 5


def test_every_template_has_a_value_and_a_title_with_its_point_is_one():
    words = [words_of(text) for text in ("to Dr. Berger", "to Dr Berger")]
    found = [features(w, len(w.texts) - 1, around(w)) for w in words]
    assert len(found[0]) == len(TEMPLATES)
    kinds = [at for at, name in enumerate(TEMPLATES) if name in {"k-1 k", "k-2 k-1 k"}]
    assert [found[0][at] for at in kinds] == [found[1][at] for at in kinds]


def test_words_in_small_letters_have_no_chance_and_a_known_pair_has_one():
    assert chances(words_of("nobody is here")) == {}
    found = chances(words_of("I met Maria Gonzalez yesterday."))
    assert found[2] > 0.9
    assert found[3] > 0.9


@pytest.mark.parametrize(
    ("word", "case"), [("DeSantis", "mixed"), ("TokenUsage", "camel"), ("Anna", "")]
)
def test_an_identifier_is_written_otherwise_than_a_name(word, case):
    words = words_of(f"see {word} here")
    assert features(words, 1, around(words))[TEMPLATES.index("case")] == case
