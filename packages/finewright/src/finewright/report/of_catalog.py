"""The catalog of prices, and what was done to it."""

from collections.abc import Iterator, Sequence
from datetime import date

from finewright.estimate.freshness import deadline_words, freshness
from finewright.report.blocks import Page, Section, Table, Text, lines, section, table_of
from finewright.schema.catalog import API, GPU, Fact, HostedTuning, Machine, PriceCatalog
from finewright.schema.catalog_report import (
    CatalogCheck,
    CatalogImport,
    CatalogList,
    CatalogRefresh,
)
from finewright.schema.cost import Range

_SUBJECT = "prices"

_FIRST = 5


def list_page(report: CatalogList) -> Page:
    """Every table of the catalog, and what ends or begins soon."""
    own = f", {len(report.files)} of your own files over it" if report.files else ""
    ending = [deadline_words(row, report.today) for row in report.ending]
    return Page(
        _SUBJECT,
        f"catalog {report.digest} on {report.today}{own}; sources: --json",
        problems=report.problems,
        sections=[
            *_tables(report.catalog, report.today),
            *section("Ends or begins within a year", lines(*ending)),
        ],
    )


def check_page(report: CatalogCheck) -> Page:
    """What a file of prices has, and what it replaces."""
    return Page(
        _SUBJECT,
        report.path,
        f"{_counts(report.rows)}: usable",
        [f"replaces {row}" for row in report.replaced],
        report.problems,
    )


def import_page(report: CatalogImport) -> Page:
    """What was written, and what was left out of it."""
    left_out = [(why, str(count)) for why, count in sorted(report.left_out.items())]
    return Page(
        _SUBJECT,
        report.written,
        f"{_counts(report.rows)} from {report.path}",
        [f"replaces {row}" for row in report.replaced],
        report.problems,
        [
            *section("", Table(("left out", "rows"), left_out)),
            *section(f"{len(report.bad_lines)} lines with a wrong cell", lines(*_bad(report))),
        ],
    )


def _bad(report: CatalogImport) -> Iterator[str]:
    shown = report.bad_lines if report.lists_all else report.bad_lines[:_FIRST]
    yield from shown
    if more := len(report.bad_lines) - len(shown):
        yield f"and {more} more: --bad-lines lists all"


def refresh_page(report: CatalogRefresh) -> Page:
    """Which prices changed, and which were left alone."""
    changes = [
        (f"{row.provider}/{row.model}", row.before or "new", row.after, str(row.observed_at))
        for row in report.changes
    ]
    header = ("$ a million tokens, in / out", "before", "after", "seen")
    return Page(
        _SUBJECT,
        report.source,
        f"written to {report.written}" if report.written else "nothing to write",
        sections=[
            *section("", Table(header, changes)),
            *section("", Table(("left alone", "why"), list(report.left_alone.items()))),
        ],
    )


def _tables(catalog: PriceCatalog, today: date) -> Iterator[Section]:
    yield from section("Machines", _machines(catalog.machines, today), _notes(catalog.machines))
    yield from section("APIs", _apis(catalog.apis, today))
    yield from section("Fine-tuning at hosts", _tunings(catalog.tunings, today))
    yield from section("GPUs", _gpus(catalog.gpus), _notes(catalog.gpus))
    storage = [
        (
            f"{row.provider} {row.sku}",
            _dollars(row.usd_per_gib_month),
            _show_observed_at(row, today),
        )
        for row in catalog.storage
    ]
    yield from section("Storage", Table(("storage", "$ a GiB and month", "seen"), storage))
    grids = [
        (row.country, row.name, f"{row.g_co2e_per_kwh:.0f}", str(row.year)) for row in catalog.grids
    ]
    yield from section("Grids", Table(("grid", "country", "g CO2e a kWh", "year"), grids))


