"""The bars of the benchmark on a few hundred labelled texts: our own templates, Faker's values."""

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from finewright.guard.privacy.find import SECRETS

SCRIPT = Path(__file__).parents[5] / "benchmarks" / "privacy.py"
LOCALES = ("en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT")
SEED = 77
TEMPLATES = (
    "Please write to {{email}} or call me at {{phone_number}}.",
    "Kontakt: {{email}}, Tel. {{phone_number}}",
    "Téléphone : {{phone_number}}; courriel : {{email}}",
    "Transfer 200 euros to {{iban}} today.",
    "Meine IBAN ist {{iban}}, bitte überweisen.",
    "El IBAN es {{iban}} y mi correo {{email}}",
    "The card {{credit_card_number}} was charged twice on 2024-02-03.",
    "Bitte sperren Sie die Karte {{credit_card_number}}!",
    "Her social security number: {{ssn}}",
    "Personal id number {{ssn}}, born on {{date_of_birth}}",
    "Geboren am {{date_of_birth}}, Steuer-ID {{ssn}}",
    "née le {{date_of_birth}} à Lyon",
    "Fecha de nacimiento: {{date_of_birth}}",
    "Date of birth: {{date_of_birth}}. Visit on 2023-05-06, version 2.4.1.0.",
    "Blocked {{ip_address}} after 120 requests at 12:30:45",
    "GET {{url}} from {{ip_address}} took 31 ms",
    "See {{url}}, or ask {{email}}.",
    "Order 123456, invoice 2024-0034, 1 250 000 units, 99.95 EUR, room 101.",
    "In 2019 the river rose by 3.5 m; 1,200 people left on 12/05/2019.",
)


@cache
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("privacy_benchmark", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@cache
def scores() -> dict[str, object]:
    bench = benchmark()
    texts = bench.texts_of(TEMPLATES, SEED, LOCALES, 600)
    return dict(bench.scored(texts, bench.ours(bench.STRUCTURED)))


@pytest.mark.parametrize(
    "type_", ["email", "iban", "card", "phone", "national_id", "ip", "url", "date_of_birth"]
)
def test_structured_types_reach_the_bar(type_: str) -> None:
    score = scores()[type_]
    assert score.labels >= 50  # type: ignore[attr-defined]
    assert score.f1()[2] >= benchmark().BAR, score.misses[:5]  # type: ignore[attr-defined]


def test_secrets_reach_the_bar_and_decoys_are_left_alone() -> None:
    bench = benchmark()
    made = bench.secret_texts(SEED, 6)
    finder = bench.ours(SECRETS)
    by_kind = {kind: bench.scored(items, finder) for kind, items in made.items()}
    wrong = [
        miss for found in by_kind.values() for score in found.values() for miss in score.misses
    ]
    planted = bench.Score()
    for kind, found in by_kind.items():
        total = bench.joined(found, list(found))
        planted.labels += total.labels
        planted.hits += total.hits
        assert total.found == total.hits, (kind, wrong[:5])
    assert planted.hits / planted.labels >= bench.BAR
    assert planted.labels == 6 * (len(made) - 1)


def test_templates_become_texts_with_exact_labels() -> None:
    bench = benchmark()
    writer = bench.Writer("en_US", 1)
    item = bench.filled(
        "{{person}}\n{{building_number}} {{street_name}}\n{{city}}, in {{country}}", writer
    )
    types = [(label.type, item.text[label.start : label.end].count("\n")) for label in item.labels]
    assert types == [("name", 0), ("address", 1)]


def test_a_score_counts_exact_spans_and_those_that_overlap() -> None:
    bench = benchmark()
    item = bench.Labelled("Ann and Bob", (bench.Label(0, 3, "name"), bench.Label(8, 11, "name")))
    score = bench.scored([item], lambda _: [(0, 3, "name"), (7, 11, "name"), (4, 6, "ip")])["name"]
    assert score.f1() == (0.5, 0.5, 0.5)
    assert score.f1(loose=True) == (1.0, 1.0, 1.0)
