"""Who does the work of each slice: processes of this machine, or the machines of a Ray cluster.

The work is a pure function of a part and of options that are the same for all; where it is done, and in
which order, does not change what it makes."""

import gc
import json
import logging
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, NamedTuple, Protocol, TypeVar

from finewright import errors
from finewright.errors import FinewrightError, StageError
from finewright.fetch.ray_cluster import LOCAL, connected, explain_ray_error, import_ray
from finewright.schema.data import EngineName

_AHEAD = 2


class WorkPart(Protocol):
    """A piece of the work, by its number among all."""

    @property
    def number(self) -> int:
        """Its place, which what is made of it has as well."""
        ...


class PartResult(NamedTuple):
    """What a part became, and the number of the part."""

    number: int
    content: bytes


P = TypeVar("P", bound=WorkPart)
O = TypeVar("O")  # noqa: E741 - of the options
Make = Callable[[P, O], bytes]


class Engine(Protocol):
    """Has `make` called for every part, by so many `workers`; what it made comes in any order.

    `make` is a function of a module, for a worker finds it by its name. Of a FinewrightError that it raises
    the first is raised here."""

    def __call__(
        self, parts: Sequence[P], make: Make[P, O], options: O, workers: int
    ) -> Iterator[PartResult]:
        """What the parts became."""
        ...


def local(parts: Sequence[P], make: Make[P, O], options: O, workers: int) -> Iterator[PartResult]:
    """By so many processes, in the order they are done; by this one alone if it is one.

    At most twice as many parts as workers are under way, whatever the size of the files."""
    if workers == 1 or len(parts) == 1:
        yield from (PartResult(part.number, make(part, options)) for part in parts)
        return
    # A forked process would share locks with the threads of whoever calls this.
    context = multiprocessing.get_context("spawn")
    todo = iter(parts)
    num_workers = min(workers, len(parts))
    with ProcessPoolExecutor(num_workers, context, initializer=_begin_work) as pool:
        running: dict[Future[bytes], int] = {}
        try:
            while True:
                for part in _next(todo, _AHEAD * workers - len(running)):
                    running[pool.submit(_make_and_freeze, make, part, options)] = part.number
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield PartResult(running.pop(future), future.result())
        except BrokenProcessPool:
            raise StageError(
                "a worker process was ended from outside, perhaps for want of memory",
                hint="run it again with fewer --workers; finished chunks are kept",
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def ray(parts: Sequence[P], make: Make[P, O], options: O, workers: int) -> Iterator[PartResult]:
    """By Ray Data on the cluster of RAY_ADDRESS, or else on one of this machine's processes.

    The files must have the same path on every machine, and finewright must be installed there. Where a
    machine or process is lost, Ray begins its part anew, as often as it takes. Nothing is reported to
    Ray's makers."""
    engine = import_ray("the engine `ray`")
    from ray import data

    address = os.environ.get("RAY_ADDRESS") or LOCAL
    with connected(engine, address, num_cpus=workers, named="RAY_ADDRESS"):
        try:
            # What is under way is told by our own events, and what went wrong by our own error.
            logging.getLogger("ray.data").setLevel("CRITICAL")
            data.DataContext.get_current().enable_progress_bars = False
            items = [{"index": i} for i in range(len(parts))]
            shared = engine.put((list(parts), make, options))
            rows = data.from_items(items, override_num_blocks=len(items)).map(
                _of_index, fn_kwargs={"shared": shared}
            )
            for row in rows.iter_rows():
                if row["error"]:
                    raise _error_from_json(row["error"])
                yield PartResult(int(row["number"]), bytes(row["content"]))
        except engine.exceptions.RayError as error:
            raise explain_ray_error(error) from error


def engine_named(name: EngineName) -> Engine:
    """The engine of that name."""
    return {"local": local, "ray": ray}[name]


def _of_index(row: dict[str, Any], shared: Any) -> dict[str, Any]:  # Any: Ray's rows and references
    import ray as engine

    parts, make, options = engine.get(shared)
    part = parts[row["index"]]
    made: dict[str, Any] = {"number": part.number, "content": b"", "error": ""}
    try:
        made["content"] = make(part, options)
    except FinewrightError as error:
        # Ray would wrap it into one of its own, with a traceback for a message.
        made["error"] = json.dumps([type(error).__name__, str(error), error.hint])
    return made


def _error_from_json(error: str) -> FinewrightError:
    name, message, hint = json.loads(error)
    raised: FinewrightError = vars(errors)[name](message, hint=hint)
    return raised


def _begin_work() -> None:
    """What a worker does first. Its garbage is collected after each part: what a part makes is kept until its
    end, and to look through it on the way takes a twentieth of the time. What stays after a part is what the
    parts have in common, as lists of words: it is looked through once, and not after each."""
    _end_with_parent()
    gc.disable()


def _make_and_freeze(make: Make[P, O], part: P, options: O) -> bytes:
    content = make(part, options)
    gc.collect()
    gc.freeze()
    return content


def _end_with_parent() -> None:
    """Have this worker end when its parent is killed; else it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _next(todo: Iterator[P], count: int) -> Iterator[P]:
    for _, part in zip(range(count), todo, strict=False):
        yield part
