"""Values that are written otherwise here: a pair of functions a converter, into our spec and out of it.

A reader gets the peer's value and what is known so far (`Known`) and gives values of our keys; a writer gets
our values and gives the peer's, or ABSENT. Either raises `NotCarried` with the reason."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from finewright.schema.train_section import METHODS
from finewright_bridge.translate.tables import ABSENT, KeyRule

_LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_MLP = ("gate_proj", "up_proj", "down_proj")
_NAME = re.compile(r"[A-Za-z_][\w.]*")
_HUB_REVISION = re.compile(r"[\w.-]+/[\w.-]+@(.+)")
_LONGEST_NAME = 63
_LITGPT = {
    "lora_query": ("q_proj",),
    "lora_key": ("k_proj",),
    "lora_value": ("v_proj",),
    "lora_projection": ("o_proj",),
    "lora_mlp": _MLP,
}
_TUNE = {"q_proj": "q_proj", "k_proj": "k_proj", "v_proj": "v_proj", "output_proj": "o_proj"}
_VERTEX = ("ONE", "TWO", "FOUR", "EIGHT", "SIXTEEN", "THIRTY_TWO")
"""ADAPTER_SIZE_*: ranks 1, 2, 4 ... 32."""
_LOSSES = {"dpo": ("sigmoid", "ipo", "hinge"), "grpo": ("grpo", "dapo", "dr_grpo")}
Values = Mapping[str, Any]  # Any: values of our spec, by dotted key


class NotCarried(Exception):  # noqa: N818 - reads as a claim where it is raised
    """Why a value cannot be carried; where it is not `refused`, what is learned only differs."""

    def __init__(self, why: str, *, refused: bool = True) -> None:
        super().__init__(why)
        self.why, self.refused = why, refused


@dataclass(slots=True)
class Known:
    """What is known while a config is read: the method, our values so far, the peer's own values, the
    layers that single switches name, and our keys that went into another one."""

    method: str
    values: dict[str, Any]  # Any: values of our spec
    theirs: Mapping[str, Any]  # Any: the peer's values by dotted key
    layers: list[str] = field(default_factory=list)
    merged: dict[str, str] = field(default_factory=dict)


UNCLIPPED = 1e9
"""A norm that no gradient reaches: finewright always clips, and this way nothing."""


class Converter(NamedTuple):
    """Into our spec, and out of it."""

    read: Callable[[Any, Known, KeyRule], Values]
    write: Callable[[Values, KeyRule], Any]


def number_of(value: object) -> float | int:
    """A number, also where YAML took `2e-5` for a text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise NotCarried(f"{value!r} is no number")
    try:
        number = float(value)
    except ValueError:
        raise NotCarried(f"{value!r} is no number") from None
    if not math.isfinite(number):
        raise NotCarried(f"{value!r} is no finite number")
    return int(number) if number.is_integer() and not isinstance(value, float) else number


def whole_of(value: object) -> int:
    """A whole number; NotCarried for what is none."""
    number = number_of(value)
    if number != int(number):
        raise NotCarried(f"{value!r} is no whole number")
    return int(number)


def _plain(value: Any, known: Known, rule: KeyRule) -> Values:
    return {} if value is None else {rule.to: value}


def _same(values: Values, rule: KeyRule) -> Any:
    found = values.get(rule.to)
    return ABSENT if found is None else found


def _number(value: Any, known: Known, rule: KeyRule) -> Values:
    return {} if value is None else {rule.to: number_of(value)}


def _clip(value: Any, known: Known, rule: KeyRule) -> Values:
    """The norm that gradients are clipped to; none or 0 is no clipping at the frameworks."""
    return {rule.to: number_of(value or UNCLIPPED)}


def _or_auto(value: Any, known: Known, rule: KeyRule) -> Values:
    if value in (None, "auto", "max"):
        return {}
    return {rule.to: number_of(value)}


def _whole(values: Values, rule: KeyRule) -> Any:
    number = values.get(rule.to)
    if number is None:
        return ABSENT
    if float(number) != int(number):
        raise NotCarried(f"only whole numbers are taken there, and this is {number:g}")
    return int(number)


def _one(value: Any, known: Known, rule: KeyRule) -> Values:
    if not isinstance(value, str) or not value.strip():
        raise NotCarried(f"{value!r} is no name of a model")
    return {rule.to: [value]}


