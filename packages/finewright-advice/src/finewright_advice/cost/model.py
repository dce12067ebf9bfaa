"""A base model as estimates want it: its config.json and, where it is here, its folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from finewright.catalog.models import (
    CONFIG_IS_ENOUGH,
    OpenModel,
    open_model_named,
    open_models,
    read_packaged_models,
)
from finewright.errors import ModelError
from finewright.lm.hub import is_cached
from finewright.lm.parents import find_named_run
from finewright.lm.sources import LocalBase, config_here, locate, read_config
from finewright.schema.aliases import close_choice
from finewright.schema.common import Problem


class Described(NamedTuple):
    """What a model's config says, where that was read, the model where it is here, and what must be said."""

    config: Mapping[str, Any]  # Any: a config.json as it was read
    origin: str
    base: LocalBase | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def folder(self) -> Path:
        """The model's own. Raises ModelError for one that the catalog alone knows."""
        if self.base is None:
            raise ModelError(
                f"{self.origin} is not on this machine, and --trace and --calibrate read its files",
                hint="leave them out, or copy the model's folder here and give its path",
            )
        return self.base.folder


def describe_model(name: str, root: Path) -> Described:
    """The model of that name, as `train` would find it; of a folder config.json is enough, and an open model
    of the catalog is planned with before it is here.

    Nothing is fetched where the config is here. Raises ModelError, in one line, for what is no model."""
    folder = _folder(name, root)
    if folder is not None:
        config = folder / "config.json"
        return Described(read_config(config), str(config), LocalBase(name, folder, "", "unknown"))
    if row := _find_planned(name, root):
        what = f"{name} is not on this machine: its shape is the catalog's, seen {row.observed_at}"
        said = Problem(level="warning", message=f"{what}, and tokens are reckoned from characters")
        return Described(row.config, name, problems=(said,))
    base = _locate(name, root)
    config = base.folder / "config.json"
    return Described(read_config(config), str(config), base)


def _locate(name: str, root: Path) -> LocalBase:
    """The model's folder. Of a name that is nobody's the error says which open models are planned with."""
    try:
        return locate(name, root)
    except ModelError as error:
        near = "" if "/" in name else close_choice(name, tuple(open_models()))
        hint = "; ".join(filter(None, (error.hint, f"for an estimate {CONFIG_IS_ENOUGH}")))
        raise ModelError(f"{error}{near}", hint=hint) from None


def _find_planned(name: str, root: Path) -> OpenModel | None:
    """The open model of that name, in any case, unless it is here."""
    if name in read_packaged_models() or config_here(name, root) is not None or is_cached(name):
        return None
    return found[1] if (found := open_model_named(name)) else None


def _folder(name: str, root: Path) -> Path | None:
    path = Path(name).expanduser()
    path = path if path.is_absolute() else root / path
    if not path.is_dir() or find_named_run(name, root):
        return None
    if not (path / "config.json").is_file():
        raise ModelError(
            f"{path}: no config.json here, so nothing says what the model is made of",
            hint="put the model's config.json there; its weights are not needed for an estimate",
        )
    return path
