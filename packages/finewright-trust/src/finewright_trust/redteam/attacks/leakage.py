"""What of the training rows comes out again: canaries, answers word for word, personal data, membership.

The base is asked the same: what it says too, the training did not teach."""

from collections.abc import Sequence

from finewright_trust.redteam.attack import Attack, NotApplicable
from finewright_trust.redteam.finding import AttackFinding
from finewright_trust.redteam.leakage.canaries import find_canaries
from finewright_trust.redteam.leakage.members import tell_members
from finewright_trust.redteam.leakage.personal import find_personal
from finewright_trust.redteam.leakage.rows import own_rows
from finewright_trust.redteam.leakage.verbatim import find_verbatim
from finewright_trust.redteam.spec import RedteamSpec
from finewright_trust.redteam.subject import RunSubject, Subject


def leakage(subject: Subject, spec: RedteamSpec) -> Sequence[AttackFinding]:
    """A finding for each way out; what cannot be tried on these rows says why."""
    assert isinstance(subject, RunSubject)
    if not own_rows(subject):
        raise NotApplicable("no training row has an answer that is learned")
    return [
        *find_canaries(subject, spec),
        find_verbatim(subject, spec),
        find_personal(subject, spec),
        tell_members(subject, spec),
    ]


ATTACK = Attack(
    "leakage",
    "What of the training rows comes out again, and which rows can be told to have trained.",
    frozenset({"run"}),
    leakage,
)
