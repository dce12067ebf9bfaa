"""Answers from passages are judged by hand-computed values, and asked of a real (tiny) model."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import tiny
from finewright.compare.local import LoadedModel
from finewright.errors import DataError
from finewright.judge.quotes import ABSTENTION
from finewright.lm.chat import Chat
from finewright.lm.model import LM
from finewright.report.show import text_of
from finewright.schema.passages import Chunk, Passage
from finewright_rag import answers as rag_answers
from finewright_rag import ask as rag_ask
from finewright_rag.answers import Answering, evaluate, sample_of
from finewright_rag.ask import Answerer, ModelAnswer
from finewright_rag.indexing.target import OpenIndex, open_target, target_of
from finewright_rag.search.questions import Question
from finewright_rag.search.retrieve import Hit
from finewright_rag.update_index import index

FEE = "The card costs 12 euros a year."
READS = 400
"""Tokens: more than the questions below with their passages."""
QUESTION = Question("What does card 7 cost?", ("fees",), "12 euros a year")


def hit(document: str, text: str) -> Hit:
    chunk = Chunk(0, text, (), 0, len(text))
    return Hit(Passage(1, document, "Title 5", "", "unknown", chunk), 1.0)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            f'[1] "{FEE}"\n12 euros a year',
            {"exact_match": 1, "token_f1": 1, "quotes": 1, "quotes_verified": 1},
        ),
        (
            '[1] "The card costs 12 euros"\n[2] "The card costs 12 euros"\n12 euros',
            {"exact_match": 0, "token_f1": 0.8, "quotes": 1, "quotes_verified": 0.5},
        ),
        ("For card 7 it is 13.", {"exact_match": 0, "quotes": 0, "numbers_absent": 1}),
        ("Title 5 says that card 7 is 12.", {"numbers_absent": 0}),
        ("The passages do not hold the answer.", {"abstains_found": 1, "quotes": 0}),
    ],
)
def test_an_answer_is_measured(answer: str, expected: dict[str, float]) -> None:
    found = sample_of(QUESTION, [hit("fees", FEE), hit("other", "Else.")], ModelAnswer(answer))
    measures = {"found": 1, "abstains_found": 0, "numbers_absent": 0, **expected}
    assert {name: found.measures[name] for name in measures} == pytest.approx(measures)
    assert ("quotes_verified" in found.measures) is bool(found.measures["quotes"])
    assert "abstains_missing" not in found.measures


def test_abstaining_is_told_apart_by_whether_the_answer_was_there() -> None:
    found = sample_of(QUESTION, [hit("other", "Else.")], ModelAnswer(ABSTENTION))
    assert found.measures["found"] == 0
    assert found.measures["abstains_missing"] == 1
    assert "abstains_found" not in found.measures
    unknown = sample_of(QUESTION._replace(gold=()), [hit("other", "Else.")], ModelAnswer("12"))
    assert {"found", "abstains_found", "abstains_missing"}.isdisjoint(unknown.measures)


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenIndex]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fees.md").write_text(f"# Fees\n\n{FEE}\n")
    (tmp_path / "hours.md").write_text("# Hours\n\nIt opens at nine.\n")
    index(target_of(["fees.md", "hours.md"], embedder="none"), tune=False)
    model = tiny.tiny_model("llama")
    model.config.max_position_embeddings = READS
    system = LoadedModel("tiny", LM(model, {}), tiny.tiny_chat())
    for module in (rag_answers, rag_ask):
        monkeypatch.setattr(module, "load_talker", lambda *_, **__: system)
    with open_target("index.sqlite") as opened:
        yield opened


ROWS = [
    {"prompt": "What does the card cost?", "gold": ["fees.md"], "completion": "12 euros"},
    {"prompt": "When does it open?", "gold": ["fees.md"], "completion": "at nine"},
    {"prompt": "Who knows?", "gold": ["hours.md"]},
]
ANSWERER = Answerer("smollm2-135m-instruct", max_new_tokens=4)


@pytest.fixture
def questions(opened: OpenIndex, tmp_path: Path) -> str:
    path = tmp_path / "q.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return str(path)


def test_every_question_with_an_answer_is_asked_and_told(
    opened: OpenIndex, questions: str, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    asking = Answering(ANSWERER, samples=tmp_path / "samples.jsonl")
    report = evaluate(
        opened,
        asking,
        questions=questions,
        on_event=lambda _, fields: told.append((fields["done"], fields["total"])),
    )
    assert told == [(1, 2), (2, 2)]
    assert report.search.n == 3
    assert report.answers
    assert report.answers.measures["exact_match"].n == 2
    found = report.answers.measures["found"]
    assert (found.value, found.n) == (0.5, 2)
    samples = [json.loads(line) for line in (tmp_path / "samples.jsonl").read_text().splitlines()]
    assert [sample["prompt"] for sample in samples] == [row["prompt"] for row in ROWS[:2]]
    assert [sample["documents"] for sample in samples] == [["fees.md"], ["hours.md"]]
    assert [sample["is_cut"] for sample in samples] == [True, True]
    assert (report.answers.num_cut, report.answers.max_new_tokens) == (2, 4)
    assert "2 answers cut after 4 tokens (--max-new-tokens)" in text_of(report)
    assert report.answers.samples
    assert report.answers.samples.path == str(tmp_path / "samples.jsonl")
    assert "a right document is among the passages" in text_of(report)


def test_a_part_of_the_questions_is_spread_evenly(opened: OpenIndex, questions: str) -> None:
    report = evaluate(opened, Answering(ANSWERER, limit=1), questions=questions)
    assert report.answers
    assert report.answers.measures["exact_match"].n == 1


def test_a_question_that_is_too_long_with_its_passages_is_named_before_any_is_asked(
    opened: OpenIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = {**ROWS[1], "prompt": "When does it open? " + "Please say. " * 90}
    path = tmp_path / "q.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in (ROWS[0], long)))
    monkeypatch.setattr(rag_answers, "_ask_model", None)
    what = r"^q\.jsonl: 'When does it open\? .{,50}': passages and question are [\d,]+ tokens"
    with pytest.raises(DataError, match=what) as raised:
        evaluate(opened, Answering(ANSWERER), questions=str(path))
    assert "`results`" in raised.value.hint


def test_an_answer_that_ends_by_itself_is_not_cut(
    opened: OpenIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = rag_ask.ask(opened, "What does the card cost?", None, ANSWERER)
    assert cut.cut_after == ANSWERER.max_new_tokens
    every = frozenset(range(tiny.VOCAB))
    monkeypatch.setattr(Chat, "stop_ids", every)
    assert rag_ask.ask(opened, "What does the card cost?", None, ANSWERER).cut_after is None


def test_a_prompt_may_fill_what_the_model_reads_and_no_more(opened: OpenIndex) -> None:
    def asked(max_new_tokens: int) -> str:
        answerer = Answerer(ANSWERER.model, max_new_tokens=max_new_tokens)
        with pytest.raises(DataError) as raised:
            rag_ask.ask(opened, "What does the card cost?", None, answerer)
        assert "--limit" in raised.value.hint
        return str(raised.value)

    found = re.search(
        r"are (\d+) tokens and the answer up to 400 more; tiny reads at most 400$", asked(400)
    )
    assert found
    room = READS - int(found[1])
    assert asked(room + 1)
    fits = Answerer(ANSWERER.model, max_new_tokens=room)
    assert rag_ask.ask(opened, "What does the card cost?", None, fits).passages


def test_where_a_config_names_no_length_every_prompt_fits(opened: OpenIndex) -> None:
    talker = rag_ask.load_talker("tiny")
    assert rag_ask.overlong(talker, READS, 1)
    del talker.lm.model.config.max_position_embeddings
    assert not rag_ask.overlong(talker, READS, 1)


def test_without_a_model_only_the_search_is_measured(opened: OpenIndex, questions: str) -> None:
    report = evaluate(opened, Answering(Answerer("")), questions=questions)
    assert (report.search.n, report.answers) == (3, None)


@pytest.mark.parametrize(
    ("asking", "rows", "what"),
    [
        (Answering(ANSWERER), ROWS[2:], r"q\.jsonl: no question has a `completion`"),
        (Answering(ANSWERER), [], r"q\.jsonl: "),
        (Answering(ANSWERER), None, "there are no questions with answers"),
        (Answering(Answerer(""), limit=3), ROWS, "--answers is of a model's answers"),
        (
            Answering(Answerer(""), samples=Path("s.jsonl")),
            ROWS,
            "--samples is of a model's answers",
        ),
        (Answering(ANSWERER, samples=Path("fees.md")), ROWS, "already there"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_measured(
    opened: OpenIndex,
    questions: str,
    monkeypatch: pytest.MonkeyPatch,
    asking: Answering,
    rows: list[object] | None,
    what: str,
) -> None:
    monkeypatch.setattr(rag_answers, "load_talker", None)
    monkeypatch.setattr(rag_answers, "evaluate_rag", None)
    Path(questions).write_text("".join(json.dumps(row) + "\n" for row in rows or ()))
    with pytest.raises(DataError, match=what):
        evaluate(opened, asking, questions=questions if rows is not None else "")
