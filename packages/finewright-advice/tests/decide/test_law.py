"""Thirty cases of European law: the article that holds or does not, and the reason."""

from datetime import date
from typing import Any

import pytest

from decide.advising import advise, hand_made, of_rule, spec
from finewright_advice.catalog.advice import read_packaged_advice
from finewright_advice.catalog.laws import read_packaged_laws
from finewright_advice.decide.case import middle
from finewright_advice.decide.facts import duties, in_words, unknown
from finewright_advice.decide.spec import UNKNOWN, DecideSpec

pytestmark = pytest.mark.usefixtures("few_cases")

LAWS = read_packaged_laws()
TODAY = date(2026, 11, 27)
CHAT = {"task": "converse", "talks_to_people": True}

CASES: list[tuple[str, dict[str, Any], str, bool]] = [
    (
        "scoring citizens by behaviour is forbidden, 5(1)(c)",
        {"domain": "social-scoring"},
        "prohibition",
        True,
    ),
    (
        "reading emotions of staff is forbidden, 5(1)(f)",
        {"domain": "emotions-at-work"},
        "prohibition",
        True,
    ),
    (
        "crime foreseen by profiling alone is forbidden, 5(1)(d)",
        {"domain": "predictive-policing"},
        "prohibition",
        True,
    ),
    ("hiring is high-risk and not forbidden", {"domain": "employment"}, "prohibition", False),
    ("hiring is in Annex III, point 4", {"domain": "employment"}, "annex-iii", True),
    ("staff are told first, 26(7)", {"domain": "employment"}, "tell-workers", True),
    ("pupils are no staff", {"domain": "education"}, "tell-workers", False),
    (
        "creditworthiness is in Annex III, point 5(b)",
        {"domain": "credit-scoring"},
        "annex-iii",
        True,
    ),
    (
        "banks assess fundamental rights, 27(1)",
        {"domain": "credit-scoring"},
        "rights-assessment",
        True,
    ),
    (
        "life insurance is in Annex III, point 5(c)",
        {"domain": "insurance-pricing"},
        "annex-iii",
        True,
    ),
    (
        "triage of patients is in Annex III, point 5(d)",
        {"domain": "emergency-triage"},
        "annex-iii",
        True,
    ),
    ("a medical device is of Annex I, not of Annex III", {"domain": "medical"}, "annex-iii", False),
    (
        "a medical device is high-risk through its own law, 6(1)",
        {"domain": "medical"},
        "annex-i",
        True,
    ),
    ("machinery is in section A no more", {"domain": "machinery"}, "annex-i", False),
    ("machinery is in section B", {"domain": "machinery"}, "annex-i-b", True),
    ("vehicles always were in section B", {"domain": "vehicles"}, "annex-i-b", True),
    ("a toy is in section A", {"domain": "toys"}, "annex-i-b", False),
    ("machinery has its own law", {"domain": "machinery"}, "machinery-law", True),
    ("a medical device is one today", {"domain": "medical"}, "medical-device", True),
    ("a lift is none", {"domain": "lifts"}, "medical-device", False),
    ("a help desk is neither", {"domain": "other"}, "annex-iii", False),
    (
        "a general model put to hiring makes its user a provider, 25(1)(c)",
        {"domain": "employment"},
        "becomes-provider",
        True,
    ),
    (
        "a help desk makes nobody a provider of a high-risk system",
        {"domain": "other"},
        "becomes-provider",
        False,
    ),
    ("every chat bot says what it is, 50(1)", CHAT, "disclose", True),
    (
        "a batch job talks to nobody",
        {"task": "extract", "talks_to_people": False},
        "disclose",
        False,
    ),
    ("a chat bot's text is marked, 50(2)", CHAT, "mark", True),
    ("source code is excepted from marking", {"task": "code"}, "mark", False),
    (
        "a short label is excepted from marking",
        {"task": "classify", "output": "label"},
        "mark",
        False,
    ),
    (
        "published text is labelled or answered for, 50(4)",
        {"task": "write", "data_class": "public"},
        "label-public-text",
        True,
    ),
    (
        "an internal letter is not published",
        {"task": "write", "data_class": "internal"},
        "label-public-text",
        False,
    ),
    (
        "health data need an exception of GDPR 9(2)",
        {"personal_data": "special"},
        "special-categories",
        True,
    ),
    (
        "names and addresses are no special category",
        {"personal_data": "personal"},
        "special-categories",
        False,
    ),
    (
        "personal data need a legal basis, GDPR 6",
        {"personal_data": "personal"},
        "legal-basis",
        True,
    ),
    (
        "health data need an impact assessment, GDPR 35(3)(b)",
        {"personal_data": "special"},
        "impact-assessment",
        True,
    ),
    (
        "a machine's word alone on credit, GDPR 22",
        {"personal_data": "personal", "domain": "credit-scoring"},
        "automated-decisions",
        True,
    ),
    (
        "weights may hold personal data, EDPB 28/2024",
        {"personal_data": "personal"},
        "memorised",
        True,
    ),
    (
        "a bank's API is in its register of ICT contracts, DORA 28(3)",
        {"domain": "finance"},
        "dora-register",
        True,
    ),
    ("a bank is in finance", {"domain": "bank"}, "dora-contract", True),
    ("banking is finance", {"domain": "Banking"}, "dora-before-contract", True),
    (
        "who scores credit plans its exit, DORA 28(8)",
        {"domain": "credit-scoring"},
        "dora-exit",
        True,
    ),
    ("a help desk is no financial entity", {"domain": "other"}, "dora-register", False),
    ("a bank's help desk scores nobody's credit", {"domain": "bank"}, "annex-iii", False),
    ("no personal data, no processor's contract", {"personal_data": "none"}, "processor", False),
    (
        "an API may take personal data out of the Union, GDPR Chapter V",
        {"personal_data": "personal"},
        "transfers",
        True,
    ),
    (
        "special categories to find bias, 4a, in high-risk systems",
        {"personal_data": "special", "domain": "employment"},
        "bias-testing",
        True,
    ),
]


