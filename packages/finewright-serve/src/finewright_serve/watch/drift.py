"""Whether questions come from elsewhere than harmless ones do: a sequential test of windows by their MMD.

    25 questions -> mean vector -> rank of its distance among the harmless windows' -> bet -> evidence

The distance of a window from the mean of all is the maximum mean discrepancy (Gretton et al. 2012) with the
linear kernel of the embedder; that thieves can be seen by it is arXiv:2606.05725. Its rank gives a p-value
that needs no model of anything (Vovk et al. 2005), p a bet whose mean on harmless windows is 1 (Vovk & Wang
2021, arXiv:1912.06116, eq. 1), and bets evidence as Shiryaev's and Roberts' (Shin et al. 2022,
arXiv:2203.03532). So the harmless windows of a key that are like the reference's raise an alarm once in 1,000
or less often. Not covered: harmless questions about something that the reference has not, which are alarms
too; and a thief who asks what users ask."""

import math
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

from finewright.errors import DataError, StoreError
from finewright.store.atomic import os_errors, write_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from finewright.lm.embedders.embedder import Embedder

WINDOW = 25
"""Questions: on `sql` and `natspec-docs` windows of 25 found 48 of 56 thieves, of 50 44 and twice as late."""
EVIDENCE = 1000.0
"""At which an alarm rings: in 25,000 harmless questions of a key one, at most, is expected."""
FEWEST = 20
"""Harmless windows: with 175 questions 16 % of harmless windows were found (MiniLM, windows of 50)."""
_LONGEST = 2048
"""Characters of a question that are looked at: 512 tokens, as the bars of the guards have it."""


def embed(texts: list[str], embedder: "Embedder") -> "NDArray[np.float32]":
    """(n, dimensions) of questions."""
    return embedder.queries([text[:_LONGEST] for text in texts])


@dataclass(frozen=True, slots=True)
class HarmlessWindows:
    """The mean vectors (n, dimensions) of harmless windows, no word of them, and the embedder's id."""

    means: "NDArray[np.float32]"
    embedder: str

    @classmethod
    def of(cls, vectors: "NDArray[np.float32]", embedder: str) -> "HarmlessWindows":
        """Of questions in the order in which they came. Raises DataError for too few."""
        num = len(vectors) // WINDOW
        if num < FEWEST:
            what = f"{len(vectors)} questions are too few to know harmless ones by"
            raise DataError(what, hint=f"give {FEWEST * WINDOW} at least, in the order they came")
        cut = vectors[: num * WINDOW].reshape(num, WINDOW, -1)
        return cls(cut.mean(axis=1), embedder)

    def bet(self, mean: "NDArray[np.float32]") -> float:
        """The bet that a window wins: the rarer its distance among the harmless ones', the more."""
        import numpy as np

        rows = np.vstack([self.means, mean])
        distances = ((rows - rows.mean(axis=0)) ** 2).sum(axis=1)
        return bet_of(float((distances >= distances[-1]).mean()))

    @property
    def earliest(self) -> int:
        """Questions after which the clearest thief is found."""
        drift, most = KeyDrift(), bet_of(1 / (len(self.means) + 1))
        num = 1
        while not drift.win(most):
            num += 1
        return num * WINDOW

    def save(self, path: Path) -> None:
        """Write the file."""
        import numpy as np

        content = BytesIO()
        np.savez_compressed(content, means=self.means, embedder=np.array(self.embedder))
        write_bytes(path, content.getvalue())


def load_windows(path: Path) -> HarmlessWindows:
    """Those of a file. Raises StoreError for one that is missing or damaged."""
    import numpy as np

    hint = f"make it: finewright guard theft QUESTIONS --out {path}"
    with os_errors(path):
        content = path.read_bytes()
    try:
        with np.load(BytesIO(content), allow_pickle=False) as stored:
            means, embedder = stored["means"].astype(np.float32), str(stored["embedder"])
    except (OSError, EOFError, ValueError, KeyError, BadZipFile):
        means = np.zeros((0, 0), np.float32)
    if means.ndim != 2 or len(means) < FEWEST or not np.isfinite(means).all():  # noqa: PLR2004 - rows
        raise StoreError(f"{path}: these are no harmless questions", hint=hint)
    return HarmlessWindows(means, embedder)


def bet_of(p: float) -> float:
    """The mean of k p^(k-1) over all k in 0 to 1: no bet has to be chosen."""
    if p >= 1:
        return 0.5  # its limit
    log = math.log(p)
    return (1 - p + p * log) / (p * log * log)


@dataclass(slots=True)
class KeyDrift:
    """What is known of a key: the sum of the window that is not full, and the evidence of those before."""

    evidence: float = 0.0
    rows: "list[NDArray[np.float32]]" = field(default_factory=list)

    def add(self, vector: "NDArray[np.float32]", harmless: HarmlessWindows) -> bool:
        """One more question; True where the alarm rings with it."""
        self.rows.append(vector)
        if len(self.rows) < WINDOW:
            return False
        import numpy as np

        mean, self.rows = np.mean(self.rows, axis=0), []
        return self.win(harmless.bet(mean))

    def win(self, bet: float) -> bool:
        """A window's bet; after an alarm evidence begins anew."""
        self.evidence = bet * (self.evidence + 1)
        if self.evidence < EVIDENCE:
            return False
        self.evidence = 0.0
        return True
