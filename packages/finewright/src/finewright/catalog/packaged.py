"""The files of facts that come with finewright, or with a package of it."""

from importlib.resources import files
from typing import TypeVar

import yaml
from pydantic import TypeAdapter

T = TypeVar("T")


def packaged(name: str, kind: type[T], package: str = "finewright.catalog") -> T:
    """What a YAML file of a package holds, as that type."""
    text = files(package).joinpath(name).read_text(encoding="utf-8")
    data = yaml.load(text, Loader=yaml.CSafeLoader)  # noqa: TID251 - a package's own file, safe loader
    return TypeAdapter(kind).validate_python(data)
