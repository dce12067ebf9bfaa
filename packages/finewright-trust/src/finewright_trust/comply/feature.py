"""Evidence for regimes, as finewright knows it."""

from finewright.feature import Command, Feature, FeatureStage, SpecSection

FEATURE = Feature(
    "comply",
    "Say which duties apply to a run and which evidence answers them, and write the dossier.",
    step="prove",
    section=SpecSection(
        "finewright_trust.comply.spec:ComplySpec",
        "Under which rules, in which roles, and what only people can say",
        "asked for by a command of its own",
        needed_by="a dossier",
        faults="finewright_trust.comply.spec:faults",
    ),
    commands=(
        Command(
            "comply",
            "Say which duties apply to a run and which evidence answers them; write the dossier.",
            "finewright_trust.comply.options:ComplyOptions",
            "finewright_trust.comply.commands:comply",
            "writes",
        ),
    ),
    stage=FeatureStage(
        "finewright_trust.comply.stage:run",
        "finewright_trust.comply.report:ComplyReport",
        "Write the dossier of the run; only where the spec asks.",
        reads=("data", "train", "evaluate"),
    ),
    reports={
        "finewright_trust.comply.report:ComplyReport": "finewright_trust.comply.page:comply_page"
    },
)
