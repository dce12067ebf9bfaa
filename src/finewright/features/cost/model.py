"""A base model as estimates want it: its config.json and, where it is here, its folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from finewright.errors import ModelError
from finewright.lm.sources import LocalBase, locate, read_config


class Described(NamedTuple):
    """What config.json says, where it lies, and the model when its weights are here too."""

    config: Mapping[str, Any]  # Any: a config.json as it was read
    folder: Path
    base: LocalBase


def describe_model(name: str, root: Path) -> Described:
    """The model of that name, as `train` would find it; of a folder config.json is enough.

    Nothing is fetched where the config is here. Raises ModelError, in one line, for what is no model."""
    folder = _folder(name, root)
    if folder is None:
        base = locate(name, root)
        return Described(read_config(base.folder / "config.json"), base.folder, base)
    config = read_config(folder / "config.json")
    return Described(config, folder, LocalBase(name, folder, "", "unknown"))


def _folder(name: str, root: Path) -> Path | None:
    path = Path(name).expanduser()
    path = path if path.is_absolute() else root / path
    if not path.is_dir():
        return None
    if not (path / "config.json").is_file():
        raise ModelError(
            f"{path}: no config.json here, so nothing says what the model is made of",
            hint="put the model's config.json there; its weights are not needed for an estimate",
        )
    return path
