"""The files of each target.

The settings with which vLLM serves an exported folder: `vllm serve --config vllm.yaml`.

One model of a base and its adapter: each adapted layer becomes the one weight that computes the same.

Products of adapters are added in float32 and rounded once to the number format that the model is computed in,
and once more where it is saved in a narrower one."""

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from finewright.catalog.models import read_packaged_models
from finewright.compare.local import LoadedModel
from finewright.errors import ModelError
from finewright.lm.adapters.linears import OnLinear, Transposed
from finewright.lm.adapters.whole import WholeModel, save_whole
from finewright.lm.model import LM
from finewright.lm.sources import LocalBase, read_stored_dtype
from finewright.schema.adapter import AdapterSpec, LoraSpec
from finewright.schema.common import without
from finewright.schema.export import Dtype
from finewright.schema.run import DAY
from finewright.schema.train import Candidate
from finewright.store.atomic import os_errors, scratch_dir
from finewright.store.rundir import RunDir
from finewright.store.speclock import lock_of
from finewright.train.holders import rank_to_store
from finewright_bridge.export.gguf_numbers import refuse_overflow

_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM takes as max-lora-rank (config/lora.py)."""


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
        base = self.base.carrier
        if base.revision:
            return base.name.partition("@")[0]
        if base.name in read_packaged_models() or base.name.endswith(".gguf"):
            return ""
        return os.path.relpath(base.folder.resolve(), folder.resolve())


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
            "merged": self._write_merged,
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

    def _write_merged(self) -> ExportedFiles:
        from finewright.lm.chat import save_with_ends

        base = self.source.base.folder
        dtype = _TORCH_NAMES.get(self.quantization) or read_stored_dtype(base)
        save_merged(self.folder, merge(self.tuned.lm), base, dtype)
        save_with_ends(self.folder, self.tuned.chat)
        return ExportedFiles(self.folder)

    def _gguf(self) -> ExportedFiles:
        from finewright_bridge.export.gguf_file import write_model

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
        from finewright.lm.adapters.files import read_adapter_spec

        source = self.source
        adapter = lock_of(source.run).candidates[source.base.name].adapter
        is_plain_lora = adapter.type == "lora" and not adapter.use_dora
        if is_plain_lora:
            adapter = read_adapter_spec(source.adapter)  # of a parent's and its own the sum
        base = source.base_from(self.out) if is_plain_lora else ""
        if base:
            _copy(source.adapter, self.folder)
        else:
            self._write_merged()
        switches = self.tuned.chat.options
        text = settings(source.name, base, source.base.revision, adapter, switches)
        (self.folder / "vllm.yaml").write_text(text, encoding="utf-8")
        return ExportedFiles(self.folder)


def _copy(source: Path, folder: Path) -> None:
    with os_errors(source):
        shutil.copytree(source, folder, dirs_exist_ok=True)


def settings(
    name: str, base: str, revision: str, spec: AdapterSpec, switches: Mapping[str, Any]
) -> str:
    """YAML of vLLM's own options, to be read in the export's folder: all paths begin there.

    `base` is what the adapter stands on, a hub id or a folder; empty where the folder's own weights are
    served."""
    found: dict[str, object] = {"model": "./", "served-model-name": [name]}
    if base and isinstance(spec, LoraSpec):
        rank = rank_to_store(spec)
        found = {
            "model": base,
            "served-model-name": ["base"],
            "enable-lora": True,
            "max-lora-rank": next((r for r in _RANKS if r >= rank), rank),
            "lora-modules": [f"{name}=./"],
        }
        if revision:
            found["revision"] = revision
    found |= {
        "tokenizer": "./",
        "chat-template": "./chat_template.jinja",
        "generation-config": "./",
    }
    if given := without(switches, (DAY,)):  # vLLM tells the day itself
        found["default-chat-template-kwargs"] = given
    return yaml.safe_dump(found, sort_keys=False)


def merge(lm: LM) -> PreTrainedModel:
    """The model without an adapter; `lm` is taken apart and is of no use afterwards.

    Raises ModelError for an adapter that is no change of weights: virtual tokens stand beside them."""
    for part in lm.adapters.values():
        if not isinstance(part, OnLinear | WholeModel):
            raise ModelError(
                f"an adapter of virtual tokens ({type(part).__name__.lower()}) cannot be merged into weights",
                hint="export it with --to hub-folder, or train LoRA",
            )
    _refuse_shared(lm)
    for path, part in lm.adapters.items():
        if isinstance(part, OnLinear):
            lm.model.set_submodule(path, _merge_linear(part))
    return lm.model


def _refuse_shared(lm: LM) -> None:
    """Of layers that share a weight only one is written, and their adapters differ."""
    ties = lm.model.all_tied_weights_keys
    shared = {*ties, *ties.values()}
    for path, part in lm.adapters.items():
        if isinstance(part, OnLinear) and f"{path}.weight" in shared:
            raise ModelError(
                f"{path}: this family keeps one weight for several layers, and each has an adapter of its"
                " own, so that no merged weight is right for all",
                hint="export it with --to hub-folder",
            )


def _merge_linear(part: OnLinear) -> nn.Module:
    with torch.no_grad():
        weight, bias = part.merge().to(part.dtype), part.merge_bias()
    module: nn.Module
    if isinstance(part.base, Transposed):
        module = Conv1D(*weight.shape)
        weight = weight.T.contiguous()
    else:
        module = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta")
    module.weight = nn.Parameter(weight, requires_grad=False)
    if bias is not None:
        module.bias = nn.Parameter(bias.detach().to(weight.dtype), requires_grad=False)
    return module


def save_merged(folder: Path, model: PreTrainedModel, base: Path, dtype: str = "") -> None:
    """Write the weights in torch's number format of this name, or in the one that the model is computed in,
    with the base's code. Raises OSError, and ModelError for a weight that the format cannot hold."""
    if dtype == "float16":
        for name, weight in model.state_dict().items():
            refuse_overflow(float(weight.abs().max()) if weight.numel() else 0.0, name)
    with redirect_stderr(StringIO()):  # it draws a bar
        save_whole(folder, model.to(getattr(torch, dtype) if dtype else model.dtype), base)
    for path in folder.glob("*.safetensors"):
        path.chmod(0o644)  # transformers leaves them to their owner alone
