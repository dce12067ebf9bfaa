"""A small model of the same vocabulary guesses how an answer goes on (Leviathan et al., arXiv:2211.17192).

It writes k tokens greedily, which the large model computes in one step with the last one. Each token is then
chosen as it would be without a guess, drawn ones too, and the first that differs ends the guess: so every
answer is the same. (Rejection sampling, as in the paper, would keep more guesses of hot answers, and other
tokens.) Whether that pays hangs on both models, the text and the machine, so it is measured as it goes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from transformers import PreTrainedTokenizerBase

from finewright.errors import ModelError
from finewright.lm.engine.forward import BLOCK, Forward, Piece

_FIRST, _MOST = 3, 8  # tokens of a guess
_TRIAL, _KEPT = 4, 240  # steps that are measured each way, and steps that go the better way
_CATCH_UP = 256  # tokens of a text that the draft reads in a step


@dataclass(slots=True)
class DraftPace:
    """Do guesses pay? Some steps are timed with them and some without, then the quicker way is taken for a
    while, and so on."""

    _seconds: dict[bool, float] = field(default_factory=lambda: {True: 0.0, False: 0.0})
    _tokens: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    _step: int = 0
    _pays: bool = True

    @property
    def wants_guess(self) -> bool:
        """Whether the next step is to have one."""
        return self._pays if self._step >= 2 * _TRIAL else self._step < _TRIAL

    def learn(self, *, is_guessed: bool, seconds: float, num_tokens: int) -> None:
        """A step of one answer, with the time of its guess in it; steps of other kinds teach nothing."""
        if is_guessed != self.wants_guess:
            return
        if self._step < 2 * _TRIAL:
            self._seconds[is_guessed] += seconds
            self._tokens[is_guessed] += num_tokens
        self._step += 1
        if self._step == 2 * _TRIAL:
            with_it, without = (self._seconds[way] / self._tokens[way] for way in (True, False))
            self._pays = with_it < without
        elif self._step == 2 * _TRIAL + _KEPT:
            self._step = 0
            self._seconds, self._tokens = {True: 0.0, False: 0.0}, {True: 0, False: 0}


class DraftGuesses:
    """Guesses of a forward of its own, for one answer at a time; another's text is read anew from where the
    two differ. They are below `vocab_size`, by the adapter that the forward has under this key; `pace` says
    whether they are wanted."""

    def __init__(self, forward: Forward, vocab_size: int, adapter: str | None = None) -> None:
        self.pace = DraftPace()
        self._forward, self._vocab_size, self._adapter = forward, vocab_size, adapter
        self._virtual = [0] * forward.num_virtual(adapter)
        self._table = tuple(range(forward.num_blocks))
        self._read: list[int] = []
        self._size = _FIRST

    def guess(self, tokens: Sequence[int], most: int) -> tuple[int, ...]:
        """At most so many tokens that may follow; none where they do not pay, where there is no room, and as
        long as the draft has a long text to read."""
        size, tokens = min(most, self._size), [*self._virtual, *tokens]
        if size < 1 or not self.pace.wants_guess or len(tokens) + size > len(self._table) * BLOCK:
            return ()
        if not self._catch_up(tokens):
            return ()
        found = [self._next(tokens[len(self._read) :])]
        while len(found) < size:
            found.append(self._next(found[-1:]))
        return tuple(found)

    def learn(self, num_guessed: int, num_held: int) -> None:
        """Guess more where all held, and less where few did (as transformers' assisted generation)."""
        if num_held == num_guessed:
            self._size = min(self._size + 1, _MOST)
        elif 2 * num_held < num_guessed:
            self._size = max(self._size - 1, 1)

    def _catch_up(self, tokens: list[int]) -> bool:
        """Read what is before the last token, as far as a step should; is all of it read?"""
        same = min(len(self._read), len(tokens) - 1)
        if self._read[:same] != tokens[:same]:
            same = next(i for i in range(same) if self._read[i] != tokens[i])
        del self._read[same:]
        if len(tokens) - same <= _CATCH_UP:
            return True
        self._forward.step([self._piece(tokens[same : same + _CATCH_UP], 0)])
        return False

    def _next(self, new: Sequence[int]) -> int:
        return int(self._forward.step([self._piece(new, 1)])[0, : self._vocab_size].argmax())

    def _piece(self, new: Sequence[int], num_logits: int) -> Piece:
        piece = Piece(tuple(new), len(self._read), self._table, self._adapter, num_logits)
        self._read += new
        return piece


def refuse_other_vocabulary(
    name: str, draft: PreTrainedTokenizerBase, tokenizer: PreTrainedTokenizerBase
) -> None:
    """Raise ModelError where the draft's tokens are not those of the model that it guesses for."""
    if draft.get_vocab() != tokenizer.get_vocab():
        raise ModelError(
            f"draft model {name}: its vocabulary is not the model's, so its guesses say nothing",
            hint="take a smaller model of the same family",
        )
