"""The forecast of cost, as finewright knows it."""

from finewright.feature import Command, Feature, SpecSection

FEATURE = Feature(
    "cost",
    "Say before a run which machines it fits, how long it takes and what it costs.",
    section=SpecSection(
        "finewright.schema.cost:CostSpec",
        "Which machines and how many runs `cost` reckons with",
        "`finewright cost` needs none",
    ),
    commands=(
        Command(
            "cost",
            "Which machines fit, how long, how much; and what would fit where it does not.",
            "finewright.features.cost.commands:CostOptions",
            "finewright.features.cost.commands:cost",
            is_check=True,
        ),
    ),
)
