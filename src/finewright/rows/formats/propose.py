"""A row of no known format: which of its columns could be asked and answered, by their names and values.

A guess to confirm, never one to act on: the user writes `columns` into the spec, or does not. The words
are those that public data sets and ticket systems use, in English, German, French, Spanish, Italian."""

import math
import re
import shlex
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

import yaml

from finewright.rows.notes import Json, kind_of_json


def _each(words: str) -> tuple[str, ...]:
    return tuple(words.split())


_PROMPTS = _each(
    "prompt question query instruction input user human request problem ticket issue inquiry utterance "
    "message email source title subject text post frage anfrage eingabe aufgabe nachricht betreff "
    "anliegen beschwerde auftrag pregunta consulta entrada solicitud mensaje asunto domanda quesito "
    "richiesta messaggio oggetto requete demande probleme sujet objet"
)
_ANSWERED = _each(
    "completion answer response output reply assistant bot gpt solution target result summary translation "
    "label category intent class antwort ausgabe losung ergebnis loesung kategorie zusammenfassung "
    "ubersetzung uebersetzung respuesta contestacion salida solucion risposta soluzione riassunto reponse "
    "sortie resolution resume resumen traduccion traduction traduzione"
)
# German writes them as one word with what they are about: Kundenanfrage, Musterantwort.
_ENDINGS = _each("frage anfrage nachricht antwort losung loesung")
# Not `positive` and `negative`: those are passages for embeddings, or the halves of a review.
_BETTER = _each(
    "chosen better preferred winner accepted good best besser gut mejor meilleur migliore"
)
_WORSE = _each("rejected worse dispreferred loser bad worst schlechter schlecht peor pire peggiore")
_CONTEXT = _each(
    "context passage document background article schema evidence knowledge kontext hintergrund contexte "
    "contexto contesto input body selftext description details"
)
_SYSTEMS = ("system_prompt", "system_message", "system_instruction", "sys_prompt")
_CHOICES = ("choices", "options", "candidates", "endings", "alternatives")
_BESIDE = frozenset(
    _each(
        "id uuid key url link source date time timestamp created lang language locale split license meta "
        "author name file path hash type version sprache datum quelle nummer number nr fecha kunde customer "
        "kundin cliente client priority prioritat priorite prioridad priorita status positive negative anchor"
    )
)
_TEXTS = ("text", "word", "mark", "blank", "turns", "sql", "schema")
_SQL = re.compile(r"\s*(?:select|with|insert\s+into|update|delete\s+from)\s", re.IGNORECASE)
_SQL_PARTS = re.compile(r"\b(?:from|set|values|as\s*\()\b", re.IGNORECASE)
_SCHEMA = re.compile(r"\s*create\s+(?:table|view)\s", re.IGNORECASE)
_TWO = len(("asked", "answered"))
_HAS_DIGIT = re.compile(r"\d")

# A key that holds text -> what kind of text.
Texts = Mapping[str, str]


class Proposal(NamedTuple):
    """Our keys -> the row's, and what speaks for them."""

    columns: Mapping[str, str]
    why: str

    def line(self) -> str:
        """As it is written into the spec."""
        pairs = yaml.safe_dump(
            dict(self.columns),
            default_flow_style=True,
            allow_unicode=True,
            sort_keys=False,
            width=math.inf,
        )
        return f"columns: {pairs.strip()}"

    def options(self) -> str:
        """As it is written on the command line."""
        pairs = (f"{ours}={theirs}" for ours, theirs in self.columns.items())
        return " ".join(f"--column {shlex.quote(pair)}" for pair in pairs)


def proposal_of(data: Json) -> Proposal | None:
    """What could be asked and answered in the row; None where nothing speaks for anything."""
    return _proposal(tuple((key, _kind(value)) for key, value in data.items()))


def _kind(value: object) -> str:
    """`turns` for a list of messages, `class` for a whole number or a boolean, as labels are; else what a
    user calls such a value."""
    first = value[0] if isinstance(value, list) and value else None
    if isinstance(first, dict) and ({"role", "content"} <= first.keys() or "from" in first):
        return "turns"
    if isinstance(value, int):
        return "class"
    return _kind_of_text(value) if isinstance(value, str) else kind_of_json(value)


def _kind_of_text(value: str) -> str:
    """`blank`; `mark`, such as a number, a day or an id; `word`; `sql`, a statement; `schema`, of tables;
    else `text`, of several words."""
    if not value.strip():
        return "blank"
    if _SCHEMA.match(value) or (_SQL.match(value) and _SQL_PARTS.search(value)):
        return "schema" if _SCHEMA.match(value) else "sql"
    words = value.split()
    letters = sum(map(str.isalpha, value))
    if letters <= sum(map(str.isdigit, value)) or (len(words) == 1 and _HAS_DIGIT.search(value)):
        return "mark"
    return "word" if len(words) == 1 else "text"


