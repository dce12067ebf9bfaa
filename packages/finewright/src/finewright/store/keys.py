"""Freshness keys: equal inputs give equal keys, on every machine and in every session."""

import hashlib
import json
from collections.abc import Mapping, Sequence

from pydantic import BaseModel

from finewright.errors import StoreError


def digest(*parts: object) -> str:
    """SHA-256 in hex of the parts as canonical JSON: sorted keys, no spaces, UTF-8.

    Takes models, mappings with text keys, sequences, text, numbers, booleans and None; refuses all
    else, because a `str()` of it could differ between two runs."""
    canonical = [_canonical(part) for part in parts]
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def stage_key(section: object, upstream: Sequence[object], code: str) -> str:
    """Key of a stage: its own section of the spec, the reports it builds on, the code's version."""
    return digest(section, upstream, code)


def _canonical(value: object) -> object:
    if isinstance(value, BaseModel):
        return _canonical(value.model_dump(mode="json"))
    if isinstance(value, Mapping):
        return {_text_of_key(key): _canonical(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(part) for part in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    return _finite(value)


def _text_of_key(key: object) -> str:
    if isinstance(key, str):
        return key
    raise StoreError(f"a key of type {type(key).__name__} cannot be part of a digest")


def _finite(value: object) -> float:
    if isinstance(value, float) and value - value == 0:
        return value
    raise StoreError(f"a value of type {type(value).__name__} cannot be part of a digest: {value}")
