"""Training rows that the held-out rows know are left out, each for one reason."""

from finewright.data.contamination import contamination
from finewright.data.decontaminate import remove_contaminated, without_leaks
from finewright.schema.rows import Row

LONG = (
    "the keeper of the northern lighthouse writes down every ship that passes between dusk and dawn and"
    " sends the list to the harbour office each monday morning before nine"
)


def row(number: int, question: str, answer: str) -> Row:
    messages = ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
    return Row(f"{question}-{answer}", messages, None, "rows.jsonl", number)


def test_the_same_question_and_what_is_near_go_and_the_rest_stays():
    test = [row(1, "What is the fee?", "$5"), row(2, f"Who writes? {LONG}", "The keeper.")]
    train = [
        row(1, "What is the fee?", "$5"),
        row(2, "What is the fee?", "five dollars"),
        row(3, f"Who writes? {LONG}!", "the keeper"),
        row(4, f"Is it true? {LONG}. Think of it for a while before you say yes or no.", "Yes."),
        row(5, "What is the limit of a transfer?", "$900"),
    ]
    kept, removed = remove_contaminated(train, test)
    assert [r.row for r in kept] == [5]
    assert removed == {"same": 1, "prompt": 1, "near": 1, "overlap": 1}


def test_another_fact_in_the_same_words_is_no_leak():
    test = [row(1, "What is the fee of the gold card?", "$5")]
    train = [row(1, "What is the fee of the blue card?", "$7")]
    assert remove_contaminated(train, test) == ((*train,), {})


def test_without_held_out_rows_nothing_goes():
    train = [row(1, "What?", "That.")]
    assert remove_contaminated(train, []) == ((*train,), {})


def test_after_leaks_are_out_none_is_known():
    test = [row(1, f"Who writes? {LONG}", "The keeper."), row(2, "What is the fee?", "$5")]
    train = [
        row(1, f"Tell me who writes, please: {LONG}", "A man does so " + "day by day " * 9),
        row(2, f"Read this book. {LONG}. " + "Then say what ships are for in your own words. " * 9, "Yes."),
        row(3, "What is the limit of a transfer?", "$900"),
    ]  # fmt: skip
    kept, removed = without_leaks(train, test)
    assert [r.row for r in kept] == [3]
    assert removed == {"question": 1, "overlap": 1}
    assert contamination(kept, "test", test).report.found == {}
