"""What a job may take: memory, which the kernel holds it to, time and processes, which whoever advances the
queue looks at each second. Linux alone tells which processes are a job's."""

import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_NICE = 10
"""A job yields the cores to answers: its share beside them is a tenth (sched(7))."""
_SESSION = 3
"""The place of the session among what stands behind a process's name in /proc/ID/stat (proc(5))."""


@dataclass(frozen=True, slots=True)
class JobLimits:
    """Of one job; the text is what its process is told."""

    processes: int = 256
    memory_bytes: int = 2**50
    seconds: float = 72 * 3600.0

    @classmethod
    def read(cls, text: str) -> "JobLimits":
        """What `str` wrote."""
        processes, memory, seconds = text.split(":")
        return cls(int(processes), int(memory), float(seconds))

    def __str__(self) -> str:
        return f"{self.processes}:{self.memory_bytes}:{self.seconds}"

    def bind(self) -> None:
        """Hold this process, which is a job's, to its memory, and let answers go first."""
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        memory = self.memory_bytes if most < 0 else min(self.memory_bytes, most)
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
        os.setpriority(os.PRIO_PROCESS, 0, max(_NICE, os.getpriority(os.PRIO_PROCESS, 0)))


def processes_of(leader: int) -> list[int]:
    """The processes of a job, which lead a session of their own; its first one alone where nobody tells."""
    return [*_in_session(leader)] or [leader]


def _in_session(leader: int) -> Iterator[int]:
    for folder in _PROC.glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):  # it ended meanwhile
            behind = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")
            if int(behind[2].split()[_SESSION]) == leader:
                yield int(folder.name)
