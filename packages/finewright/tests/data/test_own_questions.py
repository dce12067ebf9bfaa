"""What many rows ask besides is no part of a question, to the letter or nearly so."""

from finewright.data.contamination import contamination
from finewright.data.questions import OwnQuestions
from guard.duplicates.made import chat

TOOLS = "tools: enabled\nExecutes commands in a terminal, whose input is a valid command.\nshell(command)\n"
QUESTIONS = (
    "Which files are in this folder", "How long has the machine been up", "Who am I on this machine",
    "How much memory is free", "Which kernel runs here", "Where is the copy of python", "What is the date",
    "Which ports are open", "How full is the hard disk", "What eats the processor", "Which users are there",
    "Which address has the network card",
)  # fmt: skip
TRAIN = [chat(TOOLS + question, f"shell('{i}')", row=i) for i, question in enumerate(QUESTIONS)]


def test_the_same_tools_make_no_leak_of_another_question() -> None:
    test = [chat(f"{TOOLS}Is the printer out of paper", "shell('lpstat')")]
    assert contamination(TRAIN, "test", test).report.found == {}
    slipped = TOOLS.replace("a valid command", "one valid comand")
    test = [chat(f"Hi! {slipped}How full is the hard disk today", "shell('df -h')")]
    (leak,) = contamination(TRAIN, "test", test).report.examples
    assert (leak.kind, leak.of_row) == ("question", 8)


def test_a_row_that_only_has_usual_clauses_keeps_them() -> None:
    rows = [chat("Write a poem about the deep sea.", f"{i}") for i in range(12)]
    assert OwnQuestions(rows)(rows[0]).prompt == ["Write a poem about the deep sea."]
