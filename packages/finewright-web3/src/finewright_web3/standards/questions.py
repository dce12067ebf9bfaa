"""Questions of a standard, made by rule: each is answered by one of its sentences, word for word.

Asked is what somebody or something must do ("The token MUST NOT be paused"), what holds in a case ("if the
caller is not the owner"), whether a function must do something, what a term means, what a section says."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from finewright.sdk import digest
from finewright_web3.standards.texts import Standard, StandardSentence, sentences

_MODAL = r"(?P<modal>MUST|SHALL|SHOULD|MAY|must|shall|should)(?P<no> (?:NOT|not))?\b"
_SUBJECT = re.compile(rf"(?P<subject>[A-Z`\"][^.;:,()]{{2,70}}?) {_MODAL} (?P<verb>\w+)")
_BARE = re.compile(rf"{_MODAL} (?P<rest>.+)")
_CASE = re.compile(
    r"\b(?P<case>(?:if|when|unless|before|after|once) (?!needed|necessary|possible|applicable)"
    r"[^.;:()]{12,110}?)(?=[,.;:(]|$)"
)
_NORMATIVE = re.compile(r"\b(?:MUST|SHALL|SHOULD|must|shall|should)\b")
_TERM = re.compile(
    r"`?(?P<term>[A-Z]?[\w' ]{2,40}?)`? ?(?:-|:|\u2013|\u2014) (?P<text>[A-Za-z].{30,})"
)
_CLAUSE_END = re.compile(r"[,;:(]|\. ")
_FUNCTION = re.compile(r"`?([a-z]\w+)(?:\(.*\))?`?")
_NAME = re.compile(r"`([\w.]+)(?:\([^`]*\))?`")
# It leads to what follows, or has what is not read aloud.
_NO_ANSWER = re.compile(r":$|https?://|<\w+>|\bas follows\b|\bfollowing\b")
_LONG_WORD = re.compile(r"[a-z]{7,}")
_COMMON = frozenset(
    {
        *("standard", "implementation", "implementations", "implementer", "implementers"),
        *("contract", "contracts", "address", "addresses", "account", "accounts", "ethereum"),
        *("function", "functions", "interface", "interfaces", "compliant", "compatible", "support"),
        *("happens", "returns", "returned", "required", "specified", "approach", "storage"),
        *("considerations", "transactions", "investors"),
    }
)
# What such a subject stands for is in the sentence before, or is a clause and no thing.
_POINTS_BACK = re.compile(
    r"(?:_?note|it|this|that|they|these|those|there|we|you|he|otherwise|if|when|where|unless|for|in|on|to|as"
    r"|also|however|before|after|because|since|while|all of|any other|implementers are|by|with|instead"
    r"|example|description|additionally|furthermore|thus|therefore|similarly|alternatively|optionally|once|see|step)\b",
    re.I,
)
_MEANT = "what is meant by"
_MOST_TIMES = 4
"""What a text says of a subject that it names more often is more than one sentence."""
_MOST_SUBJECT_WORDS, _MOST_REST_WORDS = 9, 14
_SOME_WORDS = 3
_SHORTEST, _LONGEST = 40, 240
"""Characters of an answer: shorter ones say little alone, longer ones fill a small model's answer."""
_SHORT = 3
"""Letters of a name that is not known to be of one standard alone: `id`, `to`."""
_WITHOUT_NAME = 3
"""One of so many questions that say a name of one standard alone leaves its number out, as users do."""
_FORMS = ("In {name}, {question}", "{name}: {question}", "{question} (in {name})")


class StandardQuestion(NamedTuple):
    """A question, the sentence that answers it, and what it asks without the standard's name."""

    prompt: str
    answer: str
    bare: str
    standard: Standard
    headings: tuple[str, ...]
    names: frozenset[str]
    """What it says in backticks: functions, events, fields; without any, its long words, if it has some."""


def make_questions(every: Sequence[Standard]) -> list[StandardQuestion]:
    """The questions of each standard; none is made twice, and none has two answers."""
    texts = {standard.id: standard.text for standard in every}
    return [
        question
        for standard in every
        for question in _of_standard(standard, _others(texts, standard))
    ]


def _others(texts: dict[str, str], standard: Standard) -> str:
    return "\n".join(text for id, text in texts.items() if id != standard.id)


