"""What a stranger's file might make its reader do, called by the tests of the jail."""

# ruff: noqa: PTH101, PTH104, PTH108, PTH123

import os
import socket
import subprocess
import sys
import time
from typing import Any

kept: list[bytes] = []


def give(value: Any) -> Any:
    return value


def process() -> int:
    return os.getpid()


def loop() -> None:
    while True:
        pass


def sleep() -> None:
    time.sleep(600)


def fill() -> int:
    return len("A" * 3_000_000_000)


def nest() -> Any:
    return nest()


def fail() -> None:
    raise ValueError("two\nlines")


def end() -> None:
    os._exit(0)


def grow() -> None:
    kept.append(b"\1" * (300 << 20))


def answer_garbage() -> None:
    for number in range(3, 20):
        try:
            os.write(number, (7).to_bytes(8, "little") + b"[1, 2]]")
        except OSError:
            continue
    os._exit(0)


def answer_endlessly() -> None:
    for number in range(3, 20):
        try:
            os.write(number, (1 << 60).to_bytes(8, "little"))
        except OSError:
            continue
    time.sleep(600)


def attempt(what: str, path: str) -> str:
    """Which error stops it."""
    attempts = {
        "connect": lambda: socket.create_connection(("127.0.0.1", 9)),
        "local socket": lambda: socket.socket(socket.AF_UNIX).close(),
        "another program": lambda: subprocess.run([sys.executable, "-c", ""], check=False),
        "write": lambda: os.open(path, os.O_WRONLY),
        "create": lambda: os.open(path + ".new", os.O_CREAT | os.O_RDONLY),
        "delete": lambda: os.unlink(path),
        "rename": lambda: os.rename(path, path + ".new"),
        "change": lambda: os.chmod(path, 0),
        "signal": lambda: os.kill(os.getppid(), 0),
    }
    try:
        attempts[what]()
    except OSError as error:
        return type(error).__name__
    return "done"


def read(path: str) -> str:
    with open(path) as file:
        return file.read()


def environment() -> list[str]:
    return sorted(os.environ)
