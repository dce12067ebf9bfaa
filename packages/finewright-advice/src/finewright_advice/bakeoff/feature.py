"""The bake-off, as finewright knows it."""

from finewright.feature import Command, Feature, SpecSection

_SCHEMA = "finewright_advice.schema"

FEATURE = Feature(
    "bakeoff",
    "Train each base model on the same rows, drop the worse ones, and compare the rest.",
    step="decide",
    section=SpecSection(
        "finewright_advice.bakeoff.spec:BakeoffSpec",
        "How `finewright bakeoff` compares the base models",
        "asked for by a command of its own",
    ),
    commands=(
        Command(
            "bakeoff",
            "Which base model? Train each on the same rows, drop the worse ones, and compare the rest.",
            "finewright_advice.bakeoff.commands:BakeoffOptions",
            "finewright_advice.bakeoff.commands:bakeoff",
            "spends",
        ),
    ),
    reports={
        f"{_SCHEMA}.bakeoff_report:BakeoffReport": "finewright_advice.bakeoff.report:bakeoff_page"
    },
)
