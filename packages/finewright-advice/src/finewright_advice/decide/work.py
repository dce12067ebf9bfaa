"""What there is to do around the first answer: hours of people, pairs to train on, days to update."""

from collections.abc import Mapping
from dataclasses import dataclass

from finewright.schema.cost import Range
from finewright_advice.decide.arms import Arm
from finewright_advice.decide.case import Case
from finewright_advice.decide.corpus import IndexCost
from finewright_advice.decide.request import RequestShape
from finewright_advice.estimate.money import product, total

_HOURS_A_DAY = 24
_MINUTES_AN_HOUR = 60


@dataclass(frozen=True, slots=True)
class WorkToDo:
    """The work of a case, with what is taken for granted."""

    case: Case
    taken: Mapping[str, Range]
    labelling_minutes: Range
    index: IndexCost
    request: RequestShape

    def update_days(self, arm: Arm, hours: Range) -> Range:
        """Days until a changed fact is answered from: by training again only where weights hold the facts."""
        taken = self.taken
        if arm.method == "ft":
            return total(taken["retrain_days"], product(hours, 1 / _HOURS_A_DAY))
        return taken["reindex_days" if arm.has_passages else "prompt_days"]

    def effort(self, arm: Arm) -> Range:
        """Hours of people until the first answer."""
        taken = self.taken
        parts: list[Range] = [taken["prompt_hours"]]
        if arm.method == "prompt+long-context":
            parts.append(taken["long_context_hours"])
        if arm.is_searched:
            parts.append(taken["rag_hours"])
        if arm.has_passages and self.case.corpus_tokens:
            parts.append(self.index.hours)
        if arm.is_tuned:
            parts += [taken["ft_hours"], self.labelling(arm)]
        return total(*parts)

    def labelling(self, arm: Arm) -> Range:
        """Hours to label what is missing to a comfortable number of pairs."""
        wanted, have = self.taken["pairs_wanted"], self.pairs(arm) or self.case.labelled_pairs
        missing = Range(
            low=max(0.0, wanted.low - have),
            median=max(0.0, wanted.median - have),
            high=max(0.0, wanted.high - have),
        )
        minutes = self.labelling_minutes
        return product(missing, product(minutes, 1 / _MINUTES_AN_HOUR))

    def count_taught(self) -> float:
        """Inputs that a teacher answers for training (distillation): none where no API may see them, or where
        enough pairs are there."""
        case = self.case
        may = not case.on_premise_only and case.data_class != "regulated"
        wanted = self.taken["pairs_wanted"].high
        return min(case.unlabelled_inputs, max(0.0, wanted - case.labelled_pairs)) if may else 0.0

    def pairs(self, arm: Arm) -> float | None:
        """Pairs to train on; one of a teacher is worth a share of one that people checked."""
        if not arm.is_trained or not self.count_taught():
            return None
        worth = self.case.at("taught_pair_worth", self.taken["taught_pair_worth"])
        return self.case.labelled_pairs + worth * self.count_taught()

    def count_trained_tokens(self, arm: Arm) -> Range:
        """Rows times passes; a teacher's pair takes as long as any other, whatever it is worth."""
        wanted = self.taken["pairs_wanted"].median
        pairs = max(self.case.labelled_pairs + self.count_taught(), wanted)
        return product(
            self.taken["epochs"], pairs * (self.request.prompt(arm) + self.case.tokens_out)
        )
