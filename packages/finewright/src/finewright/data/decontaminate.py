"""Training rows without those that held-out rows are known from."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from finewright.data.contamination import contamination
from finewright.rows.identity import prompt_key
from finewright.schema.rows import Row

_MUCH = 0.5


class Cleaned(NamedTuple):
    """The training rows that stay, and how many went for which reason."""

    rows: tuple[Row, ...]
    removed: dict[str, int]


def remove_contaminated(
    train: Sequence[Row], held_out: Sequence[Row], *, similarity: float = 0.8
) -> Cleaned:
    """Leave out every training row by the measures of `contamination`, seen from the training row.

    `same`: a held-out row itself; `prompt`: its question; `near`: words alike, the facts too; `question`:
    nearly its question, unless the similarity is 1; `overlap`: half of its words in runs of words that a
    held-out row has. Not covered: templates filled in anew, free paraphrases, translations."""
    # numpy is loaded only when something is measured.
    import finewright.guard.duplicates.words  # noqa: F401 - says what is missing where numpy is
    from finewright.data.overlap import near_rows, overlaps
    from finewright.data.questions import near_questions_of

    if not held_out:
        return Cleaned(tuple(train), {})
    ids = {row.id for row in held_out}
    prompts = {prompt_key(row) for row in held_out if row.prompt}
    near = near_rows(held_out, train, similarity)
    questions = near_questions_of(held_out, train) if similarity < 1 else {}
    runs = overlaps(held_out, train).rows
    kept, removed = [], Counter[str]()
    for i, row in enumerate(train):
        reasons = {
            "same": row.id in ids,
            "prompt": bool(row.prompt) and prompt_key(row) in prompts,
            "near": i in near,
            "question": i in questions,
            "overlap": runs[i].share >= _MUCH,
        }
        if why := _first(reasons):
            removed[why] += 1
        else:
            kept.append(row)
    return Cleaned(tuple(kept), dict(removed))


def _first(reasons: Mapping[str, bool]) -> str:
    return next((reason for reason, is_so in reasons.items() if is_so), "")


def without_leaks(
    train: Sequence[Row], held_out: Sequence[Row], *, similarity: float = 0.8
) -> Cleaned:
    """As `remove_contaminated`, until `contamination` finds no held-out row known from a row that stays.

    Rows of one template with other values stay: without them a whole kind of row would not be trained."""
    cleaned = remove_contaminated(train, held_out, similarity=similarity)
    rows, removed = list(cleaned.rows), Counter(cleaned.removed)
    while True:
        report, _ = contamination(rows, "", held_out, similarity=similarity)
        why = {(e.of_file, e.of_row): e.kind for e in report.examples if e.kind != "template"}
        if not why:
            return Cleaned(tuple(rows), dict(removed))
        removed.update(why[row.file, row.row] for row in rows if (row.file, row.row) in why)
        rows = [row for row in rows if (row.file, row.row) not in why]
