"""Training rows without those that a held-out row is the same as, asks the same as, or is near."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from finewright.rows.prompts import prompt_key
from finewright.schema.rows import Row

_MUCH = 0.5


class Cleaned(NamedTuple):
    """The training rows that stay, and how many went for which reason."""

    rows: tuple[Row, ...]
    removed: dict[str, int]


def decontaminated(
    train: Sequence[Row], held_out: Sequence[Row], *, similarity: float = 0.8
) -> Cleaned:
    """Leave out every training row by the measures of `contamination`, seen from the training row.

    `same`: a held-out row itself; `prompt`: its question; `near`: words alike, the facts too; `overlap`: half
    of its words in runs of words that a held-out row has. Not covered: paraphrases, translations."""
    # numpy is loaded only when something is measured.
    import finewright.guard.duplicates.words  # noqa: F401 - says what is missing where numpy is
    from finewright.data.overlap import near_rows, overlaps

    ids = {row.id for row in held_out}
    prompts = {prompt_key(row) for row in held_out if row.prompt}
    near = near_rows(held_out, train, similarity) if held_out else {}
    shares = [run.share for run in overlaps(held_out, train).rows] if held_out else []
    kept, removed = [], Counter[str]()
    for i, row in enumerate(train):
        reasons = {
            "same": row.id in ids,
            "prompt": bool(row.prompt) and prompt_key(row) in prompts,
            "near": i in near,
            "overlap": bool(shares) and shares[i] >= _MUCH,
        }
        why = next((reason for reason, is_so in reasons.items() if is_so), "")
        if why:
            removed[why] += 1
        else:
            kept.append(row)
    return Cleaned(tuple(kept), dict(removed))
