"""`serve.guards` of the spec: which guards stand where, for whom, and what they do."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from finewright import plugins
from finewright.schema.common import Model, default
from finewright_serve.guards.guard import Side

if TYPE_CHECKING:
    GuardName = str
else:
    GuardName = Literal[tuple(plugins.list_names("guard"))]

ActionOrOff = Literal["off", "block", "redact", "mark", "log"]
Names = tuple[Annotated[str, Field(min_length=1, max_length=64)], ...]


class GuardSpec(Model):
    """One guard. `off` on all three sides is refused: it would look like protection."""

    guard: GuardName = Field(description="Which guard, by its name")
    input: ActionOrOff = default("off", "What clients say", "what a guard does is yours to say")
    untrusted: ActionOrOff = default(
        "off", "What others wrote: results of tools, passages", "what a guard does is yours to say"
    )
    output: ActionOrOff = default(
        "off", "What the model answers", "what a guard does is yours to say"
    )
    fail: Literal["open", "closed"] = default(
        "closed",
        "Does a text pass whose check failed?",
        "a check that did not happen protects nobody",
    )
    keys: Names = default((), "Ids of keys, or projects, that it is for", "all of them")
    except_keys: Names = default((), "Ids of keys, or projects, that it is not for", "none")
    settings: dict[str, Any] = default(  # Any: free JSON, which the guard's own model checks
        {}, "What the guard itself wants to know", "its own defaults"
    )

    @model_validator(mode="after")
    def _stands_somewhere(self) -> Self:
        if not any(self.action(side) for side in ("input", "untrusted", "output")):
            raise ValueError(
                f"the guard {self.guard} stands nowhere: set input, untrusted or output"
            )
        return self

    def action(self, side: Side) -> str:
        """What it does on a side; "" where it is off."""
        found: str = getattr(self, side)
        return "" if found == "off" else found

    def is_for(self, key: str, project: str) -> bool:
        """Is it on for the key?"""
        own = {key, project}
        return (not self.keys or bool(own & {*self.keys})) and not own & {*self.except_keys}
