"""The questions of `decide` on the terminal."""

import sys

from finewright.decide.questions import Question


def reply(question: Question, complaint: str) -> str:
    """Ask on stderr, answer from stdin; the end of the input answers unknown."""
    lines = [f"\n{complaint}" if complaint else f"\n{question.text}", f"  why: {question.why}"]
    sys.stderr.write("\n".join(lines) + f"\n  [{question.example}, or unknown] > ")
    sys.stderr.flush()
    return sys.stdin.readline()
