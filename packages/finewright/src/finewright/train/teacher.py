"""The model that another one learns from: loaded beside it, and what it says of given rows, computed once.

Of each learned token the teacher's k likeliest tokens are kept with their log-probabilities, 8 bytes each.
Rows do not change, so this is computed before the first step and the teacher is let go; a run that is taken
up again finds it in its file."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from finewright.errors import ModelError
from finewright.lm.batch import split
from finewright.lm.example import EncodedRow, Example
from finewright.lm.load import load_lm
from finewright.lm.load_chat import load_chat
from finewright.lm.model import LM
from finewright.lm.sources import LocalBase, locate
from finewright.schema.methods import DistillSpec, GKDSpec
from finewright.store.atomic import write_bytes
from finewright.train.ranks import ALONE, Ranks
from finewright.train.references import Watch, row_digest

LoadTeacher = Callable[[], LM]
_ROWS_AT_ONCE = 256
"""Tokens whose logits are there at once: 256 of 150,000 in float32 are 150 MB."""


def find_teacher(spec: DistillSpec | GKDSpec, student: LocalBase, root: Path) -> LocalBase:
    """The teacher's files. Raises ModelError where its tokens are not those of the student."""
    base = locate(spec.teacher, root)
    theirs, ours = (load_chat(each).tokenizer.get_vocab() for each in (base, student))
    if theirs != ours:
        raise ModelError(
            f"train.teacher: {spec.teacher} has another tokenizer than {student.name}, so its probabilities"
            " are of other tokens",
            hint=f"let it answer instead: finewright predict {spec.teacher} ROWS --out answers.jsonl --rows"
            " rows.jsonl, and train.method sft on rows.jsonl",
        )
    return base


def load_teacher(spec: DistillSpec | GKDSpec, student: LocalBase, root: Path) -> LM:
    """The teacher, of which nothing learns."""
    assert spec.dtype != "auto"
    lm = load_lm(find_teacher(spec, student, root), None, dtype=spec.dtype)
    lm.model.eval().requires_grad_(False)
    return lm


class TopK(NamedTuple):
    """Of N tokens the teacher's k likeliest (N, k), and their log-probabilities (N, k), float32."""

    tokens: Tensor
    logps: Tensor


@torch.no_grad()
def top_k_of(teacher: LM, states: Tensor, k: int, size: int) -> TopK:
    """What the teacher's head makes of its states (N, d), over its first `size` tokens."""
    parts = [
        teacher.logits(part)[:, :size].float().log_softmax(-1).topk(k)
        for part in torch.split(states, _ROWS_AT_ONCE)
    ]
    return TopK(torch.cat([p.indices for p in parts]), torch.cat([p.values for p in parts]))


class TaughtRows:
    """What a teacher says of rows: in memory, and in `file` between the parts of a run. `ranks` ask it
    together."""

    def __init__(
        self,
        file: Path | None = None,
        key: str = "",
        watch: Watch = lambda done, total: None,
        ranks: Ranks = ALONE,
    ) -> None:
        self._file, self._key, self._watch, self._ranks = file, key, watch, ranks
        self._of: dict[str, TopK] = _read(file, key) if file else {}

    def compute(
        self,
        load: LoadTeacher,
        steps: Iterable[Sequence[EncodedRow]],
        *,
        k: int,
        size: int,
        max_tokens: int | None,
    ) -> None:
        """Fill in the rows that are missing, and let the teacher go."""
        rows = {row_digest(row): row for step in steps for row in step}
        missing = [Example((row,)) for name, row in rows.items() if name not in self._of]
        if not missing:
            return
        teacher, done, share = load(), 0, self._ranks.share(missing)
        for part in split(share, max_tokens):
            own = [each.sequences[0] for each in part]
            batch = teacher.pack([[row] for row in own])
            with torch.no_grad():
                states = teacher.compute_states(batch)[batch.sources]
            found = top_k_of(teacher, states, k, size)
            counts = [row.num_trained for row in own]
            each = zip(*(torch.split(t, counts) for t in found), strict=True)
            for row, (tokens, logps) in zip(own, each, strict=True):
                self._of[row_digest(row)] = TopK(tokens.int().cpu(), logps.cpu())
            done += len(own)
            self._watch(done, len(share))
        self._join([row_digest(row.sequences[0]) for row in share], k)
        self._write()

    def _join(self, own: Sequence[str], k: int) -> None:
        """Take over what the other ranks asked for."""
        if self._ranks.size == 1:
            return
        counts = [(name, len(self._of[name].tokens)) for name in own]
        none = torch.zeros(0, k)
        tokens = torch.cat([none.int(), *(self._of[name].tokens for name in own)])
        logps = torch.cat([none, *(self._of[name].logps for name in own)])
        names = [each for of_rank in self._ranks.gather(counts) for each in of_rank]
        parts = (self._ranks.join(all_of.flatten()).view(-1, k) for all_of in (tokens, logps))
        each = zip(*(torch.split(part, [n for _, n in names]) for part in parts), strict=True)
        self._of.update({name: TopK(*both) for (name, _), both in zip(names, each, strict=True)})

    def of(self, rows: Iterable[EncodedRow], device: torch.device) -> TopK:
        """Of all learned tokens of the rows, in their order."""
        found = [self._of[row_digest(row)] for row in rows]
        return TopK(
            torch.cat([each.tokens for each in found]).long().to(device),
            torch.cat([each.logps for each in found]).to(device),
        )

    def _write(self) -> None:
        if self._file is None or not self._ranks.is_first:
            return
        from safetensors.torch import save

        tensors = {}
        for name, each in self._of.items():
            tensors[f"{name}.tokens"], tensors[f"{name}.logps"] = each
        write_bytes(self._file, save(tensors, metadata={"key": self._key}))


def _read(file: Path, key: str) -> dict[str, TopK]:
    """The file's rows; none where it is damaged or was made with something else."""
    try:
        with safe_open(file, framework="pt") as stored:
            if (stored.metadata() or {}).get("key") != key:
                return {}
            names = {name.partition(".")[0] for name in stored.keys()}  # noqa: SIM118 - no mapping
            return {
                n: TopK(stored.get_tensor(f"{n}.tokens"), stored.get_tensor(f"{n}.logps"))
                for n in names
            }
    except (OSError, SafetensorError):
        return {}
