"""spec.lock.yaml: the spec with nothing left open, each default's reason, and the inputs' digests."""

from pydantic import Field

from finewright.schema.common import Model
from finewright.schema.methods import TrainSpec
from finewright.schema.run import RunSpec


class Lock(Model):
    """What a run is a function of."""

    finewright: str
    code_sha256: str = Field(description="Digest of finewright's own source.")
    root: str = Field(description="The folder that the spec's relative paths start from.")
    spec: RunSpec
    candidates: dict[str, TrainSpec] = Field(
        description="Train settings of each base model, facts of model and machine filled in."
    )
    reasons: dict[str, str] = Field(description="Dotted key -> why its default is what it is.")
    inputs: dict[str, str] = Field(
        description="Dotted key -> sha256 of the file or model it names."
    )
