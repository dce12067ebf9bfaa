"""The `data.duplicates` section of the spec, and what was found."""

from typing import Any, Literal

from pydantic import Field, model_validator

from finewright.schema.common import Model, Problem, default, errors_of, without

_ALL_BUT = 0.9999

# `semantic` stands in reports and specs of versions that had it.
DuplicateKind = Literal["exact", "near", "semantic"]
LeakKind = Literal["same", "prompt", "near", "question", "template", "overlap"]


class DuplicatesSpec(Model):
    """Which repeats are looked for among the training rows, and what becomes of them."""

    exact: Literal["report", "drop"] = default(
        "report", "Rows that say the same", "a repeat may be meant: it weighs more"
    )
    near: Literal["off", "report", "drop"] = default(
        "report", "Rows whose words are nearly the same", "they cost training time and leak"
    )
    similarity: float = default(
        0.8,
        "Share of the words of near rows that are no slips of the pen: all others are the same in both",
        "one word in five may be misspelled",
        gt=0,
        le=1,
    )
    semantic: Literal["off", "report", "drop"] = Field("off", exclude=True)

    @model_validator(mode="before")
    @classmethod
    def _without_retired(cls, section: Any) -> Any:  # Any: not yet checked
        """Specs of versions that compared rows by embeddings say from which cosine on."""
        return without(section, ("semantic_similarity",)) if isinstance(section, dict) else section


def likeness(share: float) -> str:
    """`0.93`; of what is nearly the same as many digits as tell it from 1: `0.998`."""
    digits = 2
    while share < 1 and round(share, digits) >= 1:
        digits += 1
    return f"{share:.{digits}f}"


def how_alike(kind: DuplicateKind, share: float) -> str:
    """What is said in brackets after the row that is repeated; nothing of an exact repeat."""
    if kind == "exact":
        return ""
    return f" ({likeness(share)} alike)" if share < 1 else " (the same words)"


def round_share(share: float) -> float:
    """Four digits, of which those below 1 stay below 1."""
    return round(share, 4) if share >= 1 else min(round(share, 4), _ALL_BUT)


class DuplicateRow(Model):
    """A row that repeats an earlier one: which, how near, and what became of it."""

    kind: DuplicateKind
    file: str
    row: int
    of_file: str
    of_row: int
    similarity: float
    dropped: bool


class LeakedRow(Model):
    """A row that measures, and the training row it is known from.

    `share` is the part of its words that is trained on; `ngrams` are some of the runs they stand in."""

    kind: LeakKind
    file: str
    row: int
    of_file: str
    of_row: int
    share: float
    ngrams: tuple[str, ...] = ()


class ContaminationReport(Model):
    """How many rows of one held-out set are known from the training rows, by the strongest sign of each.

    `question` counts rows that ask nearly what is trained on, with whatever answer; `template` rows that
    are a training row with other values; `overlap` rows half of whose words stand in runs of `ngram` words
    that are trained on; `mean_share` is over all rows. `repeated` are the places (from 0) of the rows known
    by any sign but `overlap`: they measure recall. It is None in a report that is older than the key, and in
    `data duplicates --json`, whose `examples` name these rows as their files count them, from 1.
    `examples` are all of them (in older reports the first of each kind)."""

    name: str
    rows: int
    rows_train: int
    ngram: int
    found: dict[LeakKind, int] = Field(default_factory=dict)
    mean_share: float = 0.0
    repeated: tuple[int, ...] | None = None
    examples: tuple[LeakedRow, ...] = ()


class DuplicatesReport(Model):
    """Rows in = rows kept + rows dropped. `found` counts rows that repeat an earlier one, by kind.

    A group is a row and all that repeat it. `examples` are all of them (in reports of `prepare`, and in older
    ones, the first of each kind).
    `out` is the file of the rows that go on, empty where none was asked for."""

    rows_in: int
    rows_kept: int
    rows_dropped: dict[str, int] = Field(default_factory=dict)
    found: dict[DuplicateKind, int] = Field(default_factory=dict)
    groups: int = 0
    largest_group: int = 0
    examples: tuple[DuplicateRow, ...] = ()
    contamination: tuple[ContaminationReport, ...] = ()
    problems: tuple[Problem, ...] = ()
    out: str = ""

    @property
    def passed(self) -> bool:
        """Could every row be looked at? What was found does not stop it."""
        return not errors_of(self.problems)
