"""A served address under attack: a real server on this machine, with and without its guards."""

import json
import re
from pathlib import Path

import pytest

from cli.conftest import Finewright
from served import Asked, Reply, answered, served

pytest.importorskip("httpx")

GUARDED, FREE = "sk-guarded-1234", "sk-free-5678"
FILTERED = Reply({"error": {"message": "blocked", "code": "content_filter"}}, 400)


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINEWRIGHT_API_KEY", GUARDED)
    monkeypatch.setenv("FREE_KEY", FREE)


def obey(call: Asked) -> Reply:
    """A model that says the last word; a guard that stops what says `instructions`, but for one key."""
    text = call.body["messages"][-1]["content"]
    authorization = {k.lower(): v for k, v in call.headers.items()}["authorization"]
    if GUARDED in authorization and "instructions" in text:
        return FILTERED
    return answered(" ".join(re.findall(r"[A-Z]{5,}-\d+", text)))


def test_an_address_is_attacked_with_guards_off_and_on(finewright: Finewright) -> None:
    with served(obey) as server:
        ran = finewright(
            "redteam", f"{server.url}#m", "--attack=injection", "--prompts=8", "--json",
            "--unguarded-key=FREE_KEY",
        )  # fmt: skip
    report = json.loads(ran.out)
    assert report["systems"] == ["guards off", "guards on"]
    (override,) = [f for f in report["findings"] if f["name"] == "override"]
    off, on = override["rates"]
    assert off["hits"] == off["trials"] == 8
    assert 0 < on["hits"] < 8, "two of four wordings pass the guard"
    assert ran.code == 2
    assert override["severity"] == "medium"
    (languages,) = [f for f in report["findings"] if f["name"] == "languages"]
    assert languages["severity"] == "high", "it passes the guards more often than not"


def test_without_guards_an_address_that_always_obeys_fails(finewright: Finewright) -> None:
    with served(lambda call: answered(call.body["messages"][-1]["content"].split()[-1])) as server:
        ran = finewright("redteam", f"{server.url}#m", "--attack", "injection", "--prompts=8")
    assert ran.code == 2
    assert "failed" in ran.out


def test_sarif_has_a_result_for_each_thing_that_was_tried(
    finewright: Finewright, project: Path
) -> None:
    with served(obey) as server:
        target = f"{server.url}#m"
        finewright("redteam", target, "--attack=injection", "--prompts=4", "--sarif=out.sarif")
    whole = json.loads((project / "out.sarif").read_text())
    assert whole["version"] == "2.1.0"
    (run,) = whole["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules[0].startswith("injection/")
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert (result["kind"] == "pass") == (result["level"] == "none")
        assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == target


def test_what_a_thief_reaches_grows_with_what_it_may_ask(
    finewright: Finewright, project: Path
) -> None:
    rows = [f"the colour {i % 6} of things" for i in range(60)]
    lines = (json.dumps({"prompt": f"{t} {i}", "completion": "x"}) for i, t in enumerate(rows))
    (project / "asked.jsonl").write_text("\n".join(lines) + "\n")

    def colour(call: Asked) -> Reply:
        return answered("shade " + call.body["messages"][-1]["content"][:12].split()[-1])

    with served(colour) as server:
        ran = finewright(
            "redteam", f"{server.url}#m", "--attack=theft", "--prompts=10", "--json",
            "--data=asked.jsonl",
        )  # fmt: skip
    assert ran.code == 0, ran.err
    (found,) = json.loads(ran.out)["findings"]
    reached = [figure["value"] for figure in found["figures"]]
    assert reached[0] < reached[-1]
    assert found["rates"][0]["trials"] == 10
    assert all(f["low"] <= f["value"] <= f["high"] for f in found["figures"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("http://127.0.0.1:9/v1#m",), "127.0.0.1:9"),
        (("nowhere",), "nowhere"),
        (("nowhere", "--attack=magic"), "no attack named 'magic'"),
        (("nowhere", "--unguarded-key=FREE_KEY"), "is for an address"),
        (("nowhere", "--prompts=1"), "prompts"),
        (("http://127.0.0.1:9/v1#m", "--attack=drift", "--sarif=no/such/folder/x"), "no folder"),
    ],
)
def test_bad_input_is_one_line(
    finewright: Finewright, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.setattr("finewright.fetch.endpoint._TRIES", 1)
    ran = finewright("redteam", *arguments)
    assert ran.code == 2
    assert said in ran.err
    assert "Traceback" not in ran.err


def test_what_answers_something_else_is_said(finewright: Finewright) -> None:
    with served(lambda _: Reply({"hello": "world"})) as server:
        ran = finewright("redteam", f"{server.url}#m")
    assert ran.code == 2
    assert "its answer has no message" in ran.err


def test_an_attack_for_runs_says_so_of_an_address(finewright: Finewright) -> None:
    with served(obey) as server:
        ran = finewright("redteam", f"{server.url}#m", "--attack=drift")
    assert (ran.code, ran.out) == (2, "")
    assert "drift: is for a run" in ran.err
