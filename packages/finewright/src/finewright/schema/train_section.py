"""The `train` section of the spec: the settings of any method there is, built in or of another package."""

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BeforeValidator, Field

from finewright import plugins
from finewright.errors import FinewrightError, UnknownPlugin
from finewright.schema.train import Takes, TrainSettings


def _methods() -> dict[str, type[TrainSettings]]:
    found = {}
    for name in plugins.list_names("method"):
        with suppress(FinewrightError):  # it is said to whoever names the method
            found[name] = _settings(name)
    return found


def _settings(name: str) -> type[TrainSettings]:
    found = plugins.resolve("method", name)
    if not (isinstance(found, type) and issubclass(found, TrainSettings)):
        what = f"the method {name!r} of another package names no TrainSettings"
    elif found.model_fields["method"].default != name:
        what = f"the settings of the method {name!r} of another package are those of another name"
    elif not _is_literal(found.model_fields["method"].annotation, name):
        what = f'the method {name!r} of another package must have `method: Literal["{name}"] = "{name}"`'
    else:
        return found
    raise UnknownPlugin(what, hint="fix the entry point, or uninstall the package that brings it")


def _is_literal(annotation: object, name: str) -> bool:
    return get_origin(annotation) is Literal and get_args(annotation) == (name,)


METHODS: Mapping[str, type[TrainSettings]] = _methods()
"""The settings of each method by its name, but for those of packages that are broken."""


def settings_of(method: str) -> type[TrainSettings]:
    """The settings of a method that a run or a file names. Raises UnknownPlugin where there is none, or where
    its package is broken."""
    return METHODS.get(method) or _settings(method)


def methods_that_take(*kinds: Takes) -> str:
    """Their names as a sentence has them: "dpo, kto or sft"; but for those that take only labels."""
    known = [(name, spec.takes) for name, spec in METHODS.items() if not spec.decides]
    names = [name for kind in kinds for name, takes in known if takes == kind]
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _method_of_head(head: Any) -> str:  # Any: not validated yet
    """The method that trains it. Raises ValueError where there is none."""
    heads = {
        spec.model_fields["head"].default: name
        for name, spec in METHODS.items()
        if spec.decides and "head" in spec.model_fields
    }
    if not isinstance(head, str) or head not in heads:
        raise ValueError(f"there is no head {head!r}: choose {' or '.join(heads)}")
    return heads[head]


def _sft_unless_said(value: Any) -> Any:  # Any: not validated yet
    if not isinstance(value, dict):
        return value
    method = value.get("method")
    if "head" in value and method in (None, "sft"):
        return {**value, "method": _method_of_head(value["head"])}
    if isinstance(method, str) and method not in METHODS and method in plugins.list_names("method"):
        try:
            settings_of(method)
        except FinewrightError as error:
            raise ValueError("; ".join(filter(None, (str(error), error.hint)))) from None
    return {"method": "sft", **value}


if TYPE_CHECKING:
    TrainSpec = TrainSettings
else:
    TrainSpec = Annotated[
        Union[tuple(METHODS.values())],  # noqa: UP007 - made of a table
        Field(discriminator="method", description="How to train."),
        BeforeValidator(_sft_unless_said),
    ]
