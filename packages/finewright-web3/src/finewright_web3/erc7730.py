"""The transaction analyst: from ERC-7730 clear-signing metadata to conversations.

Asked is a contract call (protocol, chain, function, decoded arguments), answered is JSON with the
intent and the labelled arguments. Intents and labels are the protocol teams' own words, in one
house style of case; the values are made up, the same for the same settings on every Python."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain as joined
from itertools import zip_longest
from random import Random
from typing import Any, Literal, NamedTuple

from pydantic import AliasPath, BaseModel, ConfigDict, Field, ValidationError

from finewright.sdk import DataError, JsonRow, Model, default
from finewright_web3.values import Chain, kind_of, make_up, one_of

SYSTEM = 'You explain blockchain transactions. Reply with JSON: {"intent", "fields"}.'

_START = "export const EMBEDDED_REGISTRY ="
_MOST_FIELDS = 5
_MOST_INTENT_WORDS = 8
_HELD_OUT_STEP = 4
_TRIES = 20

Kind = Literal["seen", "unseen_function", "unseen_protocol"]


class Erc7730Settings(Model):
    """How many functions the set has, and how many examples of each."""

    functions_seen: int = default(
        90, "Functions trained on", "more functions than this are not learned in four minutes", ge=1
    )
    variants_train: int = default(
        5, "Examples of each trained function", "exact labels take a few looks at a function", ge=1
    )
    variants_test: int = default(
        1, "Test examples of each function", "all functions count alike", ge=1
    )
    functions_unseen: int = default(
        45, "Functions only tested, of protocols trained on", "an interval of 14 points", ge=0
    )
    functions_of_unseen_protocols: int = default(
        30, "Functions only tested, of protocols held out whole", "an interval of 15 points", ge=0
    )
    intent_share: float = default(
        0.07, "Largest share of one intent", "a quarter of the registry is called Swap", gt=0, le=1
    )
    seed: int = default(0, "Seed of the made-up values", "any fixed number repeats the set")


@dataclass(frozen=True, slots=True)
class Argument:
    """A decoded argument: its name in the call, its human label, and its kind of value.

    `token` is the argument that names the token of an amount, `@.to` the contract itself."""

    name: str
    label: str
    kind: str
    unit: str = ""
    token: str = ""


@dataclass(frozen=True, slots=True)
class ContractFunction:
    """A contract function as its protocol explains it, and the contracts, `chain id:address`, that it is of.

    `signature` is a bare selector in part of the registry."""

    protocol: str
    chains: tuple[Chain, ...]
    name: str
    intent: str
    arguments: tuple[Argument, ...]
    signature: str = ""
    contracts: tuple[str, ...] = ()


class Registry(NamedTuple):
    """The usable functions in the registry's order, and how many others there are by reason."""

    functions: tuple[ContractFunction, ...]
    dropped: dict[str, int]


class Chosen(NamedTuple):
    """The functions of the set by their role in it. No name is both seen and unseen."""

    seen: tuple[ContractFunction, ...]
    unseen_functions: tuple[ContractFunction, ...]
    unseen_protocols: tuple[ContractFunction, ...]


class Erc7730Set(NamedTuple):
    """The rows of each split."""

    train: tuple[JsonRow, ...]
    test_seen: tuple[JsonRow, ...]
    test_unseen: tuple[JsonRow, ...]
    test_unseen_protocols: tuple[JsonRow, ...]


def parse_registry(text: str, chains: Mapping[int, Chain]) -> Registry:
    """The functions in the text of `embedded.js`; its object is read as JSON, nothing is run."""
    _, found, literal = text.partition(_START)
    try:
        data, _ = json.JSONDecoder().raw_decode(literal.lstrip())
        source = _Source.model_validate(data)
    except (ValueError, RecursionError, ValidationError):
        what = "is not the JSON that was expected" if found else "is missing"
        raise DataError(f"the registry's EMBEDDED_REGISTRY {what}") from None
    functions: dict[tuple[str, str], ContractFunction] = {}
    dropped: Counter[str] = Counter()
    for descriptor in source.descriptors.values():
        for signature, layout in descriptor.formats.items():
            function = _function(descriptor, signature, layout, chains)
            if isinstance(function, str):
                dropped[function] += 1
            elif (key := (function.protocol, function.name.casefold())) in functions:
                dropped["another version of a function"] += 1
            else:
                functions[key] = function
    return Registry(tuple(functions.values()), dict(dropped))


def choose(functions: Sequence[ContractFunction], settings: Erc7730Settings) -> Chosen:
    """The functions to train on, from the protocols with the most of them, and those held out.

    The smallest protocols are held out whole, as many as are wanted; of the others every
    fourth function stays out of training. Protocols take turns, so that none dominates. Protocols
    whose names begin with the same word are taken for one."""
    families = _families(functions)
    wanted = settings.functions_of_unseen_protocols
    seen: list[ContractFunction] = []
    far: list[ContractFunction] = []
    near = families
    for num_held_out in range(len(families)):
        near, held_out = families[: len(families) - num_held_out], families[-num_held_out or None :]
        seen = _pick([_without_each_fourth(own) for own in near], settings.functions_seen, settings)
        far = _pick(held_out, wanted, settings, unlike=seen) if num_held_out else []
        if len(far) >= wanted:
            break
    unseen = _pick(near, settings.functions_unseen, settings, unlike=seen)
    return Chosen(tuple(seen), tuple(unseen), tuple(far))


