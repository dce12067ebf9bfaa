"""A spec for a decision alone: it is needed before there is a model or data."""

from typing import Annotated, Literal

from pydantic import Field

from finewright.schema.common import Model, default
from finewright.schema.decide import DecideSpec
from finewright.schema.run import RUN_NAME


class DecideFile(Model):
    """The keys of such a file; a whole run spec may have a `decide` section as well."""

    version: Literal[1] = default(1, "Version of this format", "the only one so far")
    name: Annotated[str, Field(pattern=RUN_NAME, description="Short name of the run.")]
    decide: DecideSpec
