"""Runs in buckets and their aliases, as finewright knows them."""

from finewright.feature import Command, Feature

_COMMANDS = "finewright_bridge.places.commands"
_OPTIONS = "finewright_bridge.places.options"

FEATURE = Feature(
    "places",
    "Publish runs in buckets and bring them back, whole and verified, and name them by aliases.",
    step="serve",
    commands=(
        Command(
            "push",
            "Upload a run or a bundle: what is listed first, its manifest last, never over another.",
            f"{_OPTIONS}:PushOptions",
            f"{_COMMANDS}:push",
            "publishes",
        ),
        Command(
            "pull",
            "Bring a pushed run or bundle here, and verify it.",
            f"{_OPTIONS}:PullOptions",
            f"{_COMMANDS}:pull",
            "writes",
        ),
        Command(
            "alias set",
            "Let NAME@ALIAS mean this run, wherever a run is named.",
            f"{_OPTIONS}:SetAliasOptions",
            f"{_COMMANDS}:set_alias",
            "writes",
            effects={"at": "publishes"},
        ),
        Command(
            "alias list",
            "Every alias: its run, and what it meant before, when and by whom.",
            f"{_OPTIONS}:ListAliasesOptions",
            f"{_COMMANDS}:list_aliases",
            "reads",
        ),
    ),
    groups={"alias": "Names for runs that stay when the run is another."},
    offers={"find_alias": "finewright_bridge.places.alias:find_alias"},
    reports={
        "finewright_bridge.places.push:TransferReport": "finewright_bridge.places.report:transfer_page",
        "finewright_bridge.places.alias:AliasReport": "finewright_bridge.places.report:alias_page",
    },
)
