"""What a launcher is: a function from a plan to the texts of files, and the commands that submit them.

Nothing here needs the client of the place: the files are plain text, and the tests have each read by its
tool's own parser."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from finewright.errors import SpecError, suggest
from finewright.schema.load import LoadedSpec
from finewright_bridge.launch.machine import ChosenMachine

START = "run.sh"
ARCHIVE = "upload.tar.gz"


class TargetValue(NamedTuple):
    """What `--with KEY=VALUE` may say: what it is, and its default; without one it must be given."""

    what: str
    default: str | None = None


class PlaceRule(NamedTuple):
    """What `--place` is at a target: a pattern of it, and whether it must be given."""

    pattern: str
    what: str
    needed: Literal["always", "spot", "never"] = "spot"


class Written(NamedTuple):
    """Name -> text of a file; the commands that submit them, of the place's client and given in the folder of
    the files; and what one must know."""

    files: Mapping[str, str]
    steps: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LaunchPlan:
    """One run at one place. `job` is a name that the same spec, data and code always give: a job that is
    started again finds the run that it began. `limit_s` is how long the machine may be had, in seconds."""

    loaded: LoadedSpec
    job: str
    num_bytes: int
    machine: ChosenMachine
    place: str = ""
    is_spot: bool = False
    limit_s: int | None = None
    env: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def about(self) -> str:
        """What the run is and costs, for the head of a file."""
        limit = f"; stopped after {self.limit_s / 3600:.4g} h" if self.limit_s else ""
        return f"{self.loaded.spec.name}: {self.machine.describe()}{limit}"


class LauncherPlugin(NamedTuple):
    """A place by its name. `providers`: provider of the price catalog -> its name at the place; empty where
    the machines are one's own, and `gpus` the column of `machines.yaml` with its names of GPUs. `place`: what
    `--place` is, None where the place keeps runs by itself. `refuses_env` and `refuses_limit` are why no
    variable can be passed and no time be set there, and empty where they can. `archive`: the upload goes
    as one archive of this path. `contents`: a service that trains by itself is sent these texts alone."""

    sentence: str
    write: Callable[[LaunchPlan], Written]
    providers: Mapping[str, str] = {}
    values: Mapping[str, TargetValue] = {}
    place: PlaceRule | None = None
    has_spot: bool = False
    refuses_env: str = ""
    refuses_limit: str = ""
    archive: str = ""
    gpus: str = ""
    contents: Callable[[LoadedSpec], Mapping[str, str]] | None = None


def values_of(plugin: LauncherPlugin, name: str, given: Mapping[str, str]) -> dict[str, str]:
    """The values of a target, defaults filled in. Raises SpecError for an unknown or a missing one."""
    for key in given:
        if key not in plugin.values:
            hint = suggest(key, plugin.values, f"{name} takes {', '.join(plugin.values) or 'none'}")
            raise SpecError(f"--with {key}: {name} knows no such value", hint=hint)
    missing = [
        f"--with {key}=... ({value.what})"
        for key, value in plugin.values.items()
        if value.default is None and not given.get(key)
    ]
    if missing:
        raise SpecError(
            f"{name} needs {'; '.join(missing)}", hint="give it, and repeat the command"
        )
    return {key: given.get(key, value.default or "") for key, value in plugin.values.items()}
