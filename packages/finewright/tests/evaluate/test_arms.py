"""One question asked as it is, after examples, or with passages."""

from finewright.evaluate.arms import (
    answer_of,
    gold_of,
    order_by_chance,
    question_of,
    with_examples,
    with_passages,
    without_quotes,
)
from finewright.judge.quotes import messages_with
from finewright.schema.passages import Chunk, Passage
from finewright.schema.rows import Row

SYSTEM = {"role": "system", "content": "Be short."}


def row(number: int, *, system: bool = False, gold: object = None) -> Row:
    turns = (
        {"role": "user", "content": f"q{number}"},
        {"role": "assistant", "content": f"a{number}"},
    )
    messages = ((SYSTEM,) if system else ()) + turns
    return Row(f"id{number}", messages, None, "f", number, columns={"gold": gold} if gold else {})


def contents(found: Row) -> list[str]:
    return [message["content"] for message in found.messages]


def test_examples_come_after_the_system_prompt_and_bring_none_of_their_own():
    found = with_examples(row(1, system=True), [row(2, system=True), row(3)])
    assert contents(found) == ["Be short.", "q2", "a2", "q3", "a3", "q1", "a1"]
    assert contents(with_examples(row(1), [row(2)])) == ["q2", "a2", "q1", "a1"]
    assert (found.id, found.row) == ("id1", 1)


def test_passages_are_put_as_for_every_other_use_and_the_answer_stays():
    passage = Passage(1, "doc", "Fees", "s", "MIT", Chunk(0, "It is $5.", (), 0, 9))
    asked = row(1, system=True)
    found = with_passages(asked, [passage])
    assert list(found.messages[:-1]) == messages_with([passage], asked.messages[:-1])
    assert found.messages[-1] == asked.messages[-1]


def test_what_is_asked_expected_and_gold():
    asked = row(4, system=True, gold=["d1", "d2"])
    assert (question_of(asked), answer_of(asked), gold_of(asked)) == ("q4", "a4", ("d1", "d2"))
    assert gold_of(row(1)) == ()
    assert gold_of(row(1, gold="d1")) == ("d1",)
    assert gold_of(row(1, gold=[1, "d1"])) == ("d1",)


def test_lines_of_quotes_are_no_part_of_the_answer():
    assert without_quotes('[1] "the fee is $5"\n[2]: “so it is”\n$5') == "$5"
    assert without_quotes('[1] "the fee is $5"') == '[1] "the fee is $5"'
    assert without_quotes("see [1]") == "see [1]"


def test_a_draw_is_by_chance_and_does_not_depend_on_the_other_rows():
    rows = [row(i) for i in range(30)]
    first = order_by_chance(rows, 0, "dev")
    assert first != rows
    assert sorted(r.row for r in first) == list(range(30))
    assert [r for r in first if r.row % 2] == order_by_chance(
        [r for r in rows if r.row % 2], 0, "dev"
    )
    assert first != order_by_chance(rows, 1, "dev")
    assert first != order_by_chance(rows, 0, "facts")


def test_what_is_drawn_does_not_hang_on_where_the_file_lies() -> None:
    here, there = (
        [Row(f"{i:x}", (), None, f"{folder}/rows.jsonl", i) for i in range(20)]
        for folder in ("/one", "/two/three")
    )
    order = [row.id for row in order_by_chance(here, 0, "dev")]
    assert order == [row.id for row in order_by_chance(there, 0, "dev")]
    assert order != [row.id for row in here]
