"""A base model's tokenizer with its chat template, read without running code of the model's unasked.

Loading it imports torch, through transformers' configurations; `counting_chat` does not."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import PreTrainedTokenizerBase

from finewright.errors import DataError, ModelError
from finewright.lm.chat import Chat, find_end_of_turn
from finewright.lm.example import DocumentLayout
from finewright.lm.sources import LocalBase, read_config
from finewright.lm.template import ChatTemplate, switches
from finewright.lm.trial import try_templates
from finewright.schema.methods import DocumentSettings
from finewright.schema.run import DAY, RunSpec
from finewright.schema.train import TrainSettings
from finewright.trust import code_digest, code_refusal

# PEFT's file; adapters/files.py, which writes it, imports torch.
_ADAPTER = "adapter_config.json"
# How an `auto_map` names a class of a file beside it.
_CLASS = re.compile(r"\w+\.\w+")
# What transformers raises over a damaged folder; each file has its own way to fail.
UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RuntimeError,
    ImportError,
    SafetensorError,
    StrictDataclassError,
)


def load_chat(
    base: LocalBase, *, consent: str = "", options: Mapping[str, Any] | None = None
) -> Chat:
    """The tokenizer with its template, whose switches are set as in `options`, and its end-of-turn tokens.

    Raises ModelError when the folder has no tokenizer or no chat template, or one without such a switch."""
    return _chat(base, _tokenizer(base, trust=may_run_code(base.folder, consent)), options)


def chat_of(base: LocalBase, run: RunSpec) -> Chat:
    """`load_chat` as a run asks for it: with its switches, its layout of documents, and its consent to the
    model's own code."""
    consent = run.remote_code.get(base.name, "")
    chat = load_chat(base, consent=consent, options=run.chat_template)
    return replace(chat, layout=layout_of(run.train))


def layout_of(spec: TrainSettings) -> DocumentLayout:
    """How these settings lay documents out."""
    if isinstance(spec, DocumentSettings):
        return DocumentLayout(
            spec.max_length, spec.document_attention, spec.document_separator or ""
        )
    return DocumentLayout(spec.max_length)


def counting_chat(base: LocalBase, run: RunSpec) -> Chat:
    """`chat_of` for who counts tokens alone: by tokenizer.json as it stands, without torch, which takes a
    second to import, and without any code of the model's. Raises ModelError as `load_chat` does."""
    from transformers.tokenization_utils_tokenizers import TokenizersBackend

    chat = _chat(base, _read(TokenizersBackend, base), run.chat_template)
    return replace(chat, layout=layout_of(run.train))


def _chat(
    base: LocalBase, tokenizer: PreTrainedTokenizerBase, options: Mapping[str, Any] | None
) -> Chat:
    if not tokenizer.chat_template:
        raise ModelError(
            f"base model {base.name!r} has no chat template, so conversations cannot be rendered",
            hint=f"put the family's template into {base.folder}/chat_template.jinja",
        )
    try:
        declared = _read_declared_eos(base.folder, tokenizer)
        set_to = dict(options or {})
        try_templates(tokenizer)
        _check_options(base, ChatTemplate(tokenizer, set_to))
        ends = find_end_of_turn(tokenizer, declared, set_to)
        return Chat(tokenizer, ends, set_to, frozenset(declared))
    except DataError as error:
        raise ModelError(f"base model {base.name!r} cannot chat: {error}") from None


def _check_options(base: LocalBase, template: ChatTemplate) -> None:
    known = switches(template.source) if template.options else frozenset()
    for name in template.options:
        if name not in known and name != DAY:  # of several models, some ask for the day
            has = f"it knows {', '.join(sorted(known))}" if known else "it knows none"
            raise ModelError(
                f"base model {base.name!r}: its chat template has no switch {name!r}",
                hint=f"{has}; leave {name} out of chat_template",
            )


