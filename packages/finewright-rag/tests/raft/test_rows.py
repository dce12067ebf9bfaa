"""RAFT rows of real documents with overloads: what they promise holds of every row."""

import json
from collections import Counter
from collections.abc import Iterator
from math import comb
from pathlib import Path

import pytest

from finewright.judge.quotes import ABSTENTION, abstains, find_quotes, stands_in_passages
from finewright.schema.passages import Document
from finewright.schema.raft import RaftQuestion, RaftRow, RaftSpec
from finewright_rag.indexing.build import build_index
from finewright_rag.raft.evidence import says_the_same
from finewright_rag.raft.rows import Raft, RaftSearch
from finewright_rag.stores import sqlite
from finewright_rag.stores.index import FORMAT, About, Index

SAMPLE = Path(__file__).parent / "natspec_sample"


def lines(name: str) -> Iterator[dict[str, object]]:
    return map(json.loads, (SAMPLE / name).read_text(encoding="utf-8").splitlines())


DOCUMENTS = {
    str(row["id"]): Document(
        str(row["id"]), str(row["text"]), str(row["title"]), str(row["source"]), "MIT"
    )
    for row in lines("documents.jsonl")
}
QUESTIONS = [
    RaftQuestion(str(row["prompt"]), str(row["completion"]), tuple(row["gold"]), "MIT", "sample")  # type: ignore[arg-type]
    for row in lines("questions.jsonl")
]


def indexed(path: Path, documents: list[Document]) -> Index:
    index = sqlite.create(path, About(FORMAT, "", 0, 1200, {"lexical": 1.0}))
    build_index(index, None, documents, 1200)
    return index


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    made = indexed(tmp_path_factory.mktemp("raft") / "index.sqlite", list(DOCUMENTS.values()))
    yield made
    made.close()


def made_of(
    index: Index, questions: list[RaftQuestion], **told: object
) -> tuple[Raft, list[RaftRow]]:
    raft = Raft(RaftSearch(index, None, frozenset()), RaftSpec.model_validate(told))
    rows = [raft.row(question) for question in questions]
    return raft, [row for row in rows if not isinstance(row, str)]


@pytest.fixture(scope="module")
def made(index: Index) -> tuple[Raft, list[RaftRow]]:
    return made_of(index, QUESTIONS)


def texts(row: RaftRow) -> list[str]:
    return [DOCUMENTS[p["document"]].text[p["start"] : p["end"]] for p in row["passages"]]


def answer(row: RaftRow) -> str:
    return str(row["messages"][-1]["content"])


def question_of(row: RaftRow) -> RaftQuestion:
    return next(q for q in QUESTIONS if row["messages"][0]["content"].endswith(f"\n\n{q.prompt}"))


def test_every_question_becomes_a_row_or_is_counted(made: tuple[Raft, list[RaftRow]]) -> None:
    raft, rows = made
    assert len(rows) + raft.dropped.total() == len(QUESTIONS)
    assert Counter(row["kind"] for row in rows) == raft.kinds
    assert sum(len(r["passages"]) - len(r["quoted"]) for r in rows) == raft.num_distractors
    # Nearly all answers are sentences of their documents.
    assert raft.dropped.total() <= 3


def test_a_quote_stands_in_the_passage_of_its_number(made: tuple[Raft, list[RaftRow]]) -> None:
    for row in made[1]:
        if row["kind"] == "with_gold":
            block, _, rest = answer(row).partition("\n\n")
            quotes = [line.partition(" ") for line in block.split("\n")]
            for number, _, words in quotes:
                passage = texts(row)[int(number.strip("[]")) - 1]
                assert " ".join(words.strip('"').split()) in " ".join(passage.split())
                assert stands_in_passages(find_quotes(f"{number} {words}")[0], [passage])
            assert sorted({int(n.strip("[]")) for n, _, _ in quotes}) == row["quoted"]
            assert rest == question_of(row).completion


