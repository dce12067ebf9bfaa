"""After every training: does what was stored do what was trained?"""

from collections.abc import Mapping, Sequence

from torch import Tensor

from finewright.errors import StageError
from finewright.lm.batch import Example
from finewright.lm.efficacy import NO_CHANGE, efficacy
from finewright.schema.common import Problem
from finewright.schema.train import Proof
from finewright.train.work import Work

_PROMPTS = 3
_MOST_TOKENS = 256


def prove(
    work: Work, stored: Mapping[str, Tensor]
) -> tuple[tuple[Proof, ...], tuple[Problem, ...]]:
    """Load the result afresh and measure it against `stored`, what was in memory when it was written.

    Raises StageError when it is another model than the one that was trained; a model that answers as its
    base is only warned of, as few steps or a low rate can be meant."""
    assert work.spec.dtype != "auto"
    consent = work.context.spec.remote_code.get(work.base.name, "")
    folder = work.folder / "adapter"
    found = efficacy(
        work.base,
        folder,
        stored,
        _prompts(work.rows),
        dtype=work.spec.dtype,
        consent=consent,
    )
    proofs = tuple(
        Proof(name=f.name, measured=f.measured, bar=f.bar, passed=f.passed) for f in found
    )
    failed = [proof for proof in proofs if not proof.passed]
    if wrong := [proof for proof in failed if proof.name != NO_CHANGE]:
        raise StageError(
            f"{folder}: not what was trained: {wrong[0].name}: {wrong[0].measured:.2g}, and"
            f" {wrong[0].bar:.2g} is the most",
            hint="this is a fault of finewright or of a library under it; `finewright doctor` names them",
        )
    return proofs, tuple(_unchanged() for _ in failed)


def _unchanged() -> Problem:
    return Problem(
        level="warning",
        message="the trained model answers exactly as its base",
        hint="raise train.learning_rate or the number of steps",
    )


def _prompts(rows: Sequence[Example]) -> list[tuple[int, ...]]:
    """What stands before the first learned token of a few rows."""
    prompts = []
    for row in rows[:_PROMPTS]:
        first = row.sequences[0]
        end = first.trained.index(True) if any(first.trained) else first.num_tokens
        prompts.append(first.input_ids[max(0, end - _MOST_TOKENS) : max(1, end)])
    return prompts