def build(functions: Sequence[ContractFunction], settings: Erc7730Settings) -> Erc7730Set:
    """Rows of every split; the train rows are shuffled, and no function's values repeat."""
    chosen = choose(functions, settings)
    test_seen, train = [], []
    for function in chosen.seen:
        # Tests take the first values: where few are possible, training makes do with the rest.
        rows = _make_signing_rows(
            function, settings.variants_test + settings.variants_train, "seen", settings
        )
        test_seen += rows[: settings.variants_test]
        train += rows[settings.variants_test :]
    order = Random(settings.seed)  # noqa: S311 - an order, no secret
    train.sort(key=lambda _: order.random())
    return Erc7730Set(
        tuple(train),
        tuple(test_seen),
        tuple(_tests(chosen.unseen_functions, "unseen_function", settings)),
        tuple(_tests(chosen.unseen_protocols, "unseen_protocol", settings)),
    )


def _tests(
    functions: Sequence[ContractFunction], kind: Kind, settings: Erc7730Settings
) -> Iterator[JsonRow]:
    for function in functions:
        yield from _make_signing_rows(function, settings.variants_test, kind, settings)


def house_style(text: str, brand: str = "") -> str:
    """Words of protocols that disagree on case, made alike: `Amount to Send` -> `Amount to send`.

    The brand and names such as ETH, stETH or V3 stay as they are."""
    words = [
        word if _is_name(word, brand) else word.lower() for word in text.replace("_", " ").split()
    ]
    first = (
        words[:1] if words and _is_name(words[0], brand) else [w.capitalize() for w in words[:1]]
    )
    return " ".join([*first, *words[1:]])


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, defer_build=True)


class _Field(_Part):
    path: str | None = None
    label: str | None = None
    format: str | None = None
    ref: str = Field("", alias="$ref")
    params: dict[str, Any] | None = None  # Any: each format has its own
    fields: tuple["_Field", ...] | None = None


class _Format(_Part):
    id: str | None = Field(None, alias="$id")
    intent: Any = None  # Any: text in all but a few
    fields: tuple[_Field, ...] | None = None


class _Deployment(_Part):
    chain_id: int = Field(alias="chainId")
    address: str = ""


class _Descriptor(_Part):
    owner: str | None = Field(None, validation_alias=AliasPath("metadata", "owner"))
    deployments: tuple[_Deployment, ...] = Field(
        (), validation_alias=AliasPath("context", "contract", "deployments")
    )
    definitions: dict[str, _Field] = Field({}, validation_alias=AliasPath("display", "definitions"))
    formats: dict[str, _Format] = Field({}, validation_alias=AliasPath("display", "formats"))


class _Source(_Part):
    descriptors: dict[str, _Descriptor]


def _function(
    descriptor: _Descriptor, signature: str, layout: _Format, chains: Mapping[int, Chain]
) -> ContractFunction | str:
    """The function, or the reason why it is of no use."""
    if "(" not in signature and not signature.startswith("0x"):
        return "a typed message, not a call"
    # A signature is cut to its selector in part of the registry; the name is then in `$id`.
    name = (signature if "(" in signature else layout.id or "").partition("(")[0]
    intent = (
        house_style(layout.intent, _brand(descriptor.owner))
        if isinstance(layout.intent, str)
        else ""
    )
    known = tuple(chains[d.chain_id] for d in descriptor.deployments if d.chain_id in chains)
    call = _Call(signature, f"{intent} {name}", descriptor)
    arguments = tuple(_arguments(layout.fields or (), call))[:_MOST_FIELDS]
    faults = {
        "no protocol": not descriptor.owner,
        "no function name": not name,
        "no intent": not intent,
        "an intent of more than 8 words": len(intent.split()) > _MOST_INTENT_WORDS,
        "no labelled field": not arguments,
        "fields with the same label or argument": not _are_distinct(arguments),
        "on no chain of the catalog": bool(descriptor.deployments) and not known,
    }
    for reason, is_so in faults.items():
        if is_so:
            return reason
    # An interface that is bound to no address, such as ERC-20, stands on every chain.
    return ContractFunction(
        str(descriptor.owner),
        known or tuple(chains.values()),
        name,
        intent,
        arguments,
        signature,
        tuple(f"{d.chain_id}:{d.address}" for d in descriptor.deployments if d.chain_id in chains),
    )


class _Call(NamedTuple):
    """What helps to understand the fields of a call; `about` is its intent and function name."""

    signature: str
    about: str
    descriptor: _Descriptor


