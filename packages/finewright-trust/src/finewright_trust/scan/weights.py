"""Safetensors and GGUF headers, held against the file: bounds, sizes, order, and numbers that are none.

safetensors: 8 bytes of length, little-endian, a JSON header, then the tensors without gaps
(https://github.com/huggingface/safetensors, "Format"). The header is read in the jail.

What a pickle would import, read from its opcodes; nothing of it is loaded.

A pickle is a program: whatever it names is called while it is read. Lists of bad names have been passed by
many ways (`importlib`, `runpy`, torch's own helpers), so nothing here tells a good one from a bad one: what
it names is shown to a person."""

import io
import json
import math
import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finewright.sdk import Problem

MOST_READ = 64 << 20
"""Bytes of opcodes that are looked at; torch puts them into a small part of its archive."""


_MOST_NAMES = 20


_CALLS = frozenset(
    {"GLOBAL", "INST", "STACK_GLOBAL", "REDUCE", "OBJ", "NEWOBJ", "NEWOBJ_EX", "BUILD", "EXT1"}
)


_TEXTS = frozenset({"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE"})


_LONGEST_HEADER = 100_000_000  # bytes: as the format's own reader takes
_BITS = {
    **dict.fromkeys(
        ("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8
    ),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
    **{"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6},
}
_EXPONENTS = {
    "F64": ("u8", 0x7FF << 52),
    "F32": ("u4", 0xFF << 23),
    "F16": ("u2", 0x1F << 10),
    "BF16": ("u2", 0xFF << 7),
}
"""dtype -> how its numbers are read, and the bits that are all set in an infinity or a NaN (IEEE 754)."""
_PIECE = 1 << 22
"""Numbers that are looked at together: 32 MiB at most."""


def read_safetensors_header(path: str) -> dict[str, Any]:  # Any: JSON
    """For the jail alone: the `fault`, or "" and `tensors` as [name, dtype, begin, end in the file]."""
    size = Path(path).stat().st_size
    with Path(path).open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(_LONGEST_HEADER, size - 8):  # noqa: PLR2004 - `{}`
            return {"fault": f"its header is said to have {length:,} bytes, of a file of {size:,}"}
        text = file.read(length)
    try:
        header = json.loads(text, object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        return {"fault": f"its header is no JSON: {error}"}
    if not isinstance(header, dict):
        return {"fault": "its header is no object"}
    extra = header.pop("__metadata__", {})
    if not isinstance(extra, dict) or not all(isinstance(each, str) for each in extra.values()):
        return {"fault": "its metadata are not texts"}
    tensors = []
    for name, entry in header.items():
        if fault := _fault_of_tensor(entry):
            return {"fault": f"tensor {name[:80]!r}: {fault}"}
        begin, end = entry["data_offsets"]
        tensors.append([name, entry["dtype"], begin + 8 + length, end + 8 + length])
    return {"fault": _fault_of_order(tensors, 8 + length, size), "tensors": tensors}


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands there twice")
    return found


def _fault_of_tensor(entry: Any) -> str:  # Any: JSON
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        return "it has other keys than dtype, shape and data_offsets"
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if dtype not in _BITS:
        return f"its dtype {str(dtype)[:40]!r} is none of the format"
    if not _are_counts(shape) or not _are_counts(offsets) or len(offsets) != 2:  # noqa: PLR2004
        return "its shape or its offsets are no whole numbers"
    begin, end = offsets
    if (end - begin) * 8 != math.prod(shape) * _BITS[dtype]:
        return f"{dtype} of the shape {shape} does not take {end - begin:,} bytes"
    return ""


def _are_counts(values: Any) -> bool:  # Any: JSON
    return isinstance(values, list) and all(type(each) is int and each >= 0 for each in values)


def _fault_of_order(tensors: list[list[Any]], start: int, size: int) -> str:
    at = start
    for name, _, begin, end in sorted(tensors, key=lambda each: (each[2], each[3])):
        if begin != at:
            return f"tensor {name[:80]!r} does not begin where the one before it ends"
        at = end
    return "" if at == size else f"{size - at:,} bytes are not of any tensor"


def find_odd_numbers(path: Path, tensors: list[list[Any]]) -> Iterator[Problem]:
    """A warning for the tensors that hold infinities or NaN, which no trained model does."""
    import numpy as np

    odd = []
    for name, dtype, begin, end in tensors:
        if dtype not in _EXPONENTS or begin == end:
            continue
        form, mask = _EXPONENTS[dtype]
        values = np.memmap(path, np.uint8, "r", begin, (end - begin,))
        step = _PIECE * int(form[1])
        pieces = (values[at : at + step].view(form) for at in range(0, len(values), step))
        if any(bool(((piece & mask) == mask).any()) for piece in pieces):
            odd.append(name)
    if odd:
        yield Problem(
            level="warning",
            file=str(path),
            key="numbers",
            message=f"{len(odd)} of {len(tensors)} tensors hold infinities or NaN, {odd[0]!r} first",
            hint="its answers would be none; take the model from its maker once more",
        )


def names_in_pickle(path: str) -> list[str] | None:
    """For the jail alone: `module name` of what a pickle would import, of a bare one or one in torch's
    archive; None where the file holds no pickle that begins to be read."""
    found: dict[str, None] = {}
    is_pickle = False
    for content in _streams(Path(path)):
        names = _names(content)
        is_pickle = is_pickle or names is not None
        found.update(dict.fromkeys(names or ()))
    return list(found)[:_MOST_NAMES] if is_pickle else None


def _streams(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        head = file.read(MOST_READ)
    yield head
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return
    with archive:
        for info in archive.infolist():
            if info.file_size <= MOST_READ and not info.is_dir():
                try:
                    yield archive.read(info)
                except (OSError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile):
                    continue


def _names(content: bytes) -> list[str] | None:
    """None where it is no pickle: it does not begin as protocols 2 to 5 do, nor call anything and end."""
    texts: list[str] = []
    names: list[str] = []
    begins, calls, ends = content[:1] == b"\x80" and content[1:2] in b"\2\3\4\5", False, False
    try:
        for opcode, argument, _ in pickletools.genops(io.BytesIO(content)):
            calls = calls or opcode.name in _CALLS
            if opcode.name in _TEXTS:
                texts = [*texts[-1:], str(argument)]
            elif opcode.name in ("GLOBAL", "INST"):
                names.append(str(argument))
            elif opcode.name == "STACK_GLOBAL":
                names.append(" ".join(texts))
            ends = opcode.name == "STOP"
    except Exception:  # a torn one runs as far as it goes, so it counts as far as it was read
        return names if begins or names else None
    return names if begins or (calls and ends) else None
