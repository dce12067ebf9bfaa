"""Which natural languages the rows speak, and which answer in another than they are asked in."""

from collections import defaultdict
from collections.abc import Sequence

from finewright.data.quality.figures import bar, bars
from finewright.guard.quality.code import MOSTLY_CODE, code_part
from finewright.guard.quality.languages import TOO_SHORT, UNCLEAR, LanguageOf
from finewright.rows.texts import answer_text, prompt_text
from finewright.schema.quality import Figure
from finewright.schema.rows import Row

CODE = "code"


def languages(rows: Sequence[Row], language_of: LanguageOf) -> list[Figure]:
    """The language of each row's answer (of the prompt, where there is none), and of how many rows
    the answer has another language than the prompt."""
    groups: dict[str, list[Row]] = defaultdict(list)
    differing: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        of_prompt = language_of(prompt_text(row))
        found = of_prompt if row.is_prompt else _of_answer(answer_text(row), language_of)
        groups[found].append(row)
        if found != of_prompt and not {found, of_prompt} & {TOO_SHORT, UNCLEAR, CODE}:
            differing[f"{of_prompt} answered in {found}"].append(row)
    return [
        Figure(
            name="languages",
            title="Language of the answer",
            about="By fastText lid.176 on words outside code, links and marks; of the prompt where "
            "there is no answer. Judgements below 50 % are unclear; answers that are mostly "
            "code are counted as such.",
            kind="bars",
            rows=len(rows),
            bars=bars(groups),
        ),
        Figure(
            name="language_switches",
            title="Answers in another language than the prompt",
            about="Only where both are long enough to tell. Translations are meant to be here.",
            kind="bars",
            rows=len(rows),
            bars=tuple(bar(label, found) for label, found in sorted(differing.items())),
        ),
    ]


def _of_answer(text: str, language_of: LanguageOf) -> str:
    return CODE if code_part(text) >= MOSTLY_CODE else language_of(text)