def test_only_rows_with_their_passage_quote(made: tuple[Raft, list[RaftRow]]) -> None:
    for row in made[1]:
        if row["kind"] == "unanswerable":
            assert answer(row) == ABSTENTION
            assert abstains(answer(row))
        elif row["kind"] == "from_memory":
            assert answer(row) == question_of(row).completion
        assert bool(row["quoted"]) == (row["kind"] == "with_gold")


def test_a_row_without_gold_has_neither_its_text_nor_what_says_the_same(
    index: Index, made: tuple[Raft, list[RaftRow]]
) -> None:
    with_gold = {
        question_of(row): row
        for row in made_of(index, QUESTIONS, gold_share=1, unanswerable_share=0)[1]
    }
    alone = [row for row in made[1] if row["kind"] != "with_gold"]
    assert len(alone) > 20
    for row in alone:
        gold = with_gold[question_of(row)]
        golden = [texts(gold)[number - 1] for number in gold["quoted"]]
        assert not {p["document"] for p in row["passages"]} & set(row["gold"])
        for text in texts(row):
            assert question_of(row).completion not in text
            assert not any(says_the_same(text, other) for other in golden)


def test_no_distractor_is_an_overload_of_gold(made: tuple[Raft, list[RaftRow]]) -> None:
    raft, rows = made
    assert raft.passed["says_the_same_as_gold"] > 50
    for row in rows:
        golden = [texts(row)[number - 1] for number in row["quoted"]]
        others = [t for n, t in enumerate(texts(row), 1) if n not in row["quoted"]]
        assert not any(says_the_same(text, gold) for text in others for gold in golden)


def test_the_number_of_passages_does_not_tell_whether_one_answers(
    made: tuple[Raft, list[RaftRow]],
) -> None:
    numbers = {
        kind: Counter(len(r["passages"]) for r in made[1] if r["kind"] == kind).most_common(1)[0][0]
        for kind in ("with_gold", "from_memory", "unanswerable")
    }
    assert set(numbers.values()) == {5}


def test_gold_stands_at_every_place(made: tuple[Raft, list[RaftRow]]) -> None:
    places = Counter(row["quoted"][0] for row in made[1] if row["quoted"])
    assert set(places) == {1, 2, 3, 4, 5}


def within(count: int, number: int, share: float) -> bool:
    """Is the count likelier than one in 10,000, on either side? Exact, by the binomial distribution."""
    chances = [comb(number, k) * share**k * (1 - share) ** (number - k) for k in range(number + 1)]
    return min(sum(chances[: count + 1]), sum(chances[count:])) > 1e-4


@pytest.mark.parametrize(("gold_share", "unanswerable_share"), [(0.8, 0.15), (0.5, 0.3)])
def test_shares_are_those_asked_for(
    index: Index, gold_share: float, unanswerable_share: float
) -> None:
    raft, rows = made_of(
        index, QUESTIONS, gold_share=gold_share, unanswerable_share=unanswerable_share, seed=3
    )
    abstaining = raft.kinds["unanswerable"]
    assert within(abstaining, len(rows), unanswerable_share)
    assert within(raft.kinds["with_gold"], len(rows) - abstaining, gold_share)


@pytest.mark.parametrize(
    ("told", "kinds"),
    [
        ({"gold_share": 1, "unanswerable_share": 0}, {"with_gold"}),
        ({"gold_share": 0, "unanswerable_share": 0}, {"from_memory"}),
        ({"gold_share": 1, "unanswerable_share": 0.5}, {"with_gold", "unanswerable"}),
    ],
)
def test_a_share_of_one_or_none_is_exact(
    index: Index, told: dict[str, float], kinds: set[str]
) -> None:
    assert set(made_of(index, QUESTIONS[:40], **told)[0].kinds) == kinds


def test_a_row_depends_on_seed_and_content_alone(
    index: Index, made: tuple[Raft, list[RaftRow]]
) -> None:
    shuffled = QUESTIONS[90:40:-1]
    rows = {question_of(row): row for row in made[1]}
    for row in made_of(index, shuffled)[1]:
        assert row == rows[question_of(row)]
    other = made_of(index, QUESTIONS[:40], seed=1)[1]
    assert [r["kind"] for r in other] != [rows[question_of(r)]["kind"] for r in other]


