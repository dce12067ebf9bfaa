"""What lies in a model's folder: each file is of a kind that is only data, or it is refused.

Lists of bad files leave something out; this is a list of good ones. A link may lead within the folder, or
into the hub's own store beside it."""

import json
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from finewright.lm.gguf_header import read_templates
from finewright.sdk import Problem
from finewright.store.jail import Jailed, Limits, run_jailed
from finewright_trust.scan.templates import (
    FoundTemplate,
    check_template,
    special_tokens,
    templates_of,
)
from finewright_trust.scan.weights import find_odd_numbers, names_in_pickle, read_safetensors_header

_TEXT = frozenset(
    (
        *(".md", ".txt", ".jinja", ".yaml", ".yml", ".jsonl", ".csv", ".cfg", ".toml"),
        *(
            ".vocab",
            ".bpe",
            ".tiktoken",
            ".lock",
            ".log",
            ".svg",
            ".html",
            ".gitattributes",
            ".gitignore",
        ),
    )
)
_NAMED = re.compile(
    r"(LICEN[SC]E|NOTICE|README|COPYING|USE_POLICY|CITATION|merges|vocab)[\w.-]*", re.IGNORECASE
)
_HEADS: Mapping[str, bytes] = {
    ".png": b"\x89PNG",
    ".jpg": b"\xff\xd8",
    ".jpeg": b"\xff\xd8",
    ".gif": b"GIF8",
    ".webp": b"RIFF",
    ".pdf": b"%PDF",
}
_CODE = frozenset({".py", ".pyc", ".so", ".dll", ".dylib", ".sh", ".bat", ".exe", ".js", ".ipynb"})
_MOST_JSON = 200 << 20
_HEADER_LIMITS = Limits(cpu_seconds=30.0, memory_mib=2048)
"""Of a header of 100 MB, the largest that the format's own reader takes."""
_OWN_CODE = ("auto_map", "custom_pipelines", "custom_generate", "trust_remote_code")
_PICKLED = "only safetensors and GGUF are loaded; ask its maker for them"
_CONSENT = "read that code; `finewright trust add` consents to it by its digest"


class Scanned(NamedTuple):
    """What was looked at: files, their bytes, the templates' digests by place, and what is wrong."""

    files: int
    bytes: int
    templates: Mapping[str, str]
    problems: tuple[Problem, ...]


def scan_folder(folder: Path) -> Scanned:
    """Look at every file of a model's folder; nothing of it is run, and what strangers wrote is parsed in the
    jail."""
    problems: list[Problem] = []
    count = size = 0
    for path in _files(folder):
        name = str(path.relative_to(folder))
        count += 1
        problem = _fault_of_place(folder, path)
        if problem is not None:
            problems.append(problem)
            continue
        size += path.stat().st_size
        problems += [each.model_copy(update={"file": name}) for each in scan_file(path)]
    problems += _missing_shards(folder)
    found, tokens = list(templates_of(folder)), special_tokens(folder)
    for template in found:
        problems += check_template(template, tokens)
    digests = {f"{each.file}: {each.name}": each.sha256 for each in found}
    return Scanned(count, size, digests, tuple(problems))


def scan_file(path: Path) -> Iterator[Problem]:
    """What is wrong with one file, by its name and its content."""
    kind = path.suffix.lower()
    check = _CHECKS.get(kind)
    if check is not None:
        yield from check(path)
    elif kind in _CODE:
        yield _problem(path, "code", "it is code, which no model of a known family needs", _CONSENT)
    elif kind in _TEXT or _NAMED.fullmatch(path.name) or kind in _HEADS:
        yield from _of_text(path)
    else:
        yield from _of_unknown(path)


