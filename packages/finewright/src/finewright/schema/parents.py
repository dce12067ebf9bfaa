"""What a run says of the run that it builds on."""

from typing import Literal

from finewright.schema.common import Model


class ParentRun(Model):
    """A run that another one started from, as it was then."""

    name: str
    """As the spec names it, under `base_models` or beside a merge."""
    run: str
    """Its folder's own name."""
    path: str
    """Where it lay."""
    key: str
    """The key of its manifest, which it keeps wherever it is moved."""
    candidate: str
    """The base model of the candidate whose result was taken."""
    adapter: Literal["lora", "dora", "ia3", "prefix", "prompt", "none"]
    """What it trained; `none`: the whole model."""
    adapter_sha256: str
    """Over names and digests of the result's weights and config: lines of `name NUL sha256`, by name."""
    manifest_sha256: str
    """Of its manifest.json at that moment; the manifest grows when the run is measured again."""
    base_model: str
    """The model below the adapter, by a name that means the same from any folder."""
    base_sha256: str
    base_revision: str = ""
