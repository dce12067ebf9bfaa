"""The migration, as finewright knows it."""

from finewright.feature import Command, Feature

FEATURE = Feature(
    "migrate",
    "Move a hosted fine-tune to an open model, and prove parity.",
    commands=(
        Command(
            "migrate openai",
            "Read OpenAI fine-tuning files, freeze the old answers, train an open model, compare.",
            "finewright_hosted_migration.commands:OpenaiOptions",
            "finewright_hosted_migration.commands:openai",
            "spends",
            is_check=True,
        ),
    ),
    reports={
        "finewright_hosted_migration.results:MigrateReport": (
            "finewright_hosted_migration.report:migrate_page"
        ),
    },
)
