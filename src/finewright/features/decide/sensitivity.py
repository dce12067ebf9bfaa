"""What would change the answer: the smallest change of a weight, how often each arm wins, and which input
matters. Everything is a function of its arguments; the draws come from a fixed seed."""

import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from finewright.features.decide.arms import ARMS, Arm
from finewright.features.decide.case import Case, InputSwing, joined
from finewright.features.decide.criteria import CRITERIA, Utilities
from finewright.features.decide.ranking import ranking, score
from finewright.features.decide.results import Flip
from finewright.features.decide.results import Swing as SwingReport
from finewright.schema.decide import Criterion

SEED = 20261125
NUM_CASES = 80
DRAWS_A_CASE = 50
_FELT = 0.001

UtilitiesOf: TypeAlias = Callable[[Case], Mapping[Arm, Utilities]]
"""The utilities of the arms that the gates leave in a case."""
Weights: TypeAlias = Mapping[Criterion, float]


class ArmStanding(NamedTuple):
    """An arm in a case: its utilities, and its model where that is another than the first choice's."""

    utilities: Utilities
    model: str


StandingsOf: TypeAlias = Callable[[Case], Mapping[Arm, ArmStanding]]
"""The arms that the gates leave in a case, each with the model that is best there."""


class Shares(NamedTuple):
    """How often each arm won, and how often no arm was left; they sum to 1."""

    wins: dict[Arm, float]
    none: float


def flips(weights: Weights, utilities: Mapping[Arm, Utilities]) -> list[Flip]:
    """For each criterion the smallest change of its weight that another arm wins by, the smallest first.

    The other weights keep their proportions and the sum stays 1, so that for the winner a and another
    arm b, with d = u_a - u_b by criterion, the lead at weight x of criterion i is

        x d_i + (1 - x) r,   r = sum over j != i of w_j d_j / (1 - w_i),

    linear in x, and 0 at x = r / (r - d_i). A criterion that no weight of flips the winner is left out."""
    order = ranking(weights, utilities)
    if len(order) < 2:  # noqa: PLR2004 - nothing to compare with
        return []
    winner = order[0].arm
    found = []
    for name in CRITERIA:
        crossings = [
            (abs(needed - weights[name]), needed, ARMS.index(other.arm))
            for other in order[1:]
            if (needed := _crossing(weights, name, utilities[winner], utilities[other.arm]))
            is not None
        ]
        if crossings:
            _, needed, index = min(crossings)
            flip = Flip(
                criterion=name, weight=weights[name], needed=needed, new_winner=ARMS[index].name
            )
            found.append(flip)
    return sorted(found, key=lambda flip: abs(flip.change))


def reweighted(weights: Weights, name: Criterion, value: float) -> dict[Criterion, float]:
    """The weights with one set, the others in their old proportions, summing to 1."""
    rest = 1 - weights[name]
    return {
        other: value if other == name else weights[other] * (1 - value) / rest for other in CRITERIA
    }


def _crossing(
    weights: Weights, name: Criterion, ours: Utilities, theirs: Utilities
) -> float | None:
    """The weight at which both score the same, if it can be reached."""
    rest = 1 - weights[name]
    if rest <= 0:
        return None
    lead = {other: ours[other] - theirs[other] for other in CRITERIA}
    others = sum(weights[other] * lead[other] for other in CRITERIA if other != name) / rest
    slope = others - lead[name]
    # Arms that are alike by this criterion only meet where it alone decides, and win nothing there.
    if slope == 0 or lead[name] == 0:
        return None
    needed = others / slope
    return needed if 0 <= needed <= 1 and math.isfinite(needed) else None


def drawn_weights(weights: Weights, rng: random.Random) -> list[float]:
    """Weights around the given ones: w_i G_i, with all G_i of a Gamma distribution of shape 4, by which each
    varies by half of itself (1 / sqrt 4).

    Made to sum to 1 they are a scaled Dirichlet distribution (Monti et al. 2011), for equal weights the
    Dirichlet distribution itself. They are left unscaled, which no order depends on: so raising w_i takes
    no win, in no draw, from the arm that is best by criterion i."""
    draw = rng.random
    return [
        # The sum of four exponential variables, each -log of what is uniform on (0, 1].
        -weights[name] * math.log((1 - draw()) * (1 - draw()) * (1 - draw()) * (1 - draw()))
        for name in CRITERIA
    ]


