"""Releases, as finewright knows them."""

from finewright.feature import Command, Feature, FeatureStage, SpecSection

_REPORT = "finewright_trust.release.report"
_PAGE = "finewright_trust.release.page"
_COMMANDS = "finewright_trust.release.commands"
_OPTIONS = "finewright_trust.release.options"

FEATURE = Feature(
    "release",
    "Let a run out only by a policy, as a signed bundle; hold a change against the run that it came from.",
    step="prove",
    section=SpecSection(
        "finewright_trust.release.policy:ReleaseSpec",
        "The policy by which a run is released at its end",
        "asked for by a command of its own",
        needed_by="a policy",
    ),
    commands=(
        Command(
            "release",
            "Judge a run by a policy, and write a signed bundle; exit code 1 where a rule is red.",
            f"{_OPTIONS}:ReleaseOptions",
            f"{_COMMANDS}:release",
            "publishes",
            is_check=True,
            fails_with=1,
        ),
        Command(
            "policy",
            "Print the built-in policy of releases, to start one of your own from.",
            "finewright.schema.options:CommandOptions",
            f"{_COMMANDS}:policy",
            "reads",
            is_talk=True,
        ),
        Command(
            "gate",
            "Hold a changed spec or run against the run that it came from; exit code 1 where it is worse.",
            f"{_OPTIONS}:GateOptions",
            "finewright_trust.release.gate:gate",
            "spends",
            is_check=True,
            fails_with=1,
        ),
    ),
    stage=FeatureStage(
        "finewright_trust.release.stage:run",
        f"{_REPORT}:ReleaseReport",
        "Judge the run by its policy, and write a signed bundle; only where the spec asks.",
        reads=("data", "evaluate", "redteam"),
        after="comply",
    ),
    needs={
        "model_signing": "trust[release]",
        "cyclonedx": "trust[release]",
        "OpenSSL": "trust[release]",
    },
    offers={"verify_bundle": f"{_COMMANDS}:verify_bundle"},
    reports={
        f"{_REPORT}:ReleaseReport": f"{_PAGE}:release_page",
        f"{_REPORT}:BundleReport": f"{_PAGE}:bundle_page",
        f"{_REPORT}:GateReport": f"{_PAGE}:gate_page",
    },
)
