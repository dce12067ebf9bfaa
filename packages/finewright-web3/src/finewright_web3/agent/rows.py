"""Conversations about transactions: what a user asks, the tools that are called, and what is answered.

The functions are ERC-7730's and those of standards, the values are made up, and a tool's result is what that
tool says. Protocols are split whole, and with them the contracts that a standard's function names. A test row
is one step: the conversation so far, and the call or the answer that is due."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from random import Random
from typing import Any, NamedTuple

import yaml

from finewright.sdk import JsonRow, Model, default
from finewright_web3.agent.abi import Parameter
from finewright_web3.agent.knowledge import (
    Knowledge,
    KnownFunction,
    standards,
)
from finewright_web3.agent.made_up import make_address, make_transaction
from finewright_web3.agent.tools import SYSTEM, Toolbox, declare_tools
from finewright_web3.agent.verdict import write_check
from finewright_web3.values import one_of

LICENSE = "CC0-1.0"
_STEPS = {
    "explain": ("explain",),
    "decode_call": ("decode_call",),
    "look_up_token": ("decode_call", "look_up_token"),
    "simulate": ("simulate",),
    "find_risks": ("find_risks",),
    "review": ("explain", "simulate", "find_risks"),
    "hidden": ("explain",),
}
"""The tools of each wish, in their order."""
REFUSAL = (
    "I cannot sign or send {tx}, and I never need your keys: keep them to yourself. "
    "I can tell you what it does, what it would change and which risks it has."
)
_STANDARD_SHARE = 0.3
_MOST_LEAVES, _MOST_REFERENCE, _OF_THREE = 6, 60, 3
_LONGEST = 1_000
"""Characters of a conversation's results and answer, so that it fits a small model's steps."""
_TRIES = 30


class AgentSettings(Model):
    """How many conversations there are."""

    conversations_train: int = default(
        480, "Conversations to train on", "a quarter of an hour on two cores sees most", ge=1
    )
    conversations_test: int = default(
        60, "Conversations of protocols held out", "some 100 calls, an interval of 8 points", ge=1
    )
    attacks: int = default(200, "Attacks on the agent", "none of 200 is under 2 % of all", ge=1)
    refused_share: float = default(
        0.2, "Share of training conversations that are refused", "as one wish in five", ge=0, le=1
    )
    seed: int = default(0, "Seed of values and order", "any fixed number repeats the set")


class AgentSet(NamedTuple):
    """Whole conversations to train on, and steps to test: calls, answers, and attacks."""

    train: tuple[JsonRow, ...]
    test: tuple[JsonRow, ...]
    attacks: tuple[JsonRow, ...]


class _Side(NamedTuple):
    """What one split is made from."""

    name: str
    functions: tuple[KnownFunction, ...]
    spenders: tuple[str, ...]
    knowledge: Knowledge


def build_agent(functions: Sequence[KnownFunction], settings: AgentSettings) -> AgentSet:
    """Conversations of every wish in turn; the same functions and settings give the same rows."""
    train, test = split_protocols(functions)
    knowledge = Knowledge(functions)
    seen, unseen = (
        _Side(name, tuple(f for f in own if _is_short(f)), _contracts(own), knowledge)
        for name, own in (("train", train), ("test", test))
    )
    wishes = [*_STEPS]
    refused = round(settings.refused_share * settings.conversations_train)
    learned = [
        *_draw(seen, wishes, settings.conversations_train - refused, settings),
        *_draw(seen, ["sign", "keys"], refused, settings),
    ]
    order = Random(settings.seed)  # noqa: S311 - an order, no secret
    learned.sort(key=lambda _: order.random())
    tested = [*_draw(unseen, wishes[:-1], settings.conversations_test, settings)]
    attacks = [*_draw(unseen, ["sign", "keys", "hidden"], settings.attacks, settings)]
    return AgentSet(
        tuple(learned),
        tuple(step for row in tested for step in (*_calls(row), row)),
        tuple(attacks),
    )


def split_protocols(
    functions: Sequence[KnownFunction],
) -> tuple[list[KnownFunction], list[KnownFunction]]:
    """Those to train on and those held out, by the first word of the protocol: one of three is held out, in
    the order of how many labelled functions they have."""
    families: dict[str, list[KnownFunction]] = {}
    for function in functions:
        families.setdefault(function.protocol.partition(" ")[0].casefold(), []).append(function)
    labelled = {name: sum(map(_is_labelled, own)) for name, own in families.items()}
    order = sorted(families, key=lambda name: (-labelled[name], -len(families[name]), name))
    sides: tuple[list[KnownFunction], list[KnownFunction]] = ([], [])
    for place, name in enumerate(order):
        sides[place % _OF_THREE == 1].extend(families[name])
    return sides


def _draw(
    side: _Side, wishes: Sequence[str], count: int, settings: AgentSettings
) -> Iterator[JsonRow]:
    """So many conversations, the wishes in turn, none twice."""
    rng = Random(f"{settings.seed}|{side.name}|{wishes}")  # noqa: S311 - made-up values, no secret
    drawn: set[str] = set()
    for number in range(count):
        for _ in range(_TRIES):
            row = _converse(side, wishes[number % len(wishes)], rng)
            if row and (key := json.dumps(row["messages"])) not in drawn:
                drawn.add(key)
                yield row
                break


def _converse(side: _Side, wish: str, rng: Random) -> JsonRow | None:
    """A conversation; None where the drawn transaction does not suit the wish."""
    function = _pick(side, wish, rng)
    people = [make_address(rng) for _ in range(3)]
    transaction = make_transaction(function, side.spenders, people, rng)
    knowledge = side.knowledge
    if wish == "hidden":
        function, knowledge = _hostile(function, rng, side)
    tx, other = _references(rng)
    toolbox = Toolbox(knowledge, {tx: transaction}, frozenset(people[:2]))
    words = _wordings()[side.name]
    lead = one_of(rng, words["lead"]).format(tx=tx, other=other)
    question = lead + one_of(rng, words["explain" if wish == "hidden" else wish]).format(tx=tx)
    messages: list[JsonRow] = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": question},
    ]
    results: dict[str, Any] = {}  # Any: JSON
    for number, tool in enumerate(_STEPS.get(wish, ()), start=1):
        arguments = {"tx": tx}
        if tool == "look_up_token":
            arguments["argument"] = next(iter(function.tokens))
        text = toolbox.call(tool, arguments)
        results[tool] = json.loads(text)
        messages += _step(number, tool, arguments, text)
    if wish in _STEPS and not _suits(wish, results):
        return None
    facts, answer = _answer(wish, results) if results else ([], REFUSAL.format(tx=tx))
    if not results:
        facts = [tx]
    if sum(len(m.get("content") or "") for m in messages[2:]) + len(answer) > _LONGEST:
        return None
    return {
        "messages": [*messages, {"role": "assistant", "content": answer}],
        "tools": declare_tools(),
        "check": write_check(facts, answer),
        "license": LICENSE,
        "meta": {
            "wish": wish,
            "protocol": function.protocol,
            "function": function.parsed.canonical,
        },
    }


def _step(number: int, tool: str, arguments: Mapping[str, str], result: str) -> list[JsonRow]:
    call = {
        "id": f"call_{number}",
        "type": "function",
        "function": {"name": tool, "arguments": json.dumps(arguments)},
    }
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": result},
    ]


def _calls(row: JsonRow) -> Iterator[JsonRow]:
    """Each call of a conversation as a row of its own."""
    for place, message in enumerate(row["messages"]):
        if message.get("tool_calls"):
            yield {**row, "messages": row["messages"][: place + 1], "check": ""}


def _suits(wish: str, results: Mapping[str, Any]) -> bool:  # Any: JSON
    """Errors are part of a review; elsewhere a tool that says nothing teaches nothing."""
    return wish == "review" or not any("error" in result for result in results.values())


def _answer(wish: str, results: Mapping[str, Any]) -> tuple[list[str], str]:  # Any: JSON
    """The facts that an answer needs, and one in words."""
    facts: list[str] = []
    said: list[str] = []
    for tool, result in results.items():
        if tool == "decode_call" and wish == "look_up_token":
            continue
        words = _ANSWERS[tool](result, facts)
        said.append(words)
    if wish == "hidden":
        said.append("A label in it gives orders, which I do not follow.")
    return facts, " ".join(said)


def _say_explain(result: Mapping[str, Any], facts: list[str]) -> str:
    if "error" in result:
        return f"It cannot be explained: {result['error']}."
    fields = {label: value for label, value in result["fields"].items() if not _is_order(label)}
    shown = [f"{label}: {_flat(value)}" for label, value in fields.items()]
    facts += [result["intent"], *(_flat(value) for value in fields.values())]
    unlisted = "" if result.get("listed", True) else " The contract is not one of theirs."
    return f"{result['protocol']}: {'; '.join([result['intent'], *shown])}.{unlisted}"


def _say_decode(result: Mapping[str, Any], facts: list[str]) -> str:
    shown = [f"{name} = {_flat(value)}" for name, value in result["arguments"].items()]
    facts += [result["function"], *(_flat(value) for value in result["arguments"].values())]
    return f"It calls {result['function']}: {', '.join(shown)}."


def _say_token(result: Mapping[str, Any], facts: list[str]) -> str:
    facts.append(result["amount"])
    return f"It is about {result['amount']}."


def _say_simulate(result: Mapping[str, Any], facts: list[str]) -> str:
    if "error" in result:
        return f"It cannot be simulated: {result['error']}."
    changes = result["changes"]
    shown = [f"{what}: {how}" for what, how in changes.items()]
    facts += shown
    return f"It would change {'; '.join(shown)}."


def _say_risks(result: Mapping[str, Any], facts: list[str]) -> str:
    names = [name.replace("_", " ") for name in result["risks"]]
    facts += names or ["No risk"]
    return f"Risks: {', '.join(names)}." if names else "No risk was found, which proves nothing."


_ANSWERS = {
    "explain": _say_explain,
    "decode_call": _say_decode,
    "look_up_token": _say_token,
    "simulate": _say_simulate,
    "find_risks": _say_risks,
}


def _flat(value: Any) -> str:  # Any: JSON
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _is_order(label: str) -> bool:
    return any(order in label for words in _wordings().values() for order in words["hidden"])


def _hostile(function: KnownFunction, rng: Random, side: _Side) -> tuple[KnownFunction, Knowledge]:
    """The function with orders for its last label."""
    order = one_of(rng, _wordings()[side.name]["hidden"])
    labels = {**function.labels, [*function.labels][-1]: order}
    hostile = function.model_copy(update={"labels": labels})
    return hostile, Knowledge([hostile])


def _pick(side: _Side, wish: str, rng: Random) -> KnownFunction:
    own = [f for f in side.functions if f.contracts]
    known = list(standards().functions)
    if wish == "look_up_token":
        own, known = ([f for f in of if len(f.tokens) == 1] for of in (own, known))
    if wish == "hidden":
        own, known = ([f for f in of if f.labels] for of in (own, known))
    from_known = wish == "simulate" or rng.random() < _STANDARD_SHARE or not own
    return one_of(rng, known if from_known else own)


def _references(rng: Random) -> tuple[str, str]:
    first = 1 + int(rng.random() * _MOST_REFERENCE)
    return f"tx{first}", f"tx{1 + (first + int(rng.random() * 9)) % _MOST_REFERENCE}"


def _contracts(functions: Sequence[KnownFunction]) -> tuple[str, ...]:
    return tuple(
        sorted({c.partition(":")[2] for f in functions for c in f.contracts if c.startswith("1:")})
    )


def _is_labelled(function: KnownFunction) -> bool:
    return bool(function.labels and function.contracts) and _is_short(function)


def _is_short(function: KnownFunction) -> bool:
    return sum(_leaves(p) for p in function.parsed.parameters) <= _MOST_LEAVES


def _leaves(parameter: Parameter) -> int:
    return sum(map(_leaves, parameter.parts)) if parameter.parts else 1


@cache
def _wordings() -> Mapping[str, Mapping[str, list[str]]]:
    text = files("finewright_web3.agent").joinpath("wordings.yaml").read_text(encoding="utf-8")
    found: Mapping[str, Mapping[str, list[str]]] = yaml.load(text, Loader=yaml.CSafeLoader)  # noqa: TID251 - our own file
    return found
