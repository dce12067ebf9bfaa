"""The sources of a spec as a peer's keys: where the rows are, and what their form is called there.

What a peer reads is in the `rows` of its table, by method: a form of rows -> the keys that it takes for
them. A form is a family and a type, as `openai messages`; of our own shapes also what the sides are, as
`preference turns`. A form that is not in the table is refused: the peer would fail, or learn another text."""

import os.path
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from finewright.rows.fates import ReadOptions, RowFate, fates
from finewright.rows.formats.native import family_named
from finewright.schema.data import SourceSpec
from finewright.schema.load import LoadedSpec
from finewright_bridge.translate.convert import NotCarried
from finewright_bridge.translate.sources import Json
from finewright_bridge.translate.tables import PeerName, peer

_SIDES = ("prompt", "completion", "chosen", "rejected")


class PeerSource(NamedTuple):
    """A source as the peer sees it: its path, and the keys that its rows' form takes there.

    `differs` is why these rows are learned otherwise there; `is_seen`: whether the rows were looked at."""

    path: str
    is_held_out: bool
    form: str
    keys: Json
    differs: str
    is_seen: bool

    @property
    def is_file(self) -> bool:
        """Whether it is a file, and no set of the hub."""
        return bool(Path(self.path).suffix)


class SourcesWritten(NamedTuple):
    """The peer's keys, the files beside the config by name, and the sources that they stand for."""

    keys: Json
    files: Mapping[str, Any]  # Any: JSON
    sources: Sequence[PeerSource]


def write_sources(name: PeerName, loaded: LoadedSpec, out: Path) -> SourcesWritten:
    """The peer's keys for the sources of a spec, paths as seen from the folder of `out`.

    Raises NotCarried for a source that the peer cannot read as it is."""
    found = []
    for source in loaded.spec.data.sources:
        if source.is_mixed:
            raise NotCarried(
                "a source's weight or share is not carried; write the mixture to a file"
            )
        if source.columns or source.encoding:
            raise NotCarried("columns and encoding are not carried; rename them in the file")
        found.append(_source(name, loaded, source, out.parent))
    training = [source for source in found if not source.is_held_out]
    held_out = [source for source in found if source.is_held_out]
    keys, files = _WRITERS[name](training, held_out, loaded)
    return SourcesWritten(keys, files, found)


def seen_from(path: Path, folder: Path) -> str:
    """The path as a program that runs in `folder` reads it."""
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()


def _source(name: PeerName, loaded: LoadedSpec, source: SourceSpec, folder: Path) -> PeerSource:
    method, table = loaded.spec.train.method, peer(name)
    read = table.rows.get(method)
    if not read:
        raise NotCarried(
            f"{table.title} reads no rows for {method} with the model's own chat template"
        )
    path = loaded.resolve(source.path)
    is_hub = source.path.startswith("hub:")
    shown = source.path.removeprefix("hub:") if is_hub else seen_from(path, folder)
    is_here = not is_hub and path.exists()
    forms = set(_forms(path, source, loaded)) if is_here else set()
    if is_here and not forms:
        raise NotCarried(
            f"{source.path} holds no row that is read: `finewright data show` says why"
        )
    if len(forms) > 1:
        raise NotCarried(f"{source.path} holds rows of several forms: {', '.join(sorted(forms))}")
    form = forms.pop() if forms else ""
    if form and form not in read:
        raise NotCarried(
            f"{source.path}: {table.title} does not read `{form}` rows as finewright does; for {method} it"
            f" reads {' or '.join(f'`{each}`' for each in read)}"
        )
    stated = "text" in (source.type, loaded.spec.data.type)
    if not form and stated:
        raise NotCarried(f"{source.path}: raw text is not carried to {table.title}")
    entry = read[form] if form else next(iter(read.values()))
    keys = {key: value for key, value in entry.items() if key != "differs"}
    return PeerSource(shown, source.held_out, form, keys, entry.get("differs", ""), bool(form))


def _forms(path: Path, source: SourceSpec, loaded: LoadedSpec) -> Iterator[str]:
    """The form of every row that is read from a file."""
    type_ = loaded.spec.data.type if source.type == "auto" else source.type
    options = ReadOptions(type_, family_named(source.format) or "auto")
    for fate in fates(path, options):
        if isinstance(fate, RowFate) and fate.rows and fate.form:
            yield _form(fate)


