"""Base models that are made once, and the table of the whole matrix."""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache

import pytest
from cells import FAMILIES, Cell

import tiny
from finewright.lm.sources import LocalBase


@pytest.fixture(scope="session")
def base_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], LocalBase]:
    """family -> a tiny model of it with a tokenizer, in a folder."""
    root = tmp_path_factory.mktemp("bases")

    @cache
    def base(family: str) -> LocalBase:
        folder = root / family
        tiny.tiny_model(family).save_pretrained(folder)
        tiny.tiny_tokenizer().save_pretrained(folder)
        return LocalBase(family, folder, "0" * 64, "unknown")

    return base


def pytest_pycollect_makeitem(collector: pytest.Collector, obj: object) -> list[pytest.Item] | None:
    """The whole matrix runs only when it is asked for: 1,584 tests that none else need collect."""
    is_whole = any(mark.name == "matrix" for mark in getattr(obj, "pytestmark", ()))
    return [] if is_whole and "matrix" not in collector.config.option.markexpr else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table of the cells that ran."""
    verdicts = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            found = dict(report.user_properties)
            if report.when == "call" and "cell" in found:
                verdicts[found["cell"]] = found.get("verdict")
    if verdicts:
        terminalreporter.section("method x adapter x quantization x family")
        for line in _table(verdicts):
            terminalreporter.write_line(line)


def _table(verdicts: dict[Cell, tuple[str, str] | None]) -> Iterator[str]:
    """A line a method, adapter and quantization, then what the numbers say, and the sums."""
    remarks = list(dict.fromkeys(text for each in verdicts.values() for text in each or () if text))
    shown = {cell: _shown(verdict, remarks) for cell, verdict in verdicts.items()}
    yield " " * 20 + " ".join(f"{family:>11}" for family in FAMILIES)
    for row in dict.fromkeys(cell[:3] for cell in verdicts):
        cells = (shown.get(Cell(*row, family), "") for family in FAMILIES)
        yield f"{row[0]:6} {row[1]:6} {row[2]:5} " + " ".join(f"{text:>11}" for text in cells)
    yield ""
    counts = Counter(shown.values())
    for number, remark in enumerate(remarks, 1):
        yield f"{number}: {remark}"
    yield ", ".join(f"{text} {count}" for text, count in sorted(counts.items()))


def _shown(verdict: tuple[str, str] | None, remarks: list[str]) -> str:
    """ok, ok with the number of what is said of it, - with the number of the reason, or FAILED."""
    if verdict is None:
        return "FAILED"
    refused, said = verdict
    if refused:
        return f"-{remarks.index(refused) + 1}"
    return f"ok{remarks.index(said) + 1}" if said else "ok"
