"""What clients call models: a name, and never a path."""

import re
from pathlib import Path

_OTHER = re.compile(r"[^\w.@/+-]+")


def model_id(base: str) -> str:
    """What clients call a base model: its name, of a folder the last part, and never a path."""
    is_path = base.startswith((".", "/", "~")) or base.endswith(".gguf") or Path(base).exists()
    return plain_id(Path(base).resolve().name.removesuffix(".gguf") if is_path else base)


def plain_id(name: str) -> str:
    """The name with a dash for whatever has no place in an id."""
    return _OTHER.sub("-", name)
