"""The experiment, as finewright knows it."""

from finewright.feature import Command, Feature, SpecSection

_SCHEMA = "finewright_advice.schema"

FEATURE = Feature(
    "measure",
    "Try what `decide` advises on rows of your own: prompt, retrieval and fine-tune, side by side.",
    section=SpecSection(
        "finewright_advice.schema.measure:MeasureSpec",
        "What `finewright decide --measure` compares",
        "asked for by a command of its own",
    ),
    commands=(
        Command(
            "decide --measure",
            "Run the experiment of the spec's `measure` instead.",
            "finewright_advice.measure.commands:MeasureOptions",
            "finewright_advice.measure.commands:measure",
            "spends",
        ),
    ),
    reports={
        f"{_SCHEMA}.measure_report:MeasureReport": "finewright_advice.measure.report:measure_page",
    },
)
