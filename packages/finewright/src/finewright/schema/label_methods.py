"""The training methods whose answers are labels with probabilities."""

from collections.abc import Iterator
from typing import ClassVar, Literal

from finewright.schema.common import Problem, default
from finewright.schema.decisions import DecisionSpec
from finewright.schema.train import TrainSettings


class DecidingSettings(TrainSettings):
    """What methods have whose answers are labels with probabilities."""

    decides: ClassVar[bool] = True
    decisions: DecisionSpec = default(
        DecisionSpec(), "How sure answers must be, and what calibrates them", "see its keys"
    )


class LinearSpec(DecidingSettings):
    """Multinomial logistic regression on words or on vectors of texts: the base models of the spec are
    features, such as `words`, `minilm` or `words+minilm`. One convex fit, in seconds."""

    code: ClassVar[str] = "finewright.train.linear:train_linear"
    on_features: ClassVar[bool] = True
    unread: ClassVar[frozenset[str]] = frozenset(TrainSettings.model_fields) - {"method", "seed"}
    method: Literal["linear"] = "linear"
    C: float = default(
        10.0,
        "Inverse of the penalty on the weights, as scikit-learn has it",
        "of 1 to 100 about the best on BANKING77 with words and with minilm alike",
        gt=0.0,
    )

    def without_effect(self) -> Iterator[Problem]:
        """All that is of steps, of tokens and of a language model."""
        for key in sorted(self.unread):
            if getattr(self, key) != TrainSettings.model_fields[key].default:
                yield Problem(
                    level="error",
                    key=f"train.{key}",
                    message="does nothing: train.method linear is one convex fit, without steps or tokens",
                    hint="leave it out; what it has is train.C, train.seed and train.decisions",
                )