def text_ids(base: LocalBase, text: str, *, consent: str = "") -> tuple[int, ...]:
    """The tokens of a text as the tokenizer gives them, its own special ones included."""
    ids: list[int] = _tokenizer(base, trust=may_run_code(base.folder, consent))(text)["input_ids"]
    return tuple(ids)


def may_run_code(folder: Path, consent: str) -> bool:
    """Whether the model's own code must run, and the user has consented to exactly this code.

    A family that transformers knows needs none: its `auto_map` is ignored."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    config = read_config(folder / "config.json")
    if config.get("quantization_config"):
        raise ModelError(
            f"{folder}: its weights are quantised, and adapters here are trained on plain ones",
            hint="take the model in bf16 or fp32",
        )
    if (folder / _ADAPTER).exists():
        raise ModelError(
            f"{folder}: transformers would load the base that its {_ADAPTER} names instead",
            hint="name that base, or take the file away",
        )
    if kernel := next(_kernels(config), ""):
        raise ModelError(f"{folder}: its config.json wants kernels of another place: {kernel}")
    if config["model_type"] in CONFIG_MAPPING:
        return False
    if not config.get("auto_map"):
        raise ModelError(
            f"{folder}: transformers does not know model_type {config['model_type']!r}"
        )
    for elsewhere in _code_elsewhere(folder):
        raise ModelError(f"{folder}: this model wants code of another place to run: {elsewhere}")
    digest = code_digest(folder)
    pin = f"remote_code: {{<base model>: sha256:{digest}}}"
    if refusal := code_refusal(folder, digest, consent, pin=pin):
        raise ModelError(refusal.reason, hint=refusal.hint)
    return True


def _kernels(part: object) -> Iterator[str]:
    """What a config and its parts name to compute with and is no word of transformers' own: a repository."""
    if isinstance(part, dict):
        for key, value in part.items():
            if str(key).endswith("_implementation") and "/" in json.dumps(value):
                yield str(value)
            yield from _kernels(value)


def _code_elsewhere(folder: Path) -> Iterator[str]:
    """What no digest of the files covers: classes that an `auto_map` takes from another repository or folder,
    and folders that are links."""
    for path in sorted(folder.glob("*config.json")):
        for name in _collect_texts(_json(path).get("auto_map")):
            if not _CLASS.fullmatch(name):
                yield name
    yield from (
        str(path) for path in sorted(folder.rglob("*")) if path.is_symlink() and path.is_dir()
    )


def _collect_texts(part: object) -> Iterator[str]:
    parts = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    yield from (
        (part,)
        if isinstance(part, str)
        else (text for each in parts for text in _collect_texts(each))
    )


def _json(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data


def _tokenizer(base: LocalBase, *, trust: bool) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    tokenizer = _read(AutoTokenizer, base, trust_remote_code=trust)
    if not tokenizer.is_fast:
        raise ModelError(f"base model {base.name!r}: its tokenizer has no tokenizer.json")
    return tokenizer


def _read(kind: Any, base: LocalBase, **options: bool) -> PreTrainedTokenizerBase:  # Any: a class
    try:
        found: PreTrainedTokenizerBase = kind.from_pretrained(
            base.folder, local_files_only=True, **options
        )
    except UNREADABLE as error:
        what = f"no usable tokenizer: {first_line(error)}"
        raise ModelError(f"base model {base.name!r}: {what}") from None
    return found


def _read_declared_eos(folder: Path, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    eos: list[int] = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    path = folder / "generation_config.json"
    if path.is_file():
        try:
            declared = _json(path).get("eos_token_id")
        except UNREADABLE as error:
            raise ModelError(f"{path}: {first_line(error)}") from None
        more = declared if isinstance(declared, list) else [declared]
        if not all(token is None or isinstance(token, int) for token in more):
            raise ModelError(f"{path}: eos_token_id is no token's number: {declared}")
        eos += [token for token in more if token is not None and token not in eos]
    return eos


def first_line(error: Exception) -> str:
    """What it says, or its name where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