@pytest.mark.parametrize(("reason", "facts", "duty", "holds"), CASES, ids=[c[0] for c in CASES])
def test_an_article_holds_or_does_not(
    reason: str, facts: dict[str, Any], duty: str, holds: bool
) -> None:
    found = dict(duties(middle(spec(**facts), read_packaged_advice()), LAWS))
    assert (duty in found) == holds


def test_there_are_thirty_cases_and_every_duty_is_in_one() -> None:
    assert len(CASES) >= 30
    covered = {duty for _, _, duty, _ in CASES}
    assert {*LAWS.duties} - covered <= {
        *("literacy", "third-of-compute", "tell-persons", "liability"),
        "impact-assessment-of-decisions",
    }


@pytest.mark.parametrize(
    ("duty", "fine"),
    [
        ("prohibition", "35 million EUR or 7 % of turnover (Article 99(3))"),
        ("annex-iii", "15 million EUR or 3 % of turnover (Article 99(4))"),
        ("disclose", "15 million EUR or 3 % of turnover (Article 99(4))"),
        ("third-of-compute", "15 million EUR or 3 % of turnover (Article 101)"),
        ("special-categories", "20 million EUR or 4 % of turnover (GDPR Article 83(5))"),
        ("impact-assessment", "10 million EUR or 2 % of turnover (GDPR Article 83(4))"),
    ],
)
def test_a_fine_is_that_of_its_own_tier(duty: str, fine: str) -> None:
    assert fine in in_words(LAWS.duties[duty], LAWS, TODAY)
    assert "35 million" not in in_words(LAWS.duties[duty], LAWS, TODAY) or duty == "prohibition"


def test_what_holds_and_what_will_hold_are_told_apart() -> None:
    assert "since 2026-08-02" in in_words(LAWS.duties["disclose"], LAWS, TODAY)
    assert "from 2027-12-02 on" in in_words(LAWS.duties["annex-iii"], LAWS, TODAY)
    assert "from 2028-08-02 on" in in_words(LAWS.duties["annex-i"], LAWS, TODAY)


def test_what_is_unknown_is_asked_for() -> None:
    case = middle(spec(domain=UNKNOWN, personal_data=UNKNOWN), read_packaged_advice())
    assert [text.partition(" is unknown")[0] for text in unknown(case, LAWS)] == [
        "the field of use",
        "whether it is about persons",
    ]


def _arms(duty: str, of: dict[str, Any], **made: Any) -> set[str]:
    """Whom a duty falls on, by figures made by hand."""
    report = hand_made(spec(**of), lambda case, arm: made if arm.host == "self-hosted" else {})
    start = LAWS.duties[duty].article
    found = [each for each in of_rule(report, "G10", "duty") if each.reason.startswith(start)]
    return {name for each in found for name in each.arms}


@pytest.mark.parametrize("duty", ["processor", "transfers", "dora-register", "dora-contract"])
def test_whoever_rents_out_the_machine_is_a_provider_too(duty: str) -> None:
    of = {"personal_data": "personal", "domain": "finance"}
    assert {"prompt, api", "prompt, self-hosted"} <= _arms(duty, of, place="rented")
    at_home = _arms(duty, of, place="own")
    assert {name.partition(", ")[2] for name in at_home} == {"api"}
    trained = _arms(duty, of, place="own", trains_outside=True)
    assert "ft, self-hosted" in trained


def test_a_classifiers_head_is_trained_on_persons_data_too() -> None:
    of = {"personal_data": "personal", "task": "classify", "erasure_duty": True}
    assert "classifier, self-hosted" in _arms("memorised", of)
    assert "classifier, self-hosted" not in _arms("third-of-compute", of)
    (kept,) = of_rule(hand_made(spec(**of)), "G3", "duty")
    assert "classifier, self-hosted" in kept.arms


def test_staff_who_talk_with_it_are_people() -> None:
    meaning = str(DecideSpec.model_fields["talks_to_people"].description)
    assert "staff" in meaning
    assert "not your staff" not in meaning


def test_a_classifier_on_a_rented_card_is_told_with_who_rents_it_out() -> None:
    of = spec(
        task="classify", personal_data="personal", latency_p95_ms=15, requests_per_month=10**8
    )
    (row,) = [row for row in advise(of).costs if row.arm == "classifier, self-hosted"]
    assert "rented all month from " in row.how[0], row.how


def test_what_the_medical_device_regulation_asks_binds_years_before_the_ai_act() -> None:
    today = in_words(LAWS.duties["medical-device"], LAWS, TODAY)
    assert "since 2021-05-26" in today
    assert "2022-05-26" in today
    assert "from 2028-08-02 on" in in_words(LAWS.duties["annex-i-b"], LAWS, TODAY)


def test_literacy_is_supported_and_no_level_is_owed() -> None:
    words = in_words(LAWS.duties["literacy"], LAWS, TODAY)
    assert "measures support" in words
    assert "must know" not in words
