"""spec.lock.yaml: the spec with nothing left open, each default's reason, and the inputs' digests."""

from typing import Any

from pydantic import Field, field_validator

from finewright.plugins import not_installed
from finewright.schema.common import Model
from finewright.schema.run import RunSpec
from finewright.schema.train_section import TrainSpec

HUB_DIGEST = "hub:"
"""How the digest of a hub's model begins: `hub:org/name@commit`."""


def commit_in(digest: str) -> str:
    """The commit that a digest names where it is one of a hub's model, else nothing."""
    return digest.partition("@")[2] if digest.startswith(HUB_DIGEST) else ""


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
        description="Dotted key -> sha256 of the file or model it names; of a model of the hub, its commit."
    )

    @field_validator("spec", mode="before")
    @classmethod
    def _without_absent_packages(cls, spec: Any) -> Any:  # Any: not yet checked
        """Whoever has not the package of a section reads the run all the same, without that section."""
        if not isinstance(spec, dict):
            return spec
        absent = not_installed("feature")
        return {key: section for key, section in spec.items() if key not in absent}

    def commit_of(self, base_model: str) -> str:
        """The commit of the hub that the run was begun with; empty for a model from elsewhere.

        Runs from before commits were kept have none, and take the newest."""
        if base_model not in self.spec.base_models:
            return ""
        number = self.spec.base_models.index(base_model)
        return commit_in(self.inputs.get(f"base_models.{number}", ""))
