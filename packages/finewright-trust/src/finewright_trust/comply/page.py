"""What a dossier shows: how much evidence there is, the controls, the compute meter, and the documents."""

from collections.abc import Callable, Iterator, Sequence
from typing import get_args

from finewright.report import cells
from finewright.report.blocks import Block, Fold, Hyperlink
from finewright.report.cells import number
from finewright.sdk import Page, Section, Table, Text, count_of, lines, section, table_of
from finewright_trust.comply.assess import count_states
from finewright_trust.comply.compute import MARGIN
from finewright_trust.comply.report import (
    ComplyReport,
    ComputeMeter,
    ControlState,
    DocumentField,
    EnergyUse,
    FilledDocument,
    Kind,
)

_KINDS: tuple[Kind, ...] = get_args(Kind)
_PERCENT = 0.01
"""Smaller shares are shown as 1/N, which says more than zeros."""
_MOST = 4
"""Controls that are named of those that a fact decides."""
_NOTICE = "It says which evidence exists as of that day. It judges no law, and is no legal advice."


def comply_page(report: ComplyReport) -> Page:
    """The whole dossier. Only its first section stands in model cards, and it has no tables."""
    return Page(
        "a dossier",
        f"Dossier of {report.name}",
        _answer(report),
        about=[
            f"as of {report.today}; roles: {', '.join(report.roles) or 'none stated'}; {report.run}",
            *([f"in {report.folder}"] if report.folder else []),
        ],
        problems=report.problems,
        sections=[
            *section("", lines(*_stops(report))),
            *section("Training compute", *_compute(report.compute)),
            *section("Energy", Text(_energy(report.energy))),
            *_controls(report),
            *section("What only you know", *_questions(report)),
            *section("Documents", _documents(report.documents)),
            *section("Evidence", *_evidence(report), is_for_page=True),
        ],
        notice=_NOTICE,
    )


def document_page(document: FilledDocument, report: ComplyReport) -> Page:
    """One document by itself."""
    return Page(
        "a document",
        document.title,
        f"{document.article}; {_filled(document)}, as of {report.today}",
        about=[f"{report.name}, {report.run}", f"form: {document.source}"],
        sections=[part for each in document.sections for part in _part(each.title, each.fields)],
        notice=_NOTICE,
    )


def _part(title: str, fields: Sequence[DocumentField]) -> list[Section]:
    columns: dict[str, Callable[[DocumentField], str]] = {
        "field": lambda f: f.name,
        "content": lambda f: f.value or f"[{f.source}]",
        "from": lambda f: f.kind,
        "file, from the dossier's folder": lambda f: f.source if f.kind != "missing" else "",
    }
    return section(title, table_of(fields, columns))


def _answer(report: ComplyReport) -> str:
    there = report.of("applies")
    found = count_states(there)
    later, unknown = len(report.of("later")), len(report.of("unknown"))
    return (
        f"{count_of(len(there), 'control applies', 'controls apply')}: evidence of {found['auto']} from"
        f" records, of {found['human']} with people's, of {found['missing']} something is missing;"
        f" {later} come into force later, {unknown} depend on facts that nobody stated"
    )


def _stops(report: ComplyReport) -> Iterator[str]:
    """What must be seen first."""
    for control in report.of("applies"):
        if control.id in ("R01", "R02"):
            fine = f", up to {control.fine_eur:,.0f} euro" if control.fine_eur else ""
            yield f"In force, {control.article}: {control.duty} Fine: Article {control.fine}{fine}."


def _compute(meter: ComputeMeter) -> Iterator[Block | None]:
    yield Text(compute_line(meter))
    columns = {
        "counted": lambda p: p.what,
        "FLOP": lambda p: f"{p.flops:.2e}",
        "by": lambda p: p.how,
    }
    yield table_of(meter.parts, columns)
    yield lines(*(f"not counted: {each}" for each in meter.uncounted))
    yield Text(
        "Not counted, because they measure and teach nothing: evaluation, red team, held-out looks.",
        "soft",
    )


