"""The section of the spec, the options of the command, and what it does."""

from pydantic import BaseModel

from finewright.sdk import Model, Session, SpecOptions, default, option


class CountSpec(Model):
    """How far it counts."""

    to: int = default(3, "The last number", "a toy", ge=1)


class CountOptions(SpecOptions):
    """A spec with `toy`, and how it counts."""

    step: int = option(1, "By how many.", ge=1)


class CountReport(BaseModel):
    """The numbers."""

    name: str
    numbers: tuple[int, ...]
    passed: bool


def count(options: CountOptions, session: Session) -> CountReport:
    """The numbers up to the last."""
    from finewright.sdk import load_section

    loaded = load_section("toy", CountSpec, options.spec, options.overrides)
    numbers = tuple(range(1, loaded.spec.to + 1, options.step))
    return CountReport(name=loaded.name, numbers=numbers, passed=numbers[-1] == loaded.spec.to)
