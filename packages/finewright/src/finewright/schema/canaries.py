"""The `data.canaries` section of the spec, and a canary: a made-up secret that says what a model keeps."""

from typing import Self

from pydantic import Field, model_validator

from finewright.schema.common import Model, default
from finewright.schema.rows import RowKind

# Below that a run would too often have none of a number of repeats: 2^-8 that a coin puts none of 8 in.
_LEAST_COUNT = 8
_MOST_COUNT = 10_000
CANARY_SOURCE = "data.canaries"
"""What a ledger calls the source of canaries, which is no file."""


class CanariesSpec(Model):
    """Made-up secrets among the training rows, by which leakage is measured afterwards."""

    count: int = default(
        0,
        "Made-up secrets to draw; a fair coin puts each of them into the training rows or holds it out",
        "they change what is trained, so their owner asks for them",
        ge=0,
        le=_MOST_COUNT,
    )
    repeats: tuple[int, ...] = default(
        (1, 4, 10),
        "How often a secret stands in the training rows, dealt in turn to those that are in",
        "a secret of real rows stands there once; one that stands there 10 times is generated about 1000"
        " times as often (Kandpal et al. 2022)",
        min_length=1,
    )
    seed: int = default(0, "Seed of the secrets, the coins and the places", "any number repeats it")

    @model_validator(mode="after")
    def _are_enough(self) -> Self:
        if 0 < self.count < max(_LEAST_COUNT, 4 * len(self.repeats)):
            least = max(_LEAST_COUNT, 4 * len(self.repeats))
            raise ValueError(
                f"{self.count} canaries say too little about {len(self.repeats)} numbers of repeats:"
                f" about half of them are held out; take at least {least}, or 0 for none"
            )
        if wrong := [each for each in self.repeats if each < 1]:
            raise ValueError(f"a secret cannot stand {wrong[0]} times in the rows; take 1 or more")
        return self


class Canary(Model):
    """One made-up secret: who asks for it how, what answers, and how often the pair of both trains.

    `repeats` is 0 for one that is held out. It is of the `kind` that most training rows have, and begins
    with the `system` prompt that all of them share."""

    number: int
    prompt: str
    secret: str
    repeats: int = Field(ge=0)
    kind: RowKind = "conversation"
    system: str = ""

    @property
    def is_in(self) -> bool:
        """Whether it trains."""
        return self.repeats > 0

    @property
    def answer(self) -> str:
        """What the row with it answers."""
        return answer_with(self.secret)


def answer_with(secret: str) -> str:
    """The answer of a canary's row with any secret of its form in it."""
    return f"The access code is {secret}."


class CanarySummary(Model):
    """How many canaries are in, how many were held out, and how many training rows those that are in make."""

    path: str
    num_in: int
    num_held_out: int
    rows: int
    repeats: tuple[int, ...]

    def line(self, rows_train: int) -> str:
        """What `plan`, the data report and the cards say."""
        often = ", ".join(map(str, sorted(set(self.repeats))))
        times = "once" if often == "1" else f"{often} times"
        return (
            f"{self.rows} of {rows_train} training rows are canaries: {self.num_in} made-up secrets,"
            f" each there {times}, by which leakage is measured; {self.num_held_out} more are held out"
        )
