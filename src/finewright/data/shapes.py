"""Which type a row has, told by its keys; a row of two types, or of none, is told what to mend."""

from finewright.data.notes import Json, Notes
from finewright.schema.data import DataType

# Any of these sets of keys makes a row one of that type; what else it has are columns.
_KEYS: dict[DataType, tuple[tuple[str, ...], ...]] = {
    "messages": (("messages",),),
    "prompt_completion": (("prompt", "completion"),),
    "preference": (("chosen", "rejected"),),
    "unpaired_preference": (("messages", "label"), ("prompt", "completion", "label")),
    "prompt_only": (("prompt",),),
}
_EXPECTED = {
    "auto": "`messages`; `prompt` and `completion`; `chosen` and `rejected`; or `prompt` alone",
    "messages": "`messages`",
    "prompt_completion": "`prompt` and `completion`",
    "preference": "`chosen` and `rejected`, beside a `prompt` or beginning with one",
    "unpaired_preference": "`prompt`, `completion` and `label`, or `messages` and `label`",
    "prompt_only": "`prompt`",
}
# Keys by which other formats are known, and how jq turns such a row into one of ours.
_SHAREGPT = '{role: ({human: "user", gpt: "assistant"}[.from] // .from), content: .value}'
_FOREIGN = (
    (
        ("conversations", "chosen", "rejected"),
        "ShareGPT with preference pairs",
        f"jq -c 'def m: {_SHAREGPT}; {{prompt: [.conversations[] | m], chosen: [.chosen | m], "
        "rejected: [.rejected | m]}'",
    ),
    (
        ("input", "preferred_output", "non_preferred_output"),
        "OpenAI's form of preference pairs",
        "jq -c '{prompt: .input.messages, tools: .input.tools, chosen: .preferred_output, "
        "rejected: .non_preferred_output}'",
    ),
    (
        ("instruction", "chosen", "rejected"),
        "Alpaca with preference pairs",
        'jq -c \'{prompt: ([.instruction, .input // ""] | map(select(. != "")) | join("\\n")), '
        "chosen, rejected}'",
    ),
    (
        ("instruction", "output"),
        "Alpaca",
        'jq -c \'{prompt: ([.instruction, .input // ""] | map(select(. != "")) | join("\\n")), '
        "completion: .output}'",
    ),
    (
        ("conversations",),
        "ShareGPT",
        f"jq -c '{{messages: [.conversations[] | {_SHAREGPT}]}}'",
    ),
    (("text",), "plain text", "say what is asked and what is answered: `prompt` and `completion`"),
)


def shape_of(data: Json, expected: str, notes: Notes) -> DataType | None:
    """The row's type; None, and an error in the notes, where it has not the expected one.

    `auto` takes any type, if there is one alone that the row can be meant as."""
    if expected == "auto":
        meant = _meant(data)
        if len(meant) == 1:
            return meant[0]
        if meant:
            names = " and ".join(_MARKS[shape] for shape in meant)
            hint = f"set data.type to the one to train on: {' or '.join(meant)}"
            notes.error("", f"both {names} are here", hint)
            return None
    for shape, alternatives in _KEYS.items():
        if shape == expected and any(_has(data, keys) for keys in alternatives):
            return shape
    found = ", ".join(f"`{key}`" for key in list(data)[:8]) or "none"
    what = f"expected the keys {_EXPECTED[expected]}; found: {found}"
    notes.error("", what, _hint(data, expected))
    return None


def columns_of(data: Json, shape: DataType) -> Json:
    """The keys that are not the shape's own, for rewards and for the reader."""
    own = {"tools", *(("prompt",) if shape == "preference" else ())}
    own.update(next(keys for keys in _KEYS[shape] if _has(data, keys)))
    return {key: value for key, value in data.items() if key not in own}


_MARKS: dict[DataType, str] = {
    "messages": "`messages`",
    "prompt_completion": "`prompt` with `completion`",
    "preference": "`chosen` with `rejected`",
    "unpaired_preference": "`label`",
    "prompt_only": "`prompt`",
}


def _meant(data: Json) -> list[DataType]:
    """The types that the row can be meant as."""
    whole: tuple[DataType, ...] = ("messages", "prompt_completion", "preference")
    meant = [shape for shape in whole if _has(data, _KEYS[shape][0])]
    if "preference" in meant and _foreign(data, "rejected"):
        meant.remove("preference")
    if len(meant) == 1 and meant != ["preference"] and _is_liking(data.get("label")):
        return ["unpaired_preference"]
    if meant:
        return meant
    has_answer = any(key in data for key in ("completion", "chosen", "rejected"))
    return ["prompt_only"] if "prompt" in data and not has_answer else []


def _is_liking(label: object) -> bool:
    """Is it a boolean, or meant as one? Other labels, such as a class, are columns."""
    return label in (0, 1) or (isinstance(label, str) and label.lower() in ("true", "false"))


def _has(data: Json, keys: tuple[str, ...]) -> bool:
    return all(key in data for key in keys)


def _foreign(data: Json, with_key: str = "") -> str:
    """The name of the other format and the mend; empty if it is not known, or the row has a prompt."""
    known = (
        f"this is {name}: {mend}"
        for keys, name, mend in _FOREIGN
        if _has(data, keys) and (with_key in keys or not with_key)
    )
    return "" if "prompt" in data else next(known, "")


def _hint(data: Json, expected: str) -> str:
    lone = {"chosen": "rejected", "rejected": "chosen"}
    missing = [other for key, other in lone.items() if key in data and other not in data]
    if meant := _meant(data):
        add = "" if meant[0] != "prompt_only" else ", or add the keys that are missing"
        return f"set data.type to {' or '.join(meant)}{add}"
    if missing:
        return f"a pair has both: add `{missing[0]}`"
    return _foreign(data) or "rename the keys"
