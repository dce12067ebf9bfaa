"""Texts to vectors by any encoder or decoder in a local folder, as sentence-transformers would.

What sentence-transformers wrote into the folder is honoured: the pooling (`1_Pooling/config.json`; without
one the mean), the longest text (`sentence_bert_config.json`), and the prompts of queries and documents
(`config_sentence_transformers.json`). A folder with other modules, such as a projection, is refused, and so
is one that wants its own code to run."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.utils import logging as transformers_logging

from finewright.errors import ModelError
from finewright.lm import runtime
from finewright.lm.load_chat import UNREADABLE
from finewright.lm.sources import folder_digest, weight_files
from finewright.store.atomic import sha256_file

_TOKENS_A_BATCH = 4096
_MOST_TOKENS = 1 << 16
_MODULES = ("Transformer", "Pooling", "Normalize")
_DOCUMENT_PROMPTS = ("document", "passage", "corpus")


class EmbedSettings(NamedTuple):
    """What the folder says of how its model embeds; `longest` is in tokens, None where it is not said."""

    pooling: str
    longest: int | None
    query_prompt: str
    document_prompt: str


@dataclass(slots=True)
class EmbeddedTexts:
    """Vectors of length 1, (n, dimensions), and how many texts were cut at the model's longest."""

    vectors: NDArray[np.float32]
    num_cut: int


class TextEncoder:
    """A model that embeds. Texts without a token have one and the same vector."""

    def __init__(self, folder: Path, dtype: Literal["bf16", "fp32"] | None = None) -> None:
        """`dtype` None: bf16 where the device multiplies it natively. Raises ModelError."""
        self.settings = settings_of(folder)
        self._model = _load(folder, dtype or ("bf16" if runtime.fast_bf16() else "fp32"))
        self._tokenizer, tokenizer_limit = _tokenizer(folder)
        limits = (self.settings.longest, tokenizer_limit, _positions(self._model), _MOST_TOKENS)
        self.longest = min(filter(None, limits))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_length=self.longest)
        self.dimensions = int(self._model.config.get_text_config().hidden_size)

    @torch.inference_mode()
    def encode(self, texts: Sequence[str], prompt: str = "") -> EmbeddedTexts:
        """Each text after the prompt as a vector; the batches are of texts of about a length."""
        encodings = self._tokenizer.encode_batch([prompt + text for text in texts])
        ids = [encoding.ids for encoding in encodings]
        vectors = np.ones((len(texts), self.dimensions), np.float32)
        for batch in _batches([len(tokens) for tokens in ids]):
            vectors[batch] = self._pool([ids[i] for i in batch])
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return EmbeddedTexts(vectors / lengths, sum(bool(e.overflowing) for e in encodings))

    def num_tokens(self, texts: Sequence[str], prompt: str = "") -> int:
        """Tokens that are read of the texts together, each after the prompt."""
        return sum(len(e.ids) for e in self._tokenizer.encode_batch([prompt + t for t in texts]))

    def _pool(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        lengths = torch.tensor([len(row) for row in rows], device=self._model.device)
        width = int(lengths.max())
        padded = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows])
        mask = torch.arange(width, device=lengths.device)[None] < lengths[:, None]
        hidden = self._model(
            input_ids=padded.to(lengths.device), attention_mask=mask.long()
        ).last_hidden_state.float()
        pooled: NDArray[np.float32] = _POOLINGS[self.settings.pooling](hidden, mask).cpu().numpy()
        return pooled


def embedder_digest(folder: Path) -> str:
    """sha256 of all that decides the vectors: weights, tokenizer, pooling and prompts."""
    pooling = folder / "1_Pooling" / "config.json"
    parts = folder_digest(folder) + (sha256_file(pooling) if pooling.is_file() else "")
    return hashlib.sha256(parts.encode()).hexdigest()


def settings_of(folder: Path) -> EmbedSettings:
    """What sentence-transformers wrote there. Raises ModelError for what is not supported."""
    for module in _modules(folder / "modules.json"):
        if module not in _MODULES:
            raise ModelError(
                f"{folder}/modules.json: a {module} module is not supported",
                hint=f"supported are {', '.join(_MODULES)}; or serve the model at an endpoint",
            )
    pooling = _json(folder / "1_Pooling" / "config.json")
    prompts = _prompts(folder / "config_sentence_transformers.json")
    if any(prompts.values()) and pooling.get("include_prompt") is False:
        raise ModelError(
            f"{folder}/1_Pooling/config.json: pooling without the prompt is not supported"
        )
    return EmbedSettings(
        pooling=_pooling(folder / "1_Pooling" / "config.json", pooling),
        longest=_longest(_json(folder / "sentence_bert_config.json")),
        query_prompt=prompts.get("query", ""),
        document_prompt=next((prompts[name] for name in _DOCUMENT_PROMPTS if name in prompts), ""),
    )


