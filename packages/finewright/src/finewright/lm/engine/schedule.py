"""Which tokens are computed next: one of every running answer, then cuts of prompts, within a budget.

Prompts that are read beside each other share what is left of a step: the oldest has half of it, and of the
others the shortest comes first, so that a question need not wait for the book before it. With `max_beside`
steps are short: less is read where answers run, and the less the longer the prompt has become, for each token
meets all before it.

Where requests have several owners, the one that was served least leads (see shares.py): its answers and a
short cut of its prompts make the step, and the others get the few rows beside it that cost nearly nothing.

Memory is the pool's blocks and no more. A request waits until there is room for its prompt. Where running
answers need more blocks than there are, the newest gives its own back and is computed again later. One that
is computed again for another owner's sake stays until it has written as many tokens as that took steps: two
that have no room beside each other would else put each other off for ever. One of an owner at a time: all of
them would keep whoever comes out.

Whose turn it is when several owners of requests want an engine: the one that it has served least leads.

What an owner was served is counted in tokens, read and written. One that comes, or comes again, stands level
with the least served of those that are there, less a credit: a short question is served at once, and who asks
one after the other has no more than the others in the long run. Nobody is further ahead than the credit:
what an owner got that nobody else could use is no debt. This is start-time fair queueing (Goyal et al. 1996,
SIGCOMM) with a lead in place of exact turns: an owner behind the lead gets rows of the lead's steps that cost
nearly nothing (see schedule.py)."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from finewright.lm.engine.blocks import BlockPool
from finewright.lm.engine.draft import DraftGuesses
from finewright.lm.engine.forward import BLOCK, Piece
from finewright.lm.engine.guess import Guesser
from finewright.lm.engine.sequence import AnswerSequence

CREDIT = 1024
"""Tokens: a short question with its answer, as a chat has them."""


_MOST_KNOWN = 1024
"""Owners that are remembered, which are keys: more than a file of keys has."""


@dataclass(slots=True)
class OwnerShares:
    """Tokens that each owner was served, from a level that all began at."""

    served: dict[str, int] = field(default_factory=dict)
    _present: frozenset[str] = frozenset()

    @property
    def are_many(self) -> bool:
        """Whether there was more than one owner."""
        return len(self.served) > 1

    def order(self, owners: Iterable[str]) -> list[str]:
        """Those that have work now, the least served first."""
        here = frozenset(owners)
        staying = [self.served[each] for each in here & self._present]
        level = min(staying) - CREDIT if staying else max(self.served.values(), default=0)
        for each in here - self._present:
            self.served[each] = max(self.served.pop(each, level), level)
        self._present = here
        for each in [*self.served][: len(self.served) - _MOST_KNOWN]:
            if each not in here:
                del self.served[each]
        return sorted(here, key=lambda each: (self.served[each], each))

    def add(self, owner: str, tokens: int) -> None:
        """It was served so many more."""
        most = min(self.served[each] for each in self._present) + CREDIT
        self.served[owner] = max(self.served[owner], min(self.served[owner] + tokens, most))


_AS_DEAR = 1024
"""So many tokens before a token cost as much as the rest of its work; of small models, on a CPU."""
_SHARED_STEP = 128
"""Tokens of the leader's prompts in a step: the others' answers stand still meanwhile, as do questions that
come."""
_ROWS_BESIDE = 4
"""Rows of a step that take hardly longer than one: the weights are read once, on the CPUs that were
measured."""


class StepCut(NamedTuple):
    """What of a sequence is computed in a step: the next `size` of its tokens, then a guess."""

    sequence: AnswerSequence
    size: int
    guess: tuple[int, ...] = ()
    guesser: Guesser | None = None

    @property
    def num_logits(self) -> int:
        """As many as tokens may be chosen."""
        return 1 + len(self.guess) if self.size == self.sequence.num_due else 0

    @property
    def cost(self) -> int:
        """The work of it, in tokens that have nothing before them."""
        return -(-self.size * (_AS_DEAR + self.sequence.num_cached) // _AS_DEAR)

    def piece(self) -> Piece:
        """As a forward takes it."""
        sequence, start = self.sequence, self.sequence.num_cached
        new = (*sequence.tokens[start : start + self.size], *self.guess)
        adapter = sequence.request.adapter
        return Piece(new, start, tuple(sequence.blocks), adapter, self.num_logits)


@dataclass(slots=True)
class StepSchedule:
    """Answers that wait and answers that run, the oldest first.

    At most `max_running` run, and a step has at most `max_tokens`, of prompts `max_beside` where answers run,
    unless that is 0; guesses are made while at most `guess_up_to` answers run, of one by the `draft` too."""

    pool: BlockPool
    max_running: int
    max_tokens: int
    guess_up_to: int
    max_beside: int
    draft: DraftGuesses | None = None
    waiting: deque[AnswerSequence] = field(default_factory=deque)
    running: list[AnswerSequence] = field(default_factory=list)
    shares: OwnerShares = field(default_factory=OwnerShares)

    def __iter__(self) -> Iterator[AnswerSequence]:
        yield from self.running
        yield from self.waiting

    def leave(self, sequence: AnswerSequence, *, failed: bool = False) -> None:
        """An answer has ended."""
        self.running.remove(sequence)
        sequence.leave(self.pool, failed=failed)

    def join(self, sequence: AnswerSequence) -> None:
        """An answer whose prompt has been computed for another runs."""
        self.running.append(sequence)

    def cuts(self) -> list[StepCut]:
        """The next step, in which no sequence is twice."""
        owners = self.shares.order({each.request.owner for each in self})
        cuts = self._beside(*self._choose_leader(owners)) if owners[1:] else self._of_one_owner()
        for cut in cuts:
            self.shares.add(cut.sequence.request.owner, cut.cost)
        return cuts

    def _of_one_owner(self) -> list[StepCut]:
        """All that fits."""
        cuts = self._answers([each for each in self.running if each.num_due == 1])
        most = min(self.max_tokens, _SHARED_STEP) if self.shares.are_many else self.max_tokens
        budget = most - sum(cut.size + len(cut.guess) for cut in cuts)
        if cuts and self.max_beside:
            budget = min(budget, self.max_beside)
        self._read(budget, cuts)
        while not cuts and self.running:  # prompts alone, and none has room
            self._put_off(self.running[-1])
            for sequence in self.running:
                budget -= self._prompt(sequence, budget, cuts)
        return cuts

    def _choose_leader(self, owners: Sequence[str]) -> tuple[str, Sequence[str]]:
        """Who leads, the first that can go on, and the others."""
        leader = next(filter(self._make_room, owners), owners[0])
        return leader, [each for each in owners if each != leader]

    def _beside(self, leader: str, others: Sequence[str]) -> list[StepCut]:
        """All of the leader's, with a short cut of its prompts, and of each other owner what costs little."""
        mine = [each for each in self.running if each.request.owner == leader]
        cuts = self._answers([each for each in mine if each.num_due == 1])
        self._read(min(self.max_tokens, _SHARED_STEP), cuts, leader)
        budget = _ROWS_BESIDE
        for owner in others:
            theirs = [each for each in self.running if each.request.owner == owner]
            due = sorted((each for each in theirs if each.num_due == 1), key=_count_written)
            for sequence in due:
                cut = StepCut(sequence, 1)
                if cut.cost <= budget and sequence.room(self.pool, len(sequence.tokens)):
                    cuts.append(cut)
                    budget -= cut.cost
            budget = self._read(budget, cuts, owner)
        return cuts or self._of_one_owner()

    def _make_room(self, leader: str) -> bool:
        """Put the newest answers of others off until the leader's next one can join, and the eldest go on;
        can any of the leader's?"""
        mine = [each for each in self.running if each.request.owner == leader]
        waiting = self._next(leader)
        others = [e for e in self.running if e.request.owner != leader and not e.stays]
        while others:
            is_stuck = waiting is not None and not mine and not self._may_join(waiting)
            if not is_stuck and (not mine or self.pool.num_free):
                return True
            self._put_off(others.pop())
        return bool(mine) or (waiting is not None and self._may_join(waiting))

    def _next(self, owner: str | None) -> AnswerSequence | None:
        """The next to join, of the owner if one is named."""
        return next((each for each in self.waiting if owner in (None, each.request.owner)), None)

    def _read(self, budget: int, cuts: list[StepCut], owner: str | None = None) -> int:
        """Cuts of the prompts of those that run, and then of those that wait; what is left of the budget."""
        begun = {cut.sequence for cut in cuts}
        running = [each for each in self.running if owner in (None, each.request.owner)]
        read = [each for each in running if each not in begun and each.num_due > 1]
        is_alone = len(read) == 1 and not self.waiting
        for sequence in read[:1]:
            budget -= self._prompt(sequence, budget if is_alone else -(-budget // 2), cuts)
        for sequence in sorted(read[1:], key=lambda each: each.num_due):
            budget -= self._prompt(sequence, budget, cuts)
        while budget > 0 and (joining := self._next(owner)) and self._may_join(joining):
            self.waiting.remove(joining)
            joining.find(self.pool)
            if joining.was_put_off and not self._has_staying(joining.request.owner):
                joining.stay(-(-joining.num_due // _SHARED_STEP))
            self.running.append(joining)
            budget -= self._prompt(joining, budget, cuts)
        return budget

    def _has_staying(self, owner: str) -> bool:
        return any(each.stays for each in self.running if each.request.owner == owner)

    def _answers(self, due: Sequence[AnswerSequence]) -> list[StepCut]:
        """The next token of these running answers; the newest make room where there is none."""
        cuts: list[StepCut] = []
        guesses = len(due) <= self.guess_up_to
        for sequence in due:
            while sequence in self.running and not sequence.room(self.pool, len(sequence.tokens)):
                owner = sequence.request.owner
                self._put_off(next(e for e in reversed(self.running) if e.request.owner == owner))
            if sequence not in self.running:
                continue
            draft = self.draft if len(due) == 1 else None
            cuts.append(self._cut_with_guess(sequence, draft) if guesses else StepCut(sequence, 1))
        return cuts

    def _cut_with_guess(self, sequence: AnswerSequence, draft: DraftGuesses | None) -> StepCut:
        """With tokens that may follow, as far as the answer may go on and there is room."""
        most = sequence.request.max_tokens - sequence.num_written - 1
        guesser: Guesser = sequence.lookup
        guess = sequence.lookup.guess(sequence.tokens, most)
        if not guess and draft is not None:
            guesser, guess = draft, draft.guess(sequence.words, most)
        while guess and not sequence.room(self.pool, len(sequence.tokens) + len(guess)):
            guess = guess[:-1]
        return StepCut(sequence, 1, guess, guesser if guess else None)

    def _prompt(self, sequence: AnswerSequence, budget: int, cuts: list[StepCut]) -> int:
        """Let the next tokens of a prompt be computed, as many as fit; what that takes of the budget.

        Where there are several owners it takes the work of these tokens, not their number: several long
        prompts in a step would else hold up whoever comes the longer, the farther they have been read."""
        size = min(sequence.num_due, budget)
        if self.max_beside and size > BLOCK:
            size = max(BLOCK, size * _AS_DEAR // (_AS_DEAR + sequence.num_cached))
        if (
            self.shares.are_many and budget < BLOCK
        ):  # beside another owner's, whom it must not hold up
            size = size * _AS_DEAR // (_AS_DEAR + sequence.num_cached)
        if size > 0 and not sequence.room(self.pool, sequence.num_cached + size):
            size = len(sequence.blocks) * BLOCK - sequence.num_cached
        if size <= 0:
            return 0
        # found by others from here on: a step writes all keys and values before it reads any
        sequence.keep(self.pool, sequence.num_cached + size)
        cuts.append(cut := StepCut(sequence, size))
        return cut.cost if self.shares.are_many else size

    def _may_join(self, sequence: AnswerSequence) -> bool:
        if not self.running:
            return True
        running = sum(1 + len(each.others) for each in self.running)
        if running + 1 + len(sequence.others) > self.max_running:
            return False
        return self.pool.num_free * BLOCK > len(sequence.tokens) + BLOCK

    def _put_off(self, sequence: AnswerSequence) -> None:
        """Give a running answer's blocks back; it is the next to join again."""
        self.running.remove(sequence)
        sequence.leave(self.pool)
        sequence.was_put_off = True
        self.waiting.appendleft(sequence)


def _count_written(sequence: AnswerSequence) -> int:
    """Who has written least goes on first, so that all of an owner's answers grow."""
    return sequence.num_written
