"""The translation of configs, as finewright knows it."""

from finewright.feature import Command, Feature

FEATURE = Feature(
    "translate",
    "Read another framework's config as a run spec, and write a run spec as its config.",
    commands=(
        Command(
            "import",
            "Another framework's config as a run spec.",
            "finewright_bridge.translate.commands:ImportConfigOptions",
            "finewright_bridge.translate.commands:import_config",
            "writes",
        ),
        Command(
            "export-config",
            "A run spec as another framework's config.",
            "finewright_bridge.translate.commands:ExportConfigOptions",
            "finewright_bridge.translate.commands:export_config",
            "writes",
        ),
    ),
    reports={
        "finewright_bridge.translate.report:TranslateReport": (
            "finewright_bridge.translate.report:translate_page"
        ),
    },
)