def _form(fate: RowFate) -> str:
    assert fate.form is not None
    family, type_ = fate.form.family, fate.form.types[0]
    if family != type_:
        return f"{family} {type_}"
    data: Json = fate.as_it_stands()["data"]
    if type_ == "preference" and "prompt" not in data:
        return f"{type_} whole"
    kinds = {isinstance(data[key], str) for key in _SIDES if key in data}
    kind = "mixed" if len(kinds) > 1 else "texts" if kinds == {True} else "turns"
    return f"{type_} {kind}"


Written = tuple[Json, Mapping[str, Any]]
Sources = Sequence[PeerSource]


def _refuse_held_out(held: Sources) -> None:
    if held:
        raise NotCarried("a source that is held out is not carried; use data.eval_fraction")


def _write_axolotl(training: Sources, held: Sources, loaded: LoadedSpec) -> Written:
    _refuse_held_out(held)
    items = [
        {"path": each.path, **({"ds_type": "json"} if each.is_file else {}), **each.keys}
        for each in training
    ]
    return {"datasets": items}, {}


def _write_llamafactory(training: Sources, held: Sources, loaded: LoadedSpec) -> Written:
    """`dataset_info.json` says where the rows of each name are, and what their keys mean."""
    info = {}
    for each in (*training, *held):
        place = "file_name" if each.is_file else "hf_hub_url"
        info[_slug(each.path)] = {place: each.path, **each.keys}
    found: Json = {"dataset": ",".join(_slug(each.path) for each in training), "dataset_dir": "."}
    if held:
        found["eval_dataset"] = ",".join(_slug(each.path) for each in held)
    return found, {"dataset_info.json": info}


def _slug(path: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", str(Path(path).with_suffix(""))).strip("_")


def _write_trl(training: Sources, held: Sources, loaded: LoadedSpec) -> Written:
    _refuse_held_out(held)
    keys = {key: value for each in training for key, value in each.keys.items()}
    if len({str(each.keys) for each in training}) > 1:
        raise NotCarried("sources of several forms are not read there at once")
    if len(training) == 1 and not training[0].is_file:
        return {"dataset_name": training[0].path, **keys}, {}
    if not all(each.is_file for each in training):
        raise NotCarried("files, or one set of the hub, are read there")
    files = [each.path for each in training]
    return {"datasets": [{"path": "json", "data_files": files, "split": "train"}], **keys}, {}


def _write_litgpt(training: Sources, held: Sources, loaded: LoadedSpec) -> Written:
    if len(training) != 1 or held or not training[0].is_file:
        raise NotCarried("one file of rows is read there, and no set of the hub")
    data = loaded.spec.data
    arguments = {
        "json_path": training[0].path,
        "mask_prompt": True,
        "seed": data.shuffle_seed,
        "val_split_fraction": data.eval_fraction,
    }
    return {"data": {"class_path": "litgpt.data.JSON", "init_args": arguments}}, {}


def _write_unsloth(training: Sources, held: Sources, loaded: LoadedSpec) -> Written:
    if held:
        raise NotCarried("no rows are held out there")
    files = [each.path for each in training if each.is_file]
    if files and len(files) < len(training):
        raise NotCarried("files, or one set of the hub, are read there")
    return {"data": {"local_dataset": files} if files else {"dataset": training[0].path}}, {}


def _write_swift(training: Sources, held: Sources, loaded: LoadedSpec) -> Written:
    found: Json = {"dataset": [each.path for each in training]}
    return found | ({"val_dataset": [each.path for each in held]} if held else {}), {}


def _write_hosted(training: Sources, held: Sources, loaded: LoadedSpec) -> Written:
    if len(training) != 1 or len(held) > 1:
        raise NotCarried("one training file, and at most one validation file, are taken there")
    found = {"training_file": training[0].path}
    return found | ({"validation_file": held[0].path} if held else {}), {}


def _write_vertex(training: Sources, held: Sources, loaded: LoadedSpec) -> Written:
    is_sft = loaded.spec.train.method == "sft"
    files, _ = _write_hosted(training, held, loaded)
    renamed = {"training_file": "trainingDatasetUri", "validation_file": "validationDatasetUri"}
    part = "supervisedTuningSpec" if is_sft else "preferenceOptimizationSpec"
    return {part: {renamed[key]: value for key, value in files.items()}}, {}


_WRITERS: Mapping[PeerName, Callable[[Sources, Sources, LoadedSpec], Written]] = {
    "axolotl": _write_axolotl,
    "llamafactory": _write_llamafactory,
    "trl": _write_trl,
    "torchtune": _write_trl,
    "litgpt": _write_litgpt,
    "unsloth": _write_unsloth,
    "ms-swift": _write_swift,
    "openai": _write_hosted,
    "together": _write_hosted,
    "vertex": _write_vertex,
}
