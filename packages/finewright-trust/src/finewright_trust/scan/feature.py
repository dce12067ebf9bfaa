"""The scan of foreign models, as finewright knows it."""

from finewright.sdk import Command, Feature

FEATURE = Feature(
    "scan",
    "Look at a model from elsewhere before it is loaded: files, headers, code, links, chat templates.",
    step="prove",
    commands=(
        Command(
            "scan",
            "Say whether a model's files are only data; exit code 2 if something is found.",
            "finewright_trust.scan.command:ScanOptions",
            "finewright_trust.scan.command:scan",
            "reads",
            is_check=True,
        ),
    ),
    reports={"finewright_trust.scan.report:ScanReport": "finewright_trust.scan.report:scan_page"},
)
