"""Read a run folder of the format run-1 with Python's standard library alone.

    from finewright.run_reader import read_run

    run = read_run("runs/2026-11-25-support-bot-7f3a")
    print(run.state(), [score for score in run.scores() if score.system == "tuned"])

The file stands by itself: copy it to where runs are read and finewright is not installed.
docs/run-1.schema.json describes every file. Keys may be added within run-1, so a reader passes over those
that it does not know.

Digests are compared (`RunFolder.damage`); signatures are not, which `finewright verify` does."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

FORMAT = "run-1"
_STATE_AFTER = {
    "stage_started": "interrupted",
    "stage_ended": "interrupted",
    "stage_failed": "failed",
    "run_interrupted": "interrupted",
    "run_ended": "finished",
}


class RunFormatError(ValueError):
    """A folder is no run, is damaged, or is of another format; one line says what, with the file."""


@dataclass(frozen=True, slots=True)
class RunFile:
    """A file of the run: its path below the folder, its kind, SHA-256 in hex and bytes, the stage that made
    it, and the digests of what it was made from."""

    path: str
    kind: str
    sha256: str
    bytes: int
    stage: str
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunScore:
    """A metric of a system on a set of rows, with its interval; a share of 1, except `perplexity`."""

    system: str
    data: str
    metric: str
    value: float
    low: float
    high: float
    rows: int


@dataclass(frozen=True, slots=True)
class RunParent:
    """A run that this one builds on: its name in the spec, its folder's name and where it lay, its key, the
    base model of the candidate, the digests of its result and of its manifest, and the model below."""

    name: str
    run: str
    path: str
    key: str
    candidate: str
    adapter: str
    adapter_sha256: str
    manifest_sha256: str
    base_model: str
    base_sha256: str


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run folder, read. `stages` maps each finished stage to when it ended, and "run" to the beginning;
    `files` are those that the manifest covers; `actors` maps stages to who ran them (user, host, and ci where
    it was a CI job), and is empty in runs that were made before that was kept. `parents` are
    the runs that this one builds on."""

    folder: Path
    key: str
    finewright: str
    stages: Mapping[str, datetime]
    files: tuple[RunFile, ...]
    actors: Mapping[str, Mapping[str, Any]]  # Any: JSON
    parents: tuple[RunParent, ...] = ()

    def damage(self) -> list[str]:
        """A line for each file that is missing or has changed since its stage ended."""
        return [line for file in self.files if (line := _damage_of(self.folder, file))]

    def spec(self) -> str:
        """The spec as its user wrote it, in YAML."""
        return _read_text(self.folder / "spec.yaml")

    def lock(self) -> str:
        """The spec with every default resolved, and the digests of all inputs, in YAML."""
        return _read_text(self.folder / "spec.lock.yaml")

    def environment(self) -> dict[str, Any]:  # Any: JSON
        """Python, packages and the machine."""
        return _read_object(self.folder / "env.json")

    def report(self, stage: str) -> dict[str, Any]:  # Any: JSON
        """The report of a finished stage. Raises RunFormatError where it has not finished."""
        if stage not in self.stages:
            raise RunFormatError(f"{self.folder}: the stage {stage!r} has not finished in this run")
        return _read_object(self.folder / stage / "report.json")

    def events(self) -> list[dict[str, Any]]:  # Any: JSON
        """What happened in order, with `time`, `type`, `actor`; a line that a kill tore is left out."""
        path = self.folder / "events.jsonl"
        found = (_whole_event(line) for line in _lines(path)) if path.is_file() else ()
        return [event for event in found if event]

    def state(self) -> str:
        """`new`, `failed`, `finished`, or `interrupted`, which a run that goes on right now is too."""
        types = (event["type"] for event in reversed(self.events()))
        return next((_STATE_AFTER[each] for each in types if each in _STATE_AFTER), "new")

    def scores(self) -> list[RunScore]:
        """The score card; empty where nothing was measured."""
        if "evaluate" not in self.stages:
            return []
        path = self.folder / "evaluate" / "report.json"
        return [_score(row, path) for row in _list(self.report("evaluate"), "scores", path)]

    def answers(self) -> Iterator[dict[str, Any]]:  # Any: JSON
        """Every answer that was scored: system, data, row, prompt, expected, answer, scores and more."""
        if "evaluate" in self.stages:
            path = self.folder / "evaluate" / "samples.jsonl"
            yield from _records(path) if path.is_file() else ()

    def rows(self, part: str = "train") -> Iterator[dict[str, Any]]:  # Any: JSON
        """The rows of a part: `train`, `eval`, or the name of a held-out set."""
        places = (f"data/{part}.jsonl", f"data/evaluate/{part}.jsonl")
        path = next((self.folder / each for each in places if (self.folder / each).is_file()), None)
        if path is None:
            raise RunFormatError(
                f"{self.folder}: no rows of {part!r}; there are {', '.join(self.parts())}"
            )
        return _records(path)

    def parts(self) -> list[str]:
        """The parts that `rows` knows."""
        paths = (PurePosixPath(file.path) for file in self.files if file.stage == "data")
        folders = ("data", "data/evaluate")
        names = (
            path.stem for path in paths if path.suffix == ".jsonl" and str(path.parent) in folders
        )
        return [name for name in names if name != "ledger"]

    def candidates(self) -> list[dict[str, Any]]:  # Any: JSON
        """What training made of each base model: `base_model`, `method`, and the folder of the `adapter`."""
        path = self.folder / "train" / "report.json"
        return _list(self.report("train"), "candidates", path) if "train" in self.stages else []

    def steps(self, candidate: Mapping[str, Any]) -> Iterator[dict[str, Any]]:  # Any: JSON
        """What training measured at each step of a candidate: step, loss, learning_rate and more."""
        return _records((self.folder / str(candidate["adapter"])).parent / "metrics.jsonl")


