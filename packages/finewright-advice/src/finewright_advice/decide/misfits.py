"""Why no machine at hand holds a model, or a training of it: what it takes, what there is, what would do."""

from collections.abc import Sequence
from typing import NamedTuple

from finewright_advice.decide.facts import LoraStep
from finewright_advice.decide.models import OpenModelFacts
from finewright_advice.decide.serving import USABLE, Host, Need, fits, memory_gib

_NO_NEED = Need(0, 0, 0, 0)


class AtHand(NamedTuple):
    """The machines that may be taken, those for rent, and whether nothing may leave one's own."""

    may: Sequence[Host]
    rented: Sequence[Host]
    must_own: bool


def explain_unserved(
    model: OpenModelFacts, need: Need, there: AtHand, requests_per_month: float
) -> str:
    """Why no machine at hand serves a model."""
    takes = f"{model.name} takes {memory_gib(model.sizes, 4, need):,.1f} GiB, {_describe_memory(model, need)}"
    if fits(model, need, there.may):
        whose = _names(there.may) if there.must_own else "what is for rent"
        return (
            f"{whose} cannot carry the busiest hour of {requests_per_month:,.0f} requests a month"
        )
    other = fits(model, need, there.rented)
    where = _name_host_that_fits(other.host if other else None, there.rented, False)
    if not there.must_own:
        return f"{takes}{where}"
    if not there.may:
        return f"on-premise, and you have no machine: {takes}{where}"
    return f"{takes}, {_more_than(there.may, False)}{where}"


def _describe_memory(model: OpenModelFacts, need: Need) -> str:
    """Weights, the cache of documents that all requests share, and that of each request at once."""
    weights = memory_gib(model.sizes, 4, _NO_NEED)
    shared = (
        memory_gib(model.sizes, 4, _NO_NEED._replace(cached_tokens=need.cached_tokens)) - weights
    )
    each = memory_gib(model.sizes, 4, need) - weights - shared
    documents = (
        f" {shared:,.1f} for the cache of the documents, which all requests share,"
        if shared
        else ""
    )
    return (
        f"{weights:,.1f} for 4-bit weights,{documents} and {each:,.1f} for the cache of what is asked at"
        f" once ({need.at_once})"
    )


def training_misfit(
    model: OpenModelFacts, step: LoraStep, there: AtHand, other: Host | None
) -> str:
    """Why no machine at hand holds a LoRA step of a model; `other` for rent would."""
    hosts = there.may if there.must_own else there.rented
    experts = ", its experts in 16 bits" if model.shape.is_mixture else ""
    rows = f" on rows of {step.tokens:,}" if step.is_long else ""
    shared = {gpus: step.gib(4, gpus) for gpus in {host.gpus for host in hosts} if gpus > 1}
    least = min(shared, key=lambda gpus: shared[gpus], default=0)
    each = f", or {shared[least]:,.1f} on each of {least}" if least else ""
    takes = (
        f"training {model.name}{rows} takes {step.gib(4):,.1f} GiB on one GPU{each}, with 4-bit"
        f" weights{experts}"
    )
    where = _name_host_that_fits(other, there.rented, True)
    if not there.must_own:
        return f"{takes}{where}"
    if not there.may:
        return f"nothing may leave your machines, you have none, and {takes}{where}"
    return f"nothing may leave your machines, and {takes}, {_more_than(there.may, True)}{where}"


def _name_host_that_fits(other: Host | None, rented: Sequence[Host], of_each_gpu: bool) -> str:
    if other is not None:
        return f"; a {other.name} holds it"
    most = max(rented, key=lambda host: _usable_gib(host, of_each_gpu), default=None)
    if most is None:
        return "; no machine is for rent"
    gpu = " of each GPU" if of_each_gpu else ""
    room = f"{_usable_gib(most, of_each_gpu):,.1f} GiB{gpu} usable"
    return f"; no machine for rent holds it, the largest being {most.name} with {room}"


def _more_than(hosts: Sequence[Host], of_each_gpu: bool) -> str:
    rooms = ", ".join(f"{_usable_gib(host, of_each_gpu):,.1f}" for host in hosts)
    gpu = " of each GPU" if of_each_gpu else ""
    return f"more than {_names(hosts)} holds, of which {rooms} GiB{gpu} are usable"


def _usable_gib(host: Host, of_each_gpu: bool) -> float:
    """What a program has of the memory, less its own context and the allocator's slack."""
    return host.memory_gib / (host.gpus if of_each_gpu else 1) * USABLE


def _names(hosts: Sequence[Host]) -> str:
    return ", ".join(host.name for host in hosts)
