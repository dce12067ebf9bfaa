"""What the tests want to know of the engine `ray`, asked in one process and of one cluster.

python on_ray.py FOLDER    # works on FOLDER/rows-*.jsonl, and writes FOLDER/told.json
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import NamedTuple

from finewright.data.scale.engines import ray
from finewright.data.scale.prepare import PrepareSettings, prepare_rows
from finewright.errors import DataError, FinewrightError
from finewright.schema.scale import PrepareSpec


class Number(NamedTuple):
    """The smallest piece of work."""

    number: int


def squared(part: Number, limit: int) -> bytes:
    """The square, of numbers below the limit."""
    if part.number >= limit:
        raise DataError(f"{part.number} is too large", hint="take less")
    return str(part.number**2).encode()


def killed_once(part: Number, folder: Path) -> bytes:
    """A worker of which the machine is lost, the first time a part is made."""
    been_here = folder / f"tried-{part.number}"
    if not been_here.exists():
        been_here.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return b"made"


def broken(part: Number, _: int) -> bytes:
    """A mistake of ours."""
    raise KeyError(part.number)


def said(address: str, make, limit: int) -> list[str]:
    """The error that the engine raises."""
    os.environ["RAY_ADDRESS"] = address
    try:
        list(ray([Number(3), Number(8)], make, limit, 1))
    except FinewrightError as error:
        return [type(error).__name__, str(error), error.hint]
    finally:
        del os.environ["RAY_ADDRESS"]
    return []


def main(folder: Path) -> None:
    """Everything in one cluster, for its start is what takes time."""
    told: dict[str, object] = {"no cluster": said("nonsense", squared, 9)}
    import ray as cluster

    sys.path.insert(0, str(Path(__file__).parents[2]))
    from data.scale.made import KEYS, ignore
    from data.test_stage import run_stage

    # A new one: other tests may have a cluster on this machine.
    cluster.init(
        "local", num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR"
    )
    made = ray([Number(3), Number(8)], squared, 9, 1)
    told["squares"] = sorted((number, content.decode()) for number, content in made)
    told["killed"] = [content.decode() for _, content in ray([Number(5)], killed_once, folder, 1)]
    told["wrong"] = said("", squared, 8)
    result, root = run_stage(folder, json.loads((folder / "data.json").read_text()))
    told["report"], told["root"] = result.report.model_dump(mode="json"), str(root)
    told["broken"] = said("", broken, 8)
    file = folder / "rows-1.jsonl"
    prepare_rows(
        [file], folder / "prepared", PrepareSpec(), PrepareSettings("ray", 1, 20_000), KEYS, ignore
    )
    (folder / "told.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
