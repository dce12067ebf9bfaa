"""A base model of the Hugging Face hub: `org/name`, or `org/name@revision` for a branch, tag or commit.

Whatever the name says, a model is loaded by its commit, which names the content of all its files: a change
upstream is another commit, so it can neither pass for the model before it nor slip into a run half-way."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from finewright.errors import ModelError
from finewright.fetch.cache import outgoing_is_forbidden, why_not_reached
from finewright.fetch.telemetry import turn_off_telemetry
from finewright.lm.runtime import require_runtime
from finewright.schema.lock import HUB_DIGEST

_NAME = re.compile(
    r"(?P<repository>[A-Za-z0-9][\w.-]*/\w[\w.-]*)(?:@(?!.*\.\.)(?P<revision>[\w][\w./-]*))?"
)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_FILES = ("*.json", "*.safetensors", "*.jinja", "*.model", "*.txt", "*.py")
_SERVER_FAULT = 500


class HubName(NamedTuple):
    """A repository of the hub, and which of its states is meant."""

    repository: str
    revision: str


def hub_name(name: str) -> HubName | None:
    """The parts of `org/name` or `org/name@revision`; None for what is no name of the hub's."""
    found = _NAME.fullmatch(name)
    return HubName(found["repository"], found["revision"] or "main") if found else None


def is_cached(name: str) -> bool:
    """Whether it is a model of the hub that was fetched before."""
    found = hub_name(name)
    if found is None or find_spec("huggingface_hub") is None:
        return False
    # A folder of files for each commit: a branch's note is missing where a commit was fetched by its name.
    return any((_cache_folder(found) / "snapshots").glob("*/config.json"))


def hub_digest(name: HubName, commit: str) -> str:
    """What identifies a model of the hub before it is fetched."""
    return f"{HUB_DIGEST}{name.repository}@{commit}"


def commit_of(name: HubName) -> str:
    """The commit that the name stands for today, or offline for what the cache last took it for.

    Costs one small request, none for a whole commit. Raises ModelError where nobody knows."""
    if _COMMIT.fullmatch(name.revision):
        return name.revision
    require_runtime()
    turn_off_telemetry()
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    if not outgoing_is_forbidden():
        try:
            found = HfApi().model_info(name.repository, revision=name.revision, timeout=10)
        except HfHubHTTPError as error:
            if error.response.status_code < _SERVER_FAULT:
                raise _refuse(name, error) from None
        except Exception:  # noqa: S110 - which client the hub's library has, and so its error, changes
            pass  # not reached: the cache may know
        else:
            return str(found.sha)
    commit = _read_cached_commit(name)
    if not commit:
        raise _absent(name)
    return commit


def hub_folder(name: HubName, commit: str) -> Path:
    """The files of a commit that decide what the model computes, fetched where they are not here."""
    require_runtime()
    turn_off_telemetry()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = snapshot_download(
            name.repository,
            revision=commit,
            allow_patterns=list(_FILES),
            local_files_only=outgoing_is_forbidden(),
        )
    except LocalEntryNotFoundError:
        raise _absent(name) from None
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise _refuse(name, error) from None
    return Path(folder)


def _read_cached_commit(name: HubName) -> str:
    """What the cache's own note says a branch or tag was when it was last fetched; else nothing."""
    note = _cache_folder(name) / "refs" / name.revision
    try:
        commit = note.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return commit if _COMMIT.fullmatch(commit) else ""


def _cache_folder(name: HubName) -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / ("models--" + name.repository.replace("/", "--"))


def _absent(name: HubName) -> ModelError:
    return ModelError(
        f"base model {_write_name(name)!r} is not on this machine and {why_not_reached()}",
        hint="copy the model's folder here and give its path",
    )


def _refuse(name: HubName, error: Exception) -> ModelError:
    lines = str(error).splitlines() or [type(error).__name__]
    return ModelError(f"base model {_write_name(name)!r}: the hub says: {lines[0]}")


def _write_name(name: HubName) -> str:
    """The name as a spec has it."""
    return name.repository if name.revision == "main" else f"{name.repository}@{name.revision}"
