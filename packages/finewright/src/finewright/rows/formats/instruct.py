"""Instructions in other keys than Alpaca's, as Axolotl's types and public sets have them.

docs/dataset-formats/inst_tune.qmd of axolotl-ai-cloud/axolotl: gpteacher (`instruction`, `input`,
`response`; Dolly's `context` is its input), oasst (`INSTRUCTION`, `RESPONSE`), explainchoice and
concisechoice (`question`, `choices`, and `solution` or `explanation`; choices are listed as Axolotl lists
them). The words that its prompters write around them are not: the model's own chat template is."""

from collections.abc import Iterator

from finewright.rows.formats.native import Expected, KeyedValue, Native, form, native, text
from finewright.rows.formats.turns import text_or_error, tools_of, with_system
from finewright.rows.notes import Json, RowNotes

_INPUTS = ("input", "context")
_SOLVED = ("solution", "explanation", "answer")
_LETTERS = "ABCDEFGHIJ"


def _read_instruction(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    question_key, answer_key = _keys(data)
    parts = [(key, text_or_error(key, data.get(key), notes)) for key in (question_key, *_INPUTS)]
    filled = [(key, part) for key, part in parts if part.strip()]
    if not filled:
        notes.error(question_key, "empty: nothing is asked", "write it, or leave the row out")
    question = text(
        filled[0][0] if filled else question_key, "user", "\n".join(p for _, p in filled)
    )
    before = with_system([question], data, notes)
    answer = text(answer_key, "assistant", data[answer_key])
    said = [*([] if isinstance(before, KeyedValue) else before), answer]
    used = (question_key, answer_key, *_INPUTS, "system")
    yield native("messages", data, {"messages": said}, tools_of(data), used)


def _keys(data: Json) -> tuple[str, str]:
    is_oasst = "INSTRUCTION" in data and "RESPONSE" in data
    return ("INSTRUCTION", "RESPONSE") if is_oasst else ("instruction", "response")


def _read_choice(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    key = _find_solution_key(data)
    question = text_or_error("question", data["question"], notes)
    listed = [f"{mark} {choice}" for mark, choice in _mark_choices(data["choices"], data[key])]
    said = [
        text("question", "user", "\n".join([question, *listed])),
        text(key, "assistant", data[key]),
    ]
    used = ("question", "choices", key)
    yield native("messages", data, {"messages": said}, tools_of(data), used)


def _mark_choices(choices: list[str], answer: str) -> Iterator[tuple[str, str]]:
    """The choices as a list; with letters where the answer is one of these."""
    if answer.strip() in _LETTERS[: len(choices)]:
        yield from (
            (f"{letter}.", choice) for letter, choice in zip(_LETTERS, choices, strict=False)
        )
    else:
        yield from (("-", f'"{choice}"') for choice in choices)


def _find_solution_key(data: Json) -> str:
    return next(
        (key for key in _SOLVED if isinstance(data.get(key), str) and data[key].strip()), ""
    )


def _are_choices(data: Json, expected: Expected) -> bool:
    choices = data["choices"]
    are_texts = isinstance(choices, list) and all(isinstance(each, str) for each in choices)
    is_question = are_texts and bool(choices) and isinstance(data["question"], str)
    return is_question and bool(_find_solution_key(data))


# fmt: off
FORMS = (
    form("axolotl", "instruction response", ("messages", "prompt_completion"), _read_instruction,
         yields_to="chosen_response completion output prompt",
         why="an instruction and its answer: `instruction`, `input` or `context`, `response`"),
    form("axolotl", "INSTRUCTION RESPONSE", ("messages", "prompt_completion"), _read_instruction,
         yields_to="chosen_response completion output prompt",
         why="an instruction and its answer: `INSTRUCTION`, `input` or `context`, `RESPONSE`"),
    form("axolotl", "question choices", ("messages", "prompt_completion"), _read_choice, _are_choices,
         yields_to="chosen prompt",
         why="a question with choices, and their `solution`, `explanation` or `answer`"),
)
# fmt: on
