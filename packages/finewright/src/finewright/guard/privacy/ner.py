"""Names by a spaCy pipeline that the user has in a folder: the optional eye for what lists do not know.

spaCy is no dependency of finewright; a pipeline is loaded from a folder only, never by name, so that
nothing is fetched. Of its labels those of persons are taken; places alone are no address."""

from collections.abc import Callable, Iterable
from pathlib import Path

from finewright.errors import DataError, MissingExtra
from finewright.guard.privacy.scan import PersonalSpan

_PERSONS = frozenset({"PERSON", "PER", "persName"})
_UNUSED = ("tagger", "parser", "attribute_ruler", "lemmatizer", "senter", "morphologizer")
_CONFIDENCE = 0.75


def pipeline(folder: Path) -> Callable[[str], Iterable[PersonalSpan]]:
    """Who finds names in a text, with the pipeline of that folder."""
    try:
        import spacy  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        raise MissingExtra("an NER pipeline needs spaCy", hint="pip install spacy") from None
    if not (folder / "config.cfg").is_file():
        raise DataError(
            f"{folder}: not a spaCy pipeline: there is no config.cfg in it",
            hint="name the folder of a pipeline that `nlp.to_disk` wrote",
        )
    loaded = spacy.load(folder, exclude=_UNUSED)

    def names(text: str) -> Iterable[PersonalSpan]:
        for entity in loaded(text).ents:
            if entity.label_ in _PERSONS:
                start, end = entity.start_char, entity.end_char
                yield PersonalSpan(start, end, "name", _CONFIDENCE, "a person to the NER pipeline")

    return names
