"""All figures in one report."""

from dataclasses import replace

from finewright.data.quality.measure import quality

from .rows import rows


def test_figures_that_nobody_can_measure_are_left_out() -> None:
    names = [f.name for f in quality(rows("one", "two")).figures]
    assert names == [
        "prompt_characters", "answer_characters", "conflicts", "boilerplate", "refusals",
        "short_answers", "code",
    ]  # fmt: skip
    more = quality(rows("one"), count_tokens=len, language_of=lambda text: "en")
    assert [f.name for f in more.figures][2:5] == ["tokens", "languages", "language_switches"]
    assert more.figure("languages") is not None
    assert more.figure("labels") is None


def test_what_deserves_a_look_is_said_with_the_first_row() -> None:
    found = quality(rows("fine", "", "I cannot help with that.", "good"))
    assert [(p.row, p.message) for p in found.problems] == [
        (2, "1 answer is empty, this one first"),
        (3, "25 % of the answers decline to answer, this one first"),
    ]


def test_thanks_after_the_answer_change_no_figure() -> None:
    plain = rows("fine", "", "I cannot help with that.", "x = 1;\ny = 2;", "fine", "fine", "fine")
    thanks = {"role": "user", "content": "Merci, c'est tout."}
    thanked = [replace(row, messages=(*row.messages, thanks)) for row in plain]

    def language_of(text: str) -> str:
        return "fr" if "Merci" in text else "en"

    assert quality(thanked, language_of=language_of) == quality(plain, language_of=language_of)


def test_no_rows_are_no_error() -> None:
    assert quality([], count_tokens=len, language_of=lambda text: "en").problems == ()
