"""Who makes the chunks: processes of this machine, or the machines of a Ray cluster."""

import logging
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Literal, NamedTuple

from finewright.data.scale.chunk import Options, made_of
from finewright.data.scale.slices import Slice
from finewright.errors import MissingExtra, StageError

EngineName = Literal["local", "ray"]
_AHEAD = 2


class Made(NamedTuple):
    """A chunk's bytes and the number of its slice."""

    number: int
    content: bytes


Engine = Callable[[Sequence[Slice], Options, int], Iterator[Made]]


def local(parts: Sequence[Slice], options: Options, workers: int) -> Iterator[Made]:
    """Chunks by so many processes, in the order they are done; by this one alone if it is one.

    At most twice as many slices as workers are under way, whatever the size of the files."""
    if workers == 1 or len(parts) == 1:
        yield from (Made(part.number, made_of(part, options)) for part in parts)
        return
    # A forked process would share locks with the threads of whoever calls this.
    context = multiprocessing.get_context("spawn")
    todo = iter(parts)
    num_workers = min(workers, len(parts))
    with ProcessPoolExecutor(num_workers, context, initializer=_end_with_parent) as pool:
        running: dict[Future[bytes], int] = {}
        try:
            while True:
                for part in _next(todo, _AHEAD * workers - len(running)):
                    running[pool.submit(made_of, part, options)] = part.number
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield Made(running.pop(future), future.result())
        except BrokenProcessPool:
            raise StageError(
                "a worker process was ended from outside, perhaps for want of memory",
                hint="run it again with fewer --workers; finished chunks are kept",
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def ray(parts: Sequence[Slice], options: Options, workers: int) -> Iterator[Made]:
    """Chunks by Ray Data on the cluster of RAY_ADDRESS, or else on one of this machine's processes.

    The files must have the same path on every machine. Nothing is reported to Ray's makers."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray as engine
        from ray import data
    except ImportError:
        raise MissingExtra(
            "the engine `ray` needs Ray", hint='pip install "finewright[ray]"'
        ) from None
    is_ours = not engine.is_initialized()
    if is_ours:
        address = os.environ.get("RAY_ADDRESS")
        size = {} if address else {"num_cpus": workers, "include_dashboard": False}
        engine.init(address=address, log_to_driver=False, logging_level="ERROR", **size)
    try:
        # What is under way is told by our own events.
        logging.getLogger("ray.data").setLevel("ERROR")
        data.DataContext.get_current().enable_progress_bars = False
        items = [{"index": i} for i in range(len(parts))]
        shared = engine.put((list(parts), options))
        rows = data.from_items(items, override_num_blocks=len(items)).map(
            _of_index, fn_kwargs={"shared": shared}
        )
        for row in rows.iter_rows():
            yield Made(int(row["number"]), bytes(row["content"]))
    finally:
        if is_ours:
            engine.shutdown()


def engine_named(name: EngineName) -> Engine:
    """The engine of that name."""
    return {"local": local, "ray": ray}[name]


def _of_index(row: dict[str, Any], shared: Any) -> dict[str, Any]:  # Any: Ray's rows and references
    import ray as engine

    parts, options = engine.get(shared)
    part = parts[row["index"]]
    return {"number": part.number, "content": made_of(part, options)}


def _end_with_parent() -> None:
    """Have this worker end when its parent is killed; else it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _next(todo: Iterator[Slice], count: int) -> Iterator[Slice]:
    for _, part in zip(range(count), todo, strict=False):
        yield part
