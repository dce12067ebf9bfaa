import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from finewright.errors import StoreError
from finewright.store.keys import digest, stage_key


class Section(BaseModel):
    b: int = 1
    a: tuple[str, ...] = ("x",)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_a_digest_is_sha256_of_canonical_json() -> None:
    expected = hashlib.sha256('[{"a":["ä"],"b":1.5},null]'.encode()).hexdigest()
    assert digest({"b": 1.5, "a": ("ä",)}, None) == expected


def test_a_model_counts_as_its_json() -> None:
    assert digest(Section()) == digest({"a": ["x"], "b": 1})


@given(json_values, json_values)
def test_digests_are_equal_exactly_when_the_json_is(left: object, right: object) -> None:
    same = json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)
    assert (digest(left) == digest(right)) == same


@given(json_values, json_values)
def test_two_parts_are_not_one_list(left: object, right: object) -> None:
    assert digest(left, right) != digest([left, right])


@given(st.dictionaries(st.text(), st.integers(), min_size=2))
def test_the_order_of_keys_does_not_matter(value: dict[str, int]) -> None:
    assert digest(value) == digest(dict(reversed(value.items())))


@pytest.mark.parametrize(
    ("left", "right"), [(1, "1"), (1, 1.0), (True, 1), (None, ""), (["ab"], ["a", "b"])]
)
def test_values_that_look_alike_differ(left: object, right: object) -> None:
    assert digest(left) != digest(right)


@pytest.mark.parametrize(
    "value", [Path("x"), {1, 2}, b"x", object(), {1: "x"}, float("nan"), float("-inf"), [Path("x")]]
)
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(StoreError, match="cannot be part of a digest"):
        digest(value)


def test_a_stage_key_changes_with_section_upstream_and_code() -> None:
    keys = {
        stage_key(Section(), ["aa"], "1"),
        stage_key(Section(b=2), ["aa"], "1"),
        stage_key(Section(), ["ab"], "1"),
        stage_key(Section(), ["aa"], "2"),
        stage_key(Section(), [], "1"),
    }
    assert len(keys) == 5
