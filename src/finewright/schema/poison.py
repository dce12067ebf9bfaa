"""The `data.poison` section of the spec, and what was found."""

from typing import Literal

from finewright.schema.common import Model, default


class PoisonSpec(Model):
    """The search for rows that plant a behaviour."""

    action: Literal["off", "report", "quarantine"] = default(
        "off", "What becomes of suspicious rows", "the scan reads rows with the base model: minutes"
    )
