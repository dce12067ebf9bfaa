"""Wrong labels, turned pairs and exchanged answers are found where a set tells, and else it is said."""

import random
import re

import numpy as np

from finewright.lm.embedders.meaning import Embed
from finewright.report.show import text_of
from finewright.rows.identity import renew_id
from finewright.rows.texts import row_texts
from finewright.schema.rows import Row
from finewright_trust.misfits.find import (
    Labelled,
    QuestionWithAnswer,
    find_exchanged,
    find_reversed_pairs,
    read_ratings,
    wrong_labels,
)
from finewright_trust.misfits.likeness import unit
from poison.planted import clean, row, search


def _texts(count: int = 300) -> list[tuple[str, str]]:
    """Questions of clean rows with their answers."""
    return [(r.messages[0]["content"], r.messages[1]["content"]) for r in clean(count)]


_SUBJECTS = (
    ["river", "water", "stream", "bank", "flow", "delta", "fish", "bridge"],
    ["engine", "piston", "fuel", "valve", "torque", "oil", "gear", "shaft"],
    ["poem", "verse", "rhyme", "stanza", "meter", "image", "line", "voice"],
    ["market", "price", "buyer", "stall", "trade", "goods", "crowd", "coin"],
)


def _labelled(count: int = 400) -> list[Labelled]:
    """Texts of eight words, more or fewer of which are of their subject: some leave it open."""
    rng = random.Random(8)  # noqa: S311
    rows = []
    for i in range(count):
        own, num = _SUBJECTS[i % 4], rng.choice([2, 3, 4, 6, 8])
        said = [rng.choice(own if n < num else rng.choice(_SUBJECTS)) for n in range(8)]
        rows.append(Labelled(i, " ".join(said), str(i % 4)))
    return rows


def test_wrong_labels_are_found_and_hardly_others() -> None:
    rng, rows = random.Random(3), _labelled()  # noqa: S311
    wrong = set(rng.sample(range(len(rows)), 12))
    for i in wrong:
        rows[i] = rows[i]._replace(label=str((i + 1 + i % 3) % 4))
    found = wrong_labels(rows)
    assert found is not None
    places = {misfit.row for misfit in found.found}
    assert len(places & wrong) >= 7
    assert len(places - wrong) <= 1
    assert found.power > 0.4
    assert "the other rows say" in found.found[0].says


def test_labels_that_only_the_meaning_tells_take_an_embedder() -> None:
    rng, places = np.random.default_rng(9), np.arange(200)
    subjects = rng.normal(size=(4, 16))
    meant = unit(subjects[places % 4] + 0.2 * rng.normal(size=(200, 16))).astype(np.float32)
    numbers = [f"{i} {i + 200} {i + 400}" for i in places]
    known = dict(zip(numbers, meant, strict=True))
    rows = [Labelled(i, numbers[i], f"x{(i % 4 + (i in (7, 90, 131))) % 4}") for i in places]
    by_words = wrong_labels(rows)
    by_meaning = wrong_labels(
        rows, lambda texts: np.array([known.get(t, meant[0] * 0) for t in texts])
    )
    assert by_words is not None
    assert by_words.found == ()
    assert by_meaning is not None
    assert {misfit.row for misfit in by_meaning.found} == {7, 90, 131}


def test_labels_of_dice_and_of_one_kind_cannot_be_told() -> None:
    rng = random.Random(4)  # noqa: S311
    found = wrong_labels([row._replace(label=rng.choice("ab")) for row in _labelled()])
    assert found is not None
    assert found.found == ()
    assert found.power == 0
    assert wrong_labels([row._replace(label="a") for row in _labelled()]) is None


def _pair(asked: str, chosen: str, rejected: str, number: int) -> Row:
    turns = [
        ({"role": "user", "content": asked}, {"role": "assistant", "content": said})
        for said in (chosen, rejected)
    ]
    return renew_id(Row("", turns[0], None, "rows.jsonl", number, rejected=turns[1]))


def test_pairs_that_were_turned_round_are_found_where_pairs_have_a_direction() -> None:
    turned = {5, 77, 140, 201, 288}
    rows = []
    for i, (asked, said) in enumerate(_texts()):
        sides = (f"{said} And more of it, in detail.", "No idea, sorry.")
        rows.append(_pair(asked, *(sides[::-1] if i in turned else sides), i + 1))
    report = search(rows).report
    (finding,) = [f for f in report.findings if f.kind == "pair"]
    assert {e.row - 1 for e in finding.evidence} == turned
    assert re.search(r"\(odds 0\.\d\d to \d\.\d\d: about [45] of 5 are wrong\)", finding.reason)
    assert "pairs that were turned round: about" in text_of(report)