def read_run(folder: str | Path) -> RunFolder:
    """The run in a folder. Raises RunFormatError where there is none, or one of another format."""
    path = Path(folder) / "manifest.json"
    if not path.is_file():
        raise RunFormatError(f"{folder}: not a run folder: it has no manifest.json")
    manifest = _read_object(path)
    if (version := manifest.get("format", FORMAT)) != FORMAT:
        raise RunFormatError(f"{path}: the format is {version!r}, and this reader knows {FORMAT!r}")
    try:
        return RunFolder(
            folder=Path(folder),
            key=str(manifest["key"]),
            finewright=str(manifest["finewright"]),
            stages={name: _time(each["finished"]) for name, each in manifest["stages"].items()},
            files=tuple(map(_file, manifest["artifacts"])),
            actors={n: each["actor"] for n, each in manifest["stages"].items() if "actor" in each},
            parents=tuple(map(_parent, manifest.get("parents") or ())),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunFormatError(f"{path}: damaged: {error!r}") from None


def find_runs(folder: str | Path) -> list[RunFolder]:
    """The runs in a folder such as `runs`, oldest first. Raises RunFormatError for one that is damaged."""
    runs = [read_run(path.parent) for path in sorted(Path(folder).glob("*/manifest.json"))]
    return sorted(runs, key=lambda run: run.stages["run"])


def _file(row: Mapping[str, Any]) -> RunFile:
    path = PurePosixPath(row["path"])
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{path} leads out of the run folder")
    size, inputs = int(row["bytes"]), tuple(row.get("inputs", ()))
    return RunFile(str(path), row["kind"], row["sha256"], size, row["stage"], inputs)


def _parent(row: Mapping[str, Any]) -> RunParent:
    return RunParent(**{name: str(row[name]) for name in RunParent.__dataclass_fields__})


def _score(row: Mapping[str, Any], path: Path) -> RunScore:
    try:
        names = (str(row["system"]), str(row["data"]), str(row["metric"]))
        return RunScore(*names, row["value"], row["low"], row["high"], row["n"])
    except KeyError as error:
        raise RunFormatError(f"{path}: a score without {error}") from None


def _damage_of(folder: Path, file: RunFile) -> str:
    path = folder / file.path
    if not path.is_file():
        return f"{file.path}: missing"
    with path.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    return "" if found == file.sha256 else f"{file.path}: changed since its stage ended"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _list(report: Mapping[str, Any], key: str, path: Path) -> list[dict[str, Any]]:
    found = report.get(key)
    if not isinstance(found, list):
        raise RunFormatError(f"{path}: damaged: it has no list of {key}")
    return found


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RunFormatError(f"{path}: cannot be read: {error}") from None


def _read_object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(_read_text(path))
    except (ValueError, RecursionError) as error:
        raise RunFormatError(f"{path}: damaged: {error}") from None
    if not isinstance(found, dict):
        raise RunFormatError(f"{path}: damaged: no JSON object")
    return found


def _lines(path: Path) -> Iterator[str]:
    # Only a newline ends a record: answers may hold other separators of lines.
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        yield from (line for line in file if line.strip())


def _records(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        raise RunFormatError(f"{path}: missing")
    for number, line in enumerate(_lines(path), start=1):
        try:
            yield json.loads(line)
        except ValueError as error:
            raise RunFormatError(f"{path}:{number}: damaged: {error}") from None


def _whole_event(line: str) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and {"time", "type"} <= event.keys() else None
