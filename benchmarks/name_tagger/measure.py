"""How often the tagger of names is right on news, encyclopedias, speeches, mails and court papers of others.

    python benchmarks/name_tagger/measure.py --sets FOLDER [--chose] [--misses 10]

FOLDER holds the repositories of `labelled.py`. None of these texts taught the tagger. Of each set 1,000
sentences are drawn: the even ones were looked at and chose its limits (`--chose`), the odd ones are reported.
A name is found where a span has half of its characters; a span is right where half of it is a name."""

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

from labelled import Columns, Sentence, rows_of, shown, written

from finewright.guard.privacy.find import find

_WIKI, _EUROPARL = "Babelscape/wikineural", "ixa-ehu/ner-evaluation-corpus-europarl"
SETS = {
    **{
        f"CoNLL {x}": Columns(_WIKI, f"data/conll/{x}/test.conllu", "\t", 1, 2)
        for x in ("en", "de", "es", "nl")
    },
    "wikigold en": Columns(_WIKI, "data/wikigold/en/test.conllu", "\t", 1, 2),
    **{
        f"WikiNEuRal {x}": Columns(_WIKI, f"data/wikineural/{x}/test.conllu", "\t", 1, 2)
        for x in ("en", "de", "fr", "es", "it", "nl", "pl", "pt", "ru")
    },
    "BSNLP pl": Columns(_WIKI, "data/bsnlp/pl/test.conllu", "\t", 1, 2),
    "WNUT en": Columns("leondz/emerging_entities_17", "emerging.test.annotated", "\t"),
    "web en": Columns("UniversalNER/UNER_English-EWT", "en_ewt-ud-test.iob2", "\t", 1, 2),
    "news pt": Columns("UniversalNER/UNER_Portuguese-Bosque", "pt_bosque-ud-test.iob2", "\t", 1, 2),
    "courts pt": Columns("davidsbatista/NER-datasets", "Portuguese/leNER-Br/test.conll", " "),
    **{
        f"Europarl {x}": Columns(_EUROPARL, f"{x}-europarl.test.conll02", "\t")
        for x in ("en", "de", "es", "it")
    },
}  # fmt: skip
_FEWEST_WORDS, _EACH = 5, 500


def half(sets: Path, columns: Columns, *, odd: bool) -> list[Sentence]:
    """Half of the sentences of a set, at most 500."""
    text = shown(sets, columns.repository, columns.path)
    rows = [written(*row) for row in rows_of(text, columns) if len(row[0]) >= _FEWEST_WORDS]
    random.Random(7).shuffle(rows)  # noqa: S311
    return rows[odd::2][:_EACH]


def _covers(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Has the first at least half of the second?"""
    common = min(one[1], other[1]) - max(one[0], other[0])
    return common > 0 and 2 * common >= other[1] - other[0]


def measured(rows: Sequence[Sentence], misses: int) -> tuple[float, float, int]:
    """Recall, precision, and how many names there are."""
    true = found = called = right = 0
    for text, names in rows:
        spans = [(span.start, span.end) for span in find(text, {"name"})]
        missed = [n for n in names if not any(_covers(span, n) for span in spans)]
        false = [span for span in spans if not any(_covers(n, span) for n in names)]
        true, found = true + len(names), found + len(names) - len(missed)
        called, right = called + len(spans), right + len(spans) - len(false)
        for start, end in [*missed, *false]:
            if misses > 0:
                print(f"  {text[start:end]!r} in {text[max(0, start - 40) : end + 40]!r}")
                misses -= 1
    return found / max(1, true), right / max(1, called), true


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=Path, required=True)
    parser.add_argument("--chose", action="store_true", help="the half that chose limits")
    parser.add_argument("--misses", type=int, default=0)
    options = parser.parse_args()
    for name, columns in SETS.items():
        rows = half(options.sets, columns, odd=not options.chose)
        recall, precision, names = measured(rows, options.misses)
        print(
            f"{name:14} {names:4} names in {len(rows)}: recall {recall:.2f}, precision {precision:.2f}"
        )


if __name__ == "__main__":
    main()
