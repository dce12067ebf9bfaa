"""The `data.licenses` section of the spec, and the record of where every row came from."""

from datetime import date
from typing import Literal

from pydantic import Field

from finewright.schema.common import Model, Problem, default, errors_of

# The classes of the licence catalog, as words of a policy. `custom` is LicenseRef-NAME, and `proprietary`:
# terms that SPDX does not list and that the owner of the rows knows.
LICENCE_WORDS = (
    "permissive", "public-domain", "copyleft", "noncommercial", "restricted", "custom", "unknown",
)  # fmt: skip

# What a card says of what nobody told.
NOT_STATED = "not stated"


class LicensePolicy(Model):
    """Which licences rows may have, as SPDX ids or the words of `LICENCE_WORDS`."""

    allow: tuple[str, ...] = default(
        (), "If any is named, rows of other licences are refused", "nothing is refused unasked"
    )
    deny: tuple[str, ...] = default((), "Rows of these are refused", "nothing is refused unasked")
    on_blocked: Literal["error", "drop"] = default(
        "error", "What becomes of a refused row", "who named a policy wants to know what breaks it"
    )


class LedgerEntry(Model):
    """Where one row of a run came from. One line of `ledger.jsonl`, and one leaf of its Merkle tree.

    `file` is what the spec calls the source, or a file in it; `row` counts its lines from 1, as does
    `position` in `train.jsonl` or `eval.jsonl`. `row_sha256` is the digest of the line there, and
    `record_sha256` that of the record as it was read, as canonical JSON. `license_from` says who
    named the licence: the row itself, a line in its text, the head of its file, or the spec."""

    split: Literal["train", "eval"]
    position: int
    id: str
    row_sha256: str
    source: str
    file: str
    file_sha256: str
    row: int
    record_sha256: str
    license: str
    license_from: Literal["row", "text", "file", "source"]
    owner: str
    collected_at: date | None
    synthetic_by: str
    origin: str = ""
    """What the row says of its own source, where it does."""
    importer: str
    """The program and the format that the record was read as."""
    id_before: str
    """The row's id as it was read; differs from `id` if a step changed the row."""
    changes: tuple[str, ...] = ()
    """The steps that changed it, e.g. redacted."""


class LedgerSummary(Model):
    """The ledger of a run: its file, how many rows it has, and the root that proves them."""

    path: str
    rows: int
    merkle_root: str
    sources: dict[str, int]
    """Source -> its rows."""
    licenses: dict[str, int]
    """Licence -> its rows."""


class TraceReport(Model):
    """Who added a row: each entry of the ledger for it, and the proof that the root covers it."""

    run: str
    entries: tuple[LedgerEntry, ...]
    merkle_root: str
    proofs: tuple[tuple[str, ...], ...]
    """Per entry, the hashes beside its path to the root, nearest first (RFC 6962)."""


class WithoutReport(Model):
    """What is left of a run's rows without a source: the ids to train again on."""

    run: str
    source: str
    rows_removed: int
    train: tuple[str, ...]
    eval: tuple[str, ...]
    ancestors: dict[str, int] = Field(default_factory=dict)
    """Of the runs that it builds on, those that learned such rows too -> how many."""


class CardSource(Model):
    """A source as the data card tells it."""

    path: str
    sha256: str
    licenses: tuple[str, ...]
    owner: str
    collected_at: date | None
    synthetic_by: str
    rows: int


class CardLicence(Model):
    """A licence, what it asks for, and the rows under it."""

    license: str
    classes: tuple[str, ...]
    rows: int


class DataCard(Model):
    """A data set described as in "Datasheets for Datasets" (Gebru et al. 2021, arXiv:1803.09010).

    It says what was measured or told; what nobody told is `not stated`."""

    name: str
    motivation: str
    intended_use: str
    sources: tuple[CardSource, ...]
    licenses: tuple[CardLicence, ...]
    counts: dict[str, int]
    splits: dict[str, int]
    types: dict[str, int]
    languages: dict[str, int]
    tokens: int | None
    """Of all texts that a model reads, by the base model's tokenizer; None: nobody counted."""
    collected: tuple[date | None, date | None]
    """The earliest and the latest day told."""
    synthetic_rows: int
    personal_data: dict[str, int] | None
    """Kind -> how many were found; None: not looked for."""
    secrets: dict[str, int] | None
    duplicates: dict[str, int] | None
    changes: dict[str, int]
    """Step -> the rows it changed."""
    known_limits: tuple[str, ...]
    merkle_root: str
    finewright: str


class DataPageReport(Model):
    """Where the page about a data set was written, and what it is about."""

    path: str
    about: str
    rows: int
    sections: tuple[str, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def passed(self) -> bool:
        """Could every row be looked at? What was found does not stop it."""
        return not errors_of(self.problems)
