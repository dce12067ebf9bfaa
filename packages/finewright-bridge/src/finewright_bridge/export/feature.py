"""The export of a run, as finewright knows it."""

from finewright.feature import Command, Feature

FEATURE = Feature(
    "export",
    "Write a run's result in the form that other programs load, and prove that it answers the same.",
    step="serve",
    commands=(
        Command(
            "export",
            "Merged weights, GGUF, an Ollama, vLLM or hub folder: written, asked the same, compared.",
            "finewright_bridge.export.options:ExportOptions",
            "finewright_bridge.export.commands:export",
            "spends",
        ),
    ),
    reports={
        "finewright.schema.export:ExportReport": "finewright_bridge.export.report:export_page",
    },
)
