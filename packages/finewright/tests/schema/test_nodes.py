import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from finewright.schema.nodes import (
    DEEPEST,
    SpecNotes,
    Tree,
    ValuePlace,
    join_keys,
    read,
    short,
    walk,
)


def line_of(line: int) -> ValuePlace:
    return ValuePlace(f"f:{line}", line)


def data(text: str) -> Tree:
    notes = SpecNotes()
    tree = read(text, (), line_of, notes)
    assert notes.mistakes == []
    return tree


def complaints(text: str) -> list[str]:
    notes = SpecNotes()
    read(text, (), line_of, notes)
    return [mistake.line() for mistake in notes.mistakes]


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("aZ0 :#-é\n"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab é"), inner, max_size=4),
    max_leaves=20,
)


@given(plain)
def test_what_yaml_writes_is_read_back(tree: Tree) -> None:
    assert data(yaml.safe_dump(tree)) == tree


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-11-24", "2026-11-24"),
        ("2026-13-45", "2026-13-45"),
        ("=", "="),
        ("<<", "<<"),
        ("1e-4", "1e-4"),
        ("0x10", 16),
        ("1_000", 1000),
        ("0", 0),
        ("-0.5", -0.5),
        (".inf", math.inf),
        ("~", None),
        ("", None),
        ("!!str 5", "5"),
        ("'007'", "007"),
    ],
)
def test_a_scalar_is_read_as_the_specs_kinds(text: str, value: object) -> None:
    found = data(text)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize("text", ["010", "-007", "1:30", "1:30.5", "190:20:30"])
def test_octal_and_base_60_numbers_are_refused(text: str) -> None:
    assert complaints(f"a: {text}") == [
        f"f:1: a: YAML reads `{text}` as octal or base 60; write it plainly or in quotes"
    ]


@pytest.mark.parametrize(
    "text", ["0b_", "0x_", '!!int ""', "!!bool maybe", "!!float x", "9" * 5000, '"\\0"']
)
def test_a_scalar_without_a_value_is_refused(text: str) -> None:
    (line,) = complaints(f"a: {text}")
    assert line.startswith("f:1: a: `")
    assert "is no usable" in line


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['true']",
        "!!python/name:os.system",
        "!x 1",
        "!!set {a, b}",
        "!!binary aGk=",
        "!!omap [a: 1]",
        "!!str [a]",
        "!!seq a",
    ],
)
def test_a_yaml_tag_is_refused(text: str) -> None:
    (line,) = complaints(f"a: {text}")
    assert line.startswith("f:1: a: the YAML tag ")


def test_a_duplicate_key_names_both_lines() -> None:
    assert complaints("a: 1\nb: 2\na: 3") == ["f:3: a: duplicate key; it is already at f:1"]


@pytest.mark.parametrize(
    ("key", "reads"),
    [("no", "true or false"), ("1", "a number"), ("1.5", "a number"), ("~", "nothing")],
)
def test_a_key_that_yaml_does_not_read_as_text_is_refused(key: str, reads: str) -> None:
    what = f'a key must be plain text, and YAML reads this as {reads}; write "{key}" in quotes'
    assert complaints(f"x:\n  {key}: 1") == [f"f:2: x.{key}: {what}"]


@pytest.mark.parametrize("text", ["? [a]\n: 1", "? {a: 1}\n: 1", "!x a: 1"])
def test_a_key_that_is_no_scalar_is_refused(text: str) -> None:
    assert complaints(text) == ["f:1: a key must be plain text"]


def test_a_merge_key_is_refused() -> None:
    (line,) = complaints("a:\n  <<: {b: 1}")
    assert line == "f:2: a: merge keys (`<<`) are not supported; write the values out"


def test_an_alias_is_refused_where_it_stands() -> None:
    assert complaints("a: &x [1]\nb: *x") == [
        "f:2: b: YAML aliases are not supported; write the value out"
    ]


def test_an_alias_to_what_holds_it_is_refused() -> None:
    (line,) = complaints("a: &x [*x]")
    assert "aliases are not supported" in line


def test_a_billion_laughs_are_refused_at_once() -> None:
    lines = ["a0: &a0 [ha, ha]"]
    lines += [f"a{i}: &a{i} [" + ", ".join([f"*a{i - 1}"] * 9) + "]" for i in range(1, 30)]
    found = complaints("\n".join(lines))
    assert len(found) == 29 * 9


@pytest.mark.parametrize("opening", ["[", "- ", "{a: ", "? "])
def test_endless_nesting_is_refused(opening: str) -> None:
    (line,) = complaints(opening * 200_000)
    assert "not valid YAML" in line


def test_nesting_has_a_limit() -> None:
    assert data("[" * DEEPEST + "]" * DEEPEST)
    (line,) = complaints("[" * (DEEPEST + 2) + "]" * (DEEPEST + 2))
    assert "nested too deeply" in line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "a: 1\nb: c: d",
            "f:2: not valid YAML at column 5: mapping values are not allowed in this context",
        ),
        ("é: 1\n\tb: 2", "f:2: not valid YAML at column 1: YAML is indented with spaces, not tabs"),
        ("a: *x", "f:1: not valid YAML at column 4: found undefined alias"),
        ("é: 1\nb: \x07", "f:2: not valid YAML: control characters are not allowed"),
        ("--- a\n--- b", "f:2: not valid YAML at column 1: but found another document"),
    ],
)
def test_a_syntax_error_names_line_and_column(text: str, line: str) -> None:
    assert complaints(text) == [line]


def test_a_lone_surrogate_is_refused() -> None:
    assert complaints("a: \udce9") == ["f:1: holds bytes that are not UTF-8"]


def test_every_value_has_the_place_of_its_key_or_item() -> None:
    notes = SpecNotes()
    read("a:\n  b:\n    1\nc:\n- x\n- y", (), line_of, notes)
    lines = {join_keys(loc): place.rank for loc, place in notes.places.items()}
    assert lines == {"": 1, "a": 1, "a.b": 2, "c": 4, "c.0": 5, "c.1": 6}
    assert notes.places[("a", "b")].text == "1"
    assert notes.place(("c", 1, "no", "where")).where == "f:6"


def test_walking_visits_everything_but_the_root() -> None:
    found = [join_keys(loc) for loc, _ in walk({"a": {"b": 1}, "c": [{"d": 2}]})]
    assert found == ["a", "a.b", "c", "c.0", "c.0.d"]


@pytest.mark.parametrize(
    ("text", "shown"), [("a b", "a b"), ("a\n\x1b[31m", r"a\n\x1b[31m"), ("é", "é")]
)
def test_shown_text_stays_on_its_line(text: str, shown: str) -> None:
    assert short(text) == shown


def test_long_text_is_cut() -> None:
    assert short("x" * 1000) == "x" * 60 + "..."
