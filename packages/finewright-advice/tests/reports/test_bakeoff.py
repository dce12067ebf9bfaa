"""A bake-off and a search of settings: what must be read is there, and no name can act."""

import pytest

from finewright.report.show import html_of, text_of
from finewright.schema.common import Problem
from finewright.schema.cost import Range
from finewright.schema.evaluate import Difference, Score
from finewright_advice.bakeoff.report import licence
from finewright_advice.schema.bakeoff_report import (
    AnswerBehaviour,
    AnswerShare,
    Attempt,
    BakeoffReport,
    Duel,
    Finalist,
    Rung,
    Speed,
)
from finewright_advice.tune.results import Trial, TuneReport
from report import made
from report.pages import ATTACK, check_page, rows_of

HALF = AnswerShare(count=6, n=12, low=0.25, high=0.75)


def score(name: str, value: float, metric: str = "json_f1") -> Score:
    return made.score(name, value, metric, low=max(0.0, value - 0.1), high=min(1.0, value + 0.1))


def difference(name: str, other: str, value: float) -> Difference:
    return made.difference(name, other, value, room=0.05)


def finalist(name: str, value: float, ms: float) -> Finalist:
    return Finalist(
        base_model=name, run="runs/x", parameters=135_000_000, end_of_turn="<|im_end|>",
        license="Apache-2.0", license_classes=("permissive",),
        scores=(score(name, value), score(name, 0.5, "valid_json")),
        untuned=(score(f"{name} untuned", 0.1),),
        gain=difference(name, f"{name} untuned", value - 0.1),
        train_seconds=81.6, train_tokens_per_second=430.0, peak_gib=1.234,
        usd=Range(low=0.01, median=0.02, high=0.05), usd_on="provider X",
        speed=Speed(
            answers=20, first_token_ms_p50=50, first_token_ms_p95=80, answer_ms_p50=ms,
            answer_ms_p95=2 * ms, answer_ms_mean=ms, answer_ms=(ms,) * 20, tokens_per_answer=40,
            tokens_per_second=25.5,
        ),
        behaviour=AnswerBehaviour(
            ended=HALF, looped=HALF, other_script=HALF, other_language=None, valid_json=None,
            strays=(f"rows:3: Cyrillic: {name}",),
        ),
    )  # fmt: skip


def report(*names: str) -> BakeoffReport:
    best, *others = names
    attempts = tuple(
        Attempt(
            base_model=name, run="runs/y", score=score(name, 0.4), steps=20, train_seconds=12,
            difference=None if name == best else difference(name, best, -0.1), is_dropped=False,
            why="goes on: the best of the rung",
        )
        for name in names
    )  # fmt: skip
    duels = tuple(
        Duel(difference=difference(best, other, 0.1), p_adjusted=0.4, is_significant=False)
        for other in others
    )
    return BakeoffReport(
        name="cup", folder="runs/bakeoff-cup", metric="json_f1", confidence=0.95, rows_train=400,
        rows_development=40, rows_held_out=12, duels=duels,
        rungs=(Rung(number=1, share=0.25, attempts=attempts),),
        finalists=tuple(finalist(n, 0.8 - 0.1 * i, 900 / (i + 1)) for i, n in enumerate(names)),
        frontier=(best,), winner="", choice=names[-1],
        verdict=f"No significant difference: take {names[-1]}.",
        problems=(Problem(level="warning", message=f"{best}: licence"),),
    )  # fmt: skip


def test_the_terminal_shows_every_part() -> None:
    text = text_of(report("small", "large"))
    assert text.splitlines()[0] == "cup: No significant difference: take large."
    assert text.splitlines()[-1] == "warning: small: licence"
    for part in ("Rung 1: 0.25 of the budget", "Leaderboard by json_f1", "What each takes"):
        assert part in text
    assert "Successive halving" not in text  # the method is for the page


def test_the_leaderboard_is_turned_towards_the_best() -> None:
    first, second, *_ = rows_of(report("small", "large"), "Leaderboard")
    gain = "+70.0 points (+65.0 to +75.0)"
    assert first == ["small", "80.0 % (70-90)", "the best", "", "10.0 % (0-20)", gain]
    assert second[2:4] == ["-10.0 points (-15.0 to -5.0)", "0.400"]


def test_no_licence_and_no_price_are_said_to_be_unknown() -> None:
    unknown = {"license": "unknown", "license_classes": ("unknown",), "usd": None}
    made = finalist("own", 0.5, 1).model_copy(update=unknown)
    assert licence(made) == "none known"
    told = report("own").model_copy(update={"finalists": (made,)})
    assert rows_of(told, "What each takes")[0][-1] == "not known"
    cheap = made.model_copy(update={"usd": Range(low=1e-6, median=1e-5, high=1e-4)})
    told = told.model_copy(update={"finalists": (cheap,)})
    assert rows_of(told, "What each takes")[0][-1].startswith("under 0.01")


def test_what_nobody_looked_for_is_said() -> None:
    (behaviour, *_) = rows_of(report("small"), "How the answers")
    assert behaviour[1] == "6 of 12 (25-75 %)"
    assert behaviour[4:7] == ["not looked for", "none expected", "no labels"]


@pytest.mark.parametrize("names", [("one",), ("small", "large"), (ATTACK, "large")])
def test_the_page_is_whole_and_no_name_can_act(names: tuple[str, ...]) -> None:
    parsed = check_page(html_of(report(*names)))
    assert parsed.tags["svg"] == 2
    assert f"take {names[-1][:9]}" in parsed.text
    assert "Successive halving" in parsed.text


def test_a_search_shows_its_trials_best_first() -> None:
    states = [
        ("finished", 0.4, ""),
        ("stopped early", None, "stopped after 20 %"),
        ("finished", 0.6, ""),
    ]
    trials = tuple(
        Trial.model_validate({
            "number": i, "values": {"learning_rate": 0.00123456, "adapter.r": 8} if i else {},
            "run": "r", "state": state, "why": why, "score": score("t", value) if value else None,
            "loss": 1.0 if value else None, "train_seconds": 9.0 if value else None,
        })
        for i, (state, value, why) in enumerate(states)
    )  # fmt: skip
    found = TuneReport(
        name="cup", folder="runs/tune-cup", base_model="small", metric="json_f1", confidence=0.95,
        rows_train=400, rows_development=40, rows_held_out=12, trials=trials, best=2,
        held_out=(score("trial 2", 0.55), score("as written", 0.4)), verdict="Trial 2 wins.",
        difference=difference("trial 2", "as written", 0.15), written_to="cup-tuned.yaml",
    )  # fmt: skip
    text = text_of(found)
    table = text[text.index("Trials of small") :].splitlines()[2:5]
    assert [line.split()[0] for line in table] == ["2", "0", "1"]
    assert "learning_rate 0.00123456, adapter.r 8" in table[0]
    assert "as written" in table[1]
    assert "stopped after 20 %" in table[2]
    assert "best settings: cup-tuned.yaml" in text
    parsed = check_page(html_of(found))
    assert parsed.tags["circle"] == 2  # a trial that was stopped has no score
    assert "stopped after 20 %" in parsed.text
