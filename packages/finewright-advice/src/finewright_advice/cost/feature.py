"""The forecast of cost, as finewright knows it."""

from finewright.feature import Command, Feature, FeatureStage, SpecSection

FEATURE = Feature(
    "cost",
    "Say before a run which machines it fits, how long it takes and what it costs.",
    step="decide",
    section=SpecSection(
        "finewright_advice.cost.spec:CostSpec",
        "Which machines and how many runs `cost` reckons with",
        "`finewright cost` needs none",
        faults="finewright_advice.cost.check:faults",
    ),
    commands=(
        Command(
            "cost",
            "Which machines fit, how long, how much; and what would fit where it does not.",
            "finewright_advice.cost.commands:CostOptions",
            "finewright_advice.cost.commands:cost",
            "reads",
            is_check=True,
            effects={"calibrate": "spends"},
        ),
    ),
    stage=FeatureStage(
        "finewright_advice.cost.stage:run",
        "finewright.schema.cost:CostReport",
        "Estimate memory, time and money; only where the spec asks.",
        reads=("data",),
    ),
    offers={"forecast": "finewright_advice.cost.forecast:cost"},
    reports={
        "finewright.schema.cost:CostReport": "finewright_advice.cost.report:cost_page",
    },
)