def _only_one(values: Values, rule: KeyRule) -> Any:
    names = values[rule.to]
    if len(names) > 1:
        raise NotCarried(f"one model a file is trained there; choose: --set {rule.to}=[{names[0]}]")
    return names[0].partition("@")[0] if _HUB_REVISION.fullmatch(names[0]) else names[0]


def _revision(value: Any, known: Known, rule: KeyRule) -> Values:
    """The commit or tag of the model that an earlier key named."""
    name = known.values.get(rule.to, [""])[0]
    if value in (None, "", "main") or not name:
        return {}
    return {rule.to: [f"{name}@{value}"]}


def _write_revision(values: Values, rule: KeyRule) -> Any:
    found = _HUB_REVISION.fullmatch(values[rule.to][0])
    return found[1] if found else ABSENT


def _name(value: Any, known: Known, rule: KeyRule) -> Values:
    slug = re.sub(r"[^a-z0-9]+", "-", str(value or "").lower()).strip("-")[:_LONGEST_NAME]
    return {rule.to: slug.strip("-")} if slug else {}


def _flag(value: Any, known: Known, rule: KeyRule) -> Values:
    return {} if value is None else {rule.to: bool(value)}


def _steps(value: Any, known: Known, rule: KeyRule) -> Values:
    if value is None or number_of(value) <= 0:
        return {}
    number = number_of(value)
    if number < 1:
        raise NotCarried(f"a share of the steps; {rule.to} counts steps", refused=False)
    return {rule.to: int(number)}


def _max_steps(value: Any, known: Known, rule: KeyRule) -> Values:
    number = 0 if value is None else number_of(value)
    return {"train.max_steps": int(number)} if number > 0 else {}


def _write_max_steps(values: Values, rule: KeyRule) -> Any:
    return values.get("train.max_steps") or ABSENT


def share_of_steps(warmup: int, steps: int) -> float:
    """The warm-up ratio of which finewright makes just so many steps: it rounds up."""
    ratio = round(warmup / steps, 6)
    if math.ceil(ratio * steps) > warmup:
        ratio = round((warmup - 0.01) / steps, 6)
    return min(ratio, 1.0)


def _warmup(value: Any, known: Known, rule: KeyRule) -> Values:
    """Below 1 a share of the steps (transformers 5), else a number of them."""
    number = 0 if value is None else number_of(value)
    if number <= 0:
        return {} if "warmup_ratio" in known.theirs else {"train.warmup_ratio": 0}
    if "constant" in (known.theirs.get("lr_scheduler_type"), known.theirs.get("lr_scheduler")):
        # transformers.get_constant_schedule takes no warm-up, get_constant_schedule_with_warmup does.
        raise NotCarried("`constant` has no warm-up there, so none is made here", refused=False)
    if number < 1:
        return {"train.warmup_ratio": number}
    steps = known.values.get("train.max_steps")
    if steps:
        return {"train.warmup_ratio": share_of_steps(int(number), steps)}
    known.values.pop("train.warmup_ratio", None)
    field_here = METHODS[known.method].model_fields.get("warmup_ratio")
    if field_here is None:
        return {}
    raise NotCarried(
        "the warm-up is a share of the steps here, and how many there are follows from the rows:"
        f" train.warmup_ratio is finewright's default, {field_here.default}",
        refused=False,
    )


def _write_ratio(values: Values, rule: KeyRule) -> Any:
    return values["train.warmup_ratio"]


def _write_warmup_steps(values: Values, rule: KeyRule) -> Any:
    ratio, steps = values["train.warmup_ratio"], values.get("train.max_steps")
    if ratio and not steps:
        raise NotCarried(
            "the warm-up counts steps there, and how many there are follows from the rows",
            refused=False,
        )
    return math.ceil(ratio * steps) if ratio else 0


