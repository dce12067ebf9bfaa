"""What an export shows: the files, and the comparison."""

from finewright.report.blocks import Page, Table, section
from finewright.schema.export import ExportReport, Parity
from finewright_bridge.export.proof import describe_parted


def export_page(report: ExportReport) -> Page:
    """The comparison first: whether it is the same model is what one wants to know."""
    parity = report.parity
    verdict = _verdict(parity)
    accepted = f"; published all the same: {parity.accepted}" if parity.accepted else ""
    files = [
        (file.path, f"{file.bytes / 2**20:,.1f} MiB", file.sha256[:12]) for file in report.files
    ]
    return Page(
        subject="an export",
        title=report.folder,
        answer=f"{verdict}{accepted}",
        about=(f"{report.to} of {report.run} ({report.base_model})", f"use: {report.use}"),
        problems=report.problems,
        sections=[
            *section(
                f"Compared with the training's own model, computed in {parity.dtype}",
                Table(_HEADER, _rows_of_parity(parity)),
            ),
            *section("Files", Table(("file", "size", "sha256"), files)),
        ],
    )


def _verdict(parity: Parity) -> str:
    if not parity.passed:
        return "NOT the same within the tolerance"
    if parity.parted:
        return f"the same within the tolerance: {describe_parted(parity)}"
    return "the same model"


_COMPARED = "Compared with the training's own model"
_HEADER = ("greedy answers", "found", "tolerance")


def _rows_of_parity(parity: Parity) -> list[tuple[str, str, str]]:
    tolerance = parity.tolerance
    rows = [
        (f"token for token the same, {parity.engine}", f"{parity.same} of {parity.prompts}", ""),
        (f"parted at a tie within rounding, {parity.rounding:.3f} nats", str(parity.ties), ""),
        ("parted otherwise", str(parity.parted), f"{tolerance.parted:.0%} of all"),
        (
            "a token below the model's own choice, nats",
            f"{parity.gap_max:.3f}",
            f"{tolerance.gap:.3g}",
        ),
    ]
    if parity.logp_mean is not None:
        what = f"log-probabilities of {parity.compared} tokens, mean difference, nats"
        rows.append((what, f"{parity.logp_mean:.4f}", f"{tolerance.logp_mean:g}"))
    rows.append(("prompts cut into other tokens", str(parity.other_tokens), "0"))
    rows.append(("conversations rendered otherwise", str(parity.other_renderings), "0"))
    return rows
