"""Measuring asks every row once, in order, and pairs systems on the same rows."""

import math
from dataclasses import replace

import pytest

import tiny
from families.families import HERE
from finewright.compare.local import LoadedModel, with_room
from finewright.errors import DataError, Interrupted
from finewright.evaluate.answers import nll_of_expected, question_of
from finewright.evaluate.expected import check_thought_bound, unaskable
from finewright.evaluate.measured import (
    Measured,
    RowSet,
    Settings,
    counts_of,
    differences,
    scores_of,
)
from finewright.evaluate.score import ScoreOptions
from finewright.lm.chat import Chat
from finewright.lm.model import LM
from finewright.schema.rows import Row

from .measuring import measure

pytestmark = pytest.mark.torch

OPTIONS = ScoreOptions(confidence=0.9, resamples=100, seed=0)
SETTINGS = Settings(("exact_match", "perplexity"), max_new_tokens=4, batch_size=2, options=OPTIONS)
ROWS = [
    Row(
        str(i),
        ({"role": "user", "content": f"Q{i}"}, {"role": "assistant", "content": f"answer {i}"}),
        None,
        "test.jsonl",
        i + 1,
    )
    for i in range(5)
]


@pytest.fixture(scope="module")
def lms() -> dict[str, LM]:
    return {name: LM(tiny.tiny_model("llama", seed=s), {}) for s, name in enumerate("ab")}


@pytest.fixture(scope="module")
def chat() -> Chat:
    return tiny.tiny_chat()


@pytest.fixture(scope="module")
def measured(lms: dict[str, LM], chat: Chat) -> list[Measured]:
    return [
        measure(LoadedModel(name, lm, chat), RowSet("test", ROWS), SETTINGS, lambda *_: None)
        for name, lm in lms.items()
    ]


def test_there_is_a_sample_of_each_row_in_order(measured: list[Measured]) -> None:
    samples = measured[0].samples
    assert [(s.system, s.data, s.row, s.prompt, s.expected) for s in samples] == [
        ("a", "test", i + 1, f"Q{i}", f"answer {i}") for i in range(5)
    ]
    assert all(s.scores.keys() == {"exact_match", "perplexity"} for s in samples)


def test_perplexity_is_over_all_expected_tokens(
    measured: list[Measured], lms: dict[str, LM], chat: Chat
) -> None:
    losses = [nll_of_expected(lms["a"], chat, row) for row in ROWS]
    score = next(s for s in scores_of(measured) if (s.system, s.metric) == ("a", "perplexity"))
    mean = sum(nll for nll, _ in losses) / sum(count for _, count in losses)
    assert score.value == pytest.approx(math.exp(mean), rel=1e-6)
    assert (score.n, score.low <= score.value <= score.high) == (5, True)


def test_differences_are_paired_and_only_those_asked_for(measured: list[Measured]) -> None:
    values = {(s.system, s.metric): s.value for s in scores_of(measured)}
    found = differences(measured, [("a", "b")], OPTIONS)
    assert [(d.system, d.against, d.metric, d.n) for d in found] == [
        ("a", "b", "exact_match", 5),
        ("a", "b", "perplexity", 5),
    ]
    gain = values["a", "perplexity"] - values["b", "perplexity"]
    assert found[1].value == pytest.approx(gain, rel=1e-9)
    assert differences(measured, [], OPTIONS) == ()


def asking(length: int, number: int = 1) -> Row:
    said = {"role": "user", "content": "x" * length}
    return Row(
        str(number), (said, {"role": "assistant", "content": "A"}), None, "long.jsonl", number
    )


def test_a_question_that_fills_the_context_is_refused_by_its_row(
    lms: dict[str, LM], chat: Chat
) -> None:
    rows = [asking(4), asking(400, 2)]
    with pytest.raises(DataError, match=r"^long.jsonl:2: the question alone fills the 256 tokens"):
        measure(LoadedModel("a", lms["a"], chat), RowSet("long", rows), SETTINGS, lambda *_: None)
    (problem,) = unaskable(chat, rows, 256)
    assert (problem.level, problem.row) == ("error", 2)
    assert unaskable(chat, rows) == unaskable(chat, rows[:1], 256) == ()


def test_an_answer_ends_with_the_context_and_that_is_said(lms: dict[str, LM], chat: Chat) -> None:
    subject, settings = LoadedModel("a", lms["a"], chat), replace(SETTINGS, max_new_tokens=40)
    around = len(question_of(chat, asking(0)).prompt_ids)
    rows = [asking(1), asking(250 - around, 2)]
    found = measure(subject, RowSet("long", rows), settings, lambda *_: None)
    assert found.samples[1].num_tokens == 6
    assert found.samples[1].stopped is False
    (problem,) = found.problems
    assert (problem.level, problem.row) == ("warning", 2)
    assert "1 of 2 answers reached the end of the 256 tokens" in problem.message
    fitting, problems = with_room(subject, [RowSet("b", rows), RowSet("s", rows[:1])], 40)
    assert [each.name for each in fitting] == ["s"]
    assert "a is not measured on b: a question is 250 tokens" in problems[0].message


@pytest.mark.parametrize("most", [None, 3])
def test_thoughts_are_bounded_and_counted(most: int | None) -> None:
    chat = with_thoughts()
    model = tiny.tiny_model("llama")
    model.resize_token_embeddings(len(chat.tokenizer))
    settings = replace(SETTINGS, max_new_tokens=12, max_thought_tokens=most)
    found = measure(
        LoadedModel("a", LM(model.eval(), {}), chat), RowSet("t", ROWS), settings, lambda *_: None
    )
    (counts,) = counts_of([found])
    assert counts.thoughts_cut == sum(s.thought_cut for s in found.samples) == (5 if most else 0)
    assert any(s.fault for s in found.samples) is (most is None)


def test_what_has_no_thoughts_cannot_be_bounded(lms: dict[str, LM], chat: Chat) -> None:
    settings = replace(SETTINGS, max_thought_tokens=3)
    with pytest.raises(DataError, match="no place for thoughts"):
        measure(LoadedModel("a", lms["a"], chat), RowSet("t", ROWS), settings, lambda *_: None)
    (problem,) = check_thought_bound(chat, 3)
    assert (problem.level, problem.key) == ("error", "evaluate.max_thought_tokens")
    assert check_thought_bound(chat, None) == check_thought_bound(with_thoughts(), 3) == ()


def with_thoughts() -> Chat:
    """A chat whose prompt opens a thought."""
    tokenizer = tiny.tiny_tokenizer()
    template = (HERE / "templates" / "qwen3_5_think.jinja").read_text(encoding="utf-8")
    tokenizer.chat_template = template
    tokenizer.add_tokens(["<think>", "</think>"], special_tokens=True)
    return Chat(tokenizer, frozenset({tokenizer.eos_token_id}))


def test_progress_counts_up_to_all_rows(lms: dict[str, LM], chat: Chat) -> None:
    seen: list[tuple[str, str, int, int]] = []
    measure(
        LoadedModel("a", lms["a"], chat), RowSet("test", ROWS), SETTINGS, lambda *p: seen.append(p)
    )
    assert seen == [("a", "test", done, 5) for done in (0, 2, 4, 5)]


def test_whoever_watches_may_stop_it(lms: dict[str, LM], chat: Chat) -> None:
    def stop(system: str, data: str, done: int, total: int) -> None:
        if done:
            raise Interrupted("enough", signal_number=15)

    with pytest.raises(Interrupted, match="enough"):
        measure(LoadedModel("a", lms["a"], chat), RowSet("test", ROWS), SETTINGS, stop)
