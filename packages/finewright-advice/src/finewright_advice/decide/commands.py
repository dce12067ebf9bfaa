"""`finewright decide`: its options, its questions, and the one call that it is."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel

from finewright.errors import SpecError
from finewright.feature import Session, day_of
from finewright.schema.options import CommandOptions, Overrides, argument, option

if TYPE_CHECKING:
    from finewright_advice.decide.questions import InterviewQuestion

ANSWERS = Path("decide.yaml")


class DecideOptions(CommandOptions):
    """A spec with `decide`, and the day and the prices that it is judged by."""

    spec: Annotated[Path | None, argument("SPEC")] = option(
        None, "A spec with `decide`; without one, you are asked."
    )
    overrides: Overrides = ()
    prices: Path | None = option(None, "Folder of prices, in place of your own.")
    today: str = option("", "As on another day, YYYY-MM-DD.")

    def reads(self) -> Sequence[Path]:
        """The spec, or the one that the answers become."""
        return [self.spec or ANSWERS]


def decide(options: DecideOptions, session: Session) -> BaseModel:
    """The advice for the spec, or for the answers of whoever sits here."""
    from finewright.catalog.prices import check_user_folder, own_folder
    from finewright_advice.decide.run import decide_file

    check_user_folder(options.prices)
    spec = options.spec or _interview(session)
    today = day_of(options.today, "--today ") or session.today
    return decide_file(spec, options.overrides, today=today, user_prices=own_folder(options.prices))


def _interview(session: Session) -> Path:
    """The spec that answers make."""
    from finewright_advice.decide.questions import QUESTIONS
    from finewright_advice.decide.run import ask

    session.tell(f"A few questions; the answers become {ANSWERS}.\n")

    def reply(question: "InterviewQuestion", complaint: str) -> str:
        typed = session.ask(question_text(question, complaint))
        if typed:
            return typed
        session.tell("\n")
        # where the input ends before the first answer, nobody is there to ask
        if not complaint and question == QUESTIONS[0]:
            raise SpecError(
                "nobody answers: the input is empty",
                hint="finewright decide SPEC, or run it in a terminal",
            )
        session.tell(
            f"The input ended before {question.key} was answered: that and all that was not asked is taken"
            f" as unknown, as {ANSWERS} says.\n"
        )
        return typed

    return ask(reply, ANSWERS)


def question_text(question: "InterviewQuestion", complaint: str) -> str:
    """The question with its reason, or what was wrong with the last answer, and what Enter stands for."""
    from finewright_advice.catalog.advice import read_packaged_advice
    from finewright_advice.decide.case import list_assumptions
    from finewright_advice.decide.spec import DecideSpec

    text = complaint or question.text
    taken = list_assumptions(DecideSpec(), read_packaged_advice())[question.key]
    return f"\n{text}\n  why: {question.why}\n  such as {question.example}; Enter: unknown ({taken}) > "
