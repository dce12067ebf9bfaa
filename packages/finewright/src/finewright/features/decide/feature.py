"""The decision, as finewright knows it."""

from finewright.feature import Command, Feature, FeatureStage, SpecSection

FEATURE = Feature(
    "decide",
    "Advise whether to prompt, retrieve, fine-tune or combine, and say what would change the advice.",
    section=SpecSection(
        "finewright.features.decide.spec:DecideSpec",
        "What `finewright decide` weighs",
        "asked for before there is data or a model",
        needed_by="a decision",
    ),
    commands=(
        Command(
            "decide",
            "Prompt, retrieve, fine-tune, or combine? A ranking with reasons, and what would change it.",
            "finewright.features.decide.commands:DecideOptions",
            "finewright.features.decide.commands:decide",
            "reads",
        ),
    ),
    stage=FeatureStage(
        "finewright.features.decide.stage:run",
        "finewright.features.decide.results:DecideReport",
        "Advise whether to prompt, retrieve or fine-tune; only where the spec asks.",
    ),
    reports={
        "finewright.features.decide.results:DecideReport": "finewright.features.decide.report:decide_page",
    },
)
