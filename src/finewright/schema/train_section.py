"""The `train` section of the spec: the settings of any method there is, built in or of another package."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import BeforeValidator, Field

from finewright import plugins
from finewright.errors import UnknownPlugin
from finewright.schema.train import Takes, TrainSettings


def _methods() -> dict[str, type[TrainSettings]]:
    return {name: _settings(name) for name in plugins.listed("method")}


def _settings(name: str) -> type[TrainSettings]:
    found = plugins.resolve("method", name)
    if not (isinstance(found, type) and issubclass(found, TrainSettings)):
        what = f"the method {name!r} of another package names no TrainSettings"
    elif found.model_fields["method"].default != name:
        what = f"the settings of the method {name!r} of another package are those of another name"
    else:
        return found
    raise UnknownPlugin(what, hint="mend the entry point, or uninstall the package that brings it")


METHODS: Mapping[str, type[TrainSettings]] = _methods()
"""The settings of each method by its name."""


def settings_of(method: str) -> type[TrainSettings]:
    """The settings of a method that a run or a file names. Raises UnknownPlugin where there is none."""
    plugins.resolve("method", method)
    return METHODS[method]


def methods_that_take(*kinds: Takes) -> str:
    """Their names as a sentence has them: "dpo, kto or sft"."""
    names = [name for kind in kinds for name, spec in METHODS.items() if spec.takes == kind]
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _sft_unless_said(value: Any) -> Any:  # Any: not validated yet
    return (
        {"method": "sft", **value} if isinstance(value, dict) and "method" not in value else value
    )


if TYPE_CHECKING:
    TrainSpec = TrainSettings
else:
    TrainSpec = Annotated[
        Union[tuple(METHODS.values())],  # noqa: UP007 - made of a table
        Field(discriminator="method", description="How to train."),
        BeforeValidator(_sft_unless_said),
    ]
