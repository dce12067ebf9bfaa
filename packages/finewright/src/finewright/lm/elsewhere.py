"""Does a stored folder do the same where finewright is not? One answer of plain transformers and PEFT tells.

The folder is copied, and another process answers one short prompt from the copy with the folder's own
generation config and no other setting. It sees no cache of this one and no network."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple

from finewright.lm.adapters.files import CONFIG_FILE
from finewright.lm.generate import Generation
from finewright.lm.runtime import dtype_of
from finewright.lm.sources import LocalBase, weight_files

_PROGRAM = Path(__file__).with_name("plain_answer.py")
_LARGEST = 8 * 2**30
"""Bytes of weights: above, a second load takes minutes and memory that may not be there."""
_SECONDS = 600
_CACHES = ("HF_HOME", "HF_HUB_CACHE", "TRANSFORMERS_CACHE", "XDG_CACHE_HOME", "FINEWRIGHT_CACHE")


class ProofQuestion(NamedTuple):
    """A prompt, the most tokens of an answer, and finewright's own answer."""

    prompt: tuple[int, ...]
    max_new_tokens: int
    answer: Generation

    @property
    def tokens(self) -> tuple[int, ...]:
        """The answer with the token that ended it."""
        return self.answer.ids + (() if self.answer.stop_id is None else (self.answer.stop_id,))


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What plain transformers answered, and how; `declared` are the ends of the base's own files."""

    ids: tuple[int, ...]
    gap: float
    declared: tuple[int | None, ...]
    versions: str
    seconds: float


def why_not(base: LocalBase, folder: Path, consent: str) -> str:
    """Why nobody is asked elsewhere; empty where somebody can be."""
    if consent:
        return "the model brings its own code"
    if find_spec("peft") is None:
        return "PEFT is not installed"
    whole = not (folder / CONFIG_FILE).is_file()
    size = sum(path.stat().st_size for path in weight_files(folder if whole else base.folder))
    return f"its weights take {size / 2**30:.0f} GiB" if size > _LARGEST else ""


def answer_elsewhere(
    base: LocalBase, folder: Path, question: ProofQuestion, dtype: Literal["bf16", "fp32"]
) -> Elsewhere | str:
    """What another process answers from a copy of the folder, or in one line why it could not."""
    with tempfile.TemporaryDirectory() as place:
        copied = Path(place, "copied")
        shutil.copytree(folder, copied)
        request = {
            "folder": str(copied),
            "base": str(base.folder.absolute()) if (folder / CONFIG_FILE).is_file() else "",
            "dtype": str(dtype_of(dtype)).removeprefix("torch."),
            "prompt": question.prompt,
            "ours": question.tokens,
            "max_new_tokens": question.max_new_tokens,
        }
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-W", "ignore", str(_PROGRAM)],
                input=json.dumps(request),
                capture_output=True,
                text=True,
                env=_environment(Path(place)),
                timeout=_SECONDS,
                check=False,
                start_new_session=True,  # Ctrl-C is this process's to answer, and no failed proof
            )
        except subprocess.TimeoutExpired:
            return f"no answer came in {_SECONDS} seconds"
    if done.returncode != 0:
        return _last_line(done.stderr) or f"it ended with {done.returncode}"
    last = _last_line(done.stdout)
    try:
        return _read(json.loads(last))
    except (ValueError, KeyError, TypeError):
        return f"it printed something else at its end: {last[:80]!r}"


def _read(found: dict[str, Any]) -> Elsewhere:
    return Elsewhere(
        ids=tuple(found["ids"]),
        gap=found["gap"],
        declared=tuple(found["declared"]),
        versions=f"transformers {found['transformers']}, PEFT {found['peft']}",
        seconds=found["seconds"],
    )


def _environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _CACHES}
    return {**kept, "HOME": str(home), "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.strip()), "")
