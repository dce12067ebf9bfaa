"""The `launch` section of the spec: the processes that a run trains in."""

from finewright.schema.common import Model, default


class LaunchSpec(Model):
    """Of one machine. They decide how long training takes, and not what comes of it but for rounding."""

    processes: int = default(
        1,
        "Processes that train together: each takes a share of every step's rows, on a GPU or on cores of its"
        " own",
        "one process uses one GPU, or all cores",
        gt=0,
        le=64,
    )