def _modules(path: Path) -> list[str]:
    """The class names in modules.json, which is a list where the other files are objects."""
    if not path.is_file():
        return []
    try:
        return [str(row["type"]).rpartition(".")[2] for row in json.loads(path.read_bytes())]
    except (OSError, ValueError, KeyError, TypeError):
        raise ModelError(f"{path}: not a list of modules") from None


def _prompts(path: Path) -> dict[str, str]:
    prompts = _json(path).get("prompts") or {}
    if not isinstance(prompts, dict) or not all(isinstance(p, str) for p in prompts.values()):
        raise ModelError(f"{path}: prompts must be texts")
    return prompts


def _longest(config: dict[str, Any]) -> int | None:
    longest = config.get("max_seq_length")
    return longest if isinstance(longest, int) and longest > 0 else None


def _pooling(path: Path, config: dict[str, Any]) -> str:
    modes = [config["pooling_mode"]] if isinstance(config.get("pooling_mode"), str) else []
    modes += [k.removeprefix("pooling_mode_") for k, on in config.items() if on is True]
    modes = [mode for mode in modes if mode != "include_prompt"] or ["mean"]
    if len(modes) > 1 or modes[0] not in _POOLINGS:
        raise ModelError(
            f"{path}: pooling {' + '.join(modes)} is not supported",
            hint=f"supported is one of {', '.join(_POOLINGS)}; or serve the model at an endpoint",
        )
    return str(modes[0])


def _mean(hidden: Tensor, mask: Tensor) -> Tensor:
    """(B, T, d), (B, T) -> (B, d)."""
    return (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


def _first(hidden: Tensor, mask: Tensor) -> Tensor:
    return hidden[:, 0]


def _last(hidden: Tensor, mask: Tensor) -> Tensor:
    return hidden[torch.arange(len(hidden), device=hidden.device), mask.sum(1) - 1]


def _largest(hidden: Tensor, mask: Tensor) -> Tensor:
    return hidden.masked_fill(~mask[..., None], -torch.inf).amax(1)


_POOLINGS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": _mean,
    "mean_tokens": _mean,
    "mean_sqrt_len_tokens": _mean,  # another length of the same direction
    "cls": _first,
    "cls_token": _first,
    "max": _largest,
    "max_tokens": _largest,
    "lasttoken": _last,
}


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """The places of all texts that have tokens, longest first, in batches of a number of padded tokens."""
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if batch and (len(batch) + 1) * lengths[batch[0]] > _TOKENS_A_BATCH:
            yield batch
            batch = []
        if lengths[place]:
            batch.append(place)
    if batch:
        yield batch


def _load(folder: Path, dtype: Literal["bf16", "fp32"]) -> PreTrainedModel:
    weight_files(folder)
    config = _json(folder / "config.json")
    if config.get("model_type") not in CONFIG_MAPPING:
        raise ModelError(
            f"{folder}/config.json: transformers does not know model_type {config.get('model_type')!r}",
            hint="a model with code of its own can be served at an endpoint",
        )
    trust = False  # an `auto_map` is ignored
    transformers_logging.disable_progress_bar()
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()  # it would list the pooler's weights as missing
    try:
        model, info = AutoModel.from_pretrained(
            folder,
            config=AutoConfig.from_pretrained(folder, trust_remote_code=trust),
            dtype=runtime.dtype_of(dtype),
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=trust,
            output_loading_info=True,
        )
    except UNREADABLE as error:
        raise ModelError(f"{folder}: {_first_line(error)}") from None
    finally:
        transformers_logging.set_verbosity(verbosity)
    # A pooler is for other tasks, and nothing here asks it.
    if missing := sorted(name for name in info["missing_keys"] if not name.startswith("pooler.")):
        raise ModelError(f"{folder}: its weights lack {missing[0]}")
    model.config.use_cache = False
    loaded: PreTrainedModel = model.to(runtime.device()).eval()
    return loaded


def _tokenizer(folder: Path) -> tuple[Any, int]:  # Any: the Rust tokenizer
    # Without it transformers makes up a tokenizer that knows no word.
    if not (folder / "tokenizer.json").is_file():
        raise ModelError(f"{folder}: no tokenizer.json here")
    trust = False
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=trust
        )
    except UNREADABLE as error:
        raise ModelError(f"{folder}: no usable tokenizer: {_first_line(error)}") from None
    if not tokenizer.is_fast:
        raise ModelError(f"{folder}: its tokenizer does not use its tokenizer.json")
    return tokenizer.backend_tokenizer, int(tokenizer.model_max_length)


def _positions(model: PreTrainedModel) -> int | None:
    positions = model.config.get_text_config().to_dict().get("max_position_embeddings")
    return positions if isinstance(positions, int) and positions > 0 else None


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: not readable JSON: {error}") from None
    if not isinstance(data, dict):
        raise ModelError(f"{path}: not a JSON object")
    return data


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