def _files(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders.sort()
        links = [name for name in folders if Path(root, name).is_symlink()]
        yield from (Path(root, name) for name in sorted([*files, *links]))


def _fault_of_place(folder: Path, path: Path) -> Problem | None:
    try:
        target = path.resolve(strict=True)
        mode = target.stat().st_mode
    except (OSError, RuntimeError):
        return _placed(folder, path, "it is a link to nothing")
    store = (
        folder.resolve().parents[1] / "blobs"
        if folder.resolve().parent.name == "snapshots"
        else None
    )
    homes = [folder.resolve(), *([store] if store else [])]
    if not any(target.is_relative_to(home) for home in homes):
        return _placed(folder, path, "it is a link that leads out of the folder")
    if path.is_symlink() and stat.S_ISDIR(mode):
        return _placed(folder, path, "it is a link to a folder")
    return None if stat.S_ISREG(mode) else _placed(folder, path, "it is no regular file")


def _placed(folder: Path, path: Path, message: str) -> Problem:
    name = str(path.relative_to(folder))
    hint = "put the file itself there, or delete it"
    return Problem(level="error", file=name, key="place", message=message, hint=hint)


def _problem(path: Path, key: str, message: str, hint: str) -> Problem:
    return Problem(level="error", file=path.name, key=key, message=message, hint=hint)


def _of_text(path: Path) -> Iterator[Problem]:
    with path.open("rb") as file:
        head = file.read(1 << 16)
    due = _HEADS.get(path.suffix.lower())
    if due is not None and not head.startswith(due):
        yield _problem(path, "kind", f"it is no {path.suffix[1:]} file by its content", "delete it")
    if due is None and b"\0" in head:
        yield from _of_unknown(path)


def _of_unknown(path: Path) -> Iterator[Problem]:
    names = _jailed_names(path)
    if names is None:
        message = "this kind of file is not known to be only data"
        yield _problem(path, "kind", message, "delete it, if you do not need it")
        return
    calls = f", which calls {', '.join(names)}" if names else ""
    yield _problem(path, "pickle", f"it holds a pickle{calls}", _PICKLED)


def _jailed_names(path: Path) -> list[str] | None:
    limits = Limits(cpu_seconds=20.0, memory_mib=1024)
    try:
        found: list[str] | None = run_jailed(names_in_pickle, str(path.absolute()), limits=limits)
    except Jailed as error:
        return [f"what cannot be read: {error}"]
    return found


def _of_json(path: Path) -> Iterator[Problem]:
    if path.stat().st_size > _MOST_JSON:
        yield _problem(path, "kind", f"over {_MOST_JSON >> 20} MiB is no setting", "delete it")
        return
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        yield _problem(
            path, "kind", f"it is no JSON: {str(error)[:100]}", "take it from its maker again"
        )
        return
    for key, value in _settings(content):
        if key in _OWN_CODE and value:
            code = json.dumps(value)[:100]
            yield _problem(path, "code", f"{key}: it asks for code of its own: {code}", _CONSENT)
        elif key in ("attn_implementation", "_attn_implementation") and "/" in str(value):
            yield _problem(
                path,
                "code",
                f"{key}: it asks for kernels of another place: {value}",
                "delete the key",
            )


def _settings(content: Any) -> Iterator[tuple[str, Any]]:  # Any: JSON
    """The keys of the object and of those right below it: whole vocabularies lie deeper."""
    if isinstance(content, dict):
        yield from content.items()
        for below in content.values():
            if isinstance(below, dict):
                yield from ((key, value) for key, value in below.items() if key in _OWN_CODE)


def _of_safetensors(path: Path) -> Iterator[Problem]:
    hint = "take it from its maker again"
    try:
        found = run_jailed(read_safetensors_header, str(path.absolute()), limits=_HEADER_LIMITS)
    except Jailed as error:
        found = {"fault": str(error)}
    if found["fault"]:
        yield _problem(path, "header", found["fault"], hint)
        return
    yield from find_odd_numbers(path, found["tensors"])


def _of_gguf(path: Path) -> Iterator[Problem]:
    try:
        found = run_jailed(
            read_templates, str(path.absolute()), limits=_GGUF_LIMITS, needs=("gguf",)
        )
    except Jailed as error:
        yield _problem(
            path, "header", f"not a readable GGUF file: {error}", "take it from its maker again"
        )
        return
    if found["fault"]:
        yield _problem(path, "header", found["fault"], "take it from its maker again")
    for name, source in found["templates"].items():
        yield from check_template(FoundTemplate(path.name, name, source), ())


_GGUF_LIMITS = Limits(cpu_seconds=120.0, memory_mib=4096)
"""gguf's reader takes 18 s and 1 to 1.6 GiB for 262,144 tokens with as many merges."""


def _of_sentencepiece(path: Path) -> Iterator[Problem]:
    """A protocol buffer whose first field is its pieces: `\\n`, a length, and `\\n` again."""
    with path.open("rb") as file:
        head = file.read(4)
    if head[:1] != b"\n":
        yield from _of_unknown(path)


_CHECKS: Mapping[str, Callable[[Path], Iterator[Problem]]] = {
    ".json": _of_json,
    ".safetensors": _of_safetensors,
    ".gguf": _of_gguf,
    ".model": _of_sentencepiece,
}


def _missing_shards(folder: Path) -> Iterator[Problem]:
    """An index may name files of the folder alone, and all of them are there."""
    for path in sorted(folder.rglob("*.safetensors.index.json")):
        try:
            named = set(json.loads(path.read_bytes())["weight_map"].values())
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            yield _problem(
                path, "index", "not a readable index of weights", "take it from its maker again"
            )
            continue
        for name in sorted(map(str, named)):
            is_inside = Path(name).name == name
            if not is_inside or not (path.parent / name).is_file():
                what = "which is not there" if is_inside else "which leads out of the folder"
                yield _problem(
                    path,
                    "index",
                    f"it names {name[:100]!r}, {what}",
                    "take it from its maker again",
                )
