"""Formulas that compile on a GPU: when they do, and that they can be. On a CPU, which stands in for one."""

import pytest
import torch
from torch import Tensor

from finewright.lm.fast import compiled, mlp, norm, rope

pytestmark = pytest.mark.torch


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tensors of the CPU count as a GPU's."""
    monkeypatch.setattr(compiled, "_is_on_gpu", lambda tensor: True)
    monkeypatch.setattr(compiled, "failures", {})


def test_a_formula_compiles_once_and_not_before_it_is_worth_it(
    gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    compilations = []

    def compile_(formula: object) -> object:
        compilations.append(formula)
        return lambda x: x + 1

    monkeypatch.setattr(compiled, "_compile", compile_)
    formula = compiled.compiled_on_gpu(lambda x: x)
    x = torch.zeros(())
    found = [float(formula(x)) for _ in range(compiled.CALLS_BEFORE + 5)]
    assert found == [0.0] * (compiled.CALLS_BEFORE - 1) + [1.0] * 6
    assert len(compilations) == 1


def test_on_a_cpu_nothing_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_compile", lambda formula: pytest.fail("compiled"))
    formula = compiled.compiled_on_gpu(torch.neg)
    for _ in range(compiled.CALLS_BEFORE + 1):
        formula(torch.zeros(1))


def test_a_formula_that_cannot_be_compiled_runs_as_it_is_and_says_so(
    gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(x: Tensor) -> Tensor:
        return x + 1 if float(x.sum()) > 0 else x - 1  # no single graph

    monkeypatch.setattr(compiled, "CALLS_BEFORE", 1)
    formula = compiled.compiled_on_gpu(breaks)
    assert float(formula(torch.ones(1))) == 2.0
    assert float(formula(-torch.ones(1))) == -2.0
    assert list(compiled.failures) == ["breaks"]


def test_an_error_of_the_formula_is_not_swallowed(
    gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    formula = compiled.compiled_on_gpu(lambda x: x @ torch.ones(7, 1))
    with pytest.raises(RuntimeError, match="shape"):
        formula(torch.ones(2, 3))
    assert not compiled.failures


@pytest.mark.parametrize(
    ("formula", "arguments"),
    [
        (norm.plain_forward, (torch.randn(5, 8), torch.randn(8), 1e-6)),
        (norm.plain_backward, (*torch.randn(2, 5, 8), torch.randn(8), torch.rand(5))),
        (mlp.plain_glu, (*torch.randn(2, 5, 8), False)),
        (mlp.plain_glu, (*torch.randn(2, 5, 8), True)),
        (mlp.plain_glu_backward, (*torch.randn(3, 5, 8), False)),
        (mlp.plain_glu_backward, (*torch.randn(3, 5, 8), True)),
        (rope.plain_rotated, (torch.randn(5, 2, 8), *torch.randn(2, 5, 8), False)),
        (rope.plain_rotated, (torch.randn(5, 2, 8), *torch.randn(2, 5, 6), True)),
    ],
)
def test_every_formula_is_one_graph_for_any_number_of_tokens(
    gpu: None, monkeypatch: pytest.MonkeyPatch, formula: object, arguments: tuple[object, ...]
) -> None:
    plain = formula.__wrapped__  # type: ignore[attr-defined]
    graph = torch.compile(plain, dynamic=True, fullgraph=True, backend="eager")
    for tokens in (5, 3, 2):
        part = [a[:tokens] if isinstance(a, Tensor) and len(a) == 5 else a for a in arguments]
        found, wanted = graph(*part), plain(*part)
        for one, other in zip(_tensors(found), _tensors(wanted), strict=True):
            assert torch.equal(one, other)


def _tensors(result: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (result,) if isinstance(result, Tensor) else result
