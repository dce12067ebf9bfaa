"""What a scan found, and how it is shown."""

from pathlib import Path

from finewright.sdk import Model, Page, Problem, Table, Text, count_of, lines, section


class ScanReport(Model):
    """The files of a model that were looked at, the digests of its chat templates, and what is wrong."""

    target: Path
    files: int
    bytes: int
    templates: dict[str, str]
    problems: tuple[Problem, ...]

    @property
    def passed(self) -> bool:
        """Nothing must keep the model from being loaded."""
        return not any(problem.level == "error" for problem in self.problems)


def scan_page(report: ScanReport) -> Page:
    """The verdict, each finding with its mend, and the templates."""
    wrong = [problem for problem in report.problems if problem.level == "error"]
    answer = (
        f"{count_of(len(wrong), 'finding')}: do not load it" if wrong else "only data was found"
    )
    rows = [(each.file, each.key, each.message, each.hint) for each in report.problems]
    digests = [f"{place}: sha256 {digest}" for place, digest in report.templates.items()]
    return Page(
        subject="a model's files",
        title=str(report.target),
        answer=answer,
        about=[f"{count_of(report.files, 'file')}, {report.bytes:,} bytes"],
        sections=[
            *section(
                "Findings", *([Table(("file", "what", "finding", "fix"), rows)] if rows else [])
            ),
            *section("Chat templates", lines(*digests)),
            *section("", Text(LIMITS)),
        ],
    )


LIMITS = (
    "Not shown: what the weights themselves were taught (see `finewright redteam`), instructions that a"
    " template always adds, and what depends on two causes at once."
)
