"""Element-wise formulas compiled to one kernel each on a GPU; on a CPU the kernels of kernels/ do that.

A formula is written once as plain torch. Run eagerly, each of its operations reads and writes its whole
input; compiled (torch.compile: Triton on CUDA) it reads and writes once. Compiling takes seconds, and the
result is cached between runs; a run too short to win them back does not compile. Where compiling fails the
formula runs eagerly, and `failures` says why."""

import os
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

from finewright.fetch.cache import cache_dir

# Formula -> why it could not be compiled.
failures: dict[str, str] = {}

P = ParamSpec("P")
R = TypeVar("R")
# Calls of one formula before it is compiled: about two steps of a model of 32 layers.
CALLS_BEFORE = 128


def compiled_on_gpu(formula: Callable[P, R]) -> Callable[P, R]:
    """The formula, compiled after a number of calls with CUDA tensors; its first argument tells."""
    calls = 0
    best: Callable[P, R] = formula

    @wraps(formula)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        nonlocal calls, best
        first = args[0]
        if not isinstance(first, Tensor) or not _is_on_gpu(first):
            return formula(*args, **kwargs)
        calls += 1
        if calls == CALLS_BEFORE:
            best = _compile(formula)
        try:
            return best(*args, **kwargs)
        except RuntimeError as error:
            if not _is_of_compiler(error):
                raise
            best = formula
            failures[formula.__name__] = str(error).strip().splitlines()[0]
            return formula(*args, **kwargs)

    return run


def _is_on_gpu(tensor: Tensor) -> bool:
    return tensor.is_cuda


def _is_of_compiler(error: RuntimeError) -> bool:
    # by name: importing the compiler takes a second that a CPU never needs
    return type(error).__module__.startswith("torch._dynamo")


def _compile(formula: Callable[P, R]) -> Callable[P, R]:
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_dir() / "inductor"))
    # one kernel for every number of tokens
    return torch.compile(formula, dynamic=True, fullgraph=True)
