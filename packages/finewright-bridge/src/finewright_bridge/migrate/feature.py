"""The migration, as finewright knows it."""

from finewright.feature import Command, Feature

FEATURE = Feature(
    "migrate",
    "Move a hosted fine-tune to an open model, and prove parity.",
    step="train",
    commands=(
        Command(
            "migrate openai",
            "Read OpenAI fine-tuning files, freeze the old answers, train an open model, compare.",
            "finewright_bridge.migrate.commands:OpenaiOptions",
            "finewright_bridge.migrate.commands:openai",
            "spends",
            is_check=True,
        ),
    ),
    reports={
        "finewright_bridge.migrate.report:MigrateReport": (
            "finewright_bridge.migrate.report:migrate_page"
        ),
    },
)
