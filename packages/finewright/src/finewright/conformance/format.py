"""What every format of rows must do: a test module subclasses `FormatConformance`, says the plugin's `name`
and gives `rows`: an example of each of its forms, of which each is one usable row or more."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, get_args

import pytest

from finewright import plugins
from finewright.data.validate import Validated, validate
from finewright.rows.formats.native import Expected, Form, family_named, fitting
from finewright.rows.read import ReadRow
from finewright.schema.data import DataType
from finewright.schema.rows import parse_rows, write_rows

Example = Mapping[str, Any]  # Any: a row's JSON

_Q, _A, _B = (
    {"role": role, "content": text}
    for role, text in (("user", "Q"), ("assistant", "A"), ("assistant", "B"))
)
_HUMAN, _GPT = {"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}
# Rows that mean one thing already; no other package may make them mean another.
BUILT_IN: Sequence[Example] = (
    {"messages": [_Q, _A]},
    {"prompt": "Q", "completion": "A"},
    {"prompt": "Q", "chosen": "A", "rejected": "B"},
    {"prompt": "Q", "completion": "A", "label": True},
    {"prompt": "Q"},
    {"instruction": "Q", "input": "", "output": "A"},
    {"conversations": [_HUMAN, _GPT]},
    {"query": "Q", "response": "A"},
    {"question": "Q", "chosen": "A", "rejected": "B"},
    {
        "contents": [
            {"role": "user", "parts": [{"text": "Q"}]},
            {"role": "model", "parts": [{"text": "A"}]},
        ]
    },
)
_TYPES: tuple[Expected, ...] = ("auto", *get_args(DataType))
_OTHER_VALUES: Sequence[Any] = (  # Any: JSON of every kind
    None,
    True,
    0,
    -1.5,
    "",
    "x",
    [],
    [None],
    [[]],
    {},
    {"role": 1},
    [{"role": "user"}],
)


class FormatConformance:
    """The claims."""

    name: ClassVar[str]
    rows: ClassVar[Sequence[Example]]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """A test for each example."""
        if "example" in metafunc.fixturenames:
            metafunc.parametrize("example", self.rows)

    @pytest.fixture
    def forms(self) -> Sequence[Form]:
        found: Sequence[Form] = plugins.resolve("format", self.name)
        return found

    def test_every_form_has_an_example_and_words(self, forms: Sequence[Form]) -> None:
        shown = [form for row in self.rows for type_ in _TYPES for form in _fitting(row, type_)]
        assert [form.mark for form in forms if form.types and form not in shown] == []
        assert all(form.keys and form.mark and form.why for form in forms)
        assert all(family_named(form.family) == form.family for form in forms)

    def test_a_row_is_known_by_its_keys_and_is_usable(
        self, forms: Sequence[Form], example: Example
    ) -> None:
        (usual,) = _fitting(example, "auto")
        assert usual in forms
        for family in ("auto", usual.family):
            found = [_read(example, family, type_) for type_ in _TYPES]
            assert any(each.rows and not each.counts.rows_dropped for each in found)
            for each, type_ in zip(found, _TYPES, strict=True):
                possible = [t for form in _fitting(example, type_) for t in form.types]
                assert set(each.types) <= set(possible)
                assert tuple(parse_rows(write_rows(each.rows))) == each.rows

    def test_a_column_beside_the_format_comes_along(self, example: Example) -> None:
        found = [_read({**example, "ticket_number": 17}, "auto", type_) for type_ in _TYPES]
        assert any(each.rows for each in found)
        assert all(row.columns["ticket_number"] == 17 for each in found for row in each.rows)

    def test_a_row_with_a_part_changed_is_kept_or_counted_by_a_key_that_it_has(
        self, example: Example
    ) -> None:
        for key in example:
            gone = {name: value for name, value in example.items() if name != key}
            for row in (gone, *({**example, key: value} for value in _OTHER_VALUES)):
                found = _read(row, "auto")
                counts = found.counts
                assert counts.rows_in == counts.rows_kept + sum(counts.rows_dropped.values())
                errors = [problem for problem in found.problems if problem.level == "error"]
                assert found.rows or counts.rows_dropped
                assert all(not e.key or _root(e.key) in row for e in errors)

    @pytest.mark.parametrize("known", BUILT_IN, ids=str)
    def test_what_a_row_means_already_stays(self, forms: Sequence[Form], known: Example) -> None:
        (form,) = _fitting(known, "auto")
        is_ours = self.name in plugins.BUILTIN["format"]
        assert is_ours or form not in forms


def _fitting(row: Example, type_: Expected) -> list[Form]:
    return fitting(dict(row), "auto", type_)


def _read(row: Example, family: str, type_: Expected = "auto") -> Validated:
    return validate([ReadRow("rows.jsonl", 1, dict(row))], type_, format=family)


def _root(key: str) -> str:
    return key.partition(".")[0].partition("[")[0]
