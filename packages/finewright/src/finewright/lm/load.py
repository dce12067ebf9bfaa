"""Load a base model, safely: safetensors only, and no code of the model's unasked."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.utils import logging as transformers_logging

from finewright.errors import ModelError
from finewright.lm import runtime
from finewright.lm.adapters.composed import start_of
from finewright.lm.adapters.files import CONFIG_FILE
from finewright.lm.adapters.kinds import load_adapter
from finewright.lm.fast.compiled import keep_freed_memory
from finewright.lm.load_chat import UNREADABLE, first_line, may_run_code
from finewright.lm.model import LM
from finewright.lm.sources import LocalBase, weight_files

transformers_logging.disable_progress_bar()


def load_model(
    base: LocalBase, *, dtype: Literal["bf16", "fp32"], consent: str = "", place: bool = True
) -> PreTrainedModel:
    """The causal language model on its device, in evaluation mode. Raises ModelError.

    `place` False leaves it on the CPU, from where `add_adapter` takes it over layer by layer. A tensor that
    the files lack is an error, never a random one; quantised weights are refused."""
    trust = may_run_code(base.folder, consent)
    weight_files(base.folder)
    model: PreTrainedModel
    try:
        model, info = AutoModelForCausalLM.from_pretrained(
            base.folder,
            dtype=runtime.dtype_of(dtype),
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=trust,
            output_loading_info=True,
        )
    except UNREADABLE as error:
        raise ModelError(f"base model {base.name!r}: {first_line(error)}") from None
    if missing := sorted(info["missing_keys"]):
        raise ModelError(f"base model {base.name!r}: its weights lack {missing[0]}")
    keep_freed_memory()  # not sooner: in a heap that never shrinks, weights would stay when packed
    if place:
        model.to(runtime.device())
    return model.eval()


def load_lm(
    base: LocalBase,
    trained: Path | None,
    *,
    dtype: Literal["bf16", "fp32"],
    consent: str = "",
) -> LM:
    """The base model, or what was trained of it: a folder with an adapter, or with a whole model.

    Never quantised, however it was trained. An adapter's base stays within reach (`LM.reference`): where that
    is a run, with its own adapter on it."""
    parent = base.adapter
    if trained is None:
        trained, parent = parent, None
    if trained is not None and _is_whole_model(trained):
        base, trained = replace(base, folder=trained), None
    model = load_model(base, dtype=dtype, consent=consent, place=trained is None)
    if trained is None:
        return LM(model, {})
    lm = LM(model, load_adapter(model, trained, device=runtime.device()))
    if parent is not None:
        lm.start_from(start_of(lm.tensors_to_keep(), parent))
    return lm


def _is_whole_model(folder: Path) -> bool:
    return (folder / "config.json").is_file() and not (folder / CONFIG_FILE).is_file()
