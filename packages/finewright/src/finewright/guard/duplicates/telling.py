"""What a text says, as tokens: its words, and the signs that change what is said.

Left out is what only lays a text out or is said to anybody: case, spaces, punctuation of prose, markup, a
greeting before it and thanks behind it that a sign parts from it, `please`, articles. Everything else
counts: each word, number and name, brackets, each sign of code, mathematics and money, each emoji. A text
with code or mathematics in it is read as such: there quotes and single letters count too.

Covered: courtesies in six languages, articles in English. Not covered: a greeting by name, so that two rows
with it and without it are two."""

import html
import re

from finewright.guard.duplicates.characters import normalize_characters
from finewright.guard.words import UNSPACED, WORD

_GREETINGS = (
    "(?:hi|hello|hey|dear|good (?:morning|afternoon|evening|day))"
    "(?: (?:there|team|all|sir or madam|assistant))?"
    "|greetings|hallo|guten (?:tag|morgen|abend)|hola"
    "|buen[oa]s (?:días|tardes)|bonjour|bonsoir|ciao|buongiorno|olá|bom dia"
)
_THANKS = (
    "(?:many )?thanks(?: a lot)?(?: in advance)?|thank you(?: (?:very much|so much))?(?: in advance)?|cheers"
    "|(?:(?:kind|best|warm) )?regards|best wishes|vielen dank|danke(?: im voraus)?|viele grüße"
    "|muchas gracias|gracias|merci(?: beaucoup)?|grazie(?: mille)?|obrigad[oa]"
)
_PLEASE = "please|kindly|bitte|por favor|s['\u2019]il (?:vous|te) plaît|per favore"
# What stands in quotes is spoken of.
_QUOTES = "\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb\u201e"
# A sign or a line's end parts a courtesy from what is said: not in `good day trading`, nor in `the song of
# Cheers`. Of thanks one after another three are read, lest each be tried from each.
_COURTESY = re.compile(
    rf"\A(?:[^\w{_QUOTES}]*+(?:{_GREETINGS})(?:[^\S\n]?[,!.:\n]|\s[\u2013-]\s)[,!.:\s]*+)+"
    rf"|(?:(?<=[.,;:!?)\n])|(?<=[.,;:!?)\n]\s))(?:(?:{_THANKS})(?!\w)[\s,!.]*+){{1,3}}\Z"
    rf"|(?<=\s)(?:{_THANKS})!\Z|(?<=\s)(?:many )?(?:thanks(?: in advance)?|thank you)[.!]?\Z"
    rf"|(?<![{_QUOTES}\w])(?:{_PLEASE})\b(?![{_QUOTES}])[,:]?",
    re.I,
)
# Before a word of two characters: `a` in `a b` or `f(a)` is a name, as are `A` in `option A is` and `The Who`
# behind a word in small letters.
_ARTICLE = re.compile(
    r"(?<![^\s(])(?:the|an?|(?<![a-z]\s)(?:The|An?)|(?:The|An)(?=\s+[a-z]))(?=\s+[^\W_]{2})"
)
# A text of fewer words may be about the courtesy or the article itself.
_FEWEST_WORDS = 3

# Signs that prose does not have: of assignments, comparisons, blocks, calls, sums; brackets side by side.
_FORMAL = re.compile(
    r"[={}\\^|<>\u2200-\u22ff]|\w\([^()\s]*\)(?!\w)(?<!\(s\))|[\d)]\s*[-+*/\xd7\xf7]\s*[\d(]"
    r"|[\[\](){}]\s?[\[\](){}]|(?<!\w)[-+!~]\w|--\w|\w_\w|\w\.\w+\("
)
# Between digits a point makes another number, and brackets say what goes together.
_WORDS_AND_SIGNS = re.compile(
    f"{WORD}|(?<=\\d)[.,:](?=\\d)|[^\\w\\s.,;:!?\u2026\u2013\u2014{_QUOTES}\u2022-]"
)
# Of code everything counts but what ends a clause.
_OF_CODE = re.compile(rf"{WORD}|[.,;:!?](?![.,;:!?]*(?:\s|\Z))|[^\w\s.,;:!?]")
_EVERY_SIGN = re.compile(rf"{WORD}|[^\w\s]")
_WORD = re.compile(WORD)
_SENTENCE_END = re.compile(r"(?<=[.!?\u2026])\s+|\n+|(?<=[\u3002\uff01\uff1f])")
_INITIAL = re.compile(r"(?<![^\W_])[^\W\d_]")
_ALL_CAPITAL = 0.9  # headlines leave a few small words as they are
_APOSTROPHE = re.compile(f"(?<=[^\\W{UNSPACED}])['\u2019](?=[^\\W{UNSPACED}])")
_STRAIGHT = str.maketrans("\u2018\u2019\u201a\u201c\u201d\u201e\u2212\u2013\u2014", "'''\"\"\"---")

