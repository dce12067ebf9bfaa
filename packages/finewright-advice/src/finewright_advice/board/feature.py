"""The board of runs, as finewright knows it."""

from finewright.feature import Command, Feature

FEATURE = Feature(
    "board",
    "Put what runs and experiments measured on one page.",
    step="evaluate",
    commands=(
        Command(
            "board",
            "One table of runs and experiments: every system's scores, licences of the rows, minutes.",
            "finewright_advice.board.command:BoardOptions",
            "finewright_advice.board.command:show_board",
            "reads",
        ),
    ),
    reports={
        "finewright_advice.board.report:BoardReport": "finewright_advice.board.report:board_page",
    },
)
