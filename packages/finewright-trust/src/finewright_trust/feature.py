"""The search for planted behaviour, as finewright knows it."""

from finewright.feature import Command, Feature

FEATURE = Feature(
    "poison",
    "Look for rows that plant a behaviour, and for wrong labels, pairs and answers.",
    step="data",
    commands=(
        Command(
            "data poison",
            "Look for rows that plant a behaviour; exit code 2 if one cannot be looked at.",
            "finewright_trust.options:PoisonOptions",
            "finewright_trust.commands:poison",
            "spends",
            is_check=True,
        ),
    ),
    offers={"search": "finewright_trust.search:search"},
)