def _arguments(fields: Iterable[_Field], call: _Call, above: str = "") -> Iterator[Argument]:
    for own in fields:
        shared = call.descriptor.definitions.get(own.ref.rpartition(".")[2], _Field())
        path = f"{above}{own.path or ''}"
        label = own.label or shared.label
        if own.fields:
            yield from _arguments(own.fields, call, f"{path}.")
        elif own.path and label:
            name = re.sub(r"\.?\[[^\]]*\]", "", path.replace("#.", "").replace("@.", "tx."))
            kind = kind_of(own.format or shared.format or "raw", name, call.signature)
            params = own.params or shared.params or {}
            unit = str(params.get("base", "")).strip()
            words = house_style(label, _brand(call.descriptor.owner))
            token = str(params.get("tokenPath", "")).removeprefix("#.")
            yield _argument(Argument(name, words, kind, unit, token), call.about)


def _are_distinct(arguments: Sequence[Argument]) -> bool:
    labels = {argument.label.casefold() for argument in arguments}
    names = {argument.name for argument in arguments}
    return len(labels) == len(names) == len(arguments)


_TICKER = re.compile(r"\b(?!ID\b|NFT|URL|SSV)[a-z]{0,3}[A-Z]{3,5}\b")


def _argument(plain: Argument, about: str) -> Argument:
    """The argument; an amount of tokens is of the token that the call names, if it names one."""
    if plain.kind != "tokenAmount":
        return plain
    is_allowance = re.search(r"(?i)\b(approve|permit|increaseAllowance)\b", about)
    ticker = _TICKER.search(f"{plain.label} {about}")
    kind = "allowance" if is_allowance else plain.kind
    return replace(plain, kind=kind, unit=ticker[0] if ticker else "")


def _is_name(word: str, brand: str) -> bool:
    return word == brand or bool(re.search(r"[a-z][A-Z]|[A-Z]{2}|\d", word))


def _brand(protocol: str | None) -> str:
    return (protocol or "").partition(" ")[0]


def _families(functions: Iterable[ContractFunction]) -> list[list[ContractFunction]]:
    families: dict[str, list[ContractFunction]] = {}
    for function in functions:
        families.setdefault(_brand(function.protocol).casefold(), []).append(function)
    return sorted(families.values(), key=len, reverse=True)


def _without_each_fourth(functions: Sequence[ContractFunction]) -> list[ContractFunction]:
    return [f for i, f in enumerate(functions, start=1) if i % _HELD_OUT_STEP]


def _pick(
    groups: Iterable[Sequence[ContractFunction]],
    count: int,
    settings: Erc7730Settings,
    unlike: Iterable[ContractFunction] = (),
) -> list[ContractFunction]:
    """Up to `count` functions, the groups taking turns, of no name in `unlike`."""
    taken = {function.name.casefold() for function in unlike}
    most = max(1, round(count * settings.intent_share))
    intents: Counter[str] = Counter()
    picked: list[ContractFunction] = []
    for function in joined.from_iterable(zip_longest(*groups)):
        if function is None or function.name.casefold() in taken or len(picked) == count:
            continue
        if intents[function.intent.casefold()] < most:
            intents[function.intent.casefold()] += 1
            picked.append(function)
    return picked


def _make_signing_rows(
    function: ContractFunction, count: int, kind: Kind, settings: Erc7730Settings
) -> list[JsonRow]:
    """Up to `count` rows of different values; fewer where not that many values are possible."""
    key = f"{settings.seed}|{function.protocol}|{function.name}"
    rng = Random(key)  # noqa: S311 - made-up values, no secret
    rows: dict[tuple[str, ...], JsonRow] = {}
    for _ in range(count * _TRIES):
        chain = one_of(rng, function.chains)
        values = tuple(_draw_value(argument, chain, rng) for argument in function.arguments)
        if len(rows) < count and values not in rows:
            rows[values] = _make_signing_row(function, chain, values, kind)
    return list(rows.values())


def _make_signing_row(
    function: ContractFunction, chain: Chain, values: Sequence[str], kind: Kind
) -> JsonRow:
    pairs = list(zip(function.arguments, values, strict=True))
    call = [f"Protocol: {function.protocol}", f"Chain: {chain.name}", f"Function: {function.name}"]
    call += [f"{argument.name} = {value}" for argument, value in pairs]
    fields = {argument.label: value for argument, value in pairs}
    answer = json.dumps(
        {"intent": function.intent, "fields": fields}, ensure_ascii=False, separators=(",", ":")
    )
    turns = {"system": SYSTEM, "user": "\n".join(call), "assistant": answer}
    return {
        "messages": [{"role": role, "content": content} for role, content in turns.items()],
        "meta": {"protocol": function.protocol, "function": function.name, "kind": kind},
    }


def _draw_value(argument: Argument, chain: Chain, rng: Random) -> str:
    return make_up(argument.kind, chain.native if argument.kind == "amount" else argument.unit, rng)
