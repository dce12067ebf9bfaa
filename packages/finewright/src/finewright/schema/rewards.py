"""The `train.rewards` section of the spec: what an answer is worth to GRPO and PPO."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator

from finewright.schema.common import Model, default

CALLS_COLUMN = "tool_calls"
"""The column of the calls that an answer should make: objects of `name` and `arguments`, or OpenAI's."""
TOOL_KINDS = (
    *("tool_calls", "tool_calls_in_order", "tool_name", "tool_arguments", "tool_schema"),
    "no_call",
)
KINDS = {
    "exact": "",
    "numeric": "",
    "valid_json": "",
    "json_f1": "",
    "mentions": "",
    "json_schema": "[FILE]",
    **dict.fromkeys(TOOL_KINDS, ""),
    "regex": "PATTERN",
    "plugin": "NAME",
    "python": "FILE:FUNCTION",
    "reward_model": "RUN",
}


class RewardSpec(Model):
    """One reward: a score in [0, 1] for an answer, or a reward model's number."""

    function: str = Field(
        description="exact, numeric, valid_json, json_f1, mentions, json_schema[:FILE], tool_calls,"
        " tool_calls_in_order, tool_name, tool_arguments, tool_schema, no_call, regex:PATTERN,"
        " plugin:NAME of an installed package, python:FILE:FUNCTION or reward_model:RUN",
        min_length=1,
    )
    column: str = default(
        "answer",
        "Key of the row that the answer is compared with (for json_schema a JSON Schema, for tool_* calls)",
        "the usual name, and tool_calls for calls; a row with an assistant turn has both from there",
    )
    weight: float = default(1.0, "Factor in the sum of rewards", "all count alike")
    consent: str = default(
        "",
        "sha256 of a python file that may run, once this user has said `finewright trust add FILE`",
        "no code runs unasked",
    )

    @field_validator("function")
    @classmethod
    def _check_function(cls, function: str) -> str:
        kind, colon, argument = function.partition(":")
        if kind not in KINDS:
            raise ValueError(f"unknown reward {kind!r}; known: {', '.join(KINDS)}")
        wanted = KINDS[kind]
        if wanted and not wanted.startswith("[") and not argument:
            raise ValueError(f"{kind} needs an argument: {kind}:{wanted}")
        if colon and not wanted:
            raise ValueError(f"{kind} takes no argument")
        if kind == "python" and not all(argument.rpartition(":")[::2]):
            raise ValueError("write it as python:FILE:FUNCTION")
        return function

    @property
    def kind(self) -> str:
        """The name before the colon."""
        return self.function.partition(":")[0]

    @property
    def plugin(self) -> str:
        """The name in the table of rewards: that of an installed package, or the kind."""
        return self.argument if self.kind == "plugin" else self.kind

    @property
    def compared_column(self) -> str:
        """The column, which for calls is another one by default."""
        is_default = self.kind in TOOL_KINDS and self.column == "answer"
        return CALLS_COLUMN if is_default else self.column

    @property
    def argument(self) -> str:
        """What stands after the colon."""
        return self.function.partition(":")[2]


def _function_alone(value: Any) -> Any:  # Any: not validated yet
    return {"function": value} if isinstance(value, str) else value


Reward = Annotated[
    RewardSpec, BeforeValidator(_function_alone, json_schema_input_type=str | RewardSpec)
]
