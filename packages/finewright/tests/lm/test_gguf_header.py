"""GGUF files of strangers end in one line, whatever lengths and types their headers claim."""

import struct
import time
from pathlib import Path

import pytest

from finewright.errors import ModelError
from finewright.lm.gguf import convert

pytestmark = pytest.mark.torch
STRING, ARRAY = 8, 9


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def entry(name: bytes, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


def gguf(*entries: bytes, num_tensors: int = 0, num_entries: int | None = None) -> bytes:
    count = len(entries) if num_entries is None else num_entries
    return b"GGUF" + struct.pack("<IQQ", 3, num_tensors, count) + b"".join(entries)


MODEL = entry(b"tokenizer.ggml.model", STRING, text(b"gpt2"))
FILES = {
    "arrays in arrays": gguf(MODEL, entry(b"a", ARRAY, struct.pack("<IQ", 9, 1) * 2000)),
    "an array in an array": gguf(MODEL, entry(b"a", ARRAY, struct.pack("<IQIQI", 9, 1, 4, 1, 7))),
    "tokens in an array": gguf(
        MODEL, entry(b"tokenizer.ggml.tokens", ARRAY, struct.pack("<IQIQI", 9, 1, 4, 1, 7))
    ),
    "a long array": gguf(MODEL, entry(b"a", ARRAY, struct.pack("<IQ", 0, 2**60))),
    "many texts": gguf(MODEL, entry(b"a", ARRAY, struct.pack("<IQ", 8, 2**40) + bytes(200_000))),
    "many layers": gguf(MODEL, entry(b"llama.block_count", 4, struct.pack("<I", 10**9))),
    "many entries": gguf(MODEL, num_entries=2**60),
    "many tensors": gguf(MODEL, num_tensors=2**60),
    "an unknown type": gguf(MODEL, entry(b"a", 77, b"")),
    "a number for a name": gguf(entry(b"tokenizer.ggml.model", 4, struct.pack("<I", 1))),
    "nothing": b"GGUF",
}


@pytest.mark.parametrize("name", FILES)
def test_a_header_made_to_harm_is_one_line(name: str, tmp_path: Path) -> None:
    source, started = tmp_path / "model.gguf", time.process_time()
    source.write_bytes(FILES[name])
    with pytest.raises(ModelError) as caught:
        convert(source, tmp_path / "out", None)
    assert "\n" not in str(caught.value)
    assert str(source) in str(caught.value)
    assert time.process_time() - started < 5.0
    assert not (tmp_path / "out").exists()
