"""The `launch` section of the spec: the processes that a run trains in, and where they are."""

from typing import Annotated

from pydantic import Field

from finewright.schema.common import Model, default

NEW_CLUSTER = "ray"


class LaunchSpec(Model):
    """They decide how long training takes, and not what comes of it but for rounding."""

    processes: int = default(
        1,
        "Processes that train together: each takes a share of every step's rows, on a GPU or on cores of its"
        " own",
        "one process uses one GPU, or all cores",
        gt=0,
        le=64,
    )
    fsdp: bool = default(
        False,
        "Keep the base model's weights in shards (FSDP2): each process holds 1 / processes of them, and"
        " gathers a layer's as it computes; with adapter.type none of their optimizer, too",
        "a base that fits one process trains faster whole",
    )
    cluster: Annotated[str, Field(pattern=r"^$|^ray$|^(ray://)?[^\s/]+:\d+$")] = default(
        "",
        "A Ray cluster that trains: `ray` for one of this machine's processes, HOST:PORT or ray://HOST:PORT"
        " for one that is there, whose machines have the run's folder at the same path",
        "this machine's processes, without Ray",
    )

    @property
    def is_alone(self) -> bool:
        """Whether the run's own process trains."""
        return self.processes == 1 and not self.cluster
