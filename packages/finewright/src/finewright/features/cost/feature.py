"""The forecast of cost, as finewright knows it."""

from finewright.feature import Command, Feature, FeatureStage, SpecSection

FEATURE = Feature(
    "cost",
    "Say before a run which machines it fits, how long it takes and what it costs.",
    section=SpecSection(
        "finewright.features.cost.spec:CostSpec",
        "Which machines and how many runs `cost` reckons with",
        "`finewright cost` needs none",
        faults="finewright.features.cost.check:faults",
    ),
    commands=(
        Command(
            "cost",
            "Which machines fit, how long, how much; and what would fit where it does not.",
            "finewright.features.cost.commands:CostOptions",
            "finewright.features.cost.commands:cost",
            "reads",
            is_check=True,
            effects={"calibrate": "spends"},
        ),
    ),
    stage=FeatureStage(
        "finewright.features.cost.stage:run",
        "finewright.schema.cost:CostReport",
        "Estimate memory, time and money; only where the spec asks.",
        reads=("data",),
    ),
    offers={"forecast": "finewright.features.cost.forecast:cost"},
    reports={
        "finewright.schema.cost:CostReport": "finewright.features.cost.report:cost_page",
    },
)
