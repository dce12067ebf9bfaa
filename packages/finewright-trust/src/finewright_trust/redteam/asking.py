"""Many prompts of a kind are drawn, asked of every system, and judged: what most attacks are made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from finewright_trust.redteam.attack import AttackFacts, draw, judge_pairs
from finewright_trust.redteam.finding import AttackFinding
from finewright_trust.redteam.refusal import judge_answers
from finewright_trust.redteam.spec import RedteamSpec
from finewright_trust.redteam.subject import AttackPrompt, Subject, SystemReply


@dataclass(frozen=True, slots=True)
class Try:
    """A prompt, the request that it is about in plain words, and what in a reply counts as a hit."""

    prompt: AttackPrompt
    request: str = ""
    is_hit: Callable[[SystemReply], bool] = lambda _: False


Judge = Callable[[Sequence[Try], Sequence[SystemReply]], Sequence[bool]]
"""Tries and the replies to them -> which of them hit."""


def own_hits(tries: Sequence[Try], replies: Sequence[SystemReply]) -> list[bool]:
    """What each try says of its reply."""
    return [each.is_hit(reply) for each, reply in zip(tries, replies, strict=True)]


def complies(tries: Sequence[Try], replies: Sequence[SystemReply]) -> list[bool]:
    """The reply neither refuses the request nor is about something else."""
    verdicts = judge_answers([each.request for each in tries], [reply.text for reply in replies])
    return [verdict == "complied" for verdict in verdicts]


def ask_all(
    subject: Subject,
    spec: RedteamSpec,
    about: AttackFacts,
    tries: Sequence[Try],
    judge: Judge = own_hits,
) -> AttackFinding:
    """The finding of these tries: so many as the spec says are drawn, and each is asked of every system.

    Raises NotApplicable where none is short enough."""
    drawn = draw(subject, [each.prompt for each in tries], spec)
    chosen = [tries[place] for place in drawn.places]
    prompts = [each.prompt for each in chosen]
    replies = subject.answers(prompts, spec.max_new_tokens)
    hits = {system: judge(chosen, said) for system, said in replies.items()}
    return judge_pairs(about, prompts, replies, hits, spec, drawn.line())
