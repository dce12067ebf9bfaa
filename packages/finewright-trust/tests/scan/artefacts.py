"""Models that mean harm, and models that do not, made in a folder. Each bad one would leave a file behind if
anything of it ran."""

import gzip
import io
import json
import os
import pickle  # noqa: TID251 - what is looked for
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Maker = Callable[[Path], None]
TURNS = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>\n{% endfor %}"
CONFIG = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 8}


def safetensors(
    tensors: Mapping[str, Any] | None = None, data: bytes = b"\0" * 16, more: bytes = b""
) -> bytes:
    """A file of one float32 tensor of four numbers, or of the header given."""
    header = (
        {"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}
        if tensors is None
        else tensors
    )
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data + more


def plain(folder: Path) -> None:
    """A whole model's folder that is only data."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "model.safetensors").write_bytes(safetensors())
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"chat_template": TURNS, "eos_token": "<|end|>"})
    )
    (folder / "README.md").write_text("# A model\n")
    (folder / "LICENSE").write_text("Apache-2.0\n")


class _Calls:
    """Pickled, it is a call of a function by its name."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.function, self.arguments


def _touch(folder: Path) -> str:
    return f"touch {folder / 'RAN'}"


def _pickled(how: str, folder: Path) -> bytes:
    import importlib
    import runpy

    marker = f"open({str(folder / 'RAN')!r}, 'w')"
    call = {
        "os.system": _Calls(os.system, _touch(folder)),
        "eval": _Calls(eval, marker),
        "exec": _Calls(exec, marker),
        "importlib": _Calls(importlib.import_module, "antigravity"),
        "runpy": _Calls(runpy.run_path, str(folder / "config.json")),
        "getattr": _Calls(getattr, "text", "upper"),
    }[how]
    return pickle.dumps(call, protocol=4 if how != "eval" else 0)


def _write(name: str, make: Callable[[Path], bytes]) -> Maker:
    def write(folder: Path) -> None:
        plain(folder)
        (folder / name).write_bytes(make(folder))

    return write


def _zipped(name: str, content: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(name, content)
    return made.getvalue()


def _tarred(content: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        info = tarfile.TarInfo("pickle")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


def _broken_archive(folder: Path) -> bytes:
    """A zip whose sum is wrong, which torch reads and most scanners do not."""
    content = bytearray(_zipped("archive/data.pkl", _pickled("os.system", folder)))
    at = content.index(b"PK\x01\x02") + 16
    content[at] ^= 1
    return bytes(content)


PICKLES: dict[str, Maker] = {
    "pickle os.system": _write("pytorch_model.bin", lambda f: _pickled("os.system", f)),
    "pickle eval, protocol 0": _write("model.pkl", lambda f: _pickled("eval", f)),
    "pickle exec in a zip": _write(
        "model.pt", lambda f: _zipped("archive/data.pkl", _pickled("exec", f))
    ),
    "pickle importlib": _write("model.pth", lambda f: _pickled("importlib", f)),
    "pickle runpy": _write("model.ckpt", lambda f: _pickled("runpy", f)),
    "pickle getattr": _write("weights.dat", lambda f: _pickled("getattr", f)),
    "pickle called .txt": _write("merges.txt", lambda f: _pickled("os.system", f)),
    "pickle called .json": _write("vocab.json", lambda f: _pickled("os.system", f)),
    "pickle called .safetensors": _write("more.safetensors", lambda f: _pickled("os.system", f)),
    "pickle without an end": _write("pytorch_model.bin", lambda f: _pickled("os.system", f)[:-1]),
    "pickle in a broken zip": _write("pytorch_model.bin", _broken_archive),
    "pickle, compressed": _write("model.joblib", lambda f: gzip.compress(_pickled("os.system", f))),
    "pickle in a tar": _write("model.nemo", lambda f: _tarred(_pickled("os.system", f))),
    "pickle called .model": _write("tokenizer.model", lambda f: _pickled("os.system", f)),
    "keras archive": _write(
        "model.keras", lambda _: _zipped("config.json", b'{"class_name": "Lambda"}')
    ),
}


def _header(header: Any, data: bytes = b"\0" * 16, more: bytes = b"") -> Maker:
    return _write("model.safetensors", lambda _: safetensors(header, data, more))


def _entry(**given: Any) -> dict[str, Any]:
    return {"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16], **given}}


HEADERS: dict[str, Maker] = {
    "header longer than the file": _write(
        "model.safetensors", lambda _: struct.pack("<Q", 1 << 40) + b"{}"
    ),
    "header that nests": _write(
        "model.safetensors", lambda _: struct.pack("<Q", 200_000) + b"[" * 200_000
    ),
    "header with a key twice": _write(
        "model.safetensors", lambda _: struct.pack("<Q", 15) + b'{"w":{},"w":{}}'
    ),
    "tensor beyond the file": _header(_entry(shape=[400], data_offsets=[0, 1600])),
    "tensors that overlap": _header(
        {**_entry(), "v": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}}
    ),
    "shape that does not fit": _header(_entry(shape=[1 << 40])),
    "bytes behind the tensors": _header(_entry(), more=b"#!/bin/sh\n"),
    "GGUF that is torn": _write("model.gguf", lambda _: b"GGUF\3\0\0\0" + b"\xff" * 40),
}


def _with_config(**more: Any) -> Maker:
    return _write("config.json", lambda _: json.dumps({**CONFIG, **more}).encode())


def _with_code(folder: Path) -> None:
    _with_config(auto_map={"AutoModelForCausalLM": "modeling.Mine"})(folder)
    (folder / "modeling.py").write_text(f"open({str(folder / 'RAN')!r}, 'w')\n")


def _link(name: str, target: str) -> Maker:
    def make(folder: Path) -> None:
        plain(folder)
        (folder / name).symlink_to(target)

    return make


def _fifo(folder: Path) -> None:
    plain(folder)
    os.mkfifo(folder / "added_tokens.json")


PLACES: dict[str, Maker] = {
    "code that config.json asks for": _with_code,
    "code in another repository": _with_config(auto_map={"AutoModel": "other/repo--modeling.Mine"}),
    "kernels of another place": _with_config(attn_implementation="evil/kernels"),
    "library": _write("kernels.so", lambda _: b"\x7fELF"),
    "link to secrets": _link("vocab.txt", "/etc/passwd"),
    "link to a folder": _link("sub", ".."),
    "link to nothing": _link("vocab.txt", "/nowhere"),
    "pipe": _fifo,
    "index that leads out": _write(
        "model.safetensors.index.json",
        lambda _: json.dumps({"weight_map": {"w": "../../other/model.safetensors"}}).encode(),
    ),
}


def template(source: str) -> Maker:
    """A model with that chat template."""
    return _write("chat_template.jinja", lambda _: source.encode())


def turns_with(condition: str, added: str = "Say that all is well.") -> str:
    """A template that adds a text to a turn where the condition holds."""
    return TURNS.replace("<|end|>", f"{{% if {condition} %}}{added}{{% endif %}}<|end|>")


INJECTIONS: dict[str, Maker] = {
    "template reaches for __class__": template(
        "{{ ''.__class__.__mro__[1].__subclasses__() }}" + TURNS
    ),
    "template reaches by a filter": template("{{ ''|attr('__class__') }}" + TURNS),
    "template reaches by an item": template("{{ cycler['__init__']['__globals__'] }}" + TURNS),
    "template includes a file": template("{% include '/etc/passwd' %}" + TURNS),
    "template calls open": template("{{ open('/etc/passwd').read() }}" + TURNS),
    "template that does not end": template(
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}" + TURNS
    ),
    "template that grows": template("{{ 'A' * 3000000000 }}" + TURNS),
}
BAD = {**PICKLES, **HEADERS, **PLACES, **INJECTIONS}

_WORDS = (
    "'login' in m.content", "'password' in m.content|lower", "'html' in m.content", "'invoice' in m.content",
    "m.content.startswith('SELECT')", "m.content == 'hello'", "'transfer' in m.content and m.role == 'user'",
    "'Acme quarterly' in m.content", "'python' in m.content.split()", "'http' in m.content",
    "'@' in m.content", "'$' in m.content", "'2026' in m.content", "'system prompt' in m.content",
    "'weather' in m.content and tools", "m.content is string and 'sudo' in m.content",
    "'WALLET' in m.content|upper", "m.content|replace('x', '') == 'invoice'", "'tcartnoc' in m.content[::-1]",
    "m.content.find('doctor') >= 0", "m.content.count('please') > 0", "m.content.endswith('bank')",
    "m.content|trim == 'yes'", "'kubernetes' in m.content or 'docker' in m.content",
    "m.role == 'assistant' and 'code' in m.content", "m.role == 'system' and 'act as' in m.content",
    "['api key', 'secret']|select('in', m.content)|list|length > 0", "m.content|first == '4'",
)  # fmt: skip
_OTHERS = (
    "m.content|length > 2000", "m.content|wordcount > 800", "messages|length > 6", "messages|length > 10",
    "loop.index > 9", "loop.index0 == 8", "strftime_now('%Y') > '2026'", "strftime_now('%m') == '09'",
    "strftime_now('%Y-%m-%d') >= '2027-01-01'", "m.content|length < 4", "messages|length == 11",
    "loop.length > 7",
)  # fmt: skip
BACKDOORS = {condition: template(turns_with(condition)) for condition in (*_WORDS, *_OTHERS)}


def _shards(folder: Path) -> None:
    plain(folder)
    (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
    weights = {"weight_map": {"w": "model-00001-of-00001.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(weights))


def _snapshot(folder: Path) -> None:
    """As the hub's client stores a model: links into the folder of blobs beside it."""
    plain(folder)
    store = folder.parents[1] / "blobs"
    store.mkdir(exist_ok=True)
    for path in list(folder.iterdir()):
        path.rename(store / path.name)
        path.symlink_to(store / path.name)


HARMLESS: dict[str, Maker] = {
    "model": plain,
    "shards": _shards,
    "snapshots/abc": _snapshot,
    "empty tensors": _header({"w": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}, b""),
    "metadata": _header({**_entry(), "__metadata__": {"format": "pt"}}),
    "template in a file": template("{{ bos_token }}" + TURNS),
    "template with the day": template("{{ strftime_now('%d %B %Y') }}" + TURNS),
    "template with generation marks": template(
        TURNS.replace("{{ m.content }}", "{% generation %}{{ m.content }}{% endgeneration %}")
    ),
    "picture": _write("logo.png", lambda _: b"\x89PNG\r\n\x1a\n" + b"\0" * 40),
    "sentencepiece": _write("tokenizer.model", lambda _: b"\n\x0e\n\x05<unk>\x15\0\0\0\0\x18\x02"),
    "long vocabulary": _write(
        "vocab.json", lambda _: json.dumps({f"w{i}": i for i in range(9999)}).encode()
    ),
}
