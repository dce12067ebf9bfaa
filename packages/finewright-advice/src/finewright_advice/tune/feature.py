"""The search of settings, as finewright knows it."""

from finewright.feature import Command, Feature, SpecSection

FEATURE = Feature(
    "tune",
    "Search the settings that the spec names, and say what they gain on rows that chose nothing.",
    step="train",
    section=SpecSection(
        "finewright_advice.tune.spec:TuneSpec",
        "What `finewright tune` searches",
        "asked for by a command of its own",
    ),
    commands=(
        Command(
            "tune",
            "Which settings? Search those that `tune` names, and say on untouched rows what they gain.",
            "finewright_advice.tune.commands:TuneOptions",
            "finewright_advice.tune.commands:tune",
            "spends",
        ),
    ),
    reports={
        "finewright_advice.tune.results:TuneReport": "finewright_advice.tune.report:tune_page"
    },
    needs={"optuna": "advice[tune]"},
)
