"""The catalog of prices, and what was done to it."""

from collections.abc import Iterator
from datetime import date

from finewright.estimate.freshness import deadline_words, freshness
from finewright.report.blocks import Page, Section, Table, lines, section
from finewright.schema.catalog import API, GPU, Fact, Grid, Machine, PriceCatalog, Storage
from finewright.schema.catalog_report import (
    CatalogCheck,
    CatalogImport,
    CatalogList,
    CatalogRefresh,
)
from finewright.schema.cost import Range

_SUBJECT = "prices"


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
            *section("ending", "Ends or begins within a year", lines(*ending)),
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
        section("left-out", "", Table(("left out", "rows"), left_out)),
    )


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
            *section("changes", "", Table(header, changes)),
            *section("alone", "", Table(("left alone", "why"), list(report.left_alone.items()))),
        ],
    )


def _tables(catalog: PriceCatalog, today: date) -> Iterator[Section]:
    machines = ("machine", "GPUs", "tier", "region", "$ an hour", "session", "seen")
    apis = ("API", "$ a million in", "out", "cached", "context", "fine-tuning", "ends", "seen")
    gpus = ("GPU", "GiB", "usable", "16-bit TFLOP/s", "GB/s", "W")
    tables = {
        "Machines": Table(machines, [_machine(row, today) for row in catalog.machines]),
        "APIs": Table(apis, [_api(row, today) for row in catalog.apis]),
        "GPUs": Table(gpus, [_gpu(row) for row in catalog.gpus]),
        "Storage": Table(
            ("storage", "$ a GiB and month", "seen"),
            [_storage(row, today) for row in catalog.storage],
        ),
        "Grids": Table(
            ("grid", "country", "g CO2e a kWh", "year"), [_grid(row) for row in catalog.grids]
        ),
    }
    for title, table in tables.items():
        yield from section(title.lower(), title, table)


def _machine(row: Machine, today: date) -> list[str]:
    limits = [f"{row.max_session_hours:g} h"] if row.max_session_hours else []
    limits += [f"{row.max_hours_per_week:g} h a week"] if row.max_hours_per_week else []
    return [
        f"{row.provider} {row.sku}",
        f"{row.num_gpus} x {row.gpu}",
        row.tier.replace("_", " "),
        row.region,
        _dollars(row.usd_per_hour),
        ", ".join(limits),
        _seen(row, today),
    ]


def _api(row: API, today: date) -> list[str]:
    tuning = {True: "yes", False: "no", None: ""}[row.can_fine_tune]
    cached = _dollars(row.usd_per_million_cached) if row.usd_per_million_cached else ""
    dearer = f"dearer over {row.long_context.above_tokens:,}" if row.long_context else ""
    context = f"{row.context_tokens:,}" if row.context_tokens else ""
    return [
        f"{row.provider}/{row.model}",
        _dollars(row.usd_per_million_in),
        _dollars(row.usd_per_million_out),
        cached,
        ", ".join(filter(None, (context, dearer))),
        tuning,
        str(row.deprecation_date or ""),
        _seen(row, today),
    ]


def _gpu(row: GPU) -> list[str]:
    kind = "" if row.bf16_tflops else " (float16)"
    return [
        row.name,
        f"{row.vram_gib:g}",
        f"{row.memory_gib:.1f}",
        f"{row.training_tflops:g}{kind}",
        f"{row.memory_bandwidth_gb_s:g}",
        f"{row.tdp_watts:g}",
    ]


def _storage(row: Storage, today: date) -> list[str]:
    return [f"{row.provider} {row.sku}", _dollars(row.usd_per_gib_month), _seen(row, today)]


def _grid(row: Grid) -> list[str]:
    return [row.country, row.name, f"{row.g_co2e_per_kwh:.0f}", str(row.year)]


def _seen(row: Fact, today: date) -> str:
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
