"""A row of no known format: which of its columns could be asked and answered, by their names and values.

A guess to confirm, never one to act on: the user writes `columns` into the spec, or does not. The words
are those that public data sets and ticket systems use, in English, German, French, Spanish, Italian."""

import re
import shlex
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from finewright.data.notes import Json, kind_of_json


def _each(words: str) -> tuple[str, ...]:
    return tuple(words.split())


_ASKED = _each(
    "prompt question query instruction input user human request problem ticket issue inquiry utterance "
    "message email source title subject text post frage anfrage eingabe aufgabe nachricht betreff "
    "anliegen pregunta consulta entrada domanda richiesta requete demande"
)
_ANSWERED = _each(
    "completion answer response output reply assistant bot gpt solution target result summary translation "
    "label category intent class antwort ausgabe losung ergebnis loesung kategorie zusammenfassung "
    "ubersetzung uebersetzung respuesta salida risposta reponse sortie resolution"
)
_BETTER = _each("chosen better preferred winner accepted good positive best besser gut")
_WORSE = _each("rejected worse dispreferred loser bad negative worst schlechter schlecht")
_CONTEXT = _each(
    "context passage document background kontext hintergrund contexte contexto contesto"
)
_BESIDE = frozenset(
    _each(
        "id uuid key url link source date time timestamp created lang language locale split license meta "
        "author name file path hash type version sprache datum quelle"
    )
)


class Proposal(NamedTuple):
    """Our keys -> the row's, and what speaks for them."""

    columns: Mapping[str, str]
    why: str

    def line(self) -> str:
        """As it is written into the spec."""
        pairs = ", ".join(f"{ours}: {theirs}" for ours, theirs in self.columns.items())
        return f"columns: {{{pairs}}}"

    def options(self) -> str:
        """As it is written on the command line."""
        pairs = (f"{ours}={theirs}" for ours, theirs in self.columns.items())
        return " ".join(f"--column {shlex.quote(pair)}" for pair in pairs)


def proposal_of(data: Json) -> Proposal | None:
    """What could be asked and answered in the row; None where nothing speaks for anything."""
    return _proposal(tuple((key, _kind(value)) for key, value in data.items()))


def _kind(value: object) -> str:
    """`turns` for a list of messages, else what a user calls such a value."""
    first = value[0] if isinstance(value, list) and value else None
    if isinstance(first, dict) and ({"role", "content"} <= first.keys() or "from" in first):
        return "turns"
    return kind_of_json(value)


@lru_cache(maxsize=4096)
def _proposal(kinds: tuple[tuple[str, str], ...]) -> Proposal | None:
    turns = [key for key, kind in kinds if kind == "turns"]
    texts = [key for key, kind in kinds if kind in ("text", "turns")]
    better, worse = _named(texts, _BETTER), _named(texts, _WORSE)
    if better and worse and better != worse:
        asked = _named(_others(texts, better, worse), _ASKED)
        pair = {"chosen": better, "rejected": worse}
        why = f"`{better}` reads like the better answer, `{worse}` like the worse"
        return Proposal({"prompt": asked, **pair} if asked else pair, why)
    if turns:
        return Proposal({"messages": turns[0]}, f"`{turns[0]}` is a list of messages")
    return _question_and_answer(texts) or _two_texts(texts)


def _question_and_answer(texts: list[str]) -> Proposal | None:
    answered = _named(texts, _ANSWERED)
    context = _named(_others(texts, answered), _CONTEXT)
    asked = _named(_others(texts, answered, context), _ASKED)
    if answered and not asked and context:
        asked, context = context, ""
    if answered and asked:
        why = f"`{asked}` reads like what is asked, `{answered}` like what is answered"
        if context:
            columns = {"instruction": asked, "input": context, "output": answered}
            return Proposal(columns, f"{why}, `{context}` like what it is asked about")
        return Proposal({"prompt": asked, "completion": answered}, why)
    return None


def _two_texts(texts: list[str]) -> Proposal | None:
    said = [key for key in texts if _BESIDE.isdisjoint(_words(key))]
    if len(said) != len(("asked", "answered")):
        return None
    columns = dict(zip(("prompt", "completion"), said, strict=True))
    return Proposal(columns, "they are the row's two texts, in this order")


def _others(texts: Iterable[str], *taken: str) -> list[str]:
    return [key for key in texts if key not in taken]


def _named(keys: Iterable[str], words: tuple[str, ...]) -> str:
    """The key whose name is one of the words, or has one of them in it; the earliest word wins."""
    ranked = []
    for key in keys:
        name = _words(key)
        places = [i for i, word in enumerate(words) if word in name]
        if places:
            ranked.append((len(name) > 1, min(places), key))
    return min(ranked)[2] if ranked else ""


def _words(key: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", key))
    letters = "".join(c for c in plain if not unicodedata.combining(c)).casefold()
    return re.findall(r"[a-z]+", letters)
