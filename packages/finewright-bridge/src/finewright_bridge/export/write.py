"""The files of each target."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from finewright.catalog.models import packaged_models
from finewright.compare.models import LoadedModel
from finewright.lm.sources import LocalBase, stored_dtype
from finewright.schema.common import without
from finewright.schema.export import Dtype
from finewright.schema.run import DAY
from finewright.schema.train import Candidate
from finewright.store.atomic import os_errors, scratch_dir
from finewright.store.rundir import RunDir
from finewright.store.speclock import lock_of

BASE = "base.gguf"
_TORCH_NAMES = {"f32": "float32", "f16": "float16", "bf16": "bfloat16"}


@dataclass(frozen=True, slots=True)
class ExportedRun:
    """The run that is exported, and what of it. It is compared in `dtype`: in float32 where there is room, so
    that what differs is the export's and not the arithmetic's rounding."""

    run: RunDir
    candidate: Candidate
    base: LocalBase
    dtype: Dtype

    @property
    def adapter(self) -> Path:
        """What was trained."""
        return self.run.root / self.candidate.adapter

    @property
    def name(self) -> str:
        """The run's."""
        return self.run.root.resolve().name

    def base_from(self, folder: Path) -> str:
        """What others load by as the very weights that are compared: a hub id, good with its revision, or the
        path from a folder. Empty for weights that were made of a GGUF file: they lie in the cache alone, and
        the hub's of that name are others."""
        if self.base.revision:
            return self.base.name.partition("@")[0]
        if self.base.name in packaged_models() or self.base.name.endswith(".gguf"):
            return ""
        return os.path.relpath(self.base.folder.resolve(), folder.resolve())


@dataclass(frozen=True, slots=True)
class ExportedFiles:
    """What is loaded for the comparison: a folder for transformers, or a GGUF file and an adapter for it."""

    model: Path
    adapter: Path | None = None


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes into `folder`, which becomes `out`; the merged model is made of `tuned`, which is of no use
    afterwards."""

    source: ExportedRun
    tuned: LoadedModel
    folder: Path
    out: Path
    quantization: str

    def write(self, target: str) -> ExportedFiles:
        """The files of the target."""
        writers = {
            "merged": self._merged,
            "gguf": self._gguf,
            "gguf-adapter": self._gguf_adapter,
            "ollama": self._ollama,
            "vllm": self._vllm,
            "hub-folder": self._hub_folder,
        }
        return writers[target]()

    def use(self, target: str) -> str:
        """The command that loads what was written."""
        out, switches = self.out, without(self.tuned.chat.options, (DAY,))
        kwargs = f" --chat-template-kwargs '{json.dumps(switches)}'" if switches else ""
        adapter = f"--lora {out / self._adapter_name} --jinja{kwargs}"
        return {
            "merged": f"finewright chat {out}, or transformers' from_pretrained('{out}')",
            "gguf": f"llama-server -m {out / self._model_name} --jinja{kwargs}",
            "gguf-adapter": f"llama-server -m {out / BASE} {adapter}",
            "ollama": f"ollama create {self.source.name} -f {out / 'Modelfile'}",
            "vllm": f"cd {out} && vllm serve --config vllm.yaml",
            "hub-folder": f"PeftModel.from_pretrained(base, '{out}')",
        }[target]

    @property
    def _model_name(self) -> str:
        return f"{self.source.name}-{self.quantization}.gguf"

    @property
    def _adapter_name(self) -> str:
        return f"{self.source.name}-lora.gguf"

    def _merged(self) -> ExportedFiles:
        from finewright.lm.ends import save_with_ends
        from finewright_bridge.export.merge import merge, save_merged

        base = self.source.base.folder
        dtype = _TORCH_NAMES.get(self.quantization) or stored_dtype(base)
        save_merged(self.folder, merge(self.tuned.lm), base, dtype)
        save_with_ends(self.folder, self.tuned.chat)
        return ExportedFiles(self.folder)

    def _gguf(self) -> ExportedFiles:
        from finewright_bridge.export.gguf_file import write_model
        from finewright_bridge.export.merge import merge, save_merged

        path = self.folder / self._model_name
        with scratch_dir(self.folder / "merged") as merged:  # not rounded before it is written
            save_merged(merged, merge(self.tuned.lm), self.source.base.folder)
            write_model(path, merged, self.tuned.chat, self.quantization, self.source.name)
        return ExportedFiles(path)

    def _gguf_adapter(self) -> ExportedFiles:
        from finewright_bridge.export.gguf_file import write_adapter, write_model

        base = self.source.base.folder
        path = self.folder / self._adapter_name
        write_adapter(path, self.source.adapter, base, self.source.name)
        with_base = self.folder / BASE  # what the adapter is asked on
        write_model(with_base, base, self.tuned.chat, self.quantization, self.source.base.name)
        return ExportedFiles(with_base, path)

    def _ollama(self) -> ExportedFiles:
        from finewright_bridge.export.ollama import modelfile

        text = modelfile(self.tuned.chat, self._model_name)  # refuses before anything is written
        exported = self._gguf()
        (self.folder / "Modelfile").write_text(text, encoding="utf-8")
        return exported

    def _hub_folder(self) -> ExportedFiles:
        _copy(self.source.adapter, self.folder)
        return ExportedFiles(self.folder)

    def _vllm(self) -> ExportedFiles:
        from finewright_bridge.export.vllm import settings

        adapter, source = lock_of(self.source.run).spec.train.adapter, self.source
        is_plain_lora = adapter.type == "lora" and not adapter.use_dora
        base = source.base_from(self.out) if is_plain_lora else ""
        if base:
            _copy(source.adapter, self.folder)
        else:
            self._merged()
        switches = self.tuned.chat.options
        text = settings(source.name, base, source.base.revision, adapter, switches)
        (self.folder / "vllm.yaml").write_text(text, encoding="utf-8")
        return ExportedFiles(self.folder)


def _copy(source: Path, folder: Path) -> None:
    with os_errors(source):
        shutil.copytree(source, folder, dirs_exist_ok=True)
