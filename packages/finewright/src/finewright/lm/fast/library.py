"""The library of the CPU kernels: compiled once per machine, loaded in milliseconds, never required.

The sources in kernels/ are compiled by the machine's own C++ compiler for its own processor, into the
cache, named by the digest of all that decides the result: the sources, the flags, the compiler and the
processor. A library is loaded only from a folder that nobody else can write to, and only if this user built
it: a code that needs a secret of the user's (`trust.mac`) lies beside it, and one that was planted or damaged
is built anew. Without a compiler every caller computes the same in plain torch, and `status` says why.
torch.compile would do part of this from the plain formulas, but takes 13-35 s the first time and 4 s to
import ever after; this takes 5 s once, its files compiled beside each other. Of several processes that want
it at once one compiles, and the others wait for it.

Weights that lie in a mapped file, and how to let go of their memory while the file stays mapped.

A safetensors file is mapped whole, and its tensors are views of the mapping: a page that was read stays
in the process's resident memory for as long as any tensor of the file lives, and the embedding lives to
the end. So a weight that was copied or packed would still take its bytes, and the peak would be that of
the whole model.

MADV_DONTNEED drops such pages: who reads them again gets them from the file. A page that was written to
is private to the process and would be lost, so the system is asked first whether each page is the file's."""

import ctypes
import fcntl
import hashlib
import hmac
import mmap
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from finewright import trust
from finewright.errors import FinewrightError
from finewright.fetch.cache import cache_dir
from finewright.store.atomic import write_text

_PAGEMAP = Path("/proc/self/pagemap")


_ENTRY = 8  # bytes a page; see Documentation/admin-guide/mm/pagemap.rst


_PRESENT, _SWAPPED, _OF_A_FILE = 1 << 63, 1 << 62, 1 << 61


_DONTNEED = 4


_SOURCES = Path(__file__).with_name("kernels")
# No option that changes results between loops and their vectors: sums are vectors where the source says so.
_FLAGS = (
    *("-std=c++17", "-O3", "-march=native", "-fopenmp", "-fPIC"),
    *("-fno-strict-aliasing", "-fno-math-errno", "-fno-trapping-math"),
)

Argument = Tensor | int | float | ctypes.Array[ctypes.c_int64] | None


class Status(NamedTuple):
    """The loaded kernels, or why there are none; `dots` are those among them that need bfloat16 dot products
    (attention, thin products), `tiles` those that need tiles (wide products)."""

    library: ctypes.CDLL | None
    reason: str
    dots: bool = False
    tiles: bool = False


@cache
def status() -> Status:
    """Compile the kernels, or find them in the cache, and load them."""
    if os.environ.get("FINEWRIGHT_KERNELS", "") == "off":
        return Status(None, "FINEWRIGHT_KERNELS is off")
    if platform.system() != "Linux":
        return Status(None, "the kernels are built on Linux only")
    compiler = next(filter(None, map(shutil.which, _compilers())), None)
    if compiler is None:
        return Status(None, "no C++ compiler is installed (g++ or clang++)")
    try:
        path = _built(Path(compiler))
        library = ctypes.CDLL(str(path))
        library.fw_has_dots.restype = library.fw_has_tiles.restype = ctypes.c_int64
        return Status(library, "", bool(library.fw_has_dots()), bool(library.fw_has_tiles()))
    except (OSError, AttributeError, FinewrightError, subprocess.SubprocessError) as error:
        return Status(None, f"the kernels could not be built: {_first_line(error)}")


def _compilers() -> Sequence[str]:
    own = os.environ.get("CXX")
    return (own,) if own else ("g++", "clang++")


def _built(compiler: Path) -> Path:
    sources = sorted(path for path in _SOURCES.iterdir() if path.suffix in {".h", ".cpp"})
    parts = (
        *(path.read_bytes() for path in sources),
        " ".join(_FLAGS).encode(),
        _version(compiler),
        _processor(),
    )
    digest = hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
    folder = cache_dir() / "kernels"
    target = folder / f"{digest}.so"
    folder.mkdir(mode=0o700, exist_ok=True)
    trust.require_own(folder)
    if not _is_own(target):
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # whoever waited finds it built
            if not _is_own(target):
                _build(compiler, [path for path in sources if path.suffix == ".cpp"], target)
    return target