def _packing(value: Any, known: Known, rule: KeyRule) -> Values:
    """Packed rows fill `max_length` tokens, of which a batch holds `batch_size`."""
    if value is False and known.values.get("data.type") == "text":
        known.values["train.document_attention"] = "within"
        raise NotCarried(
            "a document is cut at the longest row there and its rest left out; here it is cut into windows",
            refused=False,
        )
    if not value or known.method != "sft":
        return {}
    length = known.values.get("train.max_length")
    if not isinstance(length, int):
        raise NotCarried("how long a packed row is, is not said: set the longest row")
    rows = known.values.get("train.batch_size", 1)
    if not isinstance(rows, int):
        return {}  # the spec's own check names the key
    known.values.pop("train.batch_size", None)
    known.merged["train.batch_size"] = "train.batch_tokens"
    tokens = length * rows
    return {"train.batch_tokens": tokens}


def _write_packing(values: Values, rule: KeyRule) -> Any:
    return values.get("train.batch_tokens") is not None


def _linear(value: Any, known: Known, rule: KeyRule) -> Values:
    return {"train.adapter.target_modules": "all-linear"} if value else {}


def _write_linear(values: Values, rule: KeyRule) -> Any:
    if values.get("train.adapter.target_modules") == "all-linear":
        return True
    return ABSENT


def _modules(value: Any, known: Known, rule: KeyRule) -> Values:
    if value in (None, "", []):
        return {}
    if value in ("all", "all-linear"):
        return {rule.to: "all-linear"}
    names = re.split(r"[\s,]+", value.strip()) if isinstance(value, str) else value
    if not isinstance(names, list) or not all(
        isinstance(name, str) and _NAME.fullmatch(name) for name in names
    ):
        raise NotCarried("a pattern of layers; here they are named, such as [q_proj, v_proj]")
    if set(_LINEAR) == set(names):
        return {rule.to: "all-linear"}
    return {rule.to: names}


def _write_modules(values: Values, rule: KeyRule) -> Any:
    found = values.get(rule.to)
    if found is None:
        return ABSENT
    return rule.write if found == "all-linear" else list(found)


def _write_modules_text(values: Values, rule: KeyRule) -> Any:
    found = values.get(rule.to)
    if found is None:
        return ABSENT
    usual = rule.write if rule.write is not ABSENT else rule.default
    if found == "all-linear":
        return "all-linear" if usual is ABSENT else usual
    return ",".join(found)


def _twice_rank(value: Any, known: Known, rule: KeyRule) -> Values:
    rank = known.values.get("train.adapter.r")
    return {rule.to: 2 * whole_of(rank) if value is None and rank else value}


def _held_out(value: Any, known: Known, rule: KeyRule) -> Values:
    number = 0 if value is None else number_of(value)
    if number >= 1:
        raise NotCarried(
            f"{number:g} rows, and data.eval_fraction is a share: no row is held out", refused=False
        )
    return {"data.eval_fraction": number} if number else {}


def _write_held_out(values: Values, rule: KeyRule) -> Any:
    return values["data.eval_fraction"]


def _loss_types(value: Any, known: Known, rule: KeyRule) -> Values:
    names = value if isinstance(value, list) else [value]
    if value is None:
        return {}
    if len(names) == 1 and names[0] in _LOSSES.get(known.method, ()):
        return {"train.loss_type": names[0]}
    raise NotCarried(
        f"{show_list(names)} is not here; there are {show_list(_LOSSES[known.method])}"
    )


def _write_loss_types(values: Values, rule: KeyRule) -> Any:
    name = values["train.loss_type"]
    return [name] if values["train.method"] == "dpo" else name


def show_list(names: object) -> str:
    """Names with commas."""
    return ", ".join(map(str, names)) if isinstance(names, list | tuple) else str(names)


def _rewards(value: Any, known: Known, rule: KeyRule) -> Values:
    """`module.function` is `python:module.py:function`, which runs with the user's consent alone."""
    names = value if isinstance(value, list) else [value]
    found = []
    for name in names:
        module, dot, function = str(name).rpartition(".")
        if not dot or not _NAME.fullmatch(str(name)):
            raise NotCarried(f"{name!r} is no function of a file; write train.rewards by hand")
        found.append({"function": f"python:{module.replace('.', '/')}.py:{function}"})
    return {"train.rewards": found}


def _write_rewards(values: Values, rule: KeyRule) -> Any:
    names = []
    for reward in values["train.rewards"]:
        file, _, function = reward["function"].removeprefix("python:").rpartition(":")
        if not reward["function"].startswith("python:") or not file.endswith(".py"):
            raise NotCarried(f"the reward {reward['function']} is finewright's own")
        if reward["weight"] != 1.0 or reward["column"] != "answer":
            raise NotCarried("weights and columns of rewards are not carried")
        names.append(f"{file.removesuffix('.py').replace('/', '.')}.{function}")
    return names


