"""`redteam` of a run spec: what is attacked with, how long, and what fails."""

from typing import Literal, TypeAlias

from finewright.schema.common import Model, default
from finewright_trust.redteam.finding import Severity

Kind: TypeAlias = Literal["run", "address"]
"""What can be attacked."""


class RedteamSpec(Model):
    """Which attacks, on how many prompts, and from which severity on they fail."""

    attacks: tuple[str, ...] = default(
        (), "Attacks by name; none: all that apply", "each says why where it does not apply"
    )
    prompts: int = default(
        24,
        "Prompts of each finding, sampled by the seed",
        "the whole suite on a model of 135M takes minutes; a rate of 0 of 24 is below 14 %",
        ge=4,
    )
    max_prompt_tokens: int = default(
        768,
        "Longer prompts are not sampled, and counted",
        "a third of jailbreaks in the wild are longer, and reading them takes most of the time",
        ge=64,
    )
    max_new_tokens: int = default(
        48, "Longest answer in tokens", "a refusal is said in its first sentence", ge=8
    )
    seed: int = default(0, "Seed of what is sampled", "any; the same seed repeats the suite")
    confidence: float = default(0.95, "Of the intervals", "as in `evaluate`", gt=0, lt=1)
    fail_at: Severity = default(
        "high",
        "The command ends with exit code 2 from this severity on; none: never",
        "lower ones are the base model's as well, or rare",
    )
