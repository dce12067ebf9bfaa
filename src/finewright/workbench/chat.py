"""`chat`: an answer, piece by piece."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from finewright.workbench.systems import System


@dataclass(frozen=True, slots=True)
class Manner:
    """How answers are made; temperature 0 is greedy."""

    max_new_tokens: int
    temperature: float
    seed: int


def answer(system: System, messages: Sequence[dict[str, str]], manner: Manner) -> Iterator[str]:
    """The assistant's next turn as text, in pieces that never split a character."""
    from finewright.lm.generate import Sampling, stream

    chat = system.chat
    ids = chat.encode_prompt(messages)
    sampling = Sampling(manner.max_new_tokens, manner.temperature, seed=manner.seed)
    tokens: list[int] = []
    shown = ""
    for token in stream(system.lm, ids, stop_ids=chat.stop_ids, sampling=sampling):
        tokens.append(token)
        text = chat.tokenizer.decode(tokens, skip_special_tokens=True)
        # A trailing replacement character is half of one that the next token completes.
        if text.startswith(shown) and not text.endswith("\ufffd"):
            yield text[len(shown) :]
            shown = text
