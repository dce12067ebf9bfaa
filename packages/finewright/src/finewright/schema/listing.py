"""Problems as one reads them: the first of those of one kind, and how many there are."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from finewright.schema.common import Problem

NOT_UTF8 = "not UTF-8"
_MOST_LISTED = 20
_MOST_ALIKE = 3
_MOST_KINDS = 1000
_NUMBER = re.compile(r"[0-9]+")


class ProblemGroup(NamedTuple):
    """What problems of one kind have in common: the file, the level, and key and message without numbers."""

    file: str
    level: str
    key: str
    message: str


class RepeatedProblem(NamedTuple):
    """A problem, and for how many like it it stands, itself among them."""

    problem: Problem
    number: int


@dataclass(slots=True)
class Listing:
    """The first problems of a file and level: those of one kind one by one, or, where there are many, by
    the first of them and their number; and one more that counts what is left out.

    No more than _MOST_KINDS kinds of a file and level are told apart; what comes after is but counted."""

    kept: dict[ProblemGroup, list[Problem]] = field(default_factory=dict)
    order: list[ProblemGroup] = field(default_factory=list)
    numbers: Counter[ProblemGroup] = field(default_factory=Counter)
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    more: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, problem: Problem, number: int = 1) -> None:
        """Keep it, or only count it where its like was kept; `number` are as many."""
        group = group_of(problem)
        place = (group.file, group.level)
        if group not in self.kept:
            if self.kinds[place] == _MOST_KINDS:
                self.more[place] += number
                return
            self.kinds[place] += 1
            self.kept[group] = []
        if len(self.kept[group]) < _MOST_ALIKE:
            self.kept[group].append(problem)
            self.order.append(group)
        self.numbers[group] += number

    def count_repeats(self) -> Iterator[RepeatedProblem]:
        """What is kept, in its order; the last that is kept of a kind stands for those that are not."""
        num_given: Counter[ProblemGroup] = Counter()
        for group in self.order:
            place, kept = num_given[group], self.kept[group]
            num_given[group] += 1
            is_last = num_given[group] == len(kept)
            yield RepeatedProblem(kept[place], self.numbers[group] - place if is_last else 1)

    def join(self, later: "Listing") -> None:
        """Add what a listing of the rows that come after has: all is listed as by one reader."""
        for problem, number in later.count_repeats():
            self.add(problem, number)
        self.more.update(later.more)

    def to_json(self) -> dict[str, Any]:  # Any: free JSON
        """What is kept and what is counted, as it comes from another process."""
        return {
            "counted": [[problem.model_dump(), number] for problem, number in self.count_repeats()],
            "more": [[*place, count] for place, count in self.more.items()],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Listing":  # Any: free JSON
        """The listing of `to_json`."""
        listing = cls(more=Counter({(file, level): n for file, level, n in stored["more"]}))
        for problem, number in stored["counted"]:
            listing.add(Problem.model_validate(problem), number)
        return listing

    def problems(self) -> tuple[Problem, ...]:
        """What is listed, and the counts of what is not."""
        listed: list[RepeatedProblem] = []
        left, num_listed = Counter(self.more), Counter[tuple[str, str]]()
        for line in self._lines():
            place = (line.problem.file, line.problem.level)
            num_listed[place] += 1
            if num_listed[place] <= _MOST_LISTED:
                listed.append(line)
            else:
                left[place] += line.number
        more = [
            Problem.model_validate(
                {"level": level, "file": file, "message": f"and {count} more {level}s like these"}
            )
            for (file, level), count in left.items()
        ]
        return (*_once(listed), *more)

    def _lines(self) -> Iterator[RepeatedProblem]:
        num_given: Counter[ProblemGroup] = Counter()
        for group in self.order:
            place, number = num_given[group], self.numbers[group]
            num_given[group] += 1
            if number <= _MOST_ALIKE:
                yield RepeatedProblem(self.kept[group][place], 1)
            elif not place:
                yield RepeatedProblem(self.kept[group][0], number)


def _once(lines: Sequence[RepeatedProblem]) -> Iterator[Problem]:
    """What many files have is what the first of them has, and how many more there are in how many files; of
    errors the next files are named, too."""
    numbers: dict[ProblemGroup, Counter[str]] = {}
    last: dict[ProblemGroup, int] = {}
    for place, (problem, number) in enumerate(lines):
        numbers.setdefault(_of_any_file(problem), Counter())[problem.file] += number
        last[group_of(problem)] = place
    for place, (problem, number) in enumerate(lines):
        counts = numbers[_of_any_file(problem)]
        first, *others = counts
        shown = _with_number(problem, number)
        if len(others) < _MOST_ALIKE or (problem.file == first and place < last[group_of(problem)]):
            yield shown
        elif problem.file == first:
            also = _in_others(problem, counts.total() - counts[first], others)
            yield shown.model_copy(update={"message": f"{shown.message}; {also}"})


def _in_others(problem: Problem, more: int, others: Sequence[str]) -> str:
    what = f"{_more(problem, more)} in" if more > len(others) else "in"
    named = f", such as {', '.join(others[:_MOST_ALIKE])}" if problem.level == "error" else ""
    return f"and {what} {len(others)} more files{named}"


def _of_any_file(problem: Problem) -> ProblemGroup:
    return group_of(problem.model_copy(update={"file": ""}))


def group_of(problem: Problem) -> ProblemGroup:
    """The kind of the problem."""
    message = NOT_UTF8 if problem.message.startswith(NOT_UTF8) else problem.message
    key, message = (_NUMBER.sub("#", text) for text in (problem.key, message))
    return ProblemGroup(problem.file, problem.level, key, message)


def _with_number(problem: Problem, number: int) -> Problem:
    if number == 1:
        return problem
    if problem.message.startswith(NOT_UTF8):
        rest = problem.message.removeprefix(NOT_UTF8)
        message = f"{number} lines are not UTF-8, this one first{rest}"
    else:
        message = f"{problem.message}; and {_more(problem, number - 1)}"
    return problem.model_copy(update={"message": message})


def _more(problem: Problem, number: int) -> str:
    # One row can have several of those that are told by a place in a list.
    what = "more like this" if problem.row is None or "[" in problem.key else "more rows"
    return f"{number} {what}"


def list_problems(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The first problems of each file and level, and one more that counts those left out."""
    listing = Listing()
    for problem in problems:
        listing.add(problem)
    return listing.problems()