def _is_own(target: Path) -> bool:
    """Is it there, as this user built it?"""
    beside = target.with_suffix(".mac")
    if not (target.is_file() and beside.is_file()):
        return False
    found, said = _mac(target), beside.read_text(encoding="utf-8", errors="replace")
    return hmac.compare_digest(found.encode(), said.encode())


def _mac(target: Path) -> str:
    """The user's code of the library. Where no secret can be kept, the folder's owner is all there is."""
    try:
        return trust.mac(target.name.encode() + b"\0" + target.read_bytes())
    except trust.NoOwnFolderError:
        return "no secret"


def _build(compiler: Path, units: Sequence[Path], target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".build-") as scratch:
        made = Path(scratch) / target.name
        largest_first = sorted(units, key=lambda unit: -unit.stat().st_size)
        objects = [made.with_name(f"{unit.stem}.o") for unit in largest_first]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(partial(_compile, compiler), largest_first, objects))
        _run(compiler, *_FLAGS, "-shared", *objects, "-o", made)
        write_text(target.with_suffix(".mac"), _mac(made))
        made.replace(target)


def _compile(compiler: Path, unit: Path, made: Path) -> None:
    _run(compiler, *_FLAGS, "-c", unit, "-o", made)


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)


def _version(compiler: Path) -> bytes:
    facts = compiler.resolve().stat()
    return f"{compiler.resolve()} {facts.st_size} {facts.st_mtime_ns}".encode()


def _processor() -> bytes:
    """What -march=native sees: the processor's model and instructions."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    wanted = ("vendor_id", "cpu family", "model", "flags", "Features", "CPU part")
    return "\n".join(line for line in lines if line.startswith(wanted)).encode()


def _first_line(error: Exception) -> str:
    output = error.stderr if isinstance(error, subprocess.CalledProcessError) else str(error)
    lines = [line for line in output.splitlines() if "error" in line] or output.splitlines()
    return lines[0] if lines else type(error).__name__


def call(name: str, *arguments: Argument) -> None:
    """Call a kernel: tensors go as pointers to their numbers, None as no pointer. An argument is of the same
    kind at every call."""
    function = _function(name)
    if function.argtypes is None:
        function.argtypes = [_c_type(argument) for argument in arguments]
    function(*[a.data_ptr() if isinstance(a, Tensor) else a for a in arguments])


@cache
def _function(name: str) -> Any:  # Any: ctypes gives its functions no public type
    library = status().library
    assert library is not None
    function = library[f"fw_{name}"]
    function.restype = None
    return function


def _c_type(argument: Argument) -> Any:
    if argument is None or isinstance(argument, Tensor):
        return ctypes.c_void_p
    if isinstance(argument, int):
        return ctypes.c_int64
    return ctypes.c_float if isinstance(argument, float) else ctypes.POINTER(ctypes.c_int64)


def let_go(tensor: Tensor) -> int:
    """Drop the whole pages of a tensor that only repeat a file; returns their bytes.

    The tensor keeps its numbers, to be read again from the file. Does nothing for other memory, nor
    where the system tells nothing of its pages."""
    if platform.system() != "Linux" or tensor.device.type != "cpu" or not _PAGEMAP.exists():
        return 0
    if type(tensor) is not Tensor:  # a fake one has no memory
        return 0
    start = -(-tensor.data_ptr() // mmap.PAGESIZE)
    stop = (tensor.data_ptr() + tensor.nbytes) // mmap.PAGESIZE
    if stop <= start or not _repeat_a_file(start, stop - start):
        return 0
    length = (stop - start) * mmap.PAGESIZE
    address, size = ctypes.c_void_p(start * mmap.PAGESIZE), ctypes.c_size_t(length)
    return 0 if ctypes.CDLL(None).madvise(address, size, ctypes.c_int(_DONTNEED)) else length


def _repeat_a_file(first_page: int, pages: int) -> bool:
    """Is every page that is in memory one of a file, with nothing written to it?"""
    with _PAGEMAP.open("rb", buffering=0) as file:
        file.seek(first_page * _ENTRY)
        data = file.read(pages * _ENTRY)
    entries = torch.frombuffer(bytearray(data), dtype=torch.int64)
    here = (entries & _signed(_PRESENT | _SWAPPED)) != 0
    return len(entries) == pages and bool((entries[here] & _OF_A_FILE).all())


def _signed(bits: int) -> int:
    return bits - (1 << 64) if bits >> 63 else bits
