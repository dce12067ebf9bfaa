"""YAML text -> the `rag` section, of a file that holds nothing else or of a whole run spec."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from finewright.schema.load_section import LoadedSection, Section, load_section
from finewright.schema.rag import RagFile, RagSpec

LoadedRag: TypeAlias = LoadedSection[RagSpec]

_RAG = Section("rag", RagSpec, RagFile, "an index")


def load_rag(path: Path, overrides: Sequence[str] = ()) -> LoadedRag:
    """Read a spec of `name` and `rag`, or the `rag` section of a run spec, which must be whole.

    Takes `rag.key=value` overrides. Raises SpecError with one line for every mistake."""
    return load_section(_RAG, path, overrides)
