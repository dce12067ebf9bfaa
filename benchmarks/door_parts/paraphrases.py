"""Questions in other words: what a person changes who writes a question down from memory."""

import random
import re

_WORDS = {
    "please": "kindly", "want": "would like", "need": "require", "show": "display", "big": "large",
    "get": "obtain", "help": "assist", "quickly": "fast", "also": "additionally", "choose": "select",
    "give": "provide", "make": "create", "create": "make", "write": "compose", "generate": "produce",
    "find": "determine", "describe": "explain", "explain": "describe", "many": "numerous", "buy": "purchase",
    "bought": "purchased", "start": "begin", "starts": "begins", "total": "overall", "way": "method",
    "kind": "type", "main": "principal", "important": "significant", "story": "tale", "example": "instance",
    "between": "among", "money": "cash", "what is": "what's", "calculate": "compute", "kids": "children",
    "children": "kids", "car": "automobile", "house": "home", "same": "identical", "however": "but",
}  # fmt: skip
_PATTERN = re.compile(rf"\b({'|'.join(map(re.escape, _WORDS))})\b", re.I)
_ARTICLE = re.compile(r"\b(?:the|an?) ", re.I)
_BEFORE = (
    "Could you tell me: ", "Hi, ", "Please answer this. ", "I have a question. ", "Quick question: ",
    "Hello there! ", "I was wondering, ", "Does anyone know the answer? ", "Keep it short. ",
    "Need some help here. ", "Hey team! ", "Sorry to bother you. ", "One more thing: ", "Good evening, ",
    "Can anybody help with this? ", "Urgent! ", "For my homework: ", "", "", "",
)  # fmt: skip
_AFTER = (
    " Thanks!", " Please be brief.", " Thank you in advance.", " Answer in one sentence.", " Any ideas?",
    " Appreciate it!", " Kind regards, Tom", " Many thanks in advance!", " Reply as soon as possible.",
    " Explain it step by step.", " No long explanations, please.", " Best, Maria", "", "", "",
)  # fmt: skip
_SHARE = 0.6
_WORDS_A_SLIP = 20


def paraphrased(text: str, rng: random.Random) -> str:
    """The question with 60 % of the words of a list replaced, some articles left out, a slip of the pen for
    every 20 words, its first two sentences exchanged where it has three, a greeting or thanks."""
    text = _PATTERN.sub(lambda m: _replaced(m[0]) if rng.random() < _SHARE else m[0], text)
    text = _ARTICLE.sub(lambda m: "" if rng.random() < _SHARE / 2 else m[0], text)
    places = list(re.finditer(r"\b[a-z]{5,}\b", text))
    for match in rng.sample(places, min(len(places), 1 + len(places) // _WORDS_A_SLIP)):
        word, i = match[0], rng.randrange(1, len(match[0]) - 2)
        slip = word[:i] + word[i + 1] + word[i] + word[i + 2 :]
        text = text[: match.start()] + slip + text[match.end() :]
    sentences: list[str] = re.split(r"((?<=[.!?])\s+)", text)
    if len(sentences) > len(sentences[:3]):
        text = "".join([sentences[2], sentences[1], sentences[0], *sentences[3:]])
    return rng.choice(_BEFORE) + text if rng.random() < _SHARE else text + rng.choice(_AFTER)


def _replaced(word: str) -> str:
    other = _WORDS[word.lower()]
    return other if word.islower() else other.capitalize()
