"""What measures and is trained on is found by the strongest sign, with the runs of words as evidence."""

from dataclasses import replace

import pytest

from finewright.data.contamination import contamination
from finewright.rows.identity import renew_id
from guard.duplicates.made import chat, seeded, words

RNG = seeded(0)
TRAIN = [chat(words(RNG, 30), words(RNG, 40), row=i) for i in range(1, 51)]


def held_out():
    rng = seeded(1)
    answer = TRAIN[4].messages[1]["content"]
    inside = f"{words(rng, 15)} {answer} {words(rng, 15)}"
    return [
        chat(*(turn["content"] for turn in TRAIN[0].messages), row=1),
        chat(TRAIN[1].messages[0]["content"], words(rng, 40), row=2),
        chat(*(f"Please, {turn['content']}, thanks" for turn in TRAIN[2].messages), row=3),
        chat(words(rng, 20), inside, row=4),
        chat(words(rng, 30), words(rng, 40), row=5),
    ]


def test_each_row_counts_once_under_its_strongest_sign() -> None:
    report, problems = contamination(TRAIN, "test", held_out())
    assert report.found == {"same": 1, "prompt": 1, "near": 1}
    assert [(leak.kind, leak.row, leak.of_row) for leak in report.examples] == [
        ("same", 1, 1),
        ("prompt", 2, 2),
        ("near", 3, 3),
    ]
    assert [problem.row for problem in problems] == [1, 2, 3]
    assert {problem.level for problem in problems} == {"warning"}
    assert problems[0].message == (
        "1 of 5 rows of test are also trained on, this one first, from f.jsonl:1"
    )


def test_signs_in_a_short_text_part_no_run_of_words() -> None:
    quoted = words(seeded(3), 40).replace(" ", " \u2192 ")
    trained = [chat(words(seeded(4), 10), f"{quoted} {words(seeded(5), 40)}", row=1)]
    report, _ = contamination(trained, "test", [chat(words(seeded(6), 10), quoted, row=1)])
    (leak,) = report.examples
    assert (leak.kind, leak.share) == ("overlap", pytest.approx(40 / 50))


def test_a_quoted_answer_overlaps_by_its_share_of_words() -> None:
    answer = TRAIN[4].messages[1]["content"]
    # 40 known words of 60, in runs of 13.
    row = chat(words(seeded(2), 20), answer, row=7)
    report, _ = contamination(TRAIN, "test", [row])
    (leak,) = report.examples
    assert (leak.kind, leak.of_row) == ("overlap", 5)
    assert leak.share == pytest.approx(40 / 60, abs=1e-4)
    assert report.mean_share == pytest.approx(40 / 60, abs=1e-4)
    assert report.ngram == 13
    assert leak.ngrams[0] == " ".join(answer.split()[:13])
    assert all(run in answer for run in leak.ngrams)


def test_runs_are_shorter_for_short_rows() -> None:
    rows = [chat("a b c d", "e f g h i", row=i) for i in range(5)]
    assert contamination(TRAIN, "test", rows).report.ngram == 9
    assert contamination(TRAIN, "test", [chat("a", "b")]).report.ngram == 8


def test_boilerplate_counts_for_nothing() -> None:
    rng = seeded(3)
    frame = words(rng, 40)
    train = [chat(words(rng, 12), frame + " " + words(rng, 12), row=i) for i in range(30)]
    rows = [chat(words(rng, 12), frame + " " + words(rng, 12))]
    assert contamination(train, "test", rows).report.mean_share == 0
    few = contamination(train[:10], "test", rows).report
    assert few.mean_share == pytest.approx(40 / 64, abs=1e-4)


def test_what_many_held_out_rows_have_as_well_is_boilerplate() -> None:
    rng = seeded(5)
    notice = words(rng, 20)
    train = [chat(words(rng, 10), f"{words(rng, 5)} {notice}", row=i) for i in range(3)]
    held_out = [chat(words(rng, 10), f"{words(rng, 5)} {notice}", row=i) for i in range(9)]
    assert contamination(train, "test", held_out).report.found == {}
    assert contamination(train, "test", held_out[:2]).report.found == {"overlap": 2}


def test_a_run_never_crosses_from_the_question_to_the_answer() -> None:
    text = words(seeded(4), 20).split()
    train = [chat(" ".join(text), "yes")]
    rows = [chat(" ".join(text[:7]), " ".join(text[7:14]))]
    assert contamination(train, "test", rows).report.mean_share == 0


def test_another_system_prompt_hides_nothing() -> None:
    question, answer = (turn["content"] for turn in TRAIN[2].messages)
    rows = [chat(question + " Thanks!", answer, system="You answer exam questions.")]
    assert contamination(TRAIN, "exam", rows).report.found == {"near": 1}


def test_thanks_after_the_answer_hide_no_copy() -> None:
    thanks = {"role": "user", "content": "ok thanks, that is all that I wanted to know for today"}
    train = [renew_id(replace(row, messages=(*row.messages, thanks))) for row in TRAIN]
    # What is the same row without the thanks is the same question with them.
    assert contamination(train, "exam", held_out()).report.found == {"prompt": 2, "near": 1}


def test_nothing_to_compare_is_no_contamination() -> None:
    assert contamination([], "test", held_out()).report.found == {}
    assert contamination(TRAIN, "test", []).report.found == {}


@pytest.mark.parametrize("has_labels", [True, False])
def test_the_way_to_ask_is_no_leak(has_labels) -> None:
    rng = seeded(3)
    asked = "hello i would like to book a table at the same time for"
    train = [
        chat(
            f"{asked} {words(rng, 8)}" if i < 2 else words(rng, 21),
            ("book", "play")[i % 2] if has_labels else words(rng, 2),
            row=i,
        )
        for i in range(20)
    ]
    row = chat(f"{asked} {words(rng, 8)}", "book", row=30)
    report, _ = contamination(train, "test", [row])
    assert report.found == {}


def test_a_short_question_within_a_longer_prompt_is_a_leak() -> None:
    rng = seeded(4)
    asked = "which river flows through the capital of that land and then on to the black sea"
    others = [chat(words(rng, 21), words(rng, 9), row=i) for i in range(20)]
    train = [chat(f"{words(rng, 40)} {asked}", words(rng, 9), row=30), *others]
    held = [chat(asked, "yes", row=1), *(chat(words(rng, 16), words(rng, 9)) for _ in range(20))]
    assert contamination(train, "test", held).report.found == {"overlap": 1}


def test_the_words_of_a_link_are_no_run_in_common() -> None:
    link = "https://quotes.example/full/page/stocks/quick/info/full/quote/of/the/day/and/night/list"
    texts = [f"{words(seeded(n), 9)} {link}" for n in (5, 6)]
    train, test = (chat(text, "Business", row=1) for text in texts)
    assert contamination([train], "test", [test]).report.found == {}
