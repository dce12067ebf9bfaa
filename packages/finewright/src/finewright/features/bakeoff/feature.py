"""The bake-off, as finewright knows it."""

from finewright.feature import Command, Feature, SpecSection

FEATURE = Feature(
    "bakeoff",
    "Train each base model on the same rows, drop the worse ones, and compare the rest.",
    section=SpecSection(
        "finewright.features.bakeoff.spec:BakeoffSpec",
        "How `finewright bakeoff` compares the base models",
        "asked for by a command of its own",
    ),
    commands=(
        Command(
            "bakeoff",
            "Which base model? Train each on the same rows, drop the worse ones, and compare the rest.",
            "finewright.features.bakeoff.commands:BakeoffOptions",
            "finewright.features.bakeoff.commands:bakeoff",
            "spends",
        ),
    ),
    reports={
        "finewright.schema.bakeoff_report:BakeoffReport": "finewright.features.bakeoff.report:bakeoff_page"
    },
)
