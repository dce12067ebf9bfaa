"""The peers of the benchmarks: which releases are measured, and an environment of its own for each."""

import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from packaging.requirements import Requirement

from finewright.fetch.cache import cache_dir
from process import RowError

_READY = "finewright-benchmark.txt"
_SHOWN = 600


@dataclass(frozen=True, slots=True)
class Peer:
    """A package with everything that its row needs, in the versions that are measured."""

    name: str
    requirements: tuple[str, ...]

    @property
    def here(self) -> bool:
        """Has this interpreter all of it?"""
        return all(map(_installed, map(Requirement, self.requirements)))


PEERS = {
    peer.name: peer
    for peer in (
        # 5.24 renames the cache argument that PEFT reaches adapters through
        Peer("trl", ("trl==1.16.*", "peft==0.21.*", "transformers!=5.24.*,<5.25")),
        # what its own release notes ask for; later TRL and transformers break its patches
        Peer(
            "unsloth",
            ("unsloth==2026.10.9", "trl<=1.15", "transformers<=5.17", "huggingface_hub<2"),
        ),
        Peer("litgpt", ("litgpt==0.5.13",)),
        Peer("llamafactory", ("llamafactory==0.9.5",)),
    )
}


# What generation is compared with: llama.cpp with its bindings, no compiler needed.
LLAMA_CPP = Peer("llamacpp", ("xllamacpp==2026.10.11549",))


def python_of(peer: Peer) -> str:
    """An interpreter that has the peer: this one, or one in an environment in the cache, made by pip
    when it is not there. Raises RowError with pip's own words."""
    if peer.here:
        return sys.executable
    folder = cache_dir() / "benchmarks" / peer.name
    python, ready = folder / "bin" / "python", folder / _READY
    wanted = "\n".join(peer.requirements)
    if ready.is_file() and ready.read_text(encoding="utf-8") == wanted:
        return str(python)
    print(f"making an environment for {peer.name} in {folder}", file=sys.stderr)
    _run([sys.executable, "-m", "venv", "--clear", str(folder)])
    _run([str(python), "-m", "pip", "install", "--quiet", *peer.requirements])
    ready.write_text(wanted, encoding="utf-8")
    return str(python)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RowError(f"pip: {(done.stderr or done.stdout).strip()[-_SHOWN:]}")


def _installed(requirement: Requirement) -> bool:
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        return False
    return requirement.specifier.contains(found, prereleases=True)