def _machines(machines: Sequence[Machine], today: date) -> Table:
    return table_of(
        machines,
        {
            "machine": lambda row: f"{row.provider} {row.sku}",
            "GPUs": lambda row: f"{row.num_gpus} x {row.gpu}",
            "tier": lambda row: row.tier.replace("_", " "),
            "region": lambda row: row.region,
            "$ an hour": lambda row: _dollars(row.usd_per_hour),
            "session": lambda row: ", ".join(_limits(row)),
            "seen": lambda row: _show_observed_at(row, today),
        },
    )


def _notes(rows: Sequence[Machine] | Sequence[GPU]) -> Text | None:
    """What is to be known of a row beside its figures, each once."""
    said = {
        " ".join(row.key()[:2]): "; ".join(filter(None, (row.note, getattr(row, "unusable", ""))))
        for row in rows
    }
    return lines(*(f"{name}: {note}" for name, note in said.items() if note))


def _limits(row: Machine) -> Iterator[str]:
    if row.max_session_hours:
        yield f"{row.max_session_hours:g} h"
    if row.max_hours_per_week:
        yield f"{row.max_hours_per_week:g} h a week"


def _apis(apis: Sequence[API], today: date) -> Table:
    tuning = {True: "yes", False: "no", None: ""}
    return table_of(
        apis,
        {
            "API": lambda row: f"{row.provider}/{row.model}",
            "$ a million in": lambda row: _dollars(row.usd_per_million_in),
            "out": lambda row: _dollars(row.usd_per_million_out),
            "cached": lambda row: (
                _dollars(row.usd_per_million_cached) if row.usd_per_million_cached else ""
            ),
            "context": lambda row: ", ".join(_context(row)),
            "batch": lambda row: f"{row.batch_share:.0%}" if row.batch_share else "",
            "fine-tuning": lambda row: tuning[row.can_fine_tune],
            "ends": lambda row: str(row.deprecation_date or ""),
            "seen": lambda row: _show_observed_at(row, today),
        },
    )


def _context(row: API) -> Iterator[str]:
    if row.context_tokens:
        yield f"{row.context_tokens:,}"
    if row.long_context:
        yield f"dearer over {row.long_context.above_tokens:,}"


def _tunings(rows: Sequence[HostedTuning], today: date) -> Table:
    return table_of(
        rows,
        {
            "host": lambda row: f"{row.provider}: {row.model}",
            "trains by": lambda row: ", ".join(row.methods),
            "$ a million trained": lambda row: (
                _dollars(row.usd_per_million) if row.usd_per_million else "not found"
            ),
            "served": lambda row: row.served_by,
            "ends": lambda row: str(row.ends or ""),
            "seen": lambda row: _show_observed_at(row, today),
        },
    )


def _gpus(gpus: Sequence[GPU]) -> Table:
    return table_of(
        gpus,
        {
            "GPU": lambda row: row.name,
            "GiB": lambda row: f"{row.vram_gib:g}",
            "usable": lambda row: f"{row.memory_gib:.1f}",
            "16-bit TFLOP/s": lambda row: (
                f"{row.training_tflops:g}{'' if row.bf16_tflops else ' (float16)'}"
            ),
            "GB/s": lambda row: f"{row.memory_bandwidth_gb_s:g}",
            "W": lambda row: f"{row.tdp_watts:g}",
        },
    )


def _show_observed_at(row: Fact, today: date) -> str:
    level = freshness(row.observed_at, today).level
    return f"{row.observed_at}{'' if level == 'fresh' else ' ' + level}"


def _dollars(price: Range) -> str:
    """A stated price, to its last digit."""
    if price.low == price.high:
        return f"{price.median:g}"
    return f"{price.median:g} ({price.low:g}-{price.high:g})"


def _counts(rows: dict[str, int]) -> str:
    named = [
        f"{count} {section.removesuffix('s') if count == 1 else section}"
        for section, count in rows.items()
    ]
    return ", ".join(named) or "no rows"
