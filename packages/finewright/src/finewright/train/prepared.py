"""What a base model learns from: rows as the method takes them, read by its tokenizer, and the steps.

`train` trains on it, `plan` shows it, `bench` times it, `migrate` checks it before anything is asked."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from finewright.lm.sources import LocalBase, config_here
from finewright.schema.adapter import PrefixSpec, PromptSpec
from finewright.schema.common import Problem, RowCounts, errors_of
from finewright.schema.label_methods import DecidingSettings
from finewright.schema.methods import OnlineSettings
from finewright.schema.train import TrainSettings
from finewright.train.labelled import LabelledRows, as_learned, known_alone, part_labelled
from finewright.train.rows import MethodRows
from finewright.train.schedule import Schedule, schedule_of
from finewright.train.support import beyond_context, find_unsupported

if TYPE_CHECKING:
    from finewright.lm.chat import Chat
    from finewright.lm.encode import EncodedRows
    from finewright.train.privacy.planned import PrivatePlan


@dataclass(frozen=True, slots=True)
class Prepared:
    """A base model with its chat template, settings with nothing left open, and rows as tokens.

    `problems` are those of the settings with this model; the rows have their own."""

    base: LocalBase
    spec: TrainSettings
    chat: "Chat"
    encoded: "EncodedRows"
    problems: tuple[Problem, ...]
    private: "PrivatePlan | None" = None
    labelled: LabelledRows | None = None

    @property
    def lengths(self) -> list[int]:
        """The tokens of each row that trains."""
        return [row.num_tokens for row in self.encoded.rows]

    @property
    def schedule(self) -> Schedule:
        """The steps; of one row of one token where no row is left."""
        units = () if self.private is None else self.private.units
        return schedule_of(self.spec, [unit.num_tokens for unit in units] or self.lengths or [1])

    @property
    def step_tokens(self) -> int:
        """The tokens over all steps; of a private training, which draws them, those expected."""
        schedule = self.schedule
        if self.private is not None:
            drawn = sum(unit.num_tokens for unit in self.private.units)
            return round(drawn * self.private.mechanism.rate * schedule.steps)
        parts = (part for step in range(schedule.steps) for part in schedule.batches_of(step))
        lengths = self.lengths
        return sum(lengths[i] for part in parts for i in part) if lengths else 0


def prepare_rows(base: LocalBase, spec: TrainSettings, chat: "Chat", rows: MethodRows) -> Prepared:
    """Encode the rows by the settings. What is wrong with them is told, and refused by who trains on them."""
    from finewright.lm.encode import encode_rows
    from finewright.train.privacy.planned import plan_privacy

    labelled, of_labels = part_labelled(rows.rows, spec)
    learned = rows.rows if labelled is None else labelled.train
    encoded = encode_rows(chat, learned, max_length=spec.max_length, on_overlong=spec.on_overlong)
    if labelled is not None:
        counts = _with_kept(encoded.counts, len(labelled.calibration))
        encoded = replace(encoded, counts=counts)
    config = config_here(str(base.folder.absolute()), base.folder)
    more = spec.max_new_tokens if isinstance(spec, OnlineSettings) else 0
    beyond = beyond_context(_most_read(spec, encoded), config, max_new_tokens=more)
    problems = (*find_unsupported(spec, config), *beyond, *_not_private(spec, rows), *of_labels)
    if errors_of(problems):
        return Prepared(base, spec, chat, encoded, problems)
    private = plan_privacy(spec, encoded.rows)
    found = (*problems, *private.problems)
    return Prepared(base, spec, chat, encoded, found, private.plan, labelled)


def _with_kept(counts: RowCounts, more: int) -> RowCounts:
    """With rows that calibrate: they are kept, and train nothing."""
    both = {"rows_in": counts.rows_in + more, "rows_kept": counts.rows_kept + more}
    return counts.model_copy(update=both)


def _not_private(spec: TrainSettings, rows: MethodRows) -> Iterator[Problem]:
    if spec.privacy is not None and any(row.is_text for row in rows.rows):
        yield Problem(
            level="error",
            key="train.privacy",
            message="protects rows, and raw text trains in windows, of which a document has several",
            hint="write texts that must stay private as conversations, or leave train.privacy out",
        )


def _most_read(spec: TrainSettings, encoded: "EncodedRows") -> int:
    """Tokens of the longest sequence that the model is given, virtual ones included.

    A judged answer is read at the prompt of another one too (KTO's z), cut at `max_length`."""
    most = encoded.longest
    sequences = [sequence for row in encoded.rows for sequence in row.sequences]
    if spec.takes == "judged answers" and sequences:
        prompts = [sequence.trained.index(True) for sequence in sequences]
        answers = (s.num_tokens - prompt for s, prompt in zip(sequences, prompts, strict=True))
        most = max(most, min(spec.max_length, max(prompts) + max(answers)))
    if isinstance(spec.adapter, PrefixSpec | PromptSpec):
        most += spec.adapter.num_virtual_tokens
    return most


def encode_held_out(made: Prepared, rows: MethodRows) -> "EncodedRows":
    """Rows that training looks at and does not learn from, as tokens; one that is too long or refused is left
    out, which `held_out.left_out` tells."""
    from finewright.lm.encode import encode_rows

    spec, looked_at = made.spec, rows.rows
    if made.labelled is not None:
        assert isinstance(spec, DecidingSettings)
        looked_at = as_learned(known_alone(looked_at, made.labelled), spec, made.labelled.targets)
    return encode_rows(made.chat, looked_at, max_length=spec.max_length, on_overlong="drop")