def _of_standard(standard: Standard, others: str) -> Iterator[StandardQuestion]:
    made: dict[str, list[tuple[str, StandardSentence]]] = {}
    every = list(sentences(standard))
    whole = "\n".join(sentence.text.lower() for sentence in every)
    for sentence in every:
        for bare, answer in _questions_on(sentence, whole):
            if _SHORTEST <= len(answer) <= _LONGEST and not _NO_ANSWER.search(answer):
                made.setdefault(bare, []).append((answer, sentence))
    taken: set[str] = set()
    for bare, found in made.items():
        answer, sentence = found[0]
        # A question with two answers is of neither, and a sentence is asked about once.
        if len({each for each, _ in found}) > 1 or answer in taken:
            continue
        taken.add(answer)
        names = frozenset(_NAME.findall(bare))
        is_known = not names or any(len(n) <= _SHORT or n in others for n in names)
        prompt = _prompt(standard, bare, must_name=is_known)
        yield StandardQuestion(
            prompt, answer, bare, standard, sentence.headings, names or _subject(bare)
        )


def _subject(bare: str) -> frozenset[str]:
    """The long words by which a question without names is one of its standard; one alone says little, unless
    it is what is asked for."""
    words = frozenset(_LONG_WORD.findall(bare.lower())) - _COMMON
    return words if len(words) > 1 or bare.startswith(_MEANT) else frozenset()


def _prompt(standard: Standard, bare: str, *, must_name: bool) -> str:
    """The question with the standard's name in one of three forms, or without it."""
    number = int(digest(f"{standard.id} {bare}"), 16)
    if not must_name and number % _WITHOUT_NAME == 0:
        return f"{bare[0].upper()}{bare[1:]}?"
    form = _FORMS[number // _WITHOUT_NAME % len(_FORMS)]
    question = bare if form.startswith("In") else f"{bare[0].upper()}{bare[1:]}"
    return f"{form.format(name=standard.name, question=question)}?"


def _questions_on(sentence: StandardSentence, whole: str) -> Iterator[tuple[str, str]]:
    """What can be asked of a sentence, and the answer: the first that fits; `whole` is the text in small
    letters."""
    found = (
        _of_term(sentence)
        or _of_bare(sentence)
        or _of_subject(sentence, whole)
        or _of_case(sentence)
        or _of_section(sentence)
    )
    if found:
        yield found, sentence.text


def _of_term(sentence: StandardSentence) -> str:
    found = _TERM.match(sentence.text) if sentence.is_item else None
    if found is None or _POINTS_BACK.match(found["term"]):
        return ""
    is_code = sentence.text.startswith("`")
    return f"what is `{found['term']}`" if is_code else f"{_MEANT} {found['term'].lower()}"


def _of_bare(sentence: StandardSentence) -> str:
    """Of "MUST emit the event" below a heading that names a function: must it emit the event? Else an
    implementation must."""
    found = _BARE.match(sentence.text)
    if found is None or not sentence.headings:
        return ""
    function = _FUNCTION.fullmatch(sentence.headings[-1])
    rest = _CLAUSE_END.split(found["rest"])[0].rstrip(". ").split()
    if not _SOME_WORDS <= len(rest) <= _MOST_REST_WORDS:
        return ""
    subject = f"`{function[1]}`" if function else "an implementation"
    return f"{found['modal'].lower()} {subject} {' '.join(rest)}"


def _of_subject(sentence: StandardSentence, whole: str) -> str:
    found = _SUBJECT.match(sentence.text)
    if found is None or _POINTS_BACK.match(found["subject"]):
        return ""
    subject = found["subject"].strip()
    is_vague = whole.count(subject.lower()) > _MOST_TIMES
    if is_vague or len(subject.split()) > _MOST_SUBJECT_WORDS or _NORMATIVE.search(subject):
        return ""
    if re.match(
        r"(?:The|A|An|Any|Each|Every|All|Implement\w*|Contracts?|Wallets?|Clients?)\b", subject
    ):
        subject = subject[0].lower() + subject[1:]
    verb = "be" if found["verb"] == "be" else "do"
    no = "not " if found["no"] else ""
    return f"what {found['modal'].lower()} {subject} {no}{verb}"


def _of_case(sentence: StandardSentence) -> str:
    found = _CASE.search(sentence.text) if _NORMATIVE.search(sentence.text) else None
    if found is None or _NORMATIVE.search(found["case"]):
        return ""
    return f"what has to happen {found['case'].strip()}"


def _of_section(sentence: StandardSentence) -> str:
    if not sentence.is_first or sentence.is_item or len(sentence.headings) == 0:
        return ""
    heading = sentence.headings[-1]
    if heading == "Abstract":
        return "what does its abstract say that it is"
    if len(sentence.headings) == 1 or len(heading) > len("a heading of one line, as most are"):
        return ""
    return f'what is said of "{heading.replace("`", "")}"'
