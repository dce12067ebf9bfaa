"""How answers behave, whatever they score: do they end, repeat themselves, drift to another language?"""

from collections.abc import Iterable, Iterator, Sequence

from finewright.judge.json_text import parse_json
from finewright.judge.statistics import wilson
from finewright.judge.text import valid_json
from finewright.schema.evaluate import Sample
from finewright_advice.judge.drift import LanguageOf, other_language, other_script
from finewright_advice.judge.endings import loops
from finewright_advice.schema.bakeoff_report import AnswerBehaviour, AnswerShare

_MOST_STRAYS = 5
_LONGEST_SHOWN = 80


def behaviour(
    samples: Sequence[Sample], language_of: LanguageOf | None, *, confidence: float
) -> AnswerBehaviour:
    """The shares of the answers, of which there is at least one; without `language_of` none is looked at.

    An end that repeats itself does not count where the expected answer's does too."""
    scripts = [other_script(s.answer, s.prompt, s.expected) for s in samples]
    languages = _languages(samples, language_of)
    of_json = [s for s in samples if _is_json(s.expected)]

    def share(of: Iterable[object]) -> AnswerShare:
        return _share(list(of), confidence)

    return AnswerBehaviour(
        ended=share(s.stopped for s in samples),
        looped=share(map(_is_looped, samples)),
        other_script=share(scripts),
        other_language=share(languages) if language_of else None,
        valid_json=share(valid_json(s.answer, "") for s in of_json) if of_json else None,
        strays=tuple(_strays(samples, scripts, languages))[:_MOST_STRAYS],
    )


def _languages(samples: Sequence[Sample], language_of: LanguageOf | None) -> list[str]:
    if language_of is None:
        return [""] * len(samples)
    return [other_language(s.answer, s.expected, language_of) for s in samples]


def _is_json(text: str) -> bool:
    parsed = parse_json(text)
    return parsed is not None and isinstance(parsed.value, dict | list)


def _share(of: Sequence[object], confidence: float) -> AnswerShare:
    count = sum(map(bool, of))
    low, high = wilson(count, len(of), confidence=confidence)
    return AnswerShare(count=count, n=len(of), low=low, high=high)


def _strays(
    samples: Sequence[Sample], scripts: Sequence[str], languages: Sequence[str]
) -> Iterator[str]:
    for sample, script, language in zip(samples, scripts, languages, strict=True):
        odd = [what for what in (script.capitalize(), language and f"language {language}") if what]
        if odd:
            shown = " ".join(sample.answer.split())[:_LONGEST_SHOWN]
            yield f"{sample.data}:{sample.row}: {', '.join(odd)}: {shown}"


def _is_looped(sample: Sample) -> bool:
    return (loops(sample.answer) or loops(sample.thoughts)) and not loops(sample.expected)
