"""The judge, as finewright knows it."""

from finewright.feature import Command, Feature

FEATURE = Feature(
    "judge",
    "Let a language model mark answers, and hold its marks against those of people.",
    step="evaluate",
    commands=(
        Command(
            "judge",
            "Let a model mark a run's answers by a rubric, beside marks by people.",
            "finewright_advice.judging.command:JudgeOptions",
            "finewright_advice.judging.command:judge",
            "spends",
        ),
    ),
    reports={
        "finewright_advice.judging.report:JudgeReport": "finewright_advice.judging.report:judge_page",
        "finewright_advice.judging.report:SheetReport": "finewright_advice.judging.report:sheet_page",
    },
)
