"""The catalog of prices and what was done to it, as the text that a terminal shows."""

from collections.abc import Iterator
from datetime import date

from finewright.estimate.freshness import deadline_words, freshness
from finewright.render.reports import text_of
from finewright.render.text import table
from finewright.schema.catalog import API, GPU, Fact, Grid, Machine, PriceCatalog, Storage
from finewright.schema.catalog_report import (
    CatalogCheck,
    CatalogImport,
    CatalogList,
    CatalogRefresh,
)
from finewright.schema.common import Problem
from finewright.schema.cost import Range


@text_of.register
def _(report: CatalogList) -> str:
    parts = [part for part in _tables(report.catalog, report.today) if part]
    if report.ending:
        lines = [f"  {deadline_words(row, report.today)}" for row in report.ending]
        parts.append("\n".join(["ends or begins within a year", *lines]))
    if report.problems:
        parts.append("\n".join(map(_problem, report.problems)))
    own = f", {len(report.files)} of your own files over it" if report.files else ""
    parts.append(f"catalog {report.digest} on {report.today}{own}; sources: --json")
    return "\n\n".join(parts)


@text_of.register
def _(report: CatalogCheck) -> str:
    lines = [*map(_problem, report.problems), *(f"replaces {row}" for row in report.replaced)]
    return "\n".join([*lines, f"{report.path}: {_counts(report.rows)}: usable"])


@text_of.register
def _(report: CatalogImport) -> str:
    lines = [*map(_problem, report.problems), *(f"replaces {row}" for row in report.replaced)]
    if report.left_out:
        rows = [[why, str(count)] for why, count in sorted(report.left_out.items())]
        lines.append(table(["left out", "rows"], rows))
    return "\n".join([*lines, f"{report.written}: {_counts(report.rows)} from {report.path}"])


@text_of.register
def _(report: CatalogRefresh) -> str:
    parts = []
    if report.changes:
        rows = [
            [f"{row.provider}/{row.model}", row.before or "new", row.after, str(row.observed_at)]
            for row in report.changes
        ]
        parts.append(table(["$ a million tokens, in / out", "before", "after", "seen"], rows))
    if report.left_alone:
        alone = [[name, why] for name, why in report.left_alone.items()]
        parts.append(table(["left alone", "why"], alone))
    end = f"written to {report.written}" if report.written else "nothing to write"
    parts.append(f"{report.source}: {end}")
    return "\n\n".join(parts)


def _tables(catalog: PriceCatalog, today: date) -> Iterator[str]:
    yield _table(_MACHINE, [_machine(row, today) for row in catalog.machines])
    yield _table(_API, [_api(row, today) for row in catalog.apis])
    yield _table(_GPU, [_gpu(row) for row in catalog.gpus])
    yield _table(_STORAGE, [_storage(row, today) for row in catalog.storage])
    yield _table(_GRID, [_grid(row) for row in catalog.grids])


_MACHINE = ["machine", "GPUs", "tier", "region", "$ an hour", "session", "seen"]
_API = ["API", "$ a million in", "out", "cached", "context", "fine-tuning", "ends", "seen"]
_GPU = ["GPU", "GiB", "usable", "16-bit TFLOP/s", "GB/s", "W"]
_STORAGE = ["storage", "$ a GiB and month", "seen"]
_GRID = ["grid", "country", "g CO2e a kWh", "year"]


def _table(header: list[str], rows: list[list[str]]) -> str:
    return table(header, rows) if rows else ""


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
    if price.low == price.high:
        return f"{price.median:g}"
    return f"{price.median:g} ({price.low:g}-{price.high:g})"


def _counts(rows: dict[str, int]) -> str:
    named = [
        f"{count} {section.removesuffix('s') if count == 1 else section}"
        for section, count in rows.items()
    ]
    return ", ".join(named) or "no rows"


def _problem(problem: Problem) -> str:
    return f"{problem.level}: {problem.line()}"
