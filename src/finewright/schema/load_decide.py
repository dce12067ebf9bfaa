"""YAML text -> the `decide` section, of a file that holds nothing else or of a whole run spec."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from finewright.schema.decide import DecideSpec
from finewright.schema.decide_file import DecideFile
from finewright.schema.load_section import LoadedSection, Section, load_section

LoadedDecision: TypeAlias = LoadedSection[DecideSpec]

_DECIDE = Section("decide", DecideSpec, DecideFile, "a decision")


def load_decision(path: Path, overrides: Sequence[str] = ()) -> LoadedDecision:
    """Read a spec of `name` and `decide`, or the `decide` section of a run spec, which must be whole.

    Takes `decide.key=value` overrides. Raises SpecError with one line for every mistake."""
    return load_section(_DECIDE, path, overrides)
