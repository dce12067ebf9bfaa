"""A model in this process."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from finewright.evaluate.answers import Rate
    from finewright.lm.chat import Chat
    from finewright.lm.engine.draft import DraftGuesses
    from finewright.lm.model import LM


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model as it stands in `lm`, its chat template, and the name it goes by in reports.

    `rate` is a reward model's own rating; `system_prompt` is what the model was trained with, and so what it
    should be asked with. `dropped` are the switches of the chat template that were asked for and that its
    template does not know. `draft` guesses tokens ahead."""

    name: str
    lm: "LM"
    chat: "Chat"
    rate: "Rate | None" = None
    system_prompt: str = ""
    dropped: tuple[str, ...] = ()
    draft: "DraftGuesses | None" = None
