"""The train stage: in this process, in several of this machine, or on a cluster."""

from finewright.store.stage import StageContext, StageResult
from finewright.train.here import train_here
from finewright.train.launch import train_in_ranks
from finewright.train.on_ray import train_on_ray


def run(context: StageContext) -> StageResult:
    """Train every base model of the spec, one after another, in the processes that `launch` says."""
    launch = context.spec.launch
    if launch.is_alone:
        return train_here(context)
    return train_on_ray(context) if launch.cluster else train_in_ranks(context, launch.processes)
