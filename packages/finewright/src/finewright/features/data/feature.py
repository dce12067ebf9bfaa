"""The commands about data, as finewright knows them."""

from typing import Any

from finewright.feature import Command, Effect, Feature

_HERE = "finewright.features.data.commands"
_OPTIONS = "finewright.features.data.options"
_PAGES = {
    "catalog.sets:DataSets": "features.data.report_sets:list_page",
    "schema.data_check:DataCheckReport": "features.data.report:check_page",
    "schema.data_check:FixReport": "features.data.report:fix_page",
    "schema.data_check:DocumentsReport": "features.data.report:documents_page",
    "schema.data_check:ExamplesReport": "features.data.report:examples_page",
    "schema.duplicates:DuplicatesReport": "features.data.report_checks:duplicates_page",
    "schema.formats:DataShowReport": "features.data.report:show_page",
    "schema.poison:PoisonReport": "features.data.report_checks:poison_page",
    "schema.privacy:PrivacyReport": "features.data.report_checks:privacy_page",
    "schema.provenance:DataPageReport": "report.of_provenance:data_page_page",
    "schema.provenance:TraceReport": "report.of_provenance:trace_page",
    "schema.provenance:WithoutReport": "report.of_provenance:without_page",
    "schema.scale:PrepareReport": "features.data.report_checks:prepare_page",
    "schema.sets:SetReport": "features.data.report_sets:set_page",
}


def _command(  # Any: further fields of a Command
    name: str, options: str, effect: Effect, sentence: str, *, check: bool = True, **more: Any
) -> Command:
    options, run = f"{_OPTIONS}:{options}", f"{_HERE}:{name}"
    return Command(f"data {name}", sentence, options, run, effect, is_check=check, **more)


FEATURE = Feature(
    "data",
    "See, check and fix data; find what must not train; build data sets.",
    step="data",
    commands=(
        _command(
            "show",
            "ShowOptions",
            "reads",
            "Which container and format it is and why, its keys, and the first rows as they become.",
        ),
        _command(
            "check",
            "CheckOptions",
            "reads",
            "Say what becomes of every row: kept, or dropped and why; exit code 2 if one cannot be used.",
            effects={"fix": "writes", "problems": "writes"},
        ),
        _command(
            "duplicates",
            "DuplicatesOptions",
            "reads",
            "Find repeated rows, and held-out rows that are known; exit code 2 if one cannot be compared.",
            effects={"out": "writes"},
        ),
        _command(
            "personal",
            "PersonalOptions",
            "reads",
            "Find personal data and secrets, or write rows without; exit code 2 if a row is not looked at.",
            effects={"out": "writes"},
        ),
        _command(
            "prepare",
            "PrepareOptions",
            "writes",
            "Check, deduplicate and scan data of any size; exit code 2 if a row is not looked at.\n\n"
            "A call that was cut goes on where it was.",
        ),
        _command(
            "documents",
            "DocumentsOptions",
            "writes",
            "Turn PDF, Word, Excel, HTML and Markdown into one record of text each.",
        ),
        _command(
            "sections",
            "SectionsOptions",
            "writes",
            "Cut documents into sections by their headings, each with its place.",
        ),
        _command(
            "report",
            "ReportOptions",
            "writes",
            "Write one page: counts, problems, quality, repeats, licences, with the rows behind them.",
            page="out",
        ),
        _command(
            "trace",
            "TraceOptions",
            "reads",
            "Say where a row of a run came from, with the proof.",
            check=False,
        ),
        _command(
            "without",
            "WithoutOptions",
            "reads",
            "Name the rows that are left to train on when a source must go.",
            check=False,
        ),
        Command(
            "data list",
            "The data sets that can be built, their packages and licences.",
            "finewright.schema.options:CommandOptions",
            f"{_HERE}:list_sets",
            "reads",
        ),
        _command(
            "get",
            "GetOptions",
            "writes",
            "Fetch and build a data set: JSONL files with a record of where they came from.",
            check=False,
        ),
    ),
    reports={f"finewright.{report}": f"finewright.{page}" for report, page in _PAGES.items()},
)
