"""The decision, as finewright knows it."""

from finewright.feature import Command, Feature, FeatureStage, SpecSection

FEATURE = Feature(
    "decide",
    "Advise whether to prompt, retrieve, fine-tune or combine, and say what would change the advice.",
    step="decide",
    section=SpecSection(
        "finewright_advice.decide.spec:DecideSpec",
        "What `finewright decide` weighs",
        "asked for before there is data or a model",
        needed_by="a decision",
    ),
    commands=(
        Command(
            "decide",
            "Prompt, retrieve, fine-tune, or combine? A ranking with reasons, and what would change it.",
            "finewright_advice.decide.commands:DecideOptions",
            "finewright_advice.decide.commands:decide",
            "reads",
        ),
    ),
    stage=FeatureStage(
        "finewright_advice.decide.stage:run",
        "finewright_advice.decide.results:DecideReport",
        "Advise whether to prompt, retrieve or fine-tune; only where the spec asks.",
    ),
    offers={"advice": "finewright_advice.decide.run:decide_file"},
    reports={
        "finewright_advice.decide.results:DecideReport": "finewright_advice.decide.report:decide_page",
    },
)
