"""The forward that a model's answers are computed by, with the model's own adapter in it."""

import logging
from functools import lru_cache
from typing import NamedTuple

from finewright.errors import ModelError
from finewright.lm.engine.draft import DraftGuesses
from finewright.lm.engine.forward import BLOCK, Forward
from finewright.lm.engine.native import NativeForward, find_decoder
from finewright.lm.engine.torch_forward import TorchForward
from finewright.lm.engine.weights import weights_of
from finewright.lm.model import LM

_LOG = logging.getLogger(__name__)
_OWN = "own"


class ReadyForward(NamedTuple):
    """A forward, and the key under which it has the model's own adapter; None where it is in the forward.

    `is_exact`: a row's logits are the same bit by bit, whatever else is in the step."""

    forward: Forward
    adapter: str | None
    is_exact: bool


def ready_forward(lm: LM, num_blocks: int) -> ReadyForward:
    """The native forward where it knows the model, else torch's. The weights are those of this moment.

    Raises ModelError for a model whose attention does not read a cache in blocks."""
    if not lm.block_bytes:
        raise ModelError(
            f"{type(lm.model).__name__}: its cache cannot be kept in blocks, so its answers are not batched",
            hint="choose a base model of another family",
        )
    # what a decoder has copied of the weights does not learn with them
    decoder = lm.decoder if lm.has_reference else find_decoder(lm.model)
    if isinstance(decoder, str):
        say_slow(lm.slow_answers)
        return ReadyForward(TorchForward(lm, num_blocks), None, is_exact=False)
    forward = NativeForward(lm.model, decoder, num_blocks)
    own = weights_of({place: part for place, part in lm.adapters.items() if part.enabled})
    if not own.linears and not own.num_virtual:
        return ReadyForward(forward, None, is_exact=True)
    try:
        forward.load(_OWN, own)
    except ModelError as error:
        say_slow(f"answers by torch in place of the CPU kernels, because {error}")
        return ReadyForward(TorchForward(lm, num_blocks), None, is_exact=False)
    return ReadyForward(forward, _OWN, is_exact=True)


def draft_guesses(draft: LM, most_tokens: int, vocab_size: int) -> DraftGuesses:
    """Guesses of a model, below `vocab_size`, for texts of at most so many tokens. Raises ModelError for one
    whose attention does not read a cache in blocks."""
    ready = ready_forward(draft, -(-most_tokens // BLOCK))
    return DraftGuesses(ready.forward, vocab_size, ready.adapter)


@lru_cache(maxsize=64)  # once for each reason, and not for each batch of answers
def say_slow(reason: str) -> None:
    """Warn in the log of what is slower than it could be; nothing without a reason."""
    if reason:
        _LOG.warning("slower than it could be: %s", reason)
