"""The one index of what can be swapped: kind -> name -> "module:attribute".

Targets are strings, so listing the names imports nothing. Other packages add names through the
entry-point group `finewright.<kind>`; a built-in name always wins, and the groups are read only
when a name is not built in (the scan costs more than the rest of `--help`). What a kind must do is
said by its Protocol, and tested by its suite in `finewright.conformance`, which any package can run:

| kind | Protocol | suite |
|---|---|---|
| attack | a `finewright_trust.redteam.attack.Attack` | finewright-trust's |
| backend | a `train.backends.Backend`, by its name in `train.backend` | finewright-bridge's |
| feature | a `feature.Feature` | `conformance.feature` |
| format | some `rows.formats.native.Form` | `conformance.format` |
| guard | a `GuardPlugin`: the settings, and what finds in a text what must not pass | finewright-serve's |
| index | an `IndexStore`, by the scheme of its addresses | finewright-rag's |
| price_file | a `catalog.price_source.PriceFile`; `catalog import --format NAME` | `conformance.price_file` |
| price_list | a `catalog.price_source.PriceList` | `conformance.price_list` |
| recogniser | a function that returns some `guard.privacy.scan.Recogniser` | `conformance.recogniser` |
| embedder | a function that returns a `lm.embedders.embedder.Embedder` | `conformance.embedder` |
| engine | a function (targets, `Serving`) -> `ModelEngine`s | finewright-serve's |
| launcher | a `LauncherPlugin`: the files of a run for a cloud or a cluster | finewright-bridge's |
| place | a `place.Place`, by the scheme of its addresses | finewright-bridge's |
| method | a `schema.train.TrainSettings`, whose `code` is a `train.loop.Method` | `conformance.method` |
| reward | `train.rewards.Comparison`, spelled `plugin:NAME` in a spec | `conformance.reward` |
| scorer | `evaluate.score.RowScorer`, or a class that makes one of the argument | `conformance.scorer` |
| set | a function that returns a `data.sets.content.DataSet` | `conformance.set` |
| tracker | a `store.tracker.TrackerPlugin`, by its name in `trackers` of a spec | `conformance.tracker` |
"""

import json
import shlex
import sys
from functools import cache, lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from finewright.errors import FinewrightError, MissingExtra, UnknownPlugin, suggest

Kind = Literal[
    "attack",
    "backend",
    "embedder",
    "engine",
    "feature",
    "format",
    "guard",
    "index",
    "launcher",
    "method",
    "place",
    "price_file",
    "price_list",
    "recogniser",
    "reward",
    "scorer",
    "set",
    "tracker",
]

