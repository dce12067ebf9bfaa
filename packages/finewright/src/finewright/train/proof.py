"""After every training: does what was stored do what was trained, here and elsewhere?"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from finewright.errors import StageError
from finewright.lm.efficacy import NO_CHANGE, SAME_LOGITS, EfficacyFinding, efficacy
from finewright.lm.elsewhere import Elsewhere, ProofQuestion, answer_elsewhere, why_not
from finewright.lm.example import Example
from finewright.lm.generate import Sampling, generate
from finewright.lm.load import load_lm
from finewright.lm.model import LM
from finewright.schema.common import Problem
from finewright.schema.train import Proof
from finewright.train.work import Work

_PROMPTS = 3
_MOST_TOKENS = 256
_ROWS, _LONGEST_ANSWER = 64, 96
"""The shortest of so many rows is asked elsewhere, for an answer of at most so many tokens."""


class Proved(NamedTuple):
    """What was measured, and what is to be said of it."""

    proofs: tuple[Proof, ...]
    problems: tuple[Problem, ...]


def _refuse_another(folder: Path, failed: Sequence[EfficacyFinding]) -> None:
    """Only that a model answers as its base may be meant."""
    if wrong := [finding for finding in failed if finding.name != NO_CHANGE]:
        raise StageError(
            f"{folder}: not what was trained: {wrong[0].name}: {wrong[0].measured:.2g}, and"
            f" {wrong[0].bar:.2g} is the most",
            hint="this is a fault of finewright or of a library under it; `finewright doctor` names them",
        )


def prove(work: Work, stored: Mapping[str, Tensor]) -> Proved:
    """Load the result afresh and measure it against `stored`, what was in memory when it was written; then
    ask plain transformers and PEFT, in another process, for one of its answers.

    Raises StageError when it is another model than the one that was trained; a model that answers as its
    base is only warned of, as few steps or a low rate can be meant, and so is one that does otherwise
    elsewhere."""
    assert work.spec.dtype != "auto"
    consent, folder = _consent(work), work.folder / "adapter"
    lm = load_lm(work.base, folder, dtype=work.spec.dtype, consent=consent)
    found = efficacy(
        lm, work.base, stored, _prompts(work.rows), dtype=work.spec.dtype, consent=consent
    )
    failed = [finding for finding in found if not finding.passed]
    _refuse_another(folder, failed)
    question = _question(work, lm) if _runs_elsewhere(work) else None
    del lm  # the other process needs the room
    beyond = Proved((), ()) if question is None else _elsewhere(work, folder, question)
    unchanged = tuple(_warn_unchanged() for _ in failed)
    return Proved((*map(_proof, found), *beyond.proofs), (*unchanged, *beyond.problems))


def _consent(work: Work) -> str:
    return work.context.spec.remote_code.get(work.base.name, "")


def _proof(found: EfficacyFinding) -> Proof:
    return Proof(name=found.name, measured=found.measured, bar=found.bar, passed=found.passed)


def _warn_unchanged() -> Problem:
    return Problem(
        level="warning",
        message="the trained model answers exactly as its base",
        hint="raise train.learning_rate or the number of steps",
    )


def _runs_elsewhere(work: Work) -> bool:
    return work.spec.prove_elsewhere and work.spec.gives_answers and work.spec.writes_text


def _question(work: Work, lm: LM) -> ProofQuestion:
    """The whole prompt of a short row, and what the model answers to it here."""
    row = min(work.rows[:_ROWS], key=lambda one: one.sequences[0].num_tokens).sequences[0]
    start = row.trained.index(True) if any(row.trained) else row.num_tokens
    prompt = row.input_ids[: max(1, start)]
    most = min(_LONGEST_ANSWER, 2 * (row.num_tokens - start) + 16)
    sampling = Sampling(max_new_tokens=most)
    (answer,) = generate(lm, [prompt], stop_ids=work.chat.stop_ids, sampling=sampling)
    return ProofQuestion(tuple(prompt), most, answer)


def _elsewhere(work: Work, folder: Path, question: ProofQuestion) -> Proved:
    assert work.spec.dtype != "auto"
    found: Elsewhere | str = why_not(work.base, folder, _consent(work))
    if found:
        return Proved((), (_not_proved(str(found), "info"),))
    found = answer_elsewhere(work.base, folder, question, work.spec.dtype)
    if isinstance(found, str):
        return Proved((), (_not_proved(found, "warning"),))
    proofs = _compare(found, question, SAME_LOGITS[work.spec.dtype].distance)
    return Proved(proofs, tuple(_of_elsewhere(work, found, question, proofs)))


def _compare(found: Elsewhere, question: ProofQuestion, bar: float) -> tuple[Proof, ...]:
    same = found.ids == question.tokens
    detail = f"{found.versions}, another process, {len(found.ids)} tokens, {found.seconds:.1f} s"
    gap = Proof(
        name="our answer against plain transformers' choice",
        measured=0.0 if same else found.gap,
        bar=bar,
        passed=same or found.gap <= bar,
        detail=detail,
    )
    if not question.answer.stopped:
        return (gap,)
    beyond = int(len(found.ids) >= question.max_new_tokens > len(question.tokens))
    ends = Proof(
        name="answers that plain transformers does not end",
        measured=beyond,
        bar=0,
        passed=not beyond,
        detail=detail,
    )
    return gap, ends


def _of_elsewhere(
    work: Work, found: Elsewhere, question: ProofQuestion, proofs: Sequence[Proof]
) -> Iterator[Problem]:
    for proof in proofs:
        if not proof.passed:
            yield Problem(
                level="warning",
                message=f"{proof.name}: {proof.measured:.2g}, and {proof.bar:.2g} is the most"
                f" ({found.versions}): other programs may answer otherwise than finewright",
                hint="compare some answers where the model will be used",
            )
    stop = question.answer.stop_id
    if stop is not None and stop not in found.declared and work.spec.adapter.type != "none":
        token = work.chat.tokenizer.decode([stop])
        yield Problem(
            level="warning",
            message=f"the base's own files do not say that {token} ends an answer, and transformers and PEFT"
            " ask the base: answers run on to the limit unless this folder's generation config is named",
            hint="model.generation_config = GenerationConfig.from_pretrained(<adapter folder>); its README.md"
            " shows where",
        )


def _not_proved(reason: str, level: str) -> Problem:
    return Problem.model_validate(
        {
            "level": level,
            "message": f"not proved with plain transformers and PEFT in another process: {reason}",
            "hint": "train.prove_elsewhere: false leaves this proof out"
            if level == "warning"
            else "",
        }
    )


def _prompts(rows: Sequence[Example]) -> list[tuple[int, ...]]:
    """What stands before the first learned token of a few rows."""
    prompts = []
    for row in rows[:_PROMPTS]:
        first = row.sequences[0]
        end = first.trained.index(True) if any(first.trained) else first.num_tokens
        prompts.append(first.input_ids[max(0, end - _MOST_TOKENS) : max(1, end)])
    return prompts
