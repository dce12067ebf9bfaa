"""Questions made of documents: each has one right document, which does not say it word for word any more."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from finewright.schema.passages import Document
from finewright_rag.search.questions import make_questions

TEXT = """# Cards {n}

A card of series {n} is for those who travel far and often.

## Blocking

Blocking stops every payment of series {n} at once and for good. It cannot be undone.

```
This sentence of series {n} is code and must not be asked for.
```

## Fees

- The fee of series {n} is taken on the first of every month.
"""


def documents(n: int) -> list[Document]:
    return [Document(f"d{i}", TEXT.format(n=i), title=f"Cards {i}") for i in range(n)]


def test_each_kind_is_asked_about_as_often():
    kinds = Counter(question.kind for question in make_questions(documents(30)).questions)
    assert set(kinds) == {"name", "opening", "section"}
    # Two headings and two later sections, but one opening in a document.
    assert max(kinds.values()) - min(kinds.values()) <= 2


def test_what_is_asked_was_said_in_the_right_document_and_was_taken_out():
    made = make_questions(documents(30))
    original = {document.id: document for document in documents(30)}
    left = {document.id: document for document in made.documents}
    for question in made.questions:
        (gold,) = question.gold
        if question.kind == "name":
            title, _, heading = question.prompt.partition(": ")
            assert title == left[gold].title
            assert f"## {heading}" in left[gold].text
        else:
            assert question.prompt in " ".join(original[gold].text.split())
            assert question.prompt not in " ".join(left[gold].text.split())


def test_an_opening_is_the_first_sentence_and_code_is_no_sentence():
    prompts = {q.kind: q.prompt for q in make_questions(documents(30)).questions}
    assert prompts["opening"].startswith("A card of series")
    assert not any("is code" in q.prompt for q in make_questions(documents(30)).questions)
    sections = [q.prompt for q in make_questions(documents(30)).questions if q.kind == "section"]
    assert any(prompt.startswith("The fee of series") for prompt in sections)


def test_a_sentence_that_two_documents_say_is_not_asked():
    same = [Document(f"d{i}", "Nobody knows what this sentence is about.\n" * 8) for i in range(9)]
    assert make_questions(same).questions == []


def test_where_there_is_nothing_else_a_title_is_asked_and_taken_out():
    code = [
        Document(f"d{i}", f"```\n{'x = 1 ' * 40}\n```", title=f"orders of {i}") for i in range(5)
    ]
    made = make_questions(code)
    assert {q.prompt for q in made.questions} == {f"orders of {i}" for i in range(5)}
    assert {document.title for document in made.documents} == {""}


def test_the_order_of_the_documents_does_not_matter():
    assert make_questions(documents(20)) == make_questions(reversed(documents(20)))


def test_no_more_questions_than_asked_for_and_no_document_is_lost():
    made = make_questions(documents(50), per_kind=4)
    assert max(Counter(q.kind for q in made.questions).values()) == 4
    assert {document.id for document in made.documents} == {f"d{i}" for i in range(50)}


def test_of_a_long_document_the_beginning_is_taken():
    size = len(TEXT)
    made = make_questions([*documents(3), Document("long", TEXT * 40)], most_chars=50 * size)
    found = {document.id: len(document.text) for document in made.documents}
    assert 4 * size < found["long"] <= 5 * size
    assert len(found) == 4


def test_of_many_documents_a_part_is_taken_and_of_a_huge_one_a_tenth():
    size = len(TEXT)
    huge = Document("huge", "word " * size)
    made = make_questions([*documents(50), huge], most_chars=12 * size)
    assert 10 <= len(made.documents) <= 12
    assert all(len(document.text) <= 1.2 * size for document in made.documents)
    assert {question.gold[0] for question in made.questions} <= {d.id for d in made.documents}


@given(st.lists(st.text(max_size=300), max_size=6))
def test_any_text_is_taken(texts: list[str]) -> None:
    made = make_questions([Document(str(i), text, title=text[:9]) for i, text in enumerate(texts)])
    assert len(made.documents) == len(texts)


SECTION = """## {name} of {n}

{name} of product {n} begins with this sentence. What follows explains it at length, so that a passage is left
when its first sentence is taken out, and says more of {name} than a heading could.

"""


def test_of_eight_documents_every_passage_is_asked_for():
    names = ("Setting up", "Cleaning", "Repairing")
    manuals = [
        Document(f"m{n}", "".join(SECTION.format(name=name, n=n) for name in names), f"Manual {n}")
        for n in range(8)
    ]
    made = make_questions(manuals)
    # A name and a first sentence of each of three sections; in each document the first one is an opening.
    assert Counter(q.kind for q in made.questions) == {"name": 24, "opening": 8, "section": 16}
    left = {document.id: document.text for document in made.documents}
    assert all(q.prompt not in left[q.gold[0]] for q in made.questions if q.kind != "name")
