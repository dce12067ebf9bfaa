"""The commands that every use needs: the run spec, the stages, models, runs and the catalog."""

from finewright.feature import Command, Feature

_HERE = "finewright.cli.commands"
_CATALOG = "finewright.cli.catalog"
_TRUSTED = "finewright.cli.trust"

_WORK = Feature(
    "core",
    "The run spec, the stages and what they make.",
    commands=(
        Command(
            "quickstart",
            "Fine-tune a real model on real data, and show what it gained.",
            f"{_HERE}:QuickstartOptions",
            f"{_HERE}:quickstart",
        ),
        Command(
            "check",
            "Report every mistake in a spec and its data, without loading a model.",
            "finewright.schema.options:SpecOptions",
            f"{_HERE}:check",
            is_check=True,
        ),
        Command(
            "plan",
            "Show what would be trained: rows, tokens, steps, settings with their reasons.",
            "finewright.schema.options:SpecOptions",
            f"{_HERE}:plan",
            is_check=True,
        ),
        Command(
            "train",
            "Fine-tune: the stages up to and including train.",
            f"{_HERE}:TrainOptions",
            f"{_HERE}:train",
        ),
        Command(
            "up",
            "Run every stage: skip what is fresh, go on where a run was cut.",
            f"{_HERE}:UpOptions",
            f"{_HERE}:up",
        ),
        Command(
            "evaluate",
            "Measure a tuned or a base model on held-out rows, alone or against others.",
            f"{_HERE}:EvaluateOptions",
            f"{_HERE}:evaluate",
        ),
        Command(
            "chat",
            "Talk to a tuned or a base model; the answer streams.\n\n"
            "Lines from a pipe are each a conversation of their own; a blank line is answered by"
            " a blank line.",
            f"{_HERE}:ChatOptions",
            f"{_HERE}:chat",
            is_talk=True,
        ),
        Command(
            "predict",
            "Answer every row of a file; the same command goes on where it was cut.",
            f"{_HERE}:PredictOptions",
            f"{_HERE}:predict",
        ),
        Command(
            "verify",
            "Recompute every digest and score of a run, name what differs, and say who signed it.",
            f"{_HERE}:RunOptions",
            f"{_HERE}:verify",
            is_check=True,
        ),
        Command(
            "doctor",
            "Say what is installed, on which device, what would fail and how to mend it.",
            f"{_HERE}:DoctorOptions",
            f"{_HERE}:doctor",
            is_check=True,
        ),
        Command(
            "bench",
            "Measure how fast this machine trains a model; nothing is kept.",
            f"{_HERE}:BenchOptions",
            f"{_HERE}:bench",
        ),
        Command(
            "schema",
            "Print the JSON Schema of the run spec, for editors.",
            "finewright.schema.options:CommandOptions",
            f"{_HERE}:schema",
            is_talk=True,
        ),
    ),
)

_RUNS = Feature(
    "runs",
    "List the runs, or show one.",
    commands=(
        Command(
            "runs list",
            "Every run: when, what state, which stages are done.",
            f"{_HERE}:RunsOptions",
            f"{_HERE}:list_runs",
        ),
        Command(
            "runs show",
            "One run with what its stages reported.",
            f"{_HERE}:RunOptions",
            f"{_HERE}:show_run",
        ),
    ),
)

_FACTS = Feature(
    "catalog",
    "Dated facts that estimates stand on: prices, GPUs, deadlines.",
    commands=(
        Command(
            "catalog list",
            "The facts, each with its source and day, and what ends within a year.",
            f"{_CATALOG}:ListOptions",
            f"{_CATALOG}:list_facts",
        ),
        Command(
            "catalog check",
            "Every mistake in a file of prices, with line, key and mend.",
            f"{_CATALOG}:PriceFileOptions",
            f"{_CATALOG}:check",
        ),
        Command(
            "catalog import",
            "Take prices of a file into your own catalog, over the packaged ones.",
            f"{_CATALOG}:ImportOptions",
            f"{_CATALOG}:import_prices",
        ),
        Command(
            "catalog refresh",
            "API prices of the installed genai-prices, without a network.",
            f"{_CATALOG}:RefreshOptions",
            f"{_CATALOG}:refresh",
        ),
    ),
)

_TRUST = Feature(
    "trust",
    "What may run and whose signatures count here: code that came with files, and keys.",
    commands=(
        Command(
            "trust list",
            "All that you trust on this machine.",
            "finewright.schema.options:CommandOptions",
            f"{_TRUSTED}:list_trusted",
        ),
        Command(
            "trust add",
            "Let Python code run that came with a model or a spec, after you have read it.",
            f"{_TRUSTED}:CodeOptions",
            f"{_TRUSTED}:add",
        ),
        Command(
            "trust key",
            "Know the public key of another user or machine, whose runs you take.",
            f"{_TRUSTED}:KeyOptions",
            f"{_TRUSTED}:key",
        ),
        Command(
            "trust remove",
            "Trust code or a key no longer.",
            f"{_TRUSTED}:RemoveOptions",
            f"{_TRUSTED}:remove",
        ),
    ),
)

CORE = (_WORK, _RUNS, _FACTS, _TRUST)
