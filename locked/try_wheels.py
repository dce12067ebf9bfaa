"""Try the wheels as a user of a release does: `make wheels`.

    python locked/try_wheels.py dist

Installs finewright from the folder into a fresh environment outside the clone, runs commands whose libraries
are not there, and asks pip whether each line that they print as a mend can be installed. Then installs what
`check` needs by such a line, and checks a spec. Ends with 1 where anything is not as it should be."""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

SPEC = """name: trial
base_models: [smollm2-135m-instruct]
data:
  sources: [{path: rows.jsonl}]
  eval_fraction: 0.5
"""
ROWS = "".join(f'{{"prompt": "is it {n}", "completion": "{n % 2}"}}\n' for n in range(40))
DONE = ("--help", "--version", "doctor --json", "data list", "schema", "runs list")
MISSING = (
    "check spec.yaml", "plan spec.yaml", "up spec.yaml", "quickstart", "quickstart --task answers",
    "quickstart --task transactions", "data report rows.jsonl", "data get solidity", "serve x", "keys list",
    "audit verify x", "guard fit x", "watermark", "cost spec.yaml", "decide", "bakeoff spec.yaml",
    "tune spec.yaml", "rag index x", "redteam x", "scan x", "comply", "release x", "gate x", "policy",
    "export x --to merged", "migrate openai", "mcp", "bench", "predict x rows.jsonl --out y.jsonl",
)  # fmt: skip
_MEND = re.compile(r"pip install (?:--editable )?(?:\"[^\"]+\"|\S+)")


class Trial:
    """A fresh environment in a folder of its own, which installs finewright from `wheels`."""

    def __init__(self, folder: Path, wheels: Path) -> None:
        self.folder, self.faults = folder / "work", list[str]()
        self.folder.mkdir()
        (self.folder / "spec.yaml").write_text(SPEC)
        (self.folder / "rows.jsonl").write_text(ROWS)
        self.bin = folder / "venv" / "bin"
        self.env = {
            **os.environ,
            "PIP_FIND_LINKS": str(wheels),
            "HOME": str(folder),
            "COLUMNS": "200",
        }
        self.env.pop("PYTHONPATH", None)
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)

    def run(self, command: str) -> "subprocess.CompletedProcess[str]":
        """What a command of the environment prints, and how it ends."""
        program, *rest = shlex.split(command)
        return subprocess.run(
            [str(self.bin / program), *rest], cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def want(self, command: str, *codes: int) -> str:
        """Its output; another exit code, or a traceback, is a fault."""
        done = self.run(command)
        if done.returncode not in codes or "Traceback" in done.stderr:
            self.faults.append(f"{command}: exit {done.returncode}: {done.stderr.strip()[-300:]}")
        return done.stdout + done.stderr


def main(wheels: Path) -> int:
    """Print what was tried and what is wrong; the exit code."""
    with tempfile.TemporaryDirectory() as scratch:
        trial = Trial(Path(scratch), wheels.resolve())
        trial.want("pip install --quiet finewright", 0)
        for command in DONE:
            trial.want(f"finewright {command}", 0, 2)
        said = [trial.want(f"finewright {command}", 3) for command in MISSING]
        mends = sorted({mend for text in said for mend in _MEND.findall(text)})
        asked = " ".join(mend.removeprefix("pip install") for mend in mends)
        trial.want(f"pip install --dry-run --quiet {asked}", 0)
        trial.want('pip install --quiet "finewright[data]"', 0)
        trial.want("finewright check spec.yaml", 0)
        print(f"{len(DONE) + len(MISSING)} commands, {len(mends)} lines that install: {mends}")
        print("\n".join(trial.faults) or "all as it should be")
        return 1 if trial.faults else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
