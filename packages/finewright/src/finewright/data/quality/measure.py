"""All figures of the rows' quality, in the order in which a reader wants them.

How long prompts, answers and whole rows are.

Which natural languages the rows speak, and which answer in another than they are asked in.

Answers that say nothing or little, that decline, and that are code.

Phrases that many answers share: beginnings, ends, and whole sentences."""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from finewright.data.quality.figures import bar, bars, histogram, notice, summary
from finewright.data.quality.labels import conflicts, label_balance
from finewright.guard.quality.code import MOSTLY_CODE, code_part
from finewright.guard.quality.languages import TOO_SHORT, UNCLEAR, LanguageOf
from finewright.guard.quality.refusals import refuses
from finewright.rows.texts import answer_text, passages, prompt_text
from finewright.schema.common import Problem
from finewright.schema.data_check import Bar, Figure, QualityReport
from finewright.schema.rows import Row

# Also the ends of Chinese and Japanese sentences, the full-width stop and marks.
_SENTENCE = re.compile(r"[^.!?\u3002\uff01\uff1f\n]+[.!?\u3002\uff01\uff1f]*")


_EDGE_WORDS = 4


_FEWEST_WORDS = 4


_FEWEST_LETTERS = 16


_LONGEST = 200


_FEWEST_ROWS = 5


_SHARE = 0.05


_MOST_SHOWN = 15


# Phrases of all answers of a large set would not fit in memory, and a share is as well told by a part.
_MOST_READ = 20_000


_VERY_SHORT = 3


CODE = "code"


_MANY_REFUSALS = 0.05


def quality(
    rows: Sequence[Row],
    *,
    count_tokens: Callable[[str], int] | None = None,
    language_of: LanguageOf | None = None,
) -> QualityReport:
    """What the rows are like. Tokens and languages are measured where it is said who tells them.

    Figures are facts; what deserves a look is a warning: contradictions, one label for nearly all,
    empty answers, and more than 5 % refusals."""
    balance, contradictions = label_balance(rows), conflicts(rows)
    short, refused = short_answers(rows), refusal_share(rows)
    figures: list[Figure | None] = [
        *lengths(rows, count_tokens),
        *(languages(rows, language_of) if language_of else ()),
        balance.figure,
        contradictions.figure,
        boilerplate(rows),
        refused,
        short,
        code_share(rows),
    ]
    problems = [*balance.problems, *contradictions.problems]
    problems += _empty(short, rows) + _declining(refused, rows)
    return QualityReport(
        rows=len(rows), figures=tuple(f for f in figures if f), problems=tuple(problems)
    )


def _empty(short: Figure, rows: Sequence[Row]) -> list[Problem]:
    empty = next((bar for bar in short.bars if bar.label == "empty"), None)
    if empty is None:
        return []
    many = "1 answer is" if empty.count == 1 else f"{empty.count} answers are"
    message = f"{many} empty, this one first"
    return [_notice(short, "empty", rows, message, "write the answers, or take the rows out")]


def _declining(refused: Figure, rows: Sequence[Row]) -> list[Problem]:
    share = refused.summary.get("share", 0)
    if share < _MANY_REFUSALS:
        return []
    message = f"{100 * share:.0f} % of the answers decline to answer, this one first"
    label = refused.bars[0].label
    hint = "a model learns to refuse from few of them; keep those that you mean"
    return [_notice(refused, label, rows, message, hint)]


def _notice(figure: Figure, label: str, rows: Sequence[Row], message: str, hint: str) -> Problem:
    first = next(bar for bar in figure.bars if bar.label == label).rows[0]
    row = next(
        row for row in rows if (row.file, row.row, row.id) == (first.file, first.row, first.id)
    )
    return notice([row], "", message, hint)


def lengths(rows: Sequence[Row], count_tokens: Callable[[str], int] | None) -> list[Figure]:
    """Characters of prompts and answers, and tokens of rows where a tokenizer counts them.

    Tokens are those of the texts; what a chat template puts around them is not counted."""
    answered = [row for row in rows if not row.is_prompt]
    figures = [
        _histogram(
            "prompt_characters",
            "Characters of the prompt",
            "All that stands before the answer.",
            [(row, len(prompt_text(row))) for row in rows],
        ),
        _histogram(
            "answer_characters",
            "Characters of the answer",
            "The last turn that is learned; calls of tools are not counted.",
            [(row, len(answer_text(row))) for row in answered],
        ),
    ]
    if count_tokens is not None:
        figures.append(
            _histogram(
                "tokens",
                "Tokens of the row",
                "All texts of the row that a model reads, by the tokenizer of the base model; "
                "without the marks of a chat template.",
                [(row, _tokens(row, count_tokens)) for row in rows],
            )
        )
    return figures


def _histogram(name: str, title: str, about: str, counted: Sequence[tuple[Row, int]]) -> Figure:
    return Figure(
        name=name,
        title=title,
        about=about,
        kind="histogram",
        rows=len(counted),
        bars=histogram(counted),
        summary=summary([n for _, n in counted]),
    )


