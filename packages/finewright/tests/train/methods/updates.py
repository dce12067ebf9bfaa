"""One update of a method on a tiny model, taken apart: its loss, and the gradient of all that it trains.

The rows differ in length, share prompts, and some answers are one token; or all are of one length."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

import referee
import tiny
from finewright.lm.chat import Chat
from finewright.lm.example import EncodedRow, Example
from finewright.lm.model import LM
from finewright.schema.train import TrainSettings
from finewright.train.loop import Method
from finewright.train.methods import setup
from finewright.train.methods.setup import Setup
from finewright.train.rewards import PolicyAnswer, Reward, Rewards

# way -> the most tokens of a part
WAYS: Mapping[str, int | None] = {"packed": None, "in parts": 30, "one by one": None}
# prompt, chosen and rejected answer, in tokens
SHAPES = {
    "uneven": [(6, 5, 7), (3, 1, 4), (9, 8, 1), (4, 3, 12), (6, 2, 2)],
    "even": [(5, 4, 4)] * 4,
}
# The referee pads uneven rows; even ones need no padding.
LAYOUTS = [*((way, "uneven") for way in WAYS), ("packed", "even")]
STOPS = frozenset(range(3, 60))  # so many that answers end soon, some at once


class Update(NamedTuple):
    """The mean loss of an update, and its gradient by adapter and factor, heads' by number."""

    loss: float
    gradients: dict[str, Tensor]


def drawn(generator: torch.Generator, length: int) -> tuple[int, ...]:
    return tuple(torch.randint(3, tiny.VOCAB, (length,), generator=generator).tolist())


def answered(prompt: tuple[int, ...], answer: tuple[int, ...]) -> EncodedRow:
    return EncodedRow(prompt + answer, (False,) * len(prompt) + (True,) * len(answer))


def pairs(shape: str, *, seed: int = 0) -> list[Example]:
    """Preference pairs; of the uneven ones the last has the first one's prompt."""
    generator = torch.Generator().manual_seed(seed)
    rows, prompts = [], []
    for number, lengths in enumerate(SHAPES[shape]):
        prompt, chosen, rejected = (drawn(generator, length) for length in lengths)
        prompts.append(prompts[0] if number == len(SHAPES["uneven"]) - 1 else prompt)
        rows.append(Example((answered(prompts[-1], chosen), answered(prompts[-1], rejected))))
    return rows


def judged(shape: str, *, seed: int = 0) -> list[Example]:
    """Each answer of the pairs as a row of its own, liked and disliked ones mixed."""
    rows = pairs(shape, seed=seed)
    liked = [Example(row.sequences[:1], label=True) for row in rows]
    disliked = [Example(row.sequences[1:], label=False) for row in rows]
    return [*liked[:2], *disliked, *liked[2:]]


def prompts(*lengths: int, seed: int = 0) -> list[Example]:
    generator = torch.Generator().manual_seed(seed)
    return [Example((EncodedRow(drawn(generator, n), (False,) * n),)) for n in lengths]


def adapted(way: str = "packed", *, family: str = "llama", dropout: float = 0.0) -> LM:
    """A model whose adapter does something."""
    model = tiny.tiny_model(family)
    lm = LM(model, referee.random_adapters(model, dropout=dropout))
    lm.packs_exactly = way != "one by one"
    return lm


def share_of_letters(answers: Sequence[PolicyAnswer]) -> list[float]:
    """What answers are worth: easy to raise, and different for most."""
    return [sum("a" <= c <= "z" for c in a.text) / max(1, len(a.text)) for a in answers]


def chat() -> Chat:
    return replace(tiny.tiny_chat(), end_of_turn=STOPS)


def setup_of(lm: LM) -> Setup:
    rewards = Rewards((Reward("letters", 1.0, share_of_letters),))
    return Setup(lm, chat(), rewards, teacher=teacher)


def teacher() -> LM:
    """Another model of the same tokenizer."""
    lm = LM(tiny.tiny_model("llama", seed=5), {})
    lm.model.eval().requires_grad_(False)
    return lm


def method_of(spec: TrainSettings, lm: LM) -> Method:
    return setup.method_of(spec, setup_of(lm))


def updates_of(
    method: Method, lm: LM, rows: Sequence[Example], max_tokens: int | None
) -> Iterable[Sequence[Any]]:
    """The batches of each update of a step over all rows."""
    method.prepare(lm, iter([rows]), max_tokens)
    lm.model.train()
    return method.updates(lm, rows, max_tokens, 7)


def taken(method: Method, lm: LM, batches: Sequence[Any]) -> Update:
    """The update of these batches, without taking its step."""
    total, loss = sum(method.weight(batch) for batch in batches), 0.0
    for batch in batches:
        part, _ = method.loss(lm, batch)
        part = part * (method.weight(batch) / total)
        part.backward()
        loss += float(part.detach())
    gradients = referee.gradients(lm.adapters)
    for number, parameter in enumerate(method.parameters()):
        assert parameter.grad is not None
        gradients[f"head {number}"], parameter.grad = parameter.grad, None
    return Update(loss, gradients)


def update_of(method: Method, lm: LM, rows: Sequence[Example], max_tokens: int | None) -> Update:
    """The only update of a step over all rows."""
    (batches,) = updates_of(method, lm, rows, max_tokens)
    return taken(method, lm, batches)


def assert_same(found: Update, true: Update) -> None:
    """Losses within 1e-5 of 1 or of themselves, gradients tensor by tensor within 1e-4 in their norm."""
    assert abs(found.loss - true.loss) <= 1e-5 * max(1.0, abs(true.loss))
    referee.assert_gradients_close(found.gradients, true.gradients, 1e-4)
