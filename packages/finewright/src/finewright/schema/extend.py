"""Models of the core to which features add keys."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, create_model
from pydantic.fields import FieldInfo

from finewright.errors import FinewrightError
from finewright.plugins import load

Extended = TypeVar("Extended", bound=BaseModel)


def extend_model(core: type[Extended], keys: Mapping[str, tuple[str, FieldInfo]]) -> type[Extended]:
    """The model with the key of each feature, open where it is not given: its "module:Class" and its field.

    Raises FinewrightError where a feature has the name of a key of the core."""
    fields: dict[str, Any] = {}  # Any: as create_model takes them
    for key, (target, field) in keys.items():
        if key in core.model_fields:
            what = f"the feature {key!r} has the name of a key of finewright's own"
            raise FinewrightError(what, hint="uninstall the package that brings it")
        fields[key] = (load(target) | None, field)
    return create_model(
        core.__name__, __base__=core, __module__=core.__module__, __doc__=core.__doc__, **fields
    )
