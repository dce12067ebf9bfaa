"""The red team, as finewright knows it."""

from finewright.feature import Command, Feature, FeatureStage, SpecSection

FEATURE = Feature(
    "redteam",
    "Attack a run or a served model, and say what came of it and what fixes it.",
    step="prove",
    section=SpecSection(
        "finewright_trust.redteam.spec:RedteamSpec",
        "Which attacks a run ends with",
        "asked for by a command of its own",
        faults="finewright_trust.redteam.stage:faults",
    ),
    commands=(
        Command(
            "redteam",
            "Attack a run or a served model; exit code 2 where a finding is as severe as the bar.",
            "finewright_trust.redteam.options:RedteamOptions",
            "finewright_trust.redteam.commands:redteam",
            "spends",
            is_check=True,
            effects={},
        ),
    ),
    stage=FeatureStage(
        "finewright_trust.redteam.stage:run",
        "finewright_trust.redteam.finding:RedteamReport",
        "Attack the tuned model and its base; only where the spec asks.",
        reads=("data", "train"),
        after="evaluate",
        asks_text=True,
    ),
    reports={
        "finewright_trust.redteam.finding:RedteamReport": "finewright_trust.redteam.page:redteam_page"
    },
)
