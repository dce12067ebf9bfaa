"""What scores labels on a language model: a linear layer over its last hidden state, or its own probability
of their texts.

A head's logits are those of transformers' `*ForSequenceClassification`: the layer, without a bias, on the
last hidden state of the last token of the prompt, which ends where the chat template asks for an answer.

Of texts the logit is the log-probability of the label's tokens and of the end of the turn after the prompt,
so that their softmax is the exact probability of each label, given that the answer is one of them. No label
is favoured for its length: its end is one of the tokens."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from finewright.errors import DataError
from finewright.estimate.context import context_of
from finewright.labels.calibration import Floats
from finewright.labels.decider import Decider, read_decider
from finewright.lm.batch import sums_of
from finewright.lm.chat import Chat
from finewright.lm.encode import encode_row
from finewright.lm.example import EncodedRow
from finewright.lm.model import LM
from finewright.lm.score_head import load_head, scores
from finewright.schema.rows import Row, with_system

_TOKENS_AT_ONCE = 1024
"""As `train.micro_batch_tokens` on a CPU: matrix products are at full speed from here on."""


@dataclass(slots=True)
class HeadScorer:
    """A head on a model; rows without a system turn are asked with `system_prompt`."""

    lm: LM
    chat: Chat
    head: nn.Linear
    system_prompt: str = ""

    def logits(self, rows: Sequence[Row]) -> Floats:
        """See LabelScorer. Raises DataError for a row that is longer than the model reads."""
        encoded = [self._encode(row) for row in rows]
        found = np.empty((len(rows), self.head.out_features))
        self.lm.model.eval()
        with torch.no_grad():
            for places in _parts([row.num_tokens for row in encoded]):
                # One group: what all prompts begin with runs through the model once.
                batch = self.lm.pack([[encoded[i] for i in places]])
                logits = scores(self.lm, self.head, batch).double().cpu().numpy()
                found[places] = logits.reshape(len(places), -1)
        return found

    def _encode(self, row: Row) -> EncodedRow:
        rendered = self.chat.whole_prompt(with_system(row.prompt, self.system_prompt), row.tools)
        ids = self.chat.tokens(rendered).ids
        _refuse_beyond(self.lm, row, len(ids))
        return EncodedRow(tuple(ids), (False,) * len(ids))


@dataclass(slots=True)
class TextScorer:
    """A model that writes the labels; rows without a system turn are asked with `system_prompt`."""

    lm: LM
    chat: Chat
    labels: tuple[str, ...]
    system_prompt: str = ""

    def logits(self, rows: Sequence[Row]) -> Floats:
        """See LabelScorer. Raises DataError for a row that is longer than the model reads."""
        found = np.empty((len(rows), len(self.labels)))
        self.lm.model.eval()
        encoded = [[self._encode(row, label) for label in self.labels] for row in rows]
        with torch.no_grad():
            for places in _parts([sum(each.num_tokens for each in row) for row in encoded]):
                # A group a row: its prompt runs through the model once.
                batch = self.lm.pack([encoded[i] for i in places])
                sums = sums_of(self.lm.token_logps(batch), batch).double().cpu().numpy()
                found[places] = sums.reshape(len(places), -1)
        return found

    def _encode(self, row: Row, label: str) -> EncodedRow:
        prompt = [
            {**turn, "weight": 0} if turn["role"] == "assistant" else turn
            for turn in with_system(row.prompt, self.system_prompt)
        ]
        answer = {"role": "assistant", "content": label}
        answered = Row(row.id, (*prompt, answer), row.tools, row.file, row.row)
        encoded = encode_row(self.chat, answered)
        _refuse_beyond(self.lm, row, encoded.num_tokens)
        return encoded


def _parts(lengths: Sequence[int]) -> Iterator[list[int]]:
    """The places of rows of about one length, as many as are computed at once."""
    part: list[int] = []
    size = 0
    for i in sorted(range(len(lengths)), key=lengths.__getitem__):
        if part and size + lengths[i] > _TOKENS_AT_ONCE:
            yield part
            part, size = [], 0
        part.append(i)
        size += lengths[i]
    if part:
        yield part


def _refuse_beyond(lm: LM, row: Row, num_tokens: int) -> None:
    context = context_of(lm.model.config.to_dict())
    if context is not None and num_tokens > context - lm.num_virtual:
        raise DataError(
            f"{row.file}:{row.row}: {num_tokens:,} tokens, and the model reads {context - lm.num_virtual:,}",
            hint="shorten the row, or leave it out",
        )


def scorer_on(
    folder: Path, lm: LM, chat: Chat, labels: tuple[str, ...], system_prompt: str
) -> HeadScorer | TextScorer:
    """What gives the labels their logits, of a model as it came out of that folder: its head, where it has
    one."""
    head = load_head(folder, lm.device)
    if head is None:
        return TextScorer(lm, chat, labels, system_prompt)
    return HeadScorer(lm, chat, head, system_prompt)


def decider_on(folder: Path, name: str, lm: LM, chat: Chat) -> Decider:
    """The model of labels in a folder, whose language model is loaded."""
    stored = read_decider(folder)
    assert stored is not None
    scorer = scorer_on(folder, lm, chat, stored.labels, stored.system_prompt)
    return Decider(name, stored.labels, scorer, stored.calibration)
