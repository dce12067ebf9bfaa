"""Proposals for rows of no known format."""

import pytest
import yaml

from finewright.rows.formats.propose import proposal_of

TURN = {"role": "user", "content": "Q"}
PAIR = {"prompt": "question", "completion": "answer"}
REPLY = {"role": "assistant", "content": "A"}


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        ({"question": "Q", "answer": "A"}, {"prompt": "question", "completion": "answer"}),
        ({"answer": "A", "question": "Q"}, {"prompt": "question", "completion": "answer"}),
        ({"Frage": "Q", "Antwort": "A"}, {"prompt": "Frage", "completion": "Antwort"}),
        ({"Question": "Q", "Reply": "A", "2": "x"}, {"prompt": "Question", "completion": "Reply"}),
        ({"ticket": "Q", "reply": "A", "id": "7"}, {"prompt": "ticket", "completion": "reply"}),
        ({"input": "Q", "output": "A"}, {"prompt": "input", "completion": "output"}),
        ({"userQuery": "Q", "bot_reply": "A"}, {"prompt": "userQuery", "completion": "bot_reply"}),
        (
            {"Question (EN)": "Q", "Réponse": "A"},
            {"prompt": "Question (EN)", "completion": "Réponse"},
        ),
        ({"SOLUTION": "A", "Problem": "Q"}, {"prompt": "Problem", "completion": "SOLUTION"}),
        ({"tweet": "Q", "emotion": "A", "id": "x"}, {"prompt": "tweet", "completion": "emotion"}),
        (
            {"Skill": "Math", "Difficulty": 3, "Instruction": "Add 1 and 2."},
            {"prompt": "Instruction"},
        ),
        (
            {"note": "Select the odd one from the list", "answer": "SELECT a FROM b"},
            {"prompt": "note", "completion": "answer"},
        ),
        (
            {"instruction": "Q", "context": "C", "response": "A", "category": "qa"},
            {"instruction": "instruction", "input": "context", "output": "response"},
        ),
        (
            {"question": "Q", "good": "A", "bad": "B"},
            {"prompt": "question", "chosen": "good", "rejected": "bad"},
        ),
        ({"winner": "A", "loser": "B"}, {"chosen": "winner", "rejected": "loser"}),
        ({"dialog": [TURN, REPLY]}, {"messages": "dialog"}),
        ({"dialog": [TURN, REPLY, TURN], "id": "7"}, {"messages": "dialog"}),
        ({"input": [TURN]}, {"prompt": "input"}),
        ({"input": [TURN], "ideal": "A"}, {"prompt": "input", "completion": "ideal"}),
        (
            {"input": [TURN, REPLY, TURN], "ideal": "A"},
            {"prompt": "input", "completion": "ideal"},
        ),
        (
            {"knowledge": "K", "question": "Q", "right_answer": "A", "hallucinated_answer": "B"},
            {
                "instruction": "question",
                "input": "knowledge",
                "chosen": "right_answer",
                "rejected": "hallucinated_answer",
            },
        ),
        (
            {"Question": "Q", "Best Answer": "A", "Incorrect Answers": "B; C"},
            {"prompt": "Question", "completion": "Best Answer"},
        ),
        (
            {"question": "写一个程序", "std_answer": "用5个随机数", "class": "代码"},
            {"prompt": "question", "completion": "std_answer"},
        ),
        (
            {"ask": "能吃党参吗", "title": "党参", "answer": "可以"},
            {"prompt": "ask", "completion": "answer"},
        ),
        ({"вопрос": "Q", "ответ": "A"}, {"prompt": "вопрос", "completion": "ответ"}),
        ({"用户问题": "Q", "标准答案": "A"}, {"prompt": "用户问题", "completion": "标准答案"}),
        (
            {"index": 1, "domain1": "A B", "domain2": "C D", "query": "我想撰写一篇2000字论文"},
            {"prompt": "query"},
        ),
        (
            {"instruction": "Do it.", "instruction_type": "qa", "special_tag": "none given"},
            {"prompt": "instruction"},
        ),
        ({"document": "Q", "summary": "A"}, {"prompt": "document", "completion": "summary"}),
        ({"text": "Q", "label": "A"}, {"prompt": "text", "completion": "label"}),
        (
            {
                "Ticket #": "17",
                "Kunde": "C3",
                "Anfrage (Text)": "Hello, it is broken.",
                "Lösung/Reply": "Press it.",
                "Priorität": "A",
            },
            {"prompt": "Anfrage (Text)", "completion": "Lösung/Reply"},
        ),
        (
            {"ticket": "T-1042", "Kundenanfrage": "Wo?", "Musterantwort": "Hier."},
            {"prompt": "Kundenanfrage", "completion": "Musterantwort"},
        ),
        (
            {"issue": "billing", "message": "It is broken.", "reply": "Is it?"},
            {"prompt": "message", "completion": "reply"},
        ),
        ({"Pregunta": "Q", "Respuesta": "A"}, {"prompt": "Pregunta", "completion": "Respuesta"}),
        ({"Domanda": "Q", "Risposta": "A"}, {"prompt": "Domanda", "completion": "Risposta"}),
        ({"Problème": "Q", "Réponse": "A"}, {"prompt": "Problème", "completion": "Réponse"}),
        (
            {"question": "What is 12 + 30?", "answer": "42"},
            {"prompt": "question", "completion": "answer"},
        ),
        ({"text": "It is fine", "label": 0}, {"prompt": "text", "completion": "label"}),
        ({"text": "It is fine", "label": True}, {"prompt": "text", "completion": "label"}),
        (
            {"idx": 7, "sentence": "It is", "label": 1},
            {"prompt": "sentence", "completion": "label"},
        ),
        ({"question": "Q", "answer": 3}, {"prompt": "question", "completion": "answer"}),
        (
            {"text": "It is fine", "label": 0, "label_text": "negative"},
            {"prompt": "text", "completion": "label_text"},
        ),
        ({"tweet": "It is fine", "score": "5"}, {"prompt": "tweet", "completion": "score"}),
        *(
            ({"question": "Q", "answer": "19", other: "a b c"}, PAIR)
            for other in ("response_time", "output_format", "output_style", "reply_note")
        ),
        *(
            ({"question": "Q", "answer": "A", **other}, PAIR)
            for other in (
                {"options": {"temperature": 0.7, "top_p": 1}},
                {"options": "fast"},
                {"B": "x", "C": "y"},
                {"evidence": ["doc 3"]},
                {"facts": {"a": 1}},
            )
        ),
        ({"a": "A text", "b": "A text", "id": 3}, {"prompt": "a", "completion": "b"}),
        *(
            (
                {f"{a}_source": "A text", f"{b}_target": "B text"},
                dict(zip(("prompt", "completion"), (f"{a}_source", f"{b}_target"), strict=True)),
            )
            for a, b in (("text", "text"), ("english", "german"))
        ),
    ],
)
def test_what_is_asked_and_answered_is_told_by_names_and_values(row, columns):
    proposal = proposal_of(row)
    assert proposal is not None
    assert proposal.columns == columns
    named = [theirs for theirs in columns.values() if f"`{theirs}`" in proposal.why]
    assert named or "two texts" in proposal.why


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"a": 1, "b": 2},
        {"a": "x", "b": "y", "c": "z"},
        {"text": "x"},
        {"question": "Q", "answer": 3.5},
        {"question": "Q", "priority": 3},
        {"premise": "P", "hypothesis": "H, as it is", "n": 1, "neutral": 0, "note": "N"},
        {"id": "a", "url": "b"},
        {
            "instruction": "Q",
            "orig_instruction": "Select the odd one from the list",
            "instances": [{"input": "x"}],
        },
        {"instruction": "no output here", "input": ""},
        {"instruction": "no output here", "input": "of this text"},
        {"ticket": "17", "status": "open", "reply": "It is done."},
        {"meta_instruction": "You are kind.", "category": "writing"},
        {"from": "human", "value": "Hello there"},
        {"role": "user", "content": "Hello there"},
        {"question_id": 1, "text": "It is so.", "answer_id": "x7", "model_id": "m"},
        {"Ada": "x", "She was only too happy to be in such a request, and then she said so.": "y"},
    ],
)
def test_nothing_is_proposed_where_nothing_speaks_for_it(row):
    assert proposal_of(row) is None


def test_a_proposal_is_a_line_of_the_spec():
    proposal = proposal_of({"question": "Q", "answer": "A"})
    assert proposal is not None
    assert proposal.line() == "columns: {prompt: question, completion: answer}"


def test_names_are_quoted_where_yaml_needs_it():
    row = {"question: short": "Q", "#answer, long": "A"}
    proposal = proposal_of(row)
    assert proposal is not None
    assert yaml.safe_load(proposal.line()) == {"columns": dict(proposal.columns)}
    assert set(proposal.columns.values()) == set(row)
