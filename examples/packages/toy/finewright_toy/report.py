"""What the report shows."""

from finewright.sdk import Page, section, table_of
from finewright_toy.counting import CountReport


def count_page(report: CountReport) -> Page:
    """A table of the numbers."""
    numbers = table_of(report.numbers, {"number": str})
    return Page(
        "a count", "A count", f"Counted for {report.name}.", sections=section("Numbers", numbers)
    )