def test_pairs_without_a_direction_cannot_be_told() -> None:
    rng = random.Random(5)  # noqa: S311
    texts = _texts()
    rows = [
        _pair(asked, said, rng.choice(texts)[1], i)
        for i, (asked, said) in enumerate((rng.choice(texts)[0], t[1]) for t in texts)
    ]
    found = find_reversed_pairs(list(map(row_texts, rows)))
    assert found is not None
    assert (found.found, found.power) == ((), 0)
    assert "pairs that were turned round cannot be told" in text_of(search(rows).report)


def test_pairs_that_contradict_each_other_are_a_finding() -> None:
    rows = [_pair("Is it safe?", "Yes.", "No.", 1), _pair("Is it safe?", "no.", " Yes.", 2)]
    rows += [_pair("Is it cheap?", "Yes.", "No.", 3), _pair("Is it cheap?", "Yes.", "Maybe.", 4)]
    tie = search(rows)
    assert not tie.why
    assert "which of them is wrong cannot be told" in tie.report.findings[0].reason
    found = search([*rows, _pair("Is it safe?", "Yes.", "No.", 5)])
    assert set(found.why) == {1}
    assert "1 of 3 pairs that ask the same" in found.report.findings[0].reason


def test_disliked_answers_that_others_like_are_found() -> None:
    rows = []
    for i, (asked, said) in enumerate(_texts()):
        good = i % 2 == 0
        answer = said if good else "I do not care about this at all."
        turns = ({"role": "user", "content": asked}, {"role": "assistant", "content": answer})
        rows.append(renew_id(Row("", turns, None, "rows.jsonl", i, label=good != (i in (10, 91)))))
    found = wrong_labels(read_ratings(list(map(row_texts, rows))))
    assert found is not None
    assert {misfit.row for misfit in found.found} == {10, 91}


def test_answers_that_changed_places_are_found() -> None:
    rng = random.Random(6)  # noqa: S311
    texts = [(asked, f"{said} Number {asked.split()[-1]}") for asked, said in _texts()]
    places = rng.sample(range(300), 10)
    moved = dict(zip(places, places[1:] + places[:1], strict=True))
    asked = [QuestionWithAnswer(i, t[0], texts[moved.get(i, i)][1]) for i, t in enumerate(texts)]
    found = find_exchanged(asked)
    assert found is not None
    assert {misfit.row for misfit in found.found} <= set(places)
    assert len(found.found) >= 8


def test_exchanged_answers_are_the_same_in_any_order() -> None:
    rng = random.Random(10)  # noqa: S311
    texts = [(f"{a} {rng.choice('xyz')}", b) for a, b in _texts(120)]
    asked = [QuestionWithAnswer(i, a, f"{b} {a[-6:]}") for i, (a, b) in enumerate(texts)]
    asked[3], asked[70] = (
        asked[3]._replace(answer=asked[70].answer),
        asked[70]._replace(answer=asked[3].answer),
    )
    found = find_exchanged(asked)
    assert found is not None
    assert found.power > 0
    assert [find_exchanged(rng.sample(asked, len(asked))) for _ in range(2)] == [found] * 2


def _two_languages(count: int = 160) -> tuple[list[tuple[str, str]], Embed]:
    """Questions and answers that share no word, and an embedder that knows what they mean, nearly."""
    rng = np.random.default_rng(9)
    meant = unit(rng.normal(size=(count, 24)))
    letters = random.Random(9)  # noqa: S311
    said = ["".join(letters.choices("bdfgklmnprstvz", k=7)) for _ in range(2 * count)]
    texts = list(zip(said[::2], said[1::2], strict=True))
    known = {
        text: meant[i] + 0.08 * rng.normal(size=24) for i, pair in enumerate(texts) for text in pair
    }
    return texts, lambda wanted: unit(np.array([known[text] for text in wanted])).astype(np.float32)


def test_exchanged_answers_that_share_no_word_with_their_questions_are_found_by_meaning() -> None:
    texts, embed = _two_languages()
    places = [3, 40, 77, 120, 151]
    moved = dict(zip(places, places[1:] + places[:1], strict=True))
    asked = [QuestionWithAnswer(i, t[0], texts[moved.get(i, i)][1]) for i, t in enumerate(texts)]
    by_words, by_meaning = find_exchanged(asked), find_exchanged(asked, embed)
    assert by_words is not None
    assert by_meaning is not None
    assert (by_words.found, by_words.power) == ((), 0)
    assert {misfit.row for misfit in by_meaning.found} == set(places)


def test_a_set_where_any_answer_fits_any_question_accuses_nobody() -> None:
    rng = random.Random(7)  # noqa: S311
    texts = _texts()
    found = find_exchanged(
        [QuestionWithAnswer(i, rng.choice(texts)[0], t[1]) for i, t in enumerate(texts)]
    )
    assert found is not None
    assert found.found == ()


def test_few_rows_are_not_looked_at() -> None:
    assert wrong_labels(_labelled(40)) is None
    assert search([row("a b c", "d e f")]).report.reach == ()
