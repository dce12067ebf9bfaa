"""The `data.duplicates` section of the spec, and what was found."""

from typing import Literal

from finewright.schema.common import Model, default


class DuplicatesSpec(Model):
    """Which repeats are looked for among the training rows, and what becomes of them."""

    exact: Literal["report", "drop"] = default(
        "report", "Rows that say the same", "a repeat may be meant: it weighs more"
    )
    near: Literal["off", "report", "drop"] = default(
        "report", "Rows whose words are nearly the same", "they cost training time and leak"
    )
    similarity: float = default(
        0.8, "Jaccard similarity from which rows are near", "the field's usual bar", gt=0, le=1
    )
    semantic: Literal["off", "report", "drop"] = default(
        "off", "Rows that mean the same, by static embeddings", "they are often meant: paraphrases"
    )
    semantic_similarity: float = default(
        0.95,
        "Cosine similarity from which rows mean the same",
        "paraphrases, not topics",
        gt=0,
        le=1,
    )