_LINE_START = re.compile(r"^[ \t]*(?:>[> ]*|[-*\u2022\u2013\u2014] +(?=[^\W\d_]|[\"'(*\[]))+", re.M)
_ITEM = re.compile(r"^[ \t]*\(?(\w{1,2})\)(?=\s)", re.M)
# In code a `#` begins a comment.
_HEADING = re.compile(r"^[ \t]*#{1,6}(?:[ \t]+|$)", re.M)
_EMPHASIS = re.compile(r"(?<![\w*])(\*{1,3}|_{1,3})(?=[^\s*_])([^*_\n]+)(?<=[^\s*_])\1(?![\w*])")
_FENCE = re.compile(r"^[ \t]*```[^\n]*$|`", re.M)
_BLOCK = re.compile(r"\s*<(?:p|div|span|ul|ol|h[1-6]|br|blockquote|article|section)\b[^<>]*>", re.I)
_TAG = re.compile(r"</?([a-z][\w-]*)(?:\s[^<>]*)?/?>", re.I)
_OF_PROSE = (
    "p div span ul ol li h1 h2 h3 h4 h5 h6 br hr blockquote article section b i u em strong a"
)
_PROSE_TAGS = frozenset(_OF_PROSE.split())


def telling_sentences(text: str) -> list[list[str]]:
    """Of each sentence the words as they are typed, and the signs that change what is said, in order."""
    text = _APOSTROPHE.sub("", normalize_characters(text)).translate(_STRAIGHT)
    if not is_mostly_words(text):
        return [_EVERY_SIGN.findall(text)]
    text = _without_markup(text)
    is_formal = _FORMAL.search(text) is not None
    if not is_formal:
        text = _ITEM.sub(r"\1.", _HEADING.sub("", text))
    plain = text.lower() if _is_all_capital(text) else text
    said = _ARTICLE.sub(" ", _COURTESY.sub(" ", plain).lstrip())
    if len(_WORD.findall(said)) < _FEWEST_WORDS:
        said = text
    tokens = _OF_CODE if is_formal else _WORDS_AND_SIGNS
    return [found for part in _SENTENCE_END.split(said) if (found := tokens.findall(part))]


def _is_all_capital(text: str) -> bool:
    """Whether nearly all words have a capital, so that it says nothing."""
    initials = _INITIAL.findall(text)
    return sum(map(str.isupper, initials)) >= _ALL_CAPITAL * len(initials)


def is_mostly_words(text: str) -> bool:
    """Whether letters and digits are at least half of its characters, spaces not counted."""
    num_signs = sum(not char.isalnum() and not char.isspace() for char in text)
    return 2 * num_signs <= sum(not char.isspace() for char in text)


def _without_markup(text: str) -> str:
    """The text without most signs of Markdown, and of HTML where all of it is prose in HTML."""
    if _BLOCK.match(text):
        tags = {tag.lower() for tag in _TAG.findall(text)}
        if tags <= _PROSE_TAGS:
            text = html.unescape(_TAG.sub("\n", text))
    text = _LINE_START.sub("", _FENCE.sub(" ", text))
    return _EMPHASIS.sub(r"\2", text)
