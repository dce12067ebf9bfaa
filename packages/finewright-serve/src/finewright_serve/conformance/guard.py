"""What every guard must do: a test module subclasses `GuardConformance`, says the plugin's `name`, its
`settings`, texts with what must not pass between « and », and texts with what only looks like it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from finewright_serve.guards.guard import Action, Finding, Guard, Side, TextPlace
from finewright_serve.guards.held import ArmedGuard, HeldText, look, replaced
from finewright_serve.guards.load import load_guards
from finewright_serve.guards.spec import GuardSpec

# A guard that looks at each character again for each other one would take minutes on 200,000.
_PIECES = ("a", "1 ", "![](", "http://", "a b ", "<img src=", "é-", "\u200b", "[", "i g n o r e ")
_LONG = 200_000
_BEFORE, _AFTER = (
    "The weather was fine and the harbour was full. " * 9,
    " Nothing more of it. " * 20,
)


class GuardConformance:
    """The claims; `marked` and `near_misses` are the guard's own examples on `side`."""

    name: ClassVar[str]
    settings: ClassVar[Mapping[str, Any]] = {}  # Any: free JSON
    side: ClassVar[Side] = "output"
    system: ClassVar[str] = ""
    marked: ClassVar[Sequence[str]]
    near_misses: ClassVar[Sequence[str]] = ()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """A test for each example."""
        if "example" in metafunc.fixturenames:
            metafunc.parametrize("example", self.marked)
        elif "near_miss" in metafunc.fixturenames:
            metafunc.parametrize("near_miss", self.near_misses)

    @pytest.fixture
    def guard(self, tmp_path: Path) -> Guard:
        spec = GuardSpec(guard=self.name, settings=dict(self.settings), **{self.side: "block"})
        ((_, made),) = load_guards([spec], tmp_path)
        return made

    @property
    def place(self) -> TextPlace:
        """Where the examples stand."""
        return TextPlace(self.side, system=self.system)

    def test_what_must_not_pass_is_found_at_its_place(self, guard: Guard, example: str) -> None:
        text, start, end = _unmarked(example)
        found = guard.find(text, self.place)
        assert [(each.start, each.end) for each in found] == [(start, end)]
        assert all(0 < each.score <= 1 and each.what for each in found)
        assert not any(text[start:end] in each.what for each in found)
        assert guard.find(text, self.place) == found

    def test_a_likeness_is_not_found(self, guard: Guard, near_miss: str) -> None:
        assert [
            near_miss[each.start : each.end] for each in guard.find(near_miss, self.place)
        ] == []

    @pytest.mark.parametrize("size", [1, 7, 5000])
    def test_nothing_of_it_leaves_in_pieces(self, guard: Guard, example: str, size: int) -> None:
        """However the text is cut into pieces, what leaves is what of the whole text would."""
        if self.side != "output":
            pytest.skip("what comes in is whole")
        bare, _, _ = _unmarked(example)
        text = f"{_BEFORE}{bare}{_AFTER}"
        whole = look([_armed(guard, "redact")], text, self.place, _fail)
        assert whole
        assert _streamed(guard, text, size, "redact", self.place) == replaced(text, whole)
        stop = whole[0].found.start
        assert _streamed(guard, text, size, "block", self.place) == text[:stop]

    @pytest.mark.parametrize("piece", _PIECES)
    def test_a_long_line_takes_time_in_proportion(self, guard: Guard, piece: str) -> None:
        text = piece * (_LONG // len(piece))
        _check(text, guard.find(text, self.place))
        assert 0 <= guard.opening(text) <= len(text)


def _unmarked(example: str) -> tuple[str, int, int]:
    start, end = example.index("«"), example.index("»") - 1
    return example.replace("«", "").replace("»", ""), start, end


def _check(text: str, found: Sequence[Finding]) -> None:
    last = 0
    for each in found:
        assert last <= each.start < each.end <= len(text)
        last = each.end


def _armed(guard: Guard, action: Action) -> ArmedGuard:
    return ArmedGuard("it", guard, action, False)


def _streamed(guard: Guard, text: str, size: int, action: Action, place: TextPlace) -> str:
    held = HeldText([_armed(guard, action)], place, lambda _: None, _fail)
    parts = [held.add(text[at : at + size]) for at in range(0, len(text), size)]
    return "".join([*parts, held.end()])


def _fail(name: str, error: Exception) -> None:
    raise error