def win_shares(
    weights: Weights, base: Case, swings: Sequence[InputSwing], utilities_of: UtilitiesOf
) -> Shares:
    """How often each arm wins when weights, prices, priors and every unknown input vary.

    The first case is the base; in each other every unknown is at its low end, its middle or its high end
    with chances 1/4, 1/2 and 1/4, independently of the others. In every case the weights are drawn
    anew, and the winner is the arm with the largest weighted sum."""
    rng = random.Random(SEED)  # noqa: S311 - no secret
    wins: Counter[Arm] = Counter()
    varied = [swing for swing in swings if swing.is_unknown]
    for number in range(NUM_CASES):
        changed = dict(_drawn(varied, rng)) if number else {}
        utilities = utilities_of(joined(base, changed))
        rows = [(arm, [of[name] for name in CRITERIA]) for arm, of in utilities.items()]
        draws = [drawn_weights(weights, rng) for _ in range(DRAWS_A_CASE)]
        if rows:
            wins.update(_best(rows, draw) for draw in draws)
    total = NUM_CASES * DRAWS_A_CASE
    return Shares({arm: wins[arm] / total for arm in ARMS}, 1 - wins.total() / total)


def _drawn(swings: Sequence[InputSwing], rng: random.Random) -> Iterator[tuple[str, Case]]:
    for swing in swings:
        where = rng.random()
        if where < 1 / 4:
            yield swing.key, swing.low
        elif where >= 3 / 4:
            yield swing.key, swing.high


def _best(rows: Sequence[tuple[Arm, Sequence[float]]], weights: Sequence[float]) -> Arm:
    return max(rows, key=lambda row: sum(map(float.__mul__, weights, row[1])))[0]


def tornado(
    weights: Weights, winner: Arm, swings: Sequence[InputSwing], best_in: StandingsOf
) -> list[SwingReport]:
    """What each input alone does to the winner's lead, largest first; under a thousandth is left out.

    Each arm has the model there that is best there, as the first choice has it in the middle."""
    base = []
    for swing in swings:
        ends = [best_in(case) for case in (swing.low, swing.high)]
        low, high = ({arm: of.utilities for arm, of in each.items()} for each in ends)
        winners = [_winner(weights, each) for each in (low, high)]
        models = [_model(each, name) for each, name in zip(ends, winners, strict=True)]
        base.append(
            SwingReport(
                key=swing.key,
                is_unknown=swing.is_unknown,
                low=swing.low_text,
                high=swing.high_text,
                low_lead=lead(weights, winner, low),
                high_lead=lead(weights, winner, high),
                low_winner=winners[0],
                high_winner=winners[1],
                low_model=models[0],
                high_model=models[1],
            )
        )
    felt = [swing for swing in base if _span(swing) >= _FELT]
    return sorted(felt, key=lambda swing: -_span(swing))


def _model(standings: Mapping[Arm, ArmStanding], winner: str) -> str:
    return next((of.model for arm, of in standings.items() if arm.name == winner), "")


def lead(weights: Weights, arm: Arm, utilities: Mapping[Arm, Utilities]) -> float | None:
    """The arm's score less that of the best other arm; None where the arm is dropped."""
    if arm not in utilities:
        return None
    scores = {other: score(weights, of) for other, of in utilities.items()}
    others = [value for other, value in scores.items() if other != arm]
    return scores[arm] - max(others, default=0.0)


def _span(swing: SwingReport) -> float:
    """How far the lead moves; an end that drops the arm is as far as it gets."""
    if swing.low_lead is None or swing.high_lead is None:
        return 1.0
    return abs(swing.high_lead - swing.low_lead)


def _winner(weights: Weights, utilities: Mapping[Arm, Utilities]) -> str:
    order = ranking(weights, utilities)
    return order[0].arm.name if order else ""
