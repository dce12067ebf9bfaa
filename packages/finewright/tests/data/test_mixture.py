"""Shares of sources are met to the row, and nothing is taken or left out unsaid."""

from collections import Counter

import pytest
from pydantic import ValidationError

from finewright.data.mixture import Mixed, mix
from finewright.schema.data import DataSpec, SourceSpec
from finewright.schema.rows import Row


def mixed(*sources: dict[str, object], **there: int) -> Mixed:
    spec = DataSpec.model_validate({"sources": sources})
    by_path = {source.path: source for source in spec.sources}
    rows = [
        Row(f"{path}{i}", ({"role": "user", "content": str(i)},), None, path, i)
        for path, count in there.items()
        for i in range(count)
    ]

    def source_of(row: Row) -> SourceSpec:
        return by_path[row.file]

    return mix(rows, spec, source_of)


@pytest.mark.parametrize(
    ("sources", "wanted"),
    [
        (({"path": "a"}, {"path": "b", "share": 0.3}), {"a": 7, "b": 3}),
        (({"path": "a"}, {"path": "b", "share": 0.9}), {"a": 7, "b": 63}),
        (({"path": "a", "weight": 2}, {"path": "b", "weight": 0.25}), {"a": 14, "b": 5}),
        (({"path": "a", "share": 0.2}, {"path": "b"}), {"a": 5, "b": 20}),
    ],
)
def test_shares_are_met_to_the_row(
    sources: tuple[dict[str, object], ...], wanted: dict[str, int]
) -> None:
    found = mixed(*sources, a=7, b=20)
    assert Counter(row.file for row in found.rows) == wanted
    assert {each.source: each.taken for each in found.shares} == wanted
    for path, there in (("a", 7), ("b", 20)):
        times = Counter(row.id for row in found.rows if row.file == path)
        each = [times[f"{path}{i}"] for i in range(there)]
        assert max(each) - min(each) <= 1
    assert found.num_left_out == 27 - len({row.id for row in found.rows})
    assert [problem.level for problem in found.problems] == ["info", "info"]


def test_without_a_word_every_row_trains_once() -> None:
    found = mixed({"path": "a"}, {"path": "b"}, a=2, b=3)
    assert (len(found.rows), found.shares, found.problems) == (5, (), ())


def test_a_source_of_which_nothing_is_left_is_an_error() -> None:
    found = mixed({"path": "a"}, {"path": "b", "weight": 0.01}, a=2, b=3)
    assert [problem.level for problem in found.problems] == ["info", "error"]


@pytest.mark.parametrize(
    "sources",
    [
        [{"path": "a", "share": 0.5}],
        [{"path": "a"}, {"path": "b", "share": 0.5}, {"path": "c", "share": 0.6}],
        [{"path": "a"}, {"path": "b", "share": 0.5, "weight": 2}],
        [{"path": "a"}, {"path": "b", "share": 0.5, "held_out": True}],
        [{"path": "a"}, {"path": "a", "weight": 2}],
    ],
)
def test_what_cannot_be_met_is_refused(sources: list[dict[str, object]]) -> None:
    with pytest.raises(ValidationError):
        DataSpec.model_validate({"sources": sources})
