"""What reading gives: rows, rows that cannot be read, and what must be said of the file."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from finewright.schema.common import Problem

_MOST_LISTED = 20


class ReadRow(NamedTuple):
    """One row of a file, at a line or place that counts from 1."""

    file: str
    row: int
    data: dict[str, Any]  # Any: what a row holds is only known after validation


class Unread(NamedTuple):
    """A row that is there and cannot be read: why, and its bytes where they were kept."""

    problem: Problem
    content: bytes | None = None


Found: TypeAlias = ReadRow | Unread | Problem


@dataclass(slots=True)
class Listing:
    """The first problems of each file and level, and one more that counts those left out."""

    kept: list[Problem] = field(default_factory=list)
    seen: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, problem: Problem) -> None:
        """Keep it, or only count it where its like was kept often enough."""
        self.seen[problem.file, problem.level] += 1
        if self.seen[problem.file, problem.level] <= _MOST_LISTED:
            self.kept.append(problem)

    def problems(self) -> tuple[Problem, ...]:
        """What is listed, and the counts of what is not."""
        more = [
            Problem.model_validate(
                {
                    "level": level,
                    "file": file,
                    "message": f"and {count - _MOST_LISTED} more {level}s like these",
                }
            )
            for (file, level), count in self.seen.items()
            if count > _MOST_LISTED
        ]
        return (*self.kept, *more)


def said(
    file: str,
    message: str,
    hint: str = "",
    row: int | None = None,
    level: Literal["error", "warning", "info"] = "error",
) -> Problem:
    """A problem of that file; with a `row`, of that row."""
    return Problem(level=level, file=file, row=row, message=message, hint=hint)
