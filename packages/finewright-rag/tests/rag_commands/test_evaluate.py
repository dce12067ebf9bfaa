"""An index is tuned on its own documents and measured on questions: by words, by vectors and by both."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from finewright.errors import DataError
from finewright.report.show import text_of
from finewright.schema.passages import Document
from finewright.schema.rag import RagSpec
from finewright_rag.evaluate import _halves, evaluate_rag
from finewright_rag.indexing.target import IndexTarget, OpenIndex
from finewright_rag.search.questions import MadeQuestions, Question
from finewright_rag.search.retrieve import find
from finewright_rag.search.tuning import tune_rag
from finewright_rag.stores.foreign import EVERYDAY
from rag.directions import Topics, index_of

if TYPE_CHECKING:
    from pathlib import Path

    from finewright_rag.stores.index import Index

PAGE = """# Card {n}

The card of series {n} was made for people who pay by phone.

## Limits

A payment with series {n} may not exceed {n}00 euros in one day.

## Loss

Whoever loses series {n} calls the bank at once and asks for another.
"""


def pages(n: int) -> list[Document]:
    return [Document(f"d{i}", PAGE.format(n=i), title=f"Card {i}") for i in range(n)]


def write(path: Path, rows: list[dict[str, object]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def opened(tmp_path: Path, index: Index, embedder: Topics | None, **spec: object) -> OpenIndex:
    rows = [{"id": d.id, "text": d.text, "title": d.title} for d in pages(60)]
    documents = write(tmp_path / "documents.jsonl", rows)
    given = RagSpec(documents=(documents,), index="index.sqlite", **spec)
    return OpenIndex(index, embedder, IndexTarget(given, tmp_path.joinpath))


def test_the_index_remembers_what_was_tuned_and_the_same_documents_give_the_same(
    tmp_path: Path,
) -> None:
    with closing(index_of(tmp_path, pages(60), embedder=Topics())) as index:
        report = tune_rag(index, Topics(), pages(60))
        assert index.about.weights == report.weights
        assert tune_rag(index, Topics(), reversed(pages(60))) == report
    # A topic is no page: vectors cannot tell one card from another, and words can.
    assert report.weights["lexical"] > report.weights["dense"]
    assert (
        report.why == f"tuned on {sum(report.questions.values())} questions made of the documents"
    )
    shares = [t.weights["dense"] / sum(t.weights.values()) for t in report.tried]
    assert shares == sorted(shares)


def test_what_documents_seldom_answer_is_asked_of_the_whole_index(tmp_path: Path) -> None:
    """It has an answer to each everyday question; the documents of the trial have none."""
    everyday = Document("everyday", "\n\n".join(EVERYDAY))
    caught = []
    for name, held in (("part", pages(60)), ("whole", [*pages(60), everyday])):
        (tmp_path / name).mkdir()
        with closing(index_of(tmp_path / name, held, embedder=Topics())) as index:
            found = tune_rag(index, Topics(), pages(60)).calibration
            assert found is not None
            caught.append(found.foreign_caught)
    assert caught[1] < caught[0]


def test_where_nothing_can_be_tuned_the_weights_stay(tmp_path: Path) -> None:
    with closing(index_of(tmp_path, pages(3), embedder=Topics())) as index:
        few = tune_rag(index, Topics(), pages(3))
        assert few.weights == index.about.weights == {"lexical": 1.0, "dense": 1.0}
        assert "not tuned" in few.why
        assert "no vectors" in tune_rag(index, None, pages(60)).why


def test_words_vectors_and_both_are_measured_on_the_same_questions(tmp_path: Path) -> None:
    rows = [{"prompt": f"limit of series {i}", "gold": [f"d{i}"]} for i in range(40)]
    questions = write(tmp_path / "asked.jsonl", rows)
    with closing(index_of(tmp_path, pages(60), embedder=Topics())) as index:
        index.remember({"lexical": 1.0, "dense": 0.0})
        report = evaluate_rag(opened(tmp_path, index, Topics()), questions=questions)
    assert (report.questions, report.n) == ("asked.jsonl", 40)
    assert list(report.weights) == ["lexical", "dense", "equal", "tuned"]
    assert report.value("lexical", "recall@1") == 1.0
    assert report.value("dense", "recall@1") < 0.2
    tuned = {s.metric: s.value for s in report.scores if s.system == "tuned"}
    assert tuned == {s.metric: s.value for s in report.scores if s.system == "lexical"}
    against = {d.against: d.value for d in report.differences if d.metric == "recall@1"}
    assert against["lexical"] == 0
    assert against["dense"] == pytest.approx(1 - report.value("dense", "recall@1"))
    assert report.passed
    assert "verdict by recall@1: tuned is better than vectors alone, as far as 40" in text_of(
        report
    )


def test_weights_that_are_worse_than_a_part_are_told(tmp_path: Path) -> None:
    rows = [{"prompt": f"limit of series {i}", "gold": [f"d{i}"]} for i in range(40)]
    write(tmp_path / "asked.jsonl", rows)
    with closing(index_of(tmp_path, pages(60), embedder=Topics())) as index:
        index.remember({"lexical": 0.0, "dense": 1.0})
        report = evaluate_rag(opened(tmp_path, index, Topics(), questions="asked.jsonl"))
    assert not report.passed
    (problem,) = report.problems
    assert problem.level == "warning"
    assert "points less of recall@1 on these questions than words alone (p = " in problem.message
    assert "verdict by recall@1: use words alone for questions like these" in text_of(report)


def test_from_few_questions_nothing_is_concluded(tmp_path: Path) -> None:
    rows = [{"prompt": f"limit of series {i}", "gold": [f"d{i}"]} for i in range(29)]
    write(tmp_path / "asked.jsonl", rows)
    with closing(index_of(tmp_path, pages(60), embedder=Topics())) as index:
        index.remember({"lexical": 0.0, "dense": 1.0})
        report = evaluate_rag(opened(tmp_path, index, Topics(), questions="asked.jsonl"))
    assert report.value("tuned", "recall@1") < report.value("lexical", "recall@1")
    assert (report.fewest, report.problems) == (30, ())
    told = "verdict by recall@1: none, 29 questions are too few to tell anything; 30 are needed"
    assert told in text_of(report)


def test_without_vectors_words_alone_are_measured(tmp_path: Path) -> None:
    questions = write(tmp_path / "asked.jsonl", [{"prompt": "series 7", "gold": ["d7"]}])
    with closing(index_of(tmp_path, pages(60), weights={"lexical": 1.0})) as index:
        report = evaluate_rag(opened(tmp_path, index, None), questions=questions)
    assert list(report.weights) == ["lexical", "tuned"]
    assert report.value("tuned", "mrr") == 1.0
    shown = text_of(report)
    assert "\n1 question, 95 % intervals" in shown
    assert "none, 1 question is too few" in shown


def test_without_questions_one_half_tunes_and_the_other_measures(tmp_path: Path) -> None:
    with closing(index_of(tmp_path, pages(60), embedder=Topics())) as index:
        before = index.about.weights
        report = evaluate_rag(opened(tmp_path, index, Topics()))
        assert index.about.weights == before
    assert report.questions == "made of the documents"
    assert report.n >= 30
    assert "the other half" in report.tuned_on


def test_an_index_alone_needs_questions(tmp_path: Path) -> None:
    spec = RagSpec(documents=("index.sqlite",), index="index.sqlite")
    with closing(index_of(tmp_path, pages(3), embedder=Topics())) as index:
        alone = OpenIndex(index, Topics(), IndexTarget(spec, tmp_path.joinpath))
        with pytest.raises(DataError, match="no questions to ask"):
            evaluate_rag(alone)


def test_made_questions_are_said_to_be_an_upper_bound_and_harder_ones_are_measured_too(
    tmp_path: Path,
) -> None:
    with closing(index_of(tmp_path, pages(60), embedder=Topics())) as index:
        report = evaluate_rag(opened(tmp_path, index, Topics()))
    assert report.are_made
    hard = {(s.system, s.metric): s.value for s in report.hard_scores}
    assert hard["lexical", "mrr"] < report.value("lexical", "mrr")
    assert set(hard) == {(s.system, s.metric) for s in report.scores}
    shown = text_of(report)
    assert "they repeat the documents' own words" in shown
    assert f"words exchanged, tuned: mrr {100 * hard['tuned', 'mrr']:.1f} %" in shown
    assert report.refused is not None
    assert "no document has this: said, wrongly, to" in shown


def asked_by_people(path: Path, n: int) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = [
        {"prompt": f"limit of series {i}", "gold": [f"d{i}"]} for i in range(n)
    ]
    write(path, rows)
    return rows


def test_questions_that_people_asked_tune_by_one_half_and_are_measured_by_the_other(
    tmp_path: Path,
) -> None:
    asked_by_people(tmp_path / "asked.jsonl", 60)
    with closing(index_of(tmp_path, pages(60), embedder=Topics())) as index:
        own = [Question(f"limit of series {i}", (f"d{i}",)) for i in range(60)]
        report = tune_rag(index, Topics(), pages(60), own)
        assert report.why == "tuned on 30 of your questions"
        assert tune_rag(index, Topics(), pages(60), own[::-1]) == report
        found = evaluate_rag(opened(tmp_path, index, Topics(), questions="asked.jsonl"))
        write(tmp_path / "new.jsonl", [{"prompt": "which limit has card 3?", "gold": ["d3"]}])
        others = evaluate_rag(opened(tmp_path, index, Topics(), questions="new.jsonl"))
        calibration = index.about.calibration
    assert found.tuned_on == "the other half of these questions"
    assert (others.tuned_on, others.num_left_out) == ("what the index remembers", 0)
    assert (found.n, found.num_left_out) == (30, 30)
    assert calibration is not None
    assert len(set(calibration.tuned_on)) == 30
    assert not found.are_made
    assert "30 questions of the file tuned the index and were not asked" in text_of(found)
    # Words find each of them, and vectors cannot tell one card from another.
    assert report.weights == {"lexical": 1.0, "dense": 0.0}


def test_with_too_few_questions_of_people_the_documents_are_asked(tmp_path: Path) -> None:
    with closing(index_of(tmp_path, pages(60), embedder=Topics())) as index:
        few = [Question(f"limit of series {i}", (f"d{i}",)) for i in range(58)]
        assert "made of the documents" in tune_rag(index, Topics(), pages(60), few).why


def test_words_alone_are_calibrated_too_and_nonsense_is_told(tmp_path: Path) -> None:
    with closing(index_of(tmp_path, pages(60), weights={"lexical": 1.0})) as index:
        report = tune_rag(index, None, pages(60))
        assert report.weights == {"lexical": 1.0}
        assert report.calibration is not None
        assert find(index, None, "limits of card series 7", limit=3).has_answer
        nonsense = find(index, None, "qwertzu asdfgh yxcvbn", limit=3)
    assert nonsense.has_answer is False


def test_the_halves_of_made_questions_are_even_and_share_no_document() -> None:
    made = [
        Question(f"{n}-{i}", (f"d{n}",), kind="name" if n % 2 else "opening")
        for n in range(42)
        for i in range(1 if n % 2 else 5)
    ]
    first, second = _halves(MadeQuestions(made, []))
    assert {q.gold for q in first}.isdisjoint(q.gold for q in second)
    assert sorted([*first, *second]) == sorted(made)
    for kind, most_apart in (("name", 1), ("opening", 5)):
        counts = [sum(q.kind == kind for q in half) for half in (first, second)]
        assert abs(counts[0] - counts[1]) <= most_apart
