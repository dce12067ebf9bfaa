"""The card says what the run's records say, and no place on the machine."""

import json
from typing import Any

import pytest
import yaml

from finewright.report.model_card import CardOf, model_card
from finewright.schema.canaries import CanarySummary
from finewright.schema.common import Artifact, Problem, RowCounts, Source
from finewright.schema.data import DataReport, PersonalSummary
from finewright.schema.decisions import DecisionSpec
from finewright.schema.evaluate import EvaluateReport, Score
from finewright.schema.label_methods import LinearSpec
from finewright.schema.methods import GRPOSpec, SFTSpec
from finewright.schema.rewards import Reward
from finewright.schema.train import Candidate, Proof, TrainSettings

DIGEST = "ab12" * 16
DATA = DataReport(
    counts=RowCounts(rows_in=9, rows_kept=8),
    types={"messages": 8},
    sources=(Source(path="/srv/secret/rows|1.jsonl", sha256="cd" * 32, license="MIT"),),
    train=Artifact(path="data/train.jsonl", kind="rows", sha256=DIGEST, bytes=1),
    rows_train=8,
    rows_eval=0,
)
CANDIDATE = Candidate(
    base_model="/srv/models/own", base_sha256="ef" * 32, adapter="train/own/adapter", artifacts=(),
    counts=RowCounts(rows_in=8, rows_kept=8), steps=1, tokens=1, trained_tokens=1, first_loss=1.0,
    final_loss=1.0, seconds=1.0, tokens_per_second=1.0, peak_gib=1.0, trainable_parameters=1,
    proofs=(Proof(name="p", measured=0, bar=0, passed=True, detail="transformers 5.23.0"),),
    problems=(
        Problem(level="warning", message="few rows"),
        Problem(level="warning", message="/srv/models/own is slow"),
    ),
)  # fmt: skip


def score(system: str, value: float) -> Score:
    return Score(system=system, data="test", metric="json_f1", value=value, low=0.5, high=0.9, n=40)


def card(settings: TrainSettings | None = None, **changed: Any) -> str:
    fields: dict[str, Any] = {
        "run": "refunds",
        "candidate": CANDIDATE,
        "settings": settings or SFTSpec(),
        "data": DATA,
        "base": "org/base",
        "revision": "c0ffee",
        "license": "Apache-2.0",
        "evaluate": None,
        "several": False,
        "versions": {"torch": "2.13.0"},
    }
    return model_card(CardOf(**{**fields, **changed}))


def test_the_front_matter_is_the_hubs() -> None:
    front = yaml.safe_load(card().split("---")[1])
    assert front == {
        "base_model": "org/base",
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "tags": ["finewright", "sft", "lora"],
        "license": "apache-2.0",
    }
    assert "license" not in yaml.safe_load(card(license="unknown").split("---")[1])


LINEAR = CANDIDATE.model_copy(
    update={
        "base_model": "words+/srv/models/minilm",
        "method": "linear",
        "artifacts": (
            Artifact(path="train/w/adapter/words.json", kind="adapter", sha256=DIGEST, bytes=1),
        ),
    }
)


def test_a_linear_model_is_no_adapter_and_its_words_are_told() -> None:
    text = card(LinearSpec(), candidate=LINEAR, base="")
    front = yaml.safe_load(text.split("---")[1])
    assert (front["library_name"], front["pipeline_tag"]) == ("finewright", "text-classification")
    assert "base_model" not in front
    assert "Multinomial logistic regression on words and pairs of words, minilm" in text
    for word in ("lora", "peft", "PeftModel", "redteam", "/srv"):
        assert word not in text.lower()


@pytest.mark.parametrize(
    ("kind", "model", "output", "reading"),
    [
        ("single", "Multinomial logistic regression on", "a label, with the", "softmax"),
        ("several", "Logistic regression of each label", "any number of labels", "sigmoid"),
        ("score", "Ridge regression on", "a score, with an interval", "mean plus scale"),
    ],
)
def test_a_linear_model_is_what_it_decides(
    kind: Any, model: str, output: str, reading: str
) -> None:
    text = card(LinearSpec(decisions=DecisionSpec(kind=kind)), candidate=LINEAR, base="")
    assert all(said in text for said in (model, output, reading))
    assert ("softmax" in text) == (kind == "single")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, "nobody looked for personal data"),
        (("off", "report", {}, {}), "nobody looked for personal data"),
        (("report", "report", {}, {}), "no personal data or secrets were found"),
        (("redact", "report", {"email": 2}, {}), "no personal data or secrets were found"),
        (("report", "report", {"email": 2}, {"jwt": 1}), "hold 2 email, 1 jwt, and it may hold"),
    ],
)
def test_a_file_of_words_says_what_the_rows_held(found: Any, said: str) -> None:
    names = ("action", "secrets_action", "personal_data", "secrets")
    summary = found and PersonalSummary(**dict(zip(names, found, strict=True)), rows_changed=0)
    data = DATA.model_copy(update={"personal_data": summary})
    assert said in card(LinearSpec(), candidate=LINEAR, data=data)
    assert said not in card(data=data)


