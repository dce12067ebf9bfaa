"""The questions of general knowledge that come along."""

from finewright_advice.catalog.advice import general_questions


def test_there_are_sixty_each_asked_once_and_no_question_holds_its_answer() -> None:
    questions = general_questions()
    assert len(questions) == len({q.question for q in questions}) == 60
    assert all(q.answer and q.answer.casefold() not in q.question.casefold() for q in questions)
    # A single character would be found in almost any answer.
    assert all(len(q.answer) > 1 for q in questions)