BUILTIN: dict[Kind, dict[str, str]] = {
    "attack": {},
    "backend": {},
    "embedder": {
        "minilm": "finewright.lm.embedders.minilm:load",
        "wordllama": "finewright.lm.static_words:load",
    },
    "engine": {},
    "feature": {
        "data": "finewright.features.data.feature:FEATURE",
        "mcp": "finewright.features.mcp.feature:FEATURE",
    },
    # In this order: of forms that fit equally well, the first is taken.
    "format": {
        "openai": "finewright.rows.formats.openai:FORMS",
        "own": "finewright.rows.formats.own:FORMS",
        "hh": "finewright.rows.formats.hh:FORMS",
        "alpaca": "finewright.rows.formats.alpaca:FORMS",
        "sharegpt": "finewright.rows.formats.sharegpt:FORMS",
        "swift": "finewright.rows.formats.swift:FORMS",
        "axolotl": "finewright.rows.formats.axolotl:FORMS",
        "instruct": "finewright.rows.formats.instruct:FORMS",
        "gemini": "finewright.rows.formats.gemini:FORMS",
        "tree": "finewright.rows.formats.tree:FORMS",
        "untrained": "finewright.rows.formats.untrained:FORMS",
    },
    "guard": {},
    "index": {},
    "launcher": {},
    "method": {
        "sft": "finewright.schema.methods:SFTSpec",
        "dpo": "finewright.schema.methods:DPOSpec",
        "orpo": "finewright.schema.methods:ORPOSpec",
        "simpo": "finewright.schema.methods:SimPOSpec",
        "kto": "finewright.schema.methods:KTOSpec",
        "reward": "finewright.schema.methods:RewardModelSpec",
        "grpo": "finewright.schema.methods:GRPOSpec",
        "ppo": "finewright.schema.methods:PPOSpec",
        "distill": "finewright.schema.methods:DistillSpec",
        "gkd": "finewright.schema.methods:GKDSpec",
        "linear": "finewright.schema.label_methods:LinearSpec",
        "labels": "finewright.schema.label_methods:LabelHeadSpec",
        "label_text": "finewright.schema.label_methods:LabelTextSpec",
    },
    "place": {},
    "price_file": {},
    "price_list": {},
    # In this order: where two claim a place with equal right, the first one has it.
    "recogniser": {
        "internet": "finewright.guard.privacy.internet:recognisers",
        "phones": "finewright.guard.privacy.phones:recognisers",
        "banking": "finewright.guard.privacy.banking:recognisers",
        "bank_numbers": "finewright.guard.privacy.bank_numbers:recognisers",
        "national_ids": "finewright.guard.privacy.national_ids:recognisers",
        "births": "finewright.guard.privacy.births:recognisers",
        "names": "finewright.guard.privacy.names:recognisers",
        "addresses": "finewright.guard.privacy.addresses:recognisers",
        "tokens": "finewright.guard.privacy.tokens:recognisers",
        "keys": "finewright.guard.privacy.keys:recognisers",
        "mnemonics": "finewright.guard.privacy.mnemonics:recognisers",
        "assigned": "finewright.guard.privacy.assigned:recognisers",
    },
    "reward": {
        "exact": "finewright.judge.text:exact_match",
        "json_f1": "finewright.judge.text:json_f1",
        "mentions": "finewright.judge.text:mentions",
        "numeric": "finewright.judge.text:numeric",
    },
    "scorer": {
        "abstention": "finewright.judge.quotes:abstention",
        "bits_per_byte": "finewright.evaluate.scorers:bits_per_byte",
        "exact_match": "finewright.judge.text:exact_match",
        "json_f1": "finewright.judge.text:json_f1",
        "json_field": "finewright.evaluate.scorers:JsonField",
        "json_schema": "finewright.judge.json_schema:json_schema",
        "label_accuracy": "finewright.evaluate.scorers:label_accuracy",
        "macro_f1": "finewright.evaluate.scorers:macro_f1",
        "mentions": "finewright.judge.text:mentions",
        "no_call": "finewright.judge.calls:no_call",
        "numeric": "finewright.judge.text:numeric",
        "perplexity": "finewright.evaluate.scorers:perplexity",
        "regex": "finewright.judge.patterns:Regex",
        "rouge_l": "finewright.evaluate.scorers:rouge_l",
        "token_f1": "finewright.evaluate.scorers:token_f1",
        "tool_arguments": "finewright.judge.calls:tool_arguments",
        "tool_calls": "finewright.judge.calls:tool_calls",
        "tool_calls_in_order": "finewright.judge.calls:tool_calls_in_order",
        "tool_name": "finewright.judge.calls:tool_name",
        "tool_schema": "finewright.judge.calls:tool_schema",
        "valid_json": "finewright.judge.text:valid_json",
        "within": "finewright.evaluate.scorers:Within",
    },
    "set": {
        "bank-details": "finewright.data.sets.bank_requests:details",
        "bank-docs": "finewright.data.sets.bank_docs:data_set",
        "bank-facts": "finewright.data.sets.bank_facts:data_set",
        "bank-intents": "finewright.data.sets.bank_requests:intents",
        "sql": "finewright.data.sets.sql:data_set",
        "tool-calls": "finewright.data.sets.tool_calls:data_set",
    },
    "tracker": {},
}

_PACKAGES_HERE = Path(__file__).parents[3]


@cache
def packages_by_name() -> dict[str, dict[str, str]]:
    """kind -> name -> what brings it, for the names of all our packages: `web3`, or `advice[tune]`; and under
    "command" the first word of commands -> the feature that brings them, where that has another name.

    Written from their entry points by `docs/generate.py`, so that a package that is not there is said."""
    text = files("finewright").joinpath("packages.json").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = json.loads(text)
    return found


def names(kind: Kind) -> list[str]:
    """Every name of that kind, built in or installed, sorted; imports none of them."""
    return sorted(list_names(kind))


def list_names(kind: Kind) -> list[str]:
    """Every name of that kind: those built in by the order of the table, then the installed ones."""
    others = {entry_point.name for entry_point in find_installed(kind)}
    return [*BUILTIN[kind], *sorted(others - BUILTIN[kind].keys())]


def modules(kind: Kind) -> list[str]:
    """The modules that the names of that kind from other packages come from; imports none of them."""
    return sorted(
        {point.module for point in find_installed(kind) if point.name not in BUILTIN[kind]}
    )