def test_it_says_what_is_known_and_what_is_not() -> None:
    text = card(license="unknown")
    assert f"8 training rows, sha256 {DIGEST}" in text
    assert r"| rows\|1.jsonl | " + "cd" * 32 + " | MIT | not stated |" in text
    assert "Licence of the base: not stated." in text
    assert "Not measured yet." in text
    assert "- few rows\n" in text
    assert "by transformers 5.23.0." in text


def test_the_settings_show_what_decides() -> None:
    by_epochs, by_steps = (
        json.loads(card(settings).split("Settings\n\n```\n")[1].split("```")[0])
        for settings in (SFTSpec(), SFTSpec(max_steps=7))
    )
    assert (by_epochs["epochs"], "max_steps" in by_epochs) == (3.0, False)
    assert (by_steps["max_steps"], "epochs" in by_steps) == (7, False)


def test_scores_come_with_their_intervals() -> None:
    report = EvaluateReport(confidence=0.95, scores=(score("base", 0.1), score("tuned", 0.75)))
    text = card(evaluate=report)
    assert "95% interval" in text
    assert "| tuned | test | json\\_f1 | 0.75 | 0.5 to 0.9 | 40 |" in text


def test_of_several_models_each_card_has_its_own_scores() -> None:
    scores = score("/srv/models/own tuned", 0.25), score("other tuned", 0.75)
    text = card(evaluate=EvaluateReport(confidence=0.95, scores=scores), several=True)
    assert "| tuned | test | json\\_f1 | 0.25 |" in text
    assert "0.75" not in text


def test_a_proof_that_failed_elsewhere_is_no_same_answer() -> None:
    detail = "transformers 5.23.0"
    passed = Proof(name="p", measured=0, bar=0, passed=True, detail=detail)
    failed = passed.model_copy(update={"name": "q", "passed": False})
    said = card(candidate=CANDIDATE.model_copy(update={"proofs": (passed, failed)}))
    assert f"Answered elsewhere otherwise than here, by {detail}." in said
    assert "elsewhere as here" not in said
    assert f"Answered elsewhere as here, by {detail}." in card()


def test_no_path_is_in_it() -> None:
    files = "python:/srv/secret/mine.py:score", "reward_model:~/runs/liked", "regex:a/b"
    settings = GRPOSpec(rewards=tuple(Reward(function=name) for name in files))
    text = card(settings)
    assert "/srv" not in text
    for kept in ("python:mine.py:score", "reward_model:liked", "regex:a/b"):
        assert f'"{kept}"' in text


@pytest.mark.parametrize(
    ("message", "stays"),
    [
        ("1/2 of the rows, and/or 508 tokens/s, see https://example.org/a", True),
        ("/srv/secret/rows.jsonl: 3 rows are cut", False),
        ("rows of '/home/me' are cut", False),
        ("rows of ~/me are cut", False),
    ],
)
def test_a_warning_stays_unless_it_names_a_place_on_this_machine(message: str, stays: bool) -> None:
    problem = Problem(level="warning", message=message)
    text = card(candidate=CANDIDATE.model_copy(update={"problems": (problem,)}))
    assert (f"- {message}\n" in text) == stays


def test_the_gap_between_the_losses_stands_in_it() -> None:
    found = card(candidate=CANDIDATE.model_copy(update={"final_loss": 0.5, "eval_loss": 2.25}))
    assert "rows 0.500, of held-out rows 2.250: the wider the gap (+1.750)" in found
    assert "No row was held out, so that its losses do not say" in card()


def test_canaries_are_said() -> None:
    summary = CanarySummary(path="p", num_in=3, num_held_out=5, rows=6, repeats=(1, 4))
    found = card(data=DATA.model_copy(update={"canaries": summary}))
    assert "6 of 8 training rows are canaries: 3 made-up secrets, each there 1, 4 times" in found
    assert "canaries" not in card()
