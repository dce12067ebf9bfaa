"""A Ray cluster: one that is there already, or one of this machine's processes, started here and ended after
use."""

import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from finewright.errors import MissingExtra, StageError
from finewright.fetch.telemetry import turn_off_telemetry
from finewright.plugins import install_command

_RAISED = re.compile(r"^[\w.]+(?:Error|Exception): .*", re.MULTILINE)
_CONNECT_S = 10
"""For the first packet to a cluster's address. Ray itself tries for minutes, and then ends the process."""
_OF_ADDRESS = re.compile(r"(?:ray://)?(?P<host>[^\s/]+):(?P<port>\d+)")
LOCAL = "local"
"""Ray's own word for a new cluster on this machine, whatever others run there."""


def import_ray(what: str) -> Any:  # Any: the module
    """Ray, with nothing reported to its makers. Raises MissingExtra; `what` needs it."""
    turn_off_telemetry()
    # Ray runs workers at 15: beside anything else on this machine they would hardly get a core.
    os.environ.setdefault("RAY_worker_niceness", "0")
    try:
        import ray
    except ImportError:
        raise MissingExtra(f"{what} needs Ray", hint=install_command("[ray]")) from None
    return ray


@contextmanager
def connected(ray: Any, address: str, *, num_cpus: int, named: str) -> Iterator[None]:
    """Be connected to the cluster at an address, or to a new one of so many CPUs where it is LOCAL; a
    connection that is there already is used and stays.

    Raises StageError where the cluster cannot be reached; `named` is the setting that has the address."""
    is_ours = not ray.is_initialized()
    if is_ours:
        _connect(ray, address, num_cpus, named)
    try:
        yield
    finally:
        if is_ours:
            ray.shutdown()


def _connect(ray: Any, address: str, num_cpus: int, named: str) -> None:
    is_local = address == LOCAL
    size = {"num_cpus": num_cpus, "include_dashboard": False} if is_local else {}
    terminates = signal.getsignal(signal.SIGTERM)
    try:
        if not is_local:
            _knock(address)
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", **size)
    except Exception as error:  # Ray raises that itself where its own processes do not start
        where = "Ray on this machine" if is_local else f"the cluster of {named}={address}"
        raise StageError(
            f"{where} cannot be reached: {str(error).partition('. ')[0]}",
            hint="" if is_local else f"correct {named}, or unset it to use this machine",
        ) from None
    finally:
        # Ray takes SIGTERM for itself and would end the process where a run ends with a checkpoint.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, terminates)


def _knock(address: str) -> None:
    """Raise OSError or ValueError where nobody listens at HOST:PORT, with or without ray://."""
    found = _OF_ADDRESS.fullmatch(address)
    if found is None:
        if address == "auto":
            return
        raise ValueError("it is no HOST:PORT and no ray://HOST:PORT")
    with socket.create_connection((found["host"].strip("[]"), int(found["port"])), _CONNECT_S):
        pass


def explain_ray_error(error: Exception) -> StageError:
    """What was raised on a machine of the cluster, in one line."""
    # Of what was raised in a worker the text is its traceback, and then advice to programmers.
    raised = _RAISED.search(str(error))
    what = raised[0] if raised else str(error).strip().partition("\n")[0]
    return StageError(
        f"Ray broke off: {what}", hint="Ray's logs are under /tmp/ray on its machines"
    )
