"""Patterns of one's own: found where Python's `re` finds them, replaced, dropped, and refused where wrong."""

import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from finewright.data.privacy import apply
from finewright.errors import DataError, SpecError
from finewright.guard.privacy.own import own_finder
from finewright.judge.patterns import PlacedPattern
from finewright.schema.load import load_spec
from finewright.schema.privacy import OwnPattern, PersonalDataSpec, SecretsSpec
from finewright.schema.rows import Row
from finewright.workbench.check import check

CONTRACT = {"name": "contract", "pattern": "K-[0-9]{6}"}
POLICY = {"name": "policy", "pattern": r"\b[0-9]{8}\b", "words": ["policy", "Police"]}


def row(text: str, number: int = 1) -> Row:
    turns = ({"role": "user", "content": text}, {"role": "assistant", "content": "Done."})
    return Row(f"{number}", turns, None, "t.jsonl", number)


def applied(text: str, *patterns: dict[str, object], action: str = "redact") -> list[str]:
    spec = PersonalDataSpec.model_validate({"action": action, "patterns": patterns})
    rows = apply([row(text)], spec, SecretsSpec(), b"k" * 16).outcome.rows
    return [str(each.messages[0]["content"]) for each in rows]


# Greedy and without alternatives, where the longest match is the one that Python takes.
@pytest.mark.parametrize(
    "pattern",
    [r"\b[0-9]{4}\b", "[A-Z]{2}-?[0-9]+", r"(?:[A-Z] )?[0-9]{2}(?: [0-9]{2})*", r"^A\w+", r"\d$"],
)
@settings(max_examples=60, deadline=None)
@given(st.text(st.sampled_from("AB0123 -é\n"), max_size=30))
def test_matches_are_where_python_finds_them(pattern: str, text: str) -> None:
    text = text.rstrip("\n")  # before which Python's `$` matches too
    assert [*PlacedPattern(pattern).spans(text)] == [m.span() for m in re.finditer(pattern, text)]


def test_a_pattern_that_backtracks_elsewhere_is_matched_in_time_that_grows_with_the_text() -> None:
    placed = PlacedPattern("(?:a|a)*b")
    began = time.perf_counter()
    assert [*placed.spans("a" * 5_000)] == []
    assert [*placed.spans("a" * 60 + "b")] == [(0, 61)]
    assert time.perf_counter() - began < 2


def test_a_word_must_stand_near_where_words_are_given() -> None:
    far = "x" * 80
    text = f"Policy 12345678. {far} Invoice sum 87654321."
    assert applied(text, POLICY) == [text.replace("12345678", "[POLICY]")]
    assert applied(f"policy {far} 12345678", POLICY) == [f"policy {far} 12345678"]
    assert applied("12345678 ist die Police", POLICY) == ["[POLICY] ist die Police"]
    assert applied("policyholder: 12345678", POLICY) == ["policyholder: 12345678"]


def test_each_pattern_may_have_an_action_of_its_own() -> None:
    text = "K-123456 of ana@mail.example"
    assert applied(text, CONTRACT) == ["[CONTRACT] of [EMAIL]"]
    assert applied(text, {**CONTRACT, "action": "off"}) == ["K-123456 of [EMAIL]"]
    assert applied(text, {**CONTRACT, "action": "report"}) == ["K-123456 of [EMAIL]"]
    assert applied(text, {**CONTRACT, "action": "drop"}, action="report") == []
    assert applied(text, {**CONTRACT, "action": "redact"}, action="off") == [
        "[CONTRACT] of ana@mail.example"
    ]
    (named,) = applied(text, {**CONTRACT, "action": "pseudonymise"}, action="off")
    assert re.fullmatch(r"[A-Z]-[0-9]{6} of ana@mail\.example", named)
    assert named != text


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("K-[0-9", "not a regular expression"),
        (r"(?<=K-)[0-9]+", "look-around is not matched in bounded time"),
        (r"(a)\1", "a back reference is not matched"),
        ("[0-9]*", "'[0-9]*' matches an empty text"),
    ],
)
def test_a_wrong_pattern_is_told_with_file_and_key(tmp_path: Path, pattern: str, said: str) -> None:
    with pytest.raises(SpecError, match=r"patterns\.1\.pattern"):
        own_finder([OwnPattern(**CONTRACT), OwnPattern(name="x", pattern=pattern)], "patterns")
    (tmp_path / "rows.jsonl").write_text('{"prompt": "a", "completion": "b"}\n')
    (tmp_path / "spec.yaml").write_text(
        "name: t\nbase_models: [smollm2-135m-instruct]\ndata:\n  sources: [{path: rows.jsonl}]\n"
        "  personal_data:\n    patterns:\n      - {name: contract, pattern: 'K-[0-9]{6}'}\n"
        f"      - {{name: x, pattern: '{pattern}'}}\n"
    )
    with pytest.raises(DataError) as refused:
        check(load_spec(tmp_path / "spec.yaml"))
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"{tmp_path}/spec.yaml:8: data.personal_data.patterns.1.pattern: {said}")


@pytest.mark.parametrize("name", ["email", "jwt", "Contract", "a b", ""])
def test_a_name_that_is_taken_or_cannot_be_a_mark_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        PersonalDataSpec.model_validate({"patterns": [{**CONTRACT, "name": name}]})
    with pytest.raises(ValidationError, match="is the name of another kind"):
        PersonalDataSpec.model_validate({"patterns": [CONTRACT, CONTRACT]})