def _tokens(row: Row, count_tokens: Callable[[str], int]) -> int:
    return sum(count_tokens(p.text) for p in passages(row) if p.role != "column")


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


def short_answers(rows: Sequence[Row]) -> Figure:
    """Answers of no character that is not space, of one, and of two. A call of a tool is an answer."""
    groups: dict[int, list[Row]] = defaultdict(list)
    answered = [row for row in rows if not row.is_prompt]
    for row in answered:
        length = len(answer_text(row).strip())
        if length < _VERY_SHORT and not (row.answer or {}).get("tool_calls"):
            groups[length].append(row)
    labels = {0: "empty", 1: "1 character", 2: "2 characters"}
    return Figure(
        name="short_answers",
        title="Empty and very short answers",
        about="Less than three characters, space at the ends aside; no text but a call of a tool is "
        "not empty.",
        kind="bars",
        rows=len(answered),
        bars=tuple(bar(labels[n], groups[n], is_notable=n == 0) for n in sorted(groups)),
    )


def refusal_share(rows: Sequence[Row]) -> Figure:
    """Answers that begin with a refusal, by its language."""
    groups: dict[str, list[Row]] = defaultdict(list)
    answered = [row for row in rows if not row.is_prompt]
    for row in answered:
        language = refuses(answer_text(row))
        if language:
            groups[language].append(row)
    return Figure(
        name="refusals",
        title="Answers that decline",
        about="By phrases in 15 languages at the beginning of the answer.",
        kind="bars",
        rows=len(answered),
        bars=bars(groups),
        summary={"share": sum(map(len, groups.values())) / len(answered)} if answered else {},
    )


def code_share(rows: Sequence[Row]) -> Figure:
    """Answers by how much of them is code: lines in fences, and lines that look like code."""
    groups: dict[str, list[Row]] = {"no code": [], "some code": [], "mostly code": []}
    answered = [row for row in rows if not row.is_prompt]
    for row in answered:
        share = code_part(answer_text(row))
        kind = "no code" if share == 0 else "some code" if share < MOSTLY_CODE else "mostly code"
        groups[kind].append(row)
    return Figure(
        name="code",
        title="Code in the answers",
        about="Lines in code fences, and lines that begin or end as code does; mostly: half of the "
        "characters. JSON counts as code.",
        kind="histogram",
        rows=len(answered),
        bars=tuple(bar(kind, found) for kind, found in groups.items()),
    )


def boilerplate(rows: Sequence[Row]) -> Figure:
    """What at least 5 % of the answers, and 5 of them, share: their first or last four words, or a
    sentence of four words or more. Answers that are equal as a whole count once.

    What answers of a fixed form share is meant; a phrase that is not teaches a mannerism. Of more than
    20,000 different answers, as many are read, evenly spread; the figure says of how many."""
    answered = _spread(_distinct(row for row in rows if not row.is_prompt))
    found: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in answered:
        for key in set(_phrases(answer_text(row))):
            found[key].append(row)
    fewest = max(_FEWEST_ROWS, math.ceil(_SHARE * len(answered)))
    shared = {key: rows for key, rows in found.items() if len(rows) >= fewest}
    return Figure(
        name="boilerplate",
        title="Phrases that many answers share",
        about="Shared by at least 5 % of the different answers, and by 5: the first four words, the "
        "last four, or a sentence.",
        kind="bars",
        rows=len(answered),
        bars=tuple(_bars_to_show(shared))[:_MOST_SHOWN],
    )


def _bars_to_show(shared: dict[tuple[str, str], list[Row]]) -> Iterator[Bar]:
    """The most shared first; a beginning or an end is left out where its whole sentence is as common."""
    sentences = [(text, rows) for (kind, text), rows in shared.items() if kind == "says"]
    for (kind, text), rows in sorted(shared.items(), key=lambda item: (-len(item[1]), item[0])):
        is_part = kind != "says" and any(
            text in sentence and len(others) >= len(rows) for sentence, others in sentences
        )
        if not is_part:
            yield bar(f"{kind}: {text}", rows)


def _phrases(text: str) -> Iterator[tuple[str, str]]:
    words = text.split()
    if len(words) > _EDGE_WORDS:
        yield "begins", " ".join(words[:_EDGE_WORDS])
        yield "ends", " ".join(words[-_EDGE_WORDS:])
    for match in _SENTENCE.finditer(text):
        sentence = " ".join(match[0].split())
        if (
            len(sentence.split()) >= _FEWEST_WORDS
            and sum(map(str.isalpha, sentence)) >= _FEWEST_LETTERS
        ):
            yield "says", sentence[:_LONGEST]


def _spread(rows: list[Row]) -> list[Row]:
    step = max(1, math.ceil(len(rows) / _MOST_READ))
    return rows[::step]


def _distinct(rows: Iterable[Row]) -> list[Row]:
    return list({answer_text(row): row for row in rows if answer_text(row).strip()}.values())
