"""Sentence encoders for classifiers without a language model: what they compute, read and were made for."""

from datetime import date
from functools import cache

from finewright.catalog.packaged import packaged
from finewright.schema.common import Model


class SentenceEncoder(Model):
    """A transformer encoder by its config; its embedding table is looked up, so that it computes nothing."""

    layers: int
    hidden: int
    intermediate: int
    context_tokens: int
    languages: tuple[str, ...]
    source: str
    observed_at: date

    def flop(self, tokens: float) -> float:
        """To encode one text: 2 for each token and weight of a layer (4 h^2 of attention, 2 h i of the
        feed-forward), and 4 h for each pair of tokens, which scores and weighs it."""
        weights = 4 * self.hidden**2 + 2 * self.hidden * self.intermediate
        return self.layers * (2 * weights * tokens + 4 * self.hidden * tokens**2)


@cache
def sentence_encoders() -> dict[str, SentenceEncoder]:
    """Name -> encoder, the smallest first."""
    return packaged("encoders.yaml", dict[str, SentenceEncoder], "finewright_advice.catalog")
