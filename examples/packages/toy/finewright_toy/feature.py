"""What the feature brings; names as text, so that the list of features imports none of them."""

from finewright.sdk import Command, Feature, SpecSection

FEATURE = Feature(
    "toy",
    "Count to a number.",
    section=SpecSection(
        "finewright_toy.counting:CountSpec",
        "How far `finewright toy` counts",
        "asked for by a command of its own",
        needed_by="a count",
        aliases={"to": ("upper_bound",)},
    ),
    commands=(
        Command(
            "toy",
            "Count to the number of the spec.",
            "finewright_toy.counting:CountOptions",
            "finewright_toy.counting:count",
            "reads",
            is_check=True,
        ),
    ),
    reports={"finewright_toy.counting:CountReport": "finewright_toy.report:count_page"},
)
