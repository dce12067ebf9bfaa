"""The inside of the jail: what its process does between its start and each answer. See `jail`."""

import ctypes
import importlib
import json
import math
import os
import platform
import resource
import struct
import sys
from collections.abc import Sequence
from typing import Any

_MOST_GROWN = 256 << 20
"""A process that has grown by so many bytes is ended behind its answer."""


def serve(needs: Sequence[str]) -> None:
    """Close the jail, import, and answer one call after another until the pipe is closed."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    is_sealed = seal()
    for name in needs:
        importlib.import_module(name)
    module = sys.modules[needs[0]]
    start = _size()
    _write(answers, {"ready": True, "sealed": is_sealed})
    while len(head := requests.read(8)) == 8:  # noqa: PLR2004 - bytes of a length
        call = json.loads(requests.read(int.from_bytes(head, "little")))
        answer = _answer(module, *call)
        answer["last"] = _size() > start + _MOST_GROWN
        _write(answers, answer)


def _answer(
    module: Any, name: str, arguments: Sequence[Any], cpu_seconds: float, memory_mib: int
) -> dict[str, Any]:
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    hard = resource.RLIM_INFINITY  # a soft limit alone can be raised for the next call
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(used + cpu_seconds), hard))
    resource.setrlimit(resource.RLIMIT_AS, (_size() + (memory_mib << 20), hard))
    try:
        return {"value": getattr(module, name)(*arguments)}
    except MemoryError:
        return {"memory": True}
    except RecursionError:
        return {"error": "it nests too deeply"}
    except Exception as error:  # whatever a library raises over a stranger's file
        return {"error": f"{type(error).__name__}: {error}"[:300]}


def _write(answers: Any, answer: dict[str, Any]) -> None:
    try:
        text = json.dumps(answer).encode()
    except MemoryError:
        text = b'{"memory": true}'
    except (TypeError, ValueError, RecursionError):
        text = b'{"error": "its answer is no JSON"}'
    answers.write(len(text).to_bytes(8, "little") + text)
    answers.flush()


def _size() -> int:
    """Bytes of address space; 0 where there is no /proc, and then memory has no bound but the limit."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - of each call
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


# ------------------------------------------------------------------- seccomp

_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
# The kernel's numbers on x86-64 and arm64 (arch/x86/entry/syscalls/syscall_64.tbl, asm-generic/unistd.h);
# -1 where it has no such call.
_DENIED = {
    **{"socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200)},
    **{"sendto": (44, 206), "sendmsg": (46, 211), "sendmmsg": (307, 269), "accept": (43, 202)},
    **{"execve": (59, 221), "execveat": (322, 281), "fork": (57, -1), "vfork": (58, -1)},
    **{"kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "pidfd_open": (434, 434)},
    **{"rt_sigqueueinfo": (129, 138), "pidfd_send_signal": (424, 424), "ptrace": (101, 117)},
    **{"process_vm_readv": (310, 270), "process_vm_writev": (311, 271)},
    **{"io_uring_setup": (425, 425), "bpf": (321, 280), "unshare": (272, 97), "setns": (308, 268)},
    **{"mount": (165, 40), "keyctl": (250, 219), "openat2": (437, 437), "creat": (85, -1)},
    **{"unlink": (87, -1), "unlinkat": (263, 35), "rmdir": (84, -1), "rename": (82, -1)},
    **{"renameat": (264, 38), "renameat2": (316, 276), "mkdir": (83, -1), "mkdirat": (258, 34)},
    **{"link": (86, -1), "linkat": (265, 37), "symlink": (88, -1), "symlinkat": (266, 36)},
    **{"mknod": (133, -1), "mknodat": (259, 33), "truncate": (76, 45), "chmod": (90, -1)},
    **{"fchmodat": (268, 53), "chown": (92, -1), "fchownat": (260, 54), "utimensat": (280, 88)},
    **{"setxattr": (188, 5), "removexattr": (197, 14), "shmget": (29, 194), "msgget": (68, 186)},
}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_DENIED_WHERE = {
    "open": (2, -1, 1, _WRITING),
    "openat": (257, 56, 2, _WRITING),
    "prlimit": (302, 261, 0, 0xFFFFFFFF),  # of other processes: its own is 0
}
"""Numbers, an argument, and the bits of it of which none may be set."""
_LOAD, _EQUALS, _AT_LEAST, _HAS_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000 | 1, 0x80000000  # EPERM
_X32 = 0x40000000
_SECCOMP = {"x86_64": 317, "aarch64": 277}


def seal() -> bool:
    """Take from this process, with all its threads, what `_DENIED` names; False where that is not known.

    Once done it cannot be undone (man 2 seccomp)."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _ARCHITECTURES:
        return False
    program = _program(*_ARCHITECTURES[machine])
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(program)
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    no_new_privileges, set_filter, all_threads = 38, 1, 1
    if libc.prctl(no_new_privileges, 1, 0, 0, 0):
        return False
    return not libc.syscall(_SECCOMP[machine], set_filter, all_threads, header)


def _program(architecture: int, column: int) -> bytes:
    """A classic BPF program over struct seccomp_data: number at 0, architecture at 4, arguments from 16."""
    steps = [(_LOAD, 0, 0, 4), (_EQUALS, 1, 0, architecture), (_RETURN, 0, 0, _KILL)]
    steps += [(_LOAD, 0, 0, 0), (_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _REFUSE)]
    for denied in _DENIED.values():
        if denied[column] >= 0:
            steps += [(_EQUALS, 0, 1, denied[column]), (_RETURN, 0, 0, _REFUSE)]
    for *numbers, argument, bits in _DENIED_WHERE.values():
        if numbers[column] >= 0:
            steps += [(_EQUALS, 0, 4, numbers[column]), (_LOAD, 0, 0, 16 + 8 * argument)]
            steps += [(_HAS_BITS, 0, 1, bits), (_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _ALLOW)]
    steps.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("HBBI", *step) for step in steps)
