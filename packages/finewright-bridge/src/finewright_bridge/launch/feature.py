"""The launch of a run elsewhere, as finewright knows it."""

from finewright.feature import Command, Feature

FEATURE = Feature(
    "launch",
    "Write the files with which a run goes to a rented machine, a cluster or a notebook.",
    step="train",
    commands=(
        Command(
            "launch",
            "Complete files for a cloud, a cluster or a notebook: what is uploaded and what it costs first.",
            "finewright_bridge.launch.options:LaunchOptions",
            "finewright_bridge.launch.commands:launch",
            "writes",
            effects={"submit": "publishes"},
        ),
        Command(
            "bundle",
            "All wheels, models and data for a machine without a network, with their digests.",
            "finewright_bridge.launch.options:BundleOptions",
            "finewright_bridge.launch.commands:bundle",
            "writes",
            step="serve",
        ),
    ),
    offers={
        "listing": "finewright_bridge.launch.report:listing",
        "refuse_secret": "finewright_bridge.launch.upload:refuse_secret",
    },
    reports={
        "finewright_bridge.launch.bundle_command:OfflineBundleReport": (
            "finewright_bridge.launch.bundle_command:bundle_page"
        ),
        "finewright_bridge.launch.report:LaunchReport": "finewright_bridge.launch.report:launch_page",
    },
)