def test_long_rows_lose_their_last_distractors_and_are_counted(index: Index) -> None:
    def words(messages: object) -> int:
        return len(str(messages).split())

    spec = RaftSpec(max_tokens=250)
    raft = Raft(RaftSearch(index, None, frozenset()), spec, words)
    whole = {r["messages"][0]["content"]: r for r in made_of(index, QUESTIONS)[1]}
    rows = [row for row in map(raft.row, QUESTIONS) if not isinstance(row, str)]

    assert raft.with_fewer["too_long"] > 0
    assert raft.dropped["too_long"] > 0
    assert len(rows) + raft.dropped.total() == len(QUESTIONS)
    assert len(whole) >= len(rows)
    for row in rows:
        assert words(row["messages"]) <= 250
        assert len(row["passages"]) > len(row["quoted"])


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Index]:
    texts = {
        "open": "# Cards\n\nThe yellow card costs 5 dollars a year.",
        "gpl": "# Accounts\n\nAn account has a yellow card of its own.",
        "secret": "# Loans\n\nThe yellow loan has a rate of 7 percent.",
    }
    licenses = {"gpl": "GPL-3.0"}
    groups = {"secret": ("staff",)}
    documents = [
        Document(id, text, "", "", licenses.get(id, "MIT"), groups.get(id, ()))
        for id, text in texts.items()
    ]
    made = indexed(tmp_path / "small.sqlite", documents)
    yield made
    made.close()


ASKED = RaftQuestion("What does the yellow card cost?", "5 dollars a year", ("open",), "CC0-1.0")
HIDDEN = RaftQuestion("What is the rate of the yellow loan?", "7 percent", ("secret",))
ALWAYS = RaftSpec(gold_share=1, unanswerable_share=0)


def test_the_licence_is_that_of_everything_in_the_row(small: Index) -> None:
    row = Raft(RaftSearch(small, None, frozenset()), ALWAYS).row(ASKED)
    assert not isinstance(row, str)
    assert row["license"] == "CC0-1.0 AND GPL-3.0 AND MIT"
    assert {p["document"]: p["license"] for p in row["passages"]} == {
        "open": "MIT",
        "gpl": "GPL-3.0",
    }


def test_a_question_without_gold_abstains_on_what_the_search_finds(small: Index) -> None:
    raft = Raft(RaftSearch(small, None, frozenset()), ALWAYS)
    row = raft.row(ASKED._replace(completion=ABSTENTION, gold=()))
    assert not isinstance(row, str)
    assert (row["kind"], row["quoted"], row["gold"]) == ("unanswerable", [], [])
    assert row["messages"][-1]["content"] == ABSTENTION
    assert "open" in {passage["document"] for passage in row["passages"]}


def test_what_a_group_alone_may_see_is_in_no_row_of_others(small: Index) -> None:
    public = Raft(RaftSearch(small, None, frozenset()), ALWAYS)
    staff = Raft(RaftSearch(small, None, frozenset({"staff"})), ALWAYS)

    assert public.row(HIDDEN) == "gold_not_visible"
    assert public.dropped == {"gold_not_visible": 1}
    row = staff.row(HIDDEN)
    assert not isinstance(row, str)
    assert row["quoted"] == [1 + [p["document"] for p in row["passages"]].index("secret")]


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        (ASKED._replace(completion="6 dollars a year"), "answer_not_in_gold"),
        (ASKED._replace(completion="Bananas"), "answer_not_in_gold"),
        (ASKED._replace(prompt="zebra", completion="zebra"), "gold_not_found"),
        (ASKED._replace(prompt="dollars?"), "no_distractor"),
    ],
)
def test_a_question_that_becomes_no_row_has_its_reason(
    small: Index, question: RaftQuestion, reason: str
) -> None:
    raft = Raft(RaftSearch(small, None, frozenset()), ALWAYS)
    assert raft.row(question) == reason
    assert raft.dropped == {reason: 1}