def _reward_model(value: Any, known: Known, rule: KeyRule) -> Values:
    if not value:
        return {}
    return {"train.rewards": [{"function": f"reward_model:{value}"}]}


def _write_reward_model(values: Values, rule: KeyRule) -> Any:
    found = values["train.rewards"]
    if len(found) != 1 or not found[0]["function"].startswith("reward_model:"):
        raise NotCarried("one reward model is taken there, and no functions")
    return found[0]["function"].removeprefix("reward_model:")


def _uses(value: Any, known: Known, rule: KeyRule) -> Values:
    key = "train.num_ppo_epochs" if known.method == "ppo" else "train.num_iterations"
    return {} if value is None else {key: value}


def _epoch_steps(value: Any, known: Known, rule: KeyRule) -> Values:
    if value is None:
        return {}
    return {
        "train.max_steps": int(number_of(value) * number_of(known.values.get("train.epochs", 1)))
    }


def _global_batch(value: Any, known: Known, rule: KeyRule) -> Values:
    """All rows of a step on all devices, which are one here."""
    micro, rows = whole_of(known.values.get("train.batch_size", 1)), whole_of(value)
    if micro < 1 or rows % micro:
        raise NotCarried(f"{value} rows of a step are no multiple of {micro}")
    return {"train.gradient_accumulation": rows // micro}


def _write_global_batch(values: Values, rule: KeyRule) -> Any:
    return values["train.batch_size"] * values["train.gradient_accumulation"]


def _litgpt_checkpoint(value: Any, known: Known, rule: KeyRule) -> Values:
    return _one(re.sub(r"^(\./)?checkpoints/(?=[\w.-]+/[\w.-]+$)", "", str(value)), known, rule)


def _write_litgpt_checkpoint(values: Values, rule: KeyRule) -> Any:
    name = _only_one(values, rule)
    return f"checkpoints/{name}" if re.fullmatch(r"[\w.-]+/[\w.-]+", name) else name


def _lora_rank(value: Any, known: Known, rule: KeyRule) -> Values:
    if value is None:
        return {"train.adapter.type": "none"}
    return {"train.adapter.type": "lora", rule.to: value}


def _litgpt_targets(value: Any, known: Known, rule: KeyRule) -> Values:
    known.layers += _LITGPT[rule.key] if value else ()
    return {}


def _write_litgpt_targets(values: Values, rule: KeyRule) -> Any:
    found = values.get("train.adapter.target_modules")
    if found is None:
        return ABSENT
    names = _LINEAR if found == "all-linear" else found
    if unknown := set(names) - set(_LINEAR):
        raise NotCarried(f"no switch for {show_list(sorted(unknown))} there")
    there = set(_LITGPT[rule.key]) & set(names)
    if there and there != set(_LITGPT[rule.key]):
        raise NotCarried(f"{show_list(_LITGPT[rule.key])} are one switch there")
    return bool(there)


def _tune_attention(value: Any, known: Known, rule: KeyRule) -> Values:
    if not isinstance(value, list | None):
        raise NotCarried(f"{value!r} is no list of layers")
    if unknown := [name for name in value or () if str(name) not in _TUNE]:
        raise NotCarried(f"{show_list(unknown)}: no such layer")
    known.layers += [_TUNE[name] for name in value or ()]
    return {}


def _write_tune_attention(values: Values, rule: KeyRule) -> Any:
    found = values.get("train.adapter.target_modules")
    if found is None:
        return ABSENT
    names = _LINEAR if found == "all-linear" else found
    if unknown := set(names) - set(_LINEAR):
        raise NotCarried(f"no adapter for {show_list(sorted(unknown))} there")
    return [theirs for theirs, ours in _TUNE.items() if ours in names]


def _tune_mlp(value: Any, known: Known, rule: KeyRule) -> Values:
    known.layers += _MLP if value else ()
    return {}


def _write_tune_mlp(values: Values, rule: KeyRule) -> Any:
    found = values.get("train.adapter.target_modules")
    if found is None:
        return ABSENT
    there = set(_MLP) & set(_LINEAR if found == "all-linear" else found)
    if there and there != set(_MLP):
        raise NotCarried(f"{show_list(_MLP)} are one switch there")
    return bool(there)


def layers_of(names: list[str]) -> Any:
    """The layers that single switches name, as `target_modules` has them."""
    return "all-linear" if set(names) == set(_LINEAR) else names


def _component(value: Any, known: Known, rule: KeyRule) -> Values:
    """torchtune's builder: `lora_llama3_8b`, `qlora_llama3_8b` or `llama3_8b`."""
    builder = str(value).rpartition(".")[2]
    if not builder.startswith(("lora_", "qlora_")):
        return {"train.adapter.type": "none"}
    is_4bit = builder.startswith("qlora_")
    quantization = {"train.adapter.quantization": "nf4"} if is_4bit else {}
    return {"train.adapter.type": "lora", **quantization}


def _no_component(values: Values, rule: KeyRule) -> Any:
    raise NotCarried(
        "torchtune names a builder function and the weight files of each model, which a spec does not;"
        " begin with `tune cp` of your model's own config"
    )


def _seconds(value: Any, known: Known, rule: KeyRule) -> Values:
    return {} if value is None else {"train.minutes": number_of(value) / 60}


def _write_seconds(values: Values, rule: KeyRule) -> Any:
    return 60 * values["train.minutes"] if values.get("train.minutes") else ABSENT


def _vertex_rank(value: Any, known: Known, rule: KeyRule) -> Values:
    name = str(value).removeprefix("ADAPTER_SIZE_")
    if name == "UNSPECIFIED":
        return {}
    if name not in _VERTEX:
        raise NotCarried(f"{value!r} is no size of an adapter")
    return {"train.adapter.r": 2 ** _VERTEX.index(name)}


def _write_vertex_rank(values: Values, rule: KeyRule) -> Any:
    rank = values.get("train.adapter.r")
    if rank is None:
        return ABSENT
    sizes = {2**i: name for i, name in enumerate(_VERTEX)}
    if rank not in sizes:
        raise NotCarried(f"an adapter has one of the ranks {show_list(list(sizes))} there")
    return f"ADAPTER_SIZE_{sizes[rank]}"


CONVERTERS: Mapping[str, Converter] = {
    "plain": Converter(_plain, _same),
    "number": Converter(_number, _same),
    "clip": Converter(_clip, _same),
    "number_text": Converter(_number, lambda v, r: v[r.to]),
    "or_auto": Converter(_or_auto, _same),
    "whole_epochs": Converter(_number, _whole),
    "one": Converter(_one, _only_one),
    "revision": Converter(_revision, _write_revision),
    "name": Converter(_name, _same),
    "flag": Converter(_flag, _same),
    "steps": Converter(_steps, _same),
    "max_steps": Converter(_max_steps, _write_max_steps),
    "warmup": Converter(_warmup, _write_ratio),
    "warmup_steps": Converter(_warmup, _write_warmup_steps),
    "packing": Converter(_packing, _write_packing),
    "linear": Converter(_linear, _write_linear),
    "modules": Converter(_modules, _write_modules),
    "modules_text": Converter(_modules, _write_modules_text),
    "twice_rank": Converter(_twice_rank, _same),
    "held_out": Converter(_held_out, _write_held_out),
    "loss_types": Converter(_loss_types, _write_loss_types),
    "rewards": Converter(_rewards, _write_rewards),
    "reward_model": Converter(_reward_model, _write_reward_model),
    "uses": Converter(_uses, lambda v, r: ABSENT),
    "epoch_steps": Converter(_epoch_steps, _write_max_steps),
    "global_batch": Converter(_global_batch, _write_global_batch),
    "litgpt_checkpoint": Converter(_litgpt_checkpoint, _write_litgpt_checkpoint),
    "lora_rank": Converter(_lora_rank, _same),
    "litgpt_targets": Converter(_litgpt_targets, _write_litgpt_targets),
    "torchtune_attention": Converter(_tune_attention, _write_tune_attention),
    "torchtune_mlp": Converter(_tune_mlp, _write_tune_mlp),
    "component": Converter(_component, _no_component),
    "seconds": Converter(_seconds, _write_seconds),
    "vertex_rank": Converter(_vertex_rank, _write_vertex_rank),
}
