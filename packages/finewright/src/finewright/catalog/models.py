"""The packaged models: which registry packages hold them, and what they must turn out to be."""

from datetime import date
from functools import cache
from importlib.resources import files

from pydantic import Field

from finewright.catalog.packaged import packaged
from finewright.schema.common import Model


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
    rendering: str = Field(description="Text whose tokens are known.")
    rendering_ids: tuple[int, ...] = Field(description="Its tokens by llama.cpp.")


@cache
def packaged_models() -> dict[str, PackagedModel]:
    """Name -> packaged model, in the catalog's order."""
    return packaged("models.yaml", dict[str, PackagedModel])


def chat_template(name: str) -> str:
    """A chat template that ships with finewright, by file name."""
    return files("finewright.catalog").joinpath("templates", name).read_text(encoding="utf-8")
