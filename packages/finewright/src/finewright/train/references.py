"""What the base model gives to the answers of the rows, computed once a run and kept.

Preference losses compare the policy with the base it started from. The rows do not change, so neither does
that: each conversation's summed log-probability is computed before training, with the adapter off, and found
again by the digest of its tokens. With every weight learning there is no base left later on, so this is the
only time it can be computed; and a run that is taken up again finds the same numbers in its file."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from finewright.lm.batch import split, sums_of
from finewright.lm.example import EncodedRow, Example
from finewright.lm.model import LM
from finewright.store.atomic import write_text
from finewright.train.ranks import ALONE, Ranks

Group = tuple[EncodedRow, ...]
Watch = Callable[[int, int], None]


class References:
    """Summed log-probabilities of learned tokens under the base, by the digest of a conversation.

    `file` keeps them between the parts of a run; `key` names what they were computed with. `watch` is told
    how many conversations are done, and of how many; it may raise to stop, and then nothing is kept.
    `ranks` compute them together."""

    def __init__(
        self,
        file: Path | None = None,
        key: str = "",
        watch: Watch = lambda done, total: None,
        ranks: Ranks = ALONE,
    ) -> None:
        self._file, self._key, self._watch, self._ranks = file, key, watch, ranks
        self._sums: dict[str, float] = _read(file, key) if file else {}

    def compute(self, lm: LM, steps: Iterable[Sequence[Group]], max_tokens: int | None) -> None:
        """Fill in what is missing of each step's groups, in the parts that training will see them in.

        A row's number depends in its last bits on what lies beside it; so at the first step, where the
        adapter does nothing yet, policy and reference are equal."""
        missing, training = list(self._missing(steps)), lm.model.training
        lm.model.eval()  # a family's own dropout is no part of the base
        shares = [self._ranks.share([Example(group) for group in groups]) for groups in missing]
        total, done = sum(len(row.sequences) for share in shares for row in share), 0
        for share in shares:
            with lm.reference():
                for part in self._ranks.each_pass(lm, split(share, max_tokens)):
                    rows = [example.sequences for example in part]
                    batch = lm.pack(rows)
                    sums = sums_of(lm.token_logps(batch), batch).tolist()
                    flat = (row for group in rows for row in group)
                    self._sums.update(zip(map(row_digest, flat), sums, strict=True))
                    done += len(sums)
                    self._watch(done, total)
        lm.model.train(training)
        if missing:
            for sums in self._ranks.gather(self._sums):
                self._sums.update(sums)
            self._write()

    def _write(self) -> None:
        if self._file and self._ranks.is_first:
            content = {"key": self._key, "sums": self._sums}
            text = json.dumps({**content, "sha256": _seal(content)}, sort_keys=True)
            write_text(self._file, text + "\n")

    def of(self, groups: Iterable[Group], device: torch.device) -> Tensor:
        """The numbers of all conversations in order, (B,)."""
        sums = [self._sums[row_digest(row)] for group in groups for row in group]
        return torch.tensor(sums, dtype=torch.float32, device=device)

    def _missing(self, steps: Iterable[Sequence[Group]]) -> Iterator[list[Group]]:
        """Of each step the groups that neither the file nor an earlier step has."""
        known = set(self._sums)
        for groups in steps:
            fresh = [group for group in groups if not known.issuperset(map(row_digest, group))]
            known.update(row_digest(row) for group in fresh for row in group)
            if fresh:
                yield fresh


def row_digest(row: EncodedRow) -> str:
    """What a row's numbers are found by: its tokens, and which of them are learned."""
    content = json.dumps([row.input_ids, [int(learned) for learned in row.trained]])
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def _read(file: Path, key: str) -> dict[str, float]:
    """The file's numbers; none when it is damaged or was made with something else."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        whole = data.pop("sha256") == _seal(data)
        return dict(data["sums"]) if whole and data["key"] == key else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _seal(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
