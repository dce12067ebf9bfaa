"""Which languages rows speak."""

from tests.guard.quality.test_languages import ARTICLE_1, language_of

from finewright.data.quality.measure import CODE, languages
from finewright.guard.quality.languages import TOO_SHORT

from .rows import prompt, row


def test_the_mix_is_that_of_the_answers() -> None:
    english, german = ARTICLE_1["en"], ARTICLE_1["de"]
    known = [
        row(german, german, 1),
        row(german, english, 2),
        row("ja", english, 3),
        row("def f(x):\n    return g(x)\n", english, 4),
        prompt(english, 5),
    ]
    mix, switches = languages(known, language_of)
    assert {b.label: [r.row for r in b.rows] for b in mix.bars} == {
        "de": [1, 2], "en": [5], TOO_SHORT: [3], CODE: [4],
    }  # fmt: skip
    assert [(b.label, [r.row for r in b.rows]) for b in switches.bars] == [
        ("en answered in de", [2])
    ]
