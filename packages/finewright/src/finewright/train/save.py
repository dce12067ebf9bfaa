"""The result of a training as files that PEFT and transformers read."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from finewright.lm import score_head
from finewright.lm.adapters.files import CONFIG_FILE, WEIGHTS_FILE
from finewright.lm.adapters.kinds import save_adapter
from finewright.lm.chat import Chat, save_with_ends
from finewright.lm.model import LM
from finewright.lm.rust_errors import rust_os_errors
from finewright.lm.sources import LocalBase
from finewright.lm.tensors import save_tensors
from finewright.schema.adapter import AdapterSpec
from finewright.schema.train import TrainSettings
from finewright.store.atomic import replace_dir
from finewright.train.loop import Method
from finewright.train.methods.labels import LabelHead

_INDEX, _SINGLE, _HEAD = "model.safetensors.index.json", "model.safetensors", "score.safetensors"


def save_result(  # noqa: PLR0913 - the parts of a result
    folder: Path,
    lm: LM,
    method: Method,
    base: LocalBase,
    chat: Chat,
    spec: TrainSettings,
    *,
    stored: Mapping[str, Tensor],
) -> None:
    """Write the adapter, or the whole model, with its tokenizer; what has a head as a sequence classifier.
    `stored` has the weights, whole, of a model in shards."""
    with replace_dir(folder) as new:
        gathered = stored if lm.is_sharded else None
        save_adapter(new, lm.model, lm.adapters, spec.adapter, base=base, gathered=gathered)
        if not (spec.gives_answers and spec.writes_text):
            (head,) = method.parameters()
            labels = (method.labels or ("score",)) if isinstance(method, LabelHead) else ("reward",)
            _make_classifier(new, head.detach(), spec.adapter, labels)
            with rust_os_errors():
                chat.tokenizer.save_pretrained(new)
        else:
            save_with_ends(new, chat)


def _make_classifier(
    folder: Path, head: Tensor, adapter: AdapterSpec, names_of: Sequence[str]
) -> None:
    """Turn a language model's folder into one that `AutoModelForSequenceClassification.from_pretrained`
    reads, with these labels; an adapter's wants `num_labels` said."""
    if (folder / CONFIG_FILE).is_file():
        _update(folder / CONFIG_FILE, {"task_type": "SEQ_CLS", "modules_to_save": ["score"]})
        # PEFT puts linears' adapters into a model of their own, and virtual tokens before the model.
        place = "" if adapter.type in ("prefix", "prompt") else "model."
        _add(folder / WEIGHTS_FILE, {f"base_model.{place}{score_head.NAME}": head})
        return
    path = folder / "config.json"
    names = json.loads(path.read_text(encoding="utf-8")).get("architectures") or []
    made = [name.replace("ForCausalLM", "ForSequenceClassification") for name in names]
    labels = {
        "id2label": {str(i): name for i, name in enumerate(names_of)},
        "label2id": {name: i for i, name in enumerate(names_of)},
    }
    _update(path, {"architectures": made, **labels})
    if (folder / _SINGLE).is_file():
        _add(folder / _SINGLE, {score_head.NAME: head})
        return
    save_tensors(folder / _HEAD, {score_head.NAME: head})
    index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
    _update(folder / _INDEX, {"weight_map": {**index["weight_map"], score_head.NAME: _HEAD}})


def _update(path: Path, fields: dict[str, Any]) -> None:
    data = {**json.loads(path.read_text(encoding="utf-8")), **fields}
    path.write_text(json.dumps(data, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _add(path: Path, tensors: dict[str, Tensor]) -> None:
    save_tensors(path, {**load_file(path), **tensors})
