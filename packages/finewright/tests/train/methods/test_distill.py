"""Distillation's loss and gradient are those of the formula in float64, and of TRL's GKD."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from definition import Definition
from torch import Tensor
from trl.experimental.gkd import GKDTrainer
from updates import (
    LAYOUTS,
    WAYS,
    adapted,
    assert_same,
    method_of,
    pairs,
    prompts,
    teacher,
    update_of,
)
from updates import updates_of as batches_of

import tiny
from finewright.lm.example import EncodedRow, Example
from finewright.lm.model import LM
from finewright.schema.methods import DistillSpec, GKDSpec
from finewright.train.methods.distill import Distill, divergence, with_rest
from finewright.train.methods.setup import Setup
from finewright.train.teacher import TaughtRows

pytestmark = pytest.mark.torch
CASES = [*((*layout, 0.3) for layout in LAYOUTS), ("packed", "even", 0.0), ("packed", "even", 1.0)]


class Logits(NamedTuple):
    """Of the learned tokens of a row, of teacher and student, float64."""

    teacher: Tensor
    student: Tensor


def answers(shape: str) -> list[Example]:
    return [Example(row.sequences[:1]) for row in pairs(shape)]


def of_row(twin: Definition, taught: LM, row: EncodedRow) -> Logits:
    ids = torch.tensor([row.input_ids])
    places = [t - 1 for t in range(1, len(row.input_ids)) if row.trained[t]]
    with torch.no_grad():
        theirs = taught.model(input_ids=ids, use_cache=False).logits[0, places]
    return Logits(theirs.double(), twin.model(input_ids=ids, use_cache=False).logits[0, places])


def outcomes(p: Tensor, q: Tensor, k: int | None) -> tuple[Tensor, Tensor]:
    """Both distributions over p's k likeliest tokens and all others, or over every token."""
    if k is None:
        return p, q
    chosen = p.topk(k).indices
    one, other = (torch.cat((each[chosen], 1 - each[chosen].sum()[None])) for each in (p, q))
    return one, other


def true_loss(twin: Definition, rows: Sequence[Example], beta: float, k: int | None) -> Tensor:
    """By the definition: token by token, over the whole vocabulary or the teacher's k and the rest."""
    taught, losses = teacher(), []
    for row in rows:
        found = of_row(twin, taught, row.sequences[0])
        both = zip(found.teacher.softmax(-1), found.student.softmax(-1), strict=True)
        for p, q in (outcomes(*each, k) for each in both):
            m = beta * p + (1 - beta) * q
            kl = {0.0: (p, q), 1.0: (q, p)}
            if beta in kl:
                one, other = kl[beta]
                losses.append((one * (one / other).log()).sum())
            else:
                to_teacher, to_student = ((x * (x / m).log()).sum() for x in (p, q))
                losses.append(beta * to_teacher + (1 - beta) * to_student)
    return torch.stack(losses).mean()


@pytest.mark.parametrize(("way", "shape", "beta"), CASES)
def test_of_top_k_it_is_the_formula(way: str, shape: str, beta: float) -> None:
    lm, rows = adapted(way), answers(shape)
    spec = DistillSpec(teacher="t", top_k=7, beta=beta)
    twin = Definition(lm)
    true = twin.update(true_loss(twin, rows, beta, 7))
    assert_same(update_of(method_of(spec, lm), lm, rows, WAYS[way]), true)


@pytest.mark.parametrize(("way", "shape", "beta"), CASES)
def test_gkd_of_given_answers_is_the_formula_of_all_tokens(
    way: str, shape: str, beta: float
) -> None:
    lm, rows = adapted(way), answers(shape)
    spec = GKDSpec(teacher="t", lmbda=0.0, beta=beta)
    twin = Definition(lm)
    true = twin.update(true_loss(twin, rows, beta, None))
    assert_same(update_of(method_of(spec, lm), lm, rows, WAYS[way]), true)


@pytest.mark.parametrize("beta", [0.0, 0.1, 0.5, 1.0])
def test_the_divergence_is_that_of_trl(beta: float) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 9, 33, generator=generator, dtype=torch.float64)
    student, taught = logits
    true = GKDTrainer.generalized_jsd_loss(student[None], taught[None], beta=beta)
    found = divergence(taught.log_softmax(-1), student.log_softmax(-1), beta)
    # TRL divides by the sequences, or by the learned tokens where labels are given
    labels = torch.ones(1, 9, dtype=torch.long)
    by_token = GKDTrainer.generalized_jsd_loss(student[None], taught[None], labels, beta=beta)
    torch.testing.assert_close(found.mean(), by_token)
    assert float(true) > 0


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("top_k", [1, 8, tiny.VOCAB])
def test_a_model_that_teaches_itself_teaches_nothing(beta: float, top_k: int) -> None:
    lm = LM(tiny.tiny_model("llama", seed=5), {})
    setup = Setup(lm, teacher=teacher)
    method = Distill(DistillSpec(teacher="t", top_k=top_k, beta=beta), setup)
    rows = answers("uneven")
    method.prepare(lm, iter([rows]), None)
    with torch.no_grad():
        loss, _ = method.loss(lm, method.batch(lm, rows))
    assert float(loss) == pytest.approx(0.0, abs=2e-6)


def test_fewer_tokens_say_less_and_all_say_all() -> None:
    generator = torch.Generator().manual_seed(1)
    taught, student = torch.randn(2, 50, 40, generator=generator).log_softmax(-1)
    whole = divergence(taught, student, 0.0)
    last = torch.zeros(50)
    for k in (1, 4, 16, 39):
        found = taught.topk(k)
        part = divergence(
            with_rest(found.values), with_rest(student.gather(-1, found.indices)), 0.0
        )
        assert bool((part >= last - 1e-5).all())
        assert bool((part <= whole + 1e-5).all())
        last = part
    torch.testing.assert_close(last, whole, atol=1e-4, rtol=1e-3)


def test_on_policy_answers_follow_their_prompts_and_no_gradient_goes_through_them() -> None:
    lm, rows = adapted(), [*prompts(5, 3), *answers("even")]
    method = method_of(GKDSpec(teacher="t", lmbda=1.0, max_new_tokens=4), lm)
    (batches,) = batches_of(method, lm, rows, None)
    (batch,) = batches
    sequences = batch.packed.num_sequences
    assert sequences == len(rows)
    assert batch.packed.num_trained <= 4 * len(rows) + len(rows)  # and a stop token each
    assert batch.metrics["on_policy"] == 1.0
    ids = batch.packed.input_ids[0].tolist()
    for row in rows:
        given = row.sequences[0]
        asked = [t for t, is_l in zip(given.input_ids, given.trained, strict=True) if not is_l]
        assert any(ids[i : i + len(asked)] == asked for i in range(len(ids)))


def test_what_the_teacher_said_is_found_again_and_only_under_its_key(tmp_path: Path) -> None:
    rows, asked = [row.sequences[0] for row in answers("uneven")], []

    def load() -> LM:
        asked.append(1)
        return teacher()

    file = tmp_path / "teacher.safetensors"
    for key, times in (("a", 1), ("a", 1), ("b", 2)):
        taught = TaughtRows(file, key)
        taught.compute(load, [rows], k=3, size=tiny.VOCAB, max_tokens=30)
        assert len(asked) == times
    found = taught.of(rows, torch.device("cpu"))
    assert found.tokens.shape == (sum(row.num_trained for row in rows), 3)
    file.write_bytes(file.read_bytes()[:-40])
    TaughtRows(file, "b").compute(load, [rows], k=3, size=tiny.VOCAB, max_tokens=None)
    assert len(asked) == 3
