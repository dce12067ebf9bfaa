"""A command with the feature that it is of."""

from dataclasses import dataclass, field

from finewright.feature import Command, Feature


@dataclass(slots=True)
class Action:
    """A command, the feature that brings it, and what it does instead by the switches of other features."""

    command: Command
    feature: Feature
    modes: dict[str, "Action"] = field(default_factory=dict)
