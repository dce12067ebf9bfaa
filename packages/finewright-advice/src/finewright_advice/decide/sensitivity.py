"""What would change the answer: the smallest change of a weight, how often each arm wins, and which input
matters. Everything is a function of its arguments; the draws come from a fixed seed."""

import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from finewright_advice.decide.arms import ARMS, Arm
from finewright_advice.decide.case import Case, InputSwing, goes_together, join_cases
from finewright_advice.decide.choice import ranking, score
from finewright_advice.decide.criteria import CRITERIA, Utilities
from finewright_advice.decide.results import Flip
from finewright_advice.decide.results import Swing as SwingReport
from finewright_advice.schema.money import Criterion

SEED = 20261125
NUM_CASES = 80
DRAWS_A_CASE = 50
_FELT = 0.001

_ALIKE = 1e-12
Weights: TypeAlias = Mapping[Criterion, float]


class Contender(NamedTuple):
    """An arm with a model that it may have, and its utilities."""

    arm: Arm
    model: str
    utilities: Utilities


ContendersOf: TypeAlias = Callable[[Case], Sequence[Contender]]
"""Every arm that the gates leave in a case, with every model that it may have there."""


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


class _Line(NamedTuple):
    """A contender's score x at_one + (1 - x) rest, by the weight x of a criterion."""

    who: Contender
    at_one: float
    rest: float

    @property
    def slope(self) -> float:
        return self.at_one - self.rest

    def at(self, x: float) -> float:
        return x * self.at_one + (1 - x) * self.rest


def flips(weights: Weights, contenders: Sequence[Contender]) -> list[Flip]:
    """For each criterion the smallest change of its weight that another arm wins by, the smallest first.

    Arm, host and model are chosen anew at each weight. The other weights keep their proportions and the sum
    stays 1, so that a contender's score at weight x of criterion i is

        x u_i + (1 - x) r,   r = sum over j != i of w_j u_j / (1 - w_i),

    a line in x; the winner at x is on the upper envelope of the lines, which is walked from x = w_i both
    ways until it comes to another arm. A criterion that no weight of flips the winner is left out."""
    found = [
        Flip(
            criterion=name,
            weight=weights[name],
            needed=needed,
            new_winner=new.arm.name,
            model=new.model,
        )
        for name in CRITERIA
        if contenders and weights[name] < 1
        for needed, new in _first_change(weights, name, contenders)
    ]
    return sorted(found, key=lambda flip: abs(flip.change))


def _first_change(
    weights: Weights, name: Criterion, contenders: Sequence[Contender]
) -> list[tuple[float, Contender]]:
    """The nearest weight at which another arm wins, and who; none where no weight does it."""
    lines = [_line(weights, name, each) for each in contenders]
    start = weights[name]
    first = max(lines, key=lambda line: line.at(start))
    ends = (_walk(lines, first, start, direction) for direction in (1, -1))
    reached = [end for end in ends if end is not None]
    return [min(reached, key=lambda end: abs(end[0] - start))] if reached else []


def _line(weights: Weights, name: Criterion, of: Contender) -> _Line:
    others = sum(weights[other] * of.utilities[other] for other in CRITERIA if other != name)
    return _Line(of, of.utilities[name], others / (1 - weights[name]))


def _walk(
    lines: Sequence[_Line], first: _Line, start: float, direction: int
) -> tuple[float, Contender] | None:
    """Along the upper envelope to the first line of another arm, and the weight there."""
    top, x = first, start
    while True:
        steeper = [line for line in lines if direction * (line.slope - top.slope) > _ALIKE]
        meets = [(_meeting(top, line), line) for line in steeper]
        # Lines that are alike by this criterion only meet where it alone decides, and win nothing there.
        ahead = [
            (max(direction * x, direction * where), -direction * line.slope, i)
            for i, (where, line) in enumerate(meets)
            if 0 <= where <= 1 and not (direction > 0 and line.at_one - top.at_one < _ALIKE)
        ]
        if not ahead:
            return None
        where, _, i = min(ahead)
        top, x = meets[i][1], direction * where
        if top.who.arm != first.who.arm:
            return x, top.who


def _meeting(one: _Line, other: _Line) -> float:
    """The weight at which both score the same."""
    return (one.rest - other.rest) / (other.slope - one.slope)


def draw_weights(weights: Weights, rng: random.Random) -> list[float]:
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
    weights: Weights, base: Case, swings: Sequence[InputSwing], contenders_of: ContendersOf
) -> Shares:
    """How often each arm wins when weights, prices, priors and every unknown input vary.

    The first case is the base; in each other every unknown is at its low end, its middle or its high end
    with chances 1/4, 1/2 and 1/4, independently of the others but for what cannot be true together, which
    is drawn again. In every case the weights are drawn anew, and the winner is the arm with the largest
    weighted sum by any model that it may have."""
    rng = random.Random(SEED)  # noqa: S311 - no secret
    wins: Counter[Arm] = Counter()
    varied = [swing for swing in swings if swing.is_unknown]
    for number in range(NUM_CASES):
        contenders = contenders_of(draw_case(base, varied, rng) if number else base)
        rows = [(each.arm, [each.utilities[name] for name in CRITERIA]) for each in contenders]
        draws = [draw_weights(weights, rng) for _ in range(DRAWS_A_CASE)]
        if rows:
            wins.update(_best(rows, draw) for draw in draws)
    total = NUM_CASES * DRAWS_A_CASE
    return Shares({arm: wins[arm] / total for arm in ARMS}, 1 - wins.total() / total)


def draw_case(base: Case, swings: Sequence[InputSwing], rng: random.Random) -> Case:
    """A case that can be: the base can, so that a draw that does not is rare enough to be drawn again."""
    while True:
        case = join_cases(base, dict(_ends(swings, rng)))
        if goes_together(case, base):
            return case


def _ends(swings: Sequence[InputSwing], rng: random.Random) -> Iterator[tuple[str, Case]]:
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
