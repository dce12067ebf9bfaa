"""Training in processes of a Ray cluster: each rank is an actor, and where one is lost all begin again from
the last checkpoint.

Actors and not `ray.train.TorchTrainer`: the ranks bring their own process group, checkpoints, events and
result (rank.py), so of the trainer there would remain its restarts, which it makes without saying which rank
was lost. What Ray adds here is the place of each rank, the knowledge that one is gone, and an end of all
where the process that asked for them is gone."""

import socket
import threading
from pathlib import Path
from typing import Any

from finewright import __version__
from finewright.errors import FinewrightError, StageError
from finewright.fetch.ray_cluster import LOCAL, connected, explain_ray_error, import_ray
from finewright.lm import runtime
from finewright.schema.common import Problem
from finewright.schema.launch import NEW_CLUSTER, LaunchSpec
from finewright.store.atomic import scratch_dir
from finewright.store.stage import StageContext, StageResult
from finewright.train.launch import (
    Order,
    RankLost,
    by_file,
    newest_checkpoint,
    order_of,
    refuse_without_gpus,
    run_ranks,
)
from finewright.train.rank import serve
from finewright.train.ranks import Ranks

_PLACED_S = 60
"""For a cluster to have room for all ranks: one that grows by itself needs minutes for a machine, and the
same command finds it then."""
_OTHERS_S = 5
"""After a rank has failed, for the others to say what they know and for Ray to notice a killed one (1 s)."""


def train_on_ray(context: StageContext) -> StageResult:
    """Run the stage on the cluster of `launch.cluster`.

    Where a rank is lost, all begin again from the last checkpoint, as often as a new one was reached since.
    Raises as `run_ranks` does, and MissingExtra or StageError without Ray, a cluster or room on it."""
    runtime.require_runtime()
    launch = context.spec.launch
    ray = import_ray("launch.cluster")
    is_new = launch.cluster == NEW_CLUSTER
    cpus = context.spec.train.stated_threads or 1
    address = LOCAL if is_new else launch.cluster
    with connected(ray, address, num_cpus=cpus * launch.processes, named="launch.cluster"):
        seats = _reserve(ray, launch, cpus)
        lost_at: Path | str | None = ""  # no checkpoint, and not none
        while True:
            with scratch_dir(context.run.root / "ranks") as folder:
                try:
                    order = order_of(context, 0)
                    return run_ranks(context, RayLauncher(ray, order, folder, seats, is_new))
                except RankLost as error:
                    newest = newest_checkpoint(context)
                    if (
                        newest == lost_at
                    ):  # one loss may be chance, a second in the same place is a cause
                        raise
                    lost_at = newest
                    _tell_loss(context, error)


def _tell_loss(context: StageContext, error: RankLost) -> None:
    problem = Problem(
        level="warning", key="launch.cluster", message=str(error), hint="all ranks go on from there"
    )
    context.emit("problem", stage="train", **problem.model_dump())


def _reserve(
    ray: Any, launch: LaunchSpec, cpus: int
) -> Any:  # Any: Ray's module and placement group
    """A place for each rank, all at once, so that none waits for one that never comes."""
    has = ray.cluster_resources()
    gpus = int(has.get("GPU", 0))
    if gpus:
        refuse_without_gpus(launch.processes, gpus, "the cluster has")
    seat = {"CPU": cpus, **({"GPU": 1} if gpus else {})}
    seats = ray.util.placement_group([seat] * launch.processes, strategy="PACK")
    if not seats.wait(_PLACED_S):
        ray.util.remove_placement_group(seats)
        free = ray.available_resources()
        raise StageError(
            f"the cluster has no room for {launch.processes} processes of {cpus} CPUs"
            f"{' and a GPU' * bool(gpus)}: of its {has.get('CPU', 0):g} CPUs {free.get('CPU', 0):g} are free;"
            " nothing was trained",
            hint="set launch.processes or train.threads to fewer, or repeat the command when there is room",
        )
    return seats


class RankActor:
    """A rank, in a process of its own somewhere on the cluster."""

    def meeting_place(self) -> str:
        """A free port of its machine, as torch's URL of where ranks meet."""
        import ray

        with socket.socket() as free:
            free.bind(("", 0))
            return f"tcp://{ray.util.get_node_ip_address()}:{free.getsockname()[1]}"

    def train(self, order: Order, folder: Path, ranks: Ranks, meet: str, version: str) -> int:
        """The exit code. Raises StageError where this machine is not as the one that asks."""
        here = socket.gethostname()
        if version != __version__:
            raise StageError(
                f"finewright is {version} here, and {__version__} on {here}; nothing was trained",
                hint="install the same version on all machines of the cluster",
            )
        if not folder.is_dir():
            raise StageError(
                f"{folder.parent}: there is no such folder on {here}; nothing was trained",
                hint="keep --runs on a file system that all machines of the cluster share, at the same path",
            )
        return serve(order, folder, ranks, meet)


class RayLauncher(threading.Thread):
    """Actors in the places that were reserved."""

    parent = 0

    def __init__(self, ray: Any, order: Order, folder: Path, seats: Any, is_new: bool) -> None:
        super().__init__(daemon=True)
        self.ray, self.order, self.folder, self.seats = ray, order, folder, seats
        self.is_new, self.processes = is_new, seats.bundle_count
        self.error: BaseException | None = None
        self.lost: dict[int, str] = {}

    def run(self) -> None:
        """Until all ranks have ended."""
        actors = [self._actor(number) for number in range(self.processes)]
        try:
            self._train(actors)
        except self.ray.exceptions.RayError as error:
            self.error = explain_ray_error(error)
        except BaseException as error:  # for the thread that waits
            self.error = error
        finally:
            for actor in actors:
                self.ray.kill(actor)

    def describe_lost(self) -> str:
        """The first that Ray told of."""
        return next(
            (f"rank {rank} of {self.processes} {how}" for rank, how in self.lost.items()), ""
        )

    def _actor(self, number: int) -> Any:  # Any: a handle
        place = self.ray.util.scheduling_strategies.PlacementGroupSchedulingStrategy(
            self.seats, placement_group_bundle_index=number
        )
        seat = self.seats.bundle_specs[number]
        made = self.ray.remote(RankActor).options(
            num_cpus=seat["CPU"], num_gpus=seat.get("GPU", 0), scheduling_strategy=place
        )
        return made.remote()

    def _train(self, actors: list[Any]) -> None:
        folder = self.folder.resolve()
        meet = by_file(folder) if self.is_new else self.ray.get(actors[0].meeting_place.remote())
        running = {
            actor.train.remote(
                self.order, folder, Ranks(number, len(actors)), meet, __version__
            ): number
            for number, actor in enumerate(actors)
        }
        while running:
            done, _ = self.ray.wait(list(running), timeout=_OTHERS_S if self.error else None)
            if not done:
                return
            for reference in done:
                self._end(running.pop(reference), reference)

    def _end(self, number: int, reference: Any) -> None:  # Any: of a result
        """Take down how a rank ended."""
        errors = self.ray.exceptions
        try:
            code = self.ray.get(reference)
            failed = RuntimeError(f"rank {number} ended with exit code {code}")
            self.error = self.error or (failed if code else None)
        except errors.OutOfMemoryError as error:
            self.lost[number] = "was ended by Ray, as memory ran out on its machine"
            self.error = error
        except errors.RayActorError as error:
            self.lost[number] = (
                "was lost: its process or its machine ended, as where memory runs out"
            )
            self.error = error
        except errors.RayTaskError as error:
            cause = error.cause
            self.error = cause if isinstance(cause, FinewrightError) else explain_ray_error(error)