def compute_line(meter: ComputeMeter) -> str:
    """The total, the threshold with its reason, and whether the margin of the estimate could turn it."""
    least = "at least " if meter.uncounted else ""
    flops = f"{least}{meter.total:.2e} FLOP" if meter.parts else "no FLOP counted"
    total = f"{flops} on {meter.base}"
    if meter.base_flops is not None:
        total += f", which took {meter.base_flops:.2e} ({meter.base_source})"
    if meter.threshold is None or meter.share is None:
        return f"{total}; the one-third criterion is not engaged: {meter.point}"
    return (
        f"{total}: {_of(meter.share)} of the {meter.threshold:.2e} of the one-third criterion"
        f" ({meter.point}); {_margin(meter)}"
    )


def _of(share: float) -> str:
    if not share:
        return "nothing"
    return f"{number(100 * share)} %" if share >= _PERCENT else f"1/{1 / share:.2g}"


def _margin(meter: ComputeMeter) -> str:
    share = meter.share or 0.0
    if share * (1 + MARGIN) <= 1 and not meter.uncounted:
        return f"below it, also if the count were {MARGIN:.0%} too low"
    if share * (1 - MARGIN) > 1:
        return f"above it, also if the count were {MARGIN:.0%} too high"
    return (
        "the figures do not decide"
        if meter.uncounted
        else f"within {MARGIN:.0%} of it: look closer"
    )


def _energy(energy: EnergyUse) -> str:
    if energy.kwh is None:
        return f"unknown: {energy.basis}"
    return f"{number(energy.kwh)} kWh, {energy.how}: {energy.basis}"


def _controls(report: ComplyReport) -> Iterator[Section]:
    for regime, title in report.regimes.items():
        own = [each for each in report.of("applies", "later") if each.regime == regime]
        yield from section(f"Controls: {title}", _table(own))


def _table(controls: Sequence[ControlState]) -> Table:
    return table_of(
        controls,
        {
            "id": lambda c: c.id,
            "article": lambda c: c.article,
            "duty": lambda c: c.duty,
            "in force": _in_force,
            "evidence": lambda c: c.kind,
            "what there is, or is missing": _what,
        },
    )


def _in_force(control: ControlState) -> str:
    if control.status == "later":
        return f"from {control.start}"
    return f"since {control.start}" if control.start else "yes"


def _what(control: ControlState) -> str:
    missing = [each.hint for each in control.evidence if each.kind == "missing"]
    there = [each.value for each in control.evidence if each.kind != "missing" and each.value]
    return "; ".join(dict.fromkeys(f"missing: {hint}" for hint in missing)) or "; ".join(there)


def _questions(report: ComplyReport) -> Iterator[Block | None]:
    open_facts: dict[str, list[str]] = {}
    for control in report.of("unknown"):
        for fact in control.asks:
            open_facts.setdefault(fact, []).append(control.id)
    rows = [
        (
            fact,
            cells.count(len(ids)),
            f"{', '.join(ids[:_MOST])}{', ...' * (len(ids) > _MOST)}",
        )
        for fact, ids in sorted(open_facts.items(), key=lambda item: -len(item[1]))
    ]
    if rows:
        yield Text("State these as keys of `system` (and `roles`): docs/comply.md.")
        yield Table(("fact", "decides over", "controls"), rows)


def _documents(documents: Sequence[FilledDocument]) -> Table:
    rows = [
        (each.title, each.article, *(cells.count(each.count(kind)) for kind in _KINDS))
        for each in documents
    ]
    return Table(("document", "asked for by", *_KINDS), rows)


def _filled(document: FilledDocument) -> str:
    return ", ".join(f"{document.count(kind)} {kind}" for kind in _KINDS)


def _evidence(report: ComplyReport) -> Iterator[Block]:
    """A fold for each control: its source, and each file with its digest."""
    for document in report.documents:
        yield Hyperlink(document.title, f"documents/{document.id}.html", _filled(document))
    for control in report.of("applies", "later", "unknown"):
        blocks: list[Block] = [Text(control.duty)]
        blocks += [Hyperlink(control.source, control.source, _review(control))]
        for each in control.evidence:
            if each.link:
                blocks.append(Hyperlink(each.link, each.link, f"{each.value} sha256 {each.sha256}"))
            else:
                blocks.append(Text(f"{each.query}: missing: {each.hint}"))
        title = f"{control.id}, {control.article}: {control.status}, {control.kind}"
        yield Fold(title, blocks)


def _review(control: ControlState) -> str:
    if not control.reviewed_at:
        return "not read against this source"
    by = {"source": "against this source", "copies": "against copies and lists of others"}
    return f"reviewed {control.reviewed_at} {by.get(control.reviewed_against, '')}".rstrip()
