"""The workbench with which a company adapts a language model and can prove what it did."""

from importlib import import_module

TYPE_CHECKING = (
    False  # as type checkers read it; `typing` alone would triple the time of this import
)
if TYPE_CHECKING:
    from finewright.commands import (
        LoadedSpec,
        chat,
        check,
        command,
        cost,
        decide,
        evaluate,
        export,
        load_run,
        load_spec,
        plan,
        train,
        up,
    )

__version__ = "0.1.0"
__all__ = [
    "LoadedSpec",
    "__version__",
    "chat",
    "check",
    "command",
    "cost",
    "decide",
    "evaluate",
    "export",
    "load_run",
    "load_spec",
    "plan",
    "train",
    "up",
]

# `train` and `evaluate` are stages, and so packages, and commands. Python binds a package to its parent only
# when it loads it: loaded here and unbound, they never take the commands' names.
for _stage in ("evaluate", "train"):
    import_module(f"finewright.{_stage}")
    del globals()[_stage]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("finewright.commands"), name)


def __dir__() -> list[str]:
    return __all__