def find_installed(kind: Kind) -> list[EntryPoint]:
    """What other packages register of that kind; imports none of them."""
    return _read_entry_points(tuple(map(_folder, sys.path))).get(f"finewright.{kind}", [])


def _folder(path: str) -> tuple[str, int]:
    """A folder of the path, and when something was last installed in it; 0 where it cannot be seen."""
    try:
        return path, Path(path).stat().st_mtime_ns
    except OSError:  # not there, or within a folder of someone else
        return path, 0


@lru_cache(maxsize=8)
def _read_entry_points(_path: tuple[tuple[str, int], ...]) -> dict[str, list[EntryPoint]]:
    """group -> what all packages on that path register in it; a run asks for 12 groups."""
    points = entry_points()
    ours = (group for group in points.groups if group.startswith("finewright."))
    return {group: list(points.select(group=group)) for group in ours}


def resolve(
    kind: Kind, name: str
) -> Any:  # Any: what a kind resolves to is its consumer's Protocol
    """The object registered under `name`; its module is imported by this call and not before.

    Raises UnknownPlugin, and MissingExtra for a name of a package of ours that is not installed. Code of
    an installed package is trusted as its installer trusted it."""
    if target := BUILTIN[kind].get(name):
        return load(target)
    for entry_point in find_installed(kind):
        if entry_point.name != name:
            continue
        try:
            return entry_point.load()
        except FinewrightError:
            raise
        except Exception as error:  # whatever its code does when it is imported
            reason = " ".join(str(error).split()) or type(error).__name__
            what = f"the {kind} {name!r} of another package cannot be loaded: {reason}"
            raise UnknownPlugin(what, hint=f"fix {entry_point.value}, or uninstall it") from None
    if by := packages_by_name().get(kind, {}).get(name):
        raise MissingExtra(
            f"the {_word(kind)} {name!r} comes with {package_of(by)}, which is not installed",
            hint=install_command(by),
        )
    raise _unknown(kind, name)


def list_known(kind: Kind) -> list[str]:
    """`names`, and those that our packages would add, sorted; imports none of them."""
    return sorted({*names(kind), *packages_by_name().get(kind, ())})


def not_installed(kind: Kind) -> dict[str, str]:
    """The names that our packages would add to those there are, each with the command that installs it."""
    there = names(kind)
    of_ours = packages_by_name().get(kind, {})
    return {name: install_command(by) for name, by in of_ours.items() if name not in there}


def list_packages() -> dict[str, list[str]]:
    """`finewright-serve` -> the features that it brings, for each of our packages, installed or not."""
    found: dict[str, list[str]] = {}
    for kind, names in packages_by_name().items():
        for name, by in names.items():
            if kind != "command":
                brought = found.setdefault(package_of(by), [])
                brought.extend([name] if kind == "feature" else [])
    return dict(sorted(found.items()))


def require_command(word: str) -> None:
    """Raise MissingExtra for the first word of a command of a package of ours that is not installed."""
    feature = packages_by_name().get("command", {}).get(word, "")
    if feature in not_installed("feature"):
        by = packages_by_name()["feature"][feature]
        raise MissingExtra(
            f"the command {word!r} comes with {package_of(by)}, which is not installed",
            hint=install_command(by),
        )


def load(target: str) -> Any:  # Any: as `resolve`
    """What "module:attribute" names; its module is imported."""
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


def _unknown(kind: Kind, name: str) -> UnknownPlugin:
    hint = suggest(name, list_known(kind), f"use one of: {', '.join(list_known(kind))}")
    return UnknownPlugin(f"no {_word(kind)} named {name!r}", hint=hint)


def package_of(by: str) -> str:
    """The distribution that `web3` or `advice[tune]` is of."""
    return f"finewright-{by.partition('[')[0]}".removesuffix("-")


def install_command(by: str) -> str:
    """The command that installs `web3`, `advice[tune]` or `[train]`, which is an extra of the core.

    In a clone the package is there; elsewhere finewright has an extra of that name."""
    name, _, extra = by.removesuffix("]").partition("[")
    folder = _PACKAGES_HERE / package_of(by)
    if (folder / "pyproject.toml").is_file():
        target = f"{folder}[{extra}]" if extra else str(folder)
        return f"pip install --editable {shlex.quote(target)}"
    return f'pip install "finewright[{extra or name}]"'


def _word(kind: Kind) -> str:
    return "data set" if kind == "set" else kind.replace("_", " ")
