"""Does an adapter fit a model's linear layers? Told by their names and sizes, without weights."""

import difflib
from collections.abc import Iterator, Sequence

from finewright.estimate.shape import Linear
from finewright.schema.adapter import AdapterSpec, IA3Spec, LoraSpec
from finewright.schema.common import Problem

_GIB = 2**30
_FLOAT32 = 4
_KEY = "train.adapter.target_modules"


def misfits(adapter: AdapterSpec, linears: Sequence[tuple[int, Linear]]) -> list[Problem]:
    """What is wrong with the adapter's targets and rank, for a model of these linears (how many, which).

    A target is compared by its last name only: which of several layers of one name a path means is not
    looked at. A rank above the width of every layer is an error, above that of some a warning."""
    if not isinstance(adapter, LoraSpec | IA3Spec):
        return []
    targets = adapter.target_modules
    names = sorted({linear.name for _, linear in linears})
    wanted = names if targets in ("all-linear", None) else [t.rpartition(".")[2] for t in targets]
    if missing := [name for name in wanted if name not in names]:
        return [no_such_layer(missing[0], names)]
    if isinstance(adapter, IA3Spec):
        return []
    return list(_too_wide(adapter.r, [pair for pair in linears if pair[1].name in wanted]))


def no_such_layer(name: str, names: Sequence[str]) -> Problem:
    """What to say of a target that matches none of the model's linears."""
    close = difflib.get_close_matches(name, names, n=1)
    meant = f"did you mean {close[0]!r}? " if close else ""
    has = ", ".join(names) or "no linear layer that can take an adapter"
    return Problem(
        level="error",
        key=_KEY,
        message=f"no linear layer is named {name!r}",
        hint=f"{meant}this model has {has}",
    )


def _too_wide(rank: int, on: Sequence[tuple[int, Linear]]) -> Iterator[Problem]:
    small = [(count, linear) for count, linear in on if rank > _most(linear)]
    if not small:
        return
    widest = max((linear for _, linear in on), key=_most)
    least = min((linear for _, linear in small), key=_most)
    if rank > _most(widest):
        size = rank * _FLOAT32 * sum(count * (one.inputs + one.outputs) for count, one in on)
        yield Problem(
            level="error",
            key="train.adapter.r",
            message=f"r is {rank}, and no targeted layer can have a rank above {_most(widest)}"
            f" ({_describe_linear(widest)}); the adapter would hold {size / _GIB:,.1f} GiB",
            hint=f"16 is usual; set r to at most {_most(widest)}",
        )
        return
    yield Problem(
        level="warning",
        key="train.adapter.r",
        message=f"r is {rank}, more than the rank that {sum(count for count, _ in small)} of the"
        f" {sum(count for count, _ in on)} targeted layers can have (least: {_describe_linear(least)}):"
        " there the adapter holds more numbers than the weight's own directions",
        hint=f"set r to at most {_most(least)}, or leave such layers out of target_modules",
    )


def _most(linear: Linear) -> int:
    return min(linear.inputs, linear.outputs)


def _describe_linear(linear: Linear) -> str:
    return f"{linear.name} {linear.outputs} x {linear.inputs}"