@lru_cache(maxsize=4096)
def _proposal(kinds: tuple[tuple[str, str], ...]) -> Proposal | None:
    turns = [key for key, kind in kinds if kind == "turns"]
    texts = {key: kind for key, kind in kinds if kind in _TEXTS}
    better, worse = _named(texts, _BETTER), _named(texts, _WORSE)
    if better and worse and better != worse:
        prompt = _prompt_in(_others(texts, better, worse))
        pair = {"chosen": better, "rejected": worse}
        why = f"`{better}` reads like the better answer, `{worse}` like the worse"
        return Proposal({"prompt": prompt, **pair} if prompt else pair, why)
    if turns:
        return Proposal({"messages": turns[0]}, f"`{turns[0]}` is a list of messages")
    if any(key in _CHOICES and kind == "a list" for key, kind in kinds):
        # They belong to the question, and a column cannot be put into another.
        return None
    classes = [key for key, kind in kinds if kind == "class"]
    found = _question_and_answer(texts) or _text_and_class(texts, classes)
    # Where two texts have a class, it is of both.
    return found or (None if _named(classes, _ANSWERED) else _two_texts(texts))


def _question_and_answer(texts: Texts) -> Proposal | None:
    answered = _answered_in(texts)
    context = _context_in(_others(texts, answered))
    prompt = _prompt_in(_others(texts, answered, context))
    if answered and not prompt and context:
        prompt, context = context, ""
    if not answered or not prompt:
        return None
    if not context and (prompt, answered) == ("question", "answer") and "category" in texts:
        context = "category"
    why = f"`{prompt}` reads like what is asked, `{answered}` like what is answered"
    columns = {"prompt": prompt, "completion": answered}
    if context:
        columns = {"instruction": prompt, "input": context, "output": answered}
        why = f"{why}, `{context}` like what it is asked about"
    systems = [key for key in _SYSTEMS if key in texts]
    return Proposal({"system": systems[0], **columns} if systems else columns, why)


def _answered_in(texts: Texts) -> str:
    """What reads like what is answered: by its whole name, else a statement of SQL, else by a part of it."""
    named = _named(texts, _ANSWERED)
    statements = [key for key, kind in texts.items() if kind == "sql"]
    is_whole = named.casefold() in _ANSWERED
    return statements[0] if statements and not is_whole else named


def _context_in(texts: Texts) -> str:
    schemas = [key for key, kind in texts.items() if kind == "schema"]
    filled = [key for key, kind in texts.items() if kind not in ("blank", "mark")]
    return schemas[0] if schemas else _named(filled, _CONTEXT)


def _text_and_class(texts: Texts, classes: list[str]) -> Proposal | None:
    """A text and the number of its class: what is asked by its name, or the row's only text."""
    answered = _named(classes, _ANSWERED)
    alone = [key for key in texts if _BESIDE.isdisjoint(_words(key))]
    prompt = _prompt_in(texts) or (alone[0] if len(alone) == 1 else "")
    if not answered or not prompt:
        return None
    why = (
        f"`{prompt}` reads like what is asked, `{answered}` like what is answered; a number is trained as its"
        " text, such as 0, and the names of the classes in its place would teach more"
    )
    return Proposal({"prompt": prompt, "completion": answered}, why)


def _two_texts(texts: Texts) -> Proposal | None:
    said = [
        key for key, kind in texts.items() if kind != "blank" and _BESIDE.isdisjoint(_words(key))
    ]
    if len(said) > _TWO:
        said = [key for key in said if texts[key] != "mark"]
    if len(said) != _TWO or texts[said[0]] == "mark" or all(_is_only_prompt(key) for key in said):
        return None
    columns = dict(zip(("prompt", "completion"), said, strict=True))
    return Proposal(columns, "they are the row's two texts, in this order")


def _is_only_prompt(key: str) -> bool:
    return bool(_named([key], _PROMPTS)) and not _named([key], _ANSWERED)


def _prompt_in(texts: Texts) -> str:
    """What reads like what is asked: of several words if there is such a one, and never an id."""
    several = _named([key for key, kind in texts.items() if kind in ("text", "turns")], _PROMPTS)
    return several or _named([key for key, kind in texts.items() if kind != "mark"], _PROMPTS)


def _others(texts: Texts, *taken: str) -> Texts:
    return {key: kind for key, kind in texts.items() if key not in taken}


def _named(keys: Iterable[str], words: tuple[str, ...]) -> str:
    """The key whose name is one of the words, or has one of them in it; the earliest word wins."""
    ranked = []
    for key in keys:
        name = _words(key)
        places = [i for i, word in enumerate(words) if _is_in(word, name)]
        if places:
            ranked.append((len(name) > 1, min(places), key))
    return min(ranked)[2] if ranked else ""


def _is_in(word: str, name: list[str]) -> bool:
    return word in name or (word in _ENDINGS and any(part.endswith(word) for part in name))


def _words(key: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", key))
    letters = "".join(c for c in plain if not unicodedata.combining(c)).casefold()
    return re.findall(r"[a-z]+", letters)
