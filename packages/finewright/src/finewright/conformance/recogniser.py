"""What every recogniser must do: a test module subclasses `RecogniserConformance`, says the plugin's `name`,
texts with a value between « and », each with its type, and texts with what only looks like one."""

from collections.abc import Sequence
from random import Random
from typing import ClassVar

import pytest

from finewright import plugins
from finewright.guard.privacy.find import find
from finewright.guard.privacy.replace import redact
from finewright.guard.privacy.scan import PersonalSpan, Recogniser, Scan
from finewright.guard.privacy.sieve import signs_in
from finewright.schema.privacy import FoundType

# A pattern that backtracks would take minutes on 200,000 characters of one kind.
_PIECES = ("a", "1", " 1", "1 ", "@a.", "a@", "A", "0x", "(", "é-", "1.1:", "A B. ")
_LONG = 200_000


class RecogniserConformance:
    """The claims; `marked` and `near_misses` are the recogniser's own examples."""

    name: ClassVar[str]
    marked: ClassVar[Sequence[tuple[str, FoundType]]]
    near_misses: ClassVar[Sequence[str]] = ()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """A test for each example."""
        if "type_" in metafunc.fixturenames:
            metafunc.parametrize(("example", "type_"), self.marked)
        elif "near_miss" in metafunc.fixturenames:
            metafunc.parametrize("near_miss", self.near_misses)

    @pytest.fixture
    def recognisers(self) -> tuple[Recogniser, ...]:
        found: tuple[Recogniser, ...] = plugins.resolve("recogniser", self.name)()
        return found

    def test_every_type_has_an_example(self, recognisers: tuple[Recogniser, ...]) -> None:
        types = {type_ for row in recognisers for type_ in row.types}
        assert types == {type_ for _, type_ in self.marked}

    def test_a_value_is_in_a_text_with_the_sign(
        self, recognisers: tuple[Recogniser, ...], example: str, type_: FoundType
    ) -> None:
        """Else nobody would look at the text, among thousands of others."""
        text = example.replace("«", "").replace("»", "")
        _, signs, _ = signs_in(["Nothing here.", text, ""])
        looking = [row for row in recognisers if any(row.recognise(Scan(text)))]
        assert [row for row in looking if not row.sign & signs] == []

    def test_a_value_is_found_at_its_place(
        self, recognisers: tuple[Recogniser, ...], example: str, type_: FoundType
    ) -> None:
        start, end = example.index("«"), example.index("»") - 1
        text = example.replace("«", "").replace("»", "")
        assert (start, end, type_) in [span[:3] for span in _spans(text, recognisers)]
        found = [span for span in find(text, {type_}) if span.type == type_]
        assert [(span.start, span.end) for span in found] == [(start, end)]
        assert all(0 < span.confidence <= 1 and span.why for span in found)
        assert not any(text[start:end] in span.why for span in found)

    def test_a_likeness_is_not_found(
        self, recognisers: tuple[Recogniser, ...], near_miss: str
    ) -> None:
        types = {type_ for row in recognisers for type_ in row.types}
        assert [near_miss[span.start : span.end] for span in find(near_miss, types)] == []

    def test_only_its_own_types_come_and_nothing_is_left_when_they_are_taken_out(
        self, recognisers: tuple[Recogniser, ...], example: str, type_: FoundType
    ) -> None:
        text = example.replace("«", "").replace("»", "")
        for row in recognisers:
            assert {span.type for span in row.recognise(Scan(text))} <= row.types
        assert find(redact(text, {type_}), {type_}) == ()

    def test_a_stand_in_is_found_as_the_value_was(
        self, recognisers: tuple[Recogniser, ...], example: str, type_: FoundType
    ) -> None:
        start, end = example.index("«"), example.index("»")
        value = example[start + 1 : end]
        for row in recognisers:
            if row.stand_in is None or type_ not in row.types:
                continue
            other = row.stand_in(value, Random(1))  # noqa: S311 - no secret
            assert other == row.stand_in(value, Random(1)) != value  # noqa: S311
            text = f"{example[:start]}{other}{example[end + 1 :]}"
            found = [span for span in find(text, {type_}) if span.type == type_]
            assert [text[span.start : span.end] for span in found] == [other]

    @pytest.mark.parametrize("piece", _PIECES)
    def test_a_long_line_takes_time_in_proportion(
        self, recognisers: tuple[Recogniser, ...], piece: str
    ) -> None:
        _spans(piece * (_LONG // len(piece)), recognisers)


def _spans(text: str, recognisers: Sequence[Recogniser]) -> list[PersonalSpan]:
    scan = Scan(text)
    return [span for row in recognisers for span in row.recognise(scan)]
