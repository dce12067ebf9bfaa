"""How an answer is generated, and what it is."""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen. Temperature 0 is greedy; otherwise nucleus sampling with a seed.

    `keeps_logps`: each token's log-probability is wanted, at the temperature, as if top_p were 1."""

    max_new_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    keeps_logps: bool = False


class Generation(NamedTuple):
    """New tokens, and the stop token after them where the model ended by itself; `logps` are of all of them,
    where they were wanted."""

    ids: tuple[int, ...]
    stop_id: int | None
    logps: tuple[float, ...] = ()

    @property
    def stopped(self) -> bool:
        """Whether the model ended by itself."""
        return self.stop_id is not None
