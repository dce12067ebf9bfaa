"""The chat templates of a model: where they stand, and what is wrong with each.

What a chat template calls and reaches for, by its syntax tree; called in the jail, rendering nothing."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from finewright.errors import ModelError
from finewright.sdk import Problem
from finewright.store.jail import Jailed, run_jailed

_GLOBALS = frozenset(
    {"namespace", "raise_exception", "strftime_now", "range", "dict", "joiner", "cycler", "lipsum"}
)
"""What transformers and jinja2 offer to a template; another name fails, or is of another host."""


_HIDDEN = frozenset(
    {
        "mro",
        "gi_frame",
        "gi_code",
        "cr_frame",
        "func_globals",
        "func_code",
        "tb_frame",
        "format_map",
    }
)


_LOADING = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)


_SPECIAL = (
    "bos_token",
    "eos_token",
    "pad_token",
    "unk_token",
    "cls_token",
    "sep_token",
    "mask_token",
)
MEND = "put the family's own template there, from its maker's page"


class FoundTemplate(NamedTuple):
    """A chat template, the file that it stands in, and its name there."""

    file: str
    name: str
    source: str

    @property
    def sha256(self) -> str:
        """Of its text in UTF-8, in hex."""
        return hashlib.sha256(self.source.encode("utf-8", "surrogatepass")).hexdigest()


def templates_of(folder: Path) -> Iterator[FoundTemplate]:
    """Every template that transformers would find in a model's folder, and those beside them."""
    for path in sorted(folder.rglob("*.jinja")):
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            yield FoundTemplate(str(path.relative_to(folder)), path.stem, text)
    for path in sorted(folder.rglob("*.json")):
        found = _object(path).get("chat_template") if path.is_file() else None
        name = str(path.relative_to(folder))
        if isinstance(found, str):
            yield FoundTemplate(name, "chat_template", found)
        for each in found if isinstance(found, list) else ():
            if isinstance(each, dict) and isinstance(each.get("template"), str):
                yield FoundTemplate(name, str(each.get("name", "")), each["template"])


def scan_template_file(path: Path) -> Iterator[Problem]:
    """What is wrong with a template that is a file by itself; nothing of other files."""
    if path.suffix == ".jinja":
        text = path.read_text(encoding="utf-8", errors="replace")
        yield from check_template(FoundTemplate(path.name, path.stem, text), ())


def special_tokens(folder: Path) -> tuple[tuple[str, str], ...]:
    """(name, text) of the special tokens that a template may write."""
    config = _object(folder / "tokenizer_config.json")
    texts = ((name, _text(config.get(name))) for name in _SPECIAL)
    return tuple((name, text) for name, text in texts if text)


def check_template(found: FoundTemplate, tokens: tuple[tuple[str, str], ...]) -> Iterator[Problem]:
    """An error where its syntax reaches out of the conversation, or its trial fails."""
    try:
        parts = run_jailed(unsafe_parts, found.source)
    except Jailed as error:
        parts = [f"it cannot be parsed: {error}"]
    if parts:
        yield _problem(found, "; ".join(parts))
        return
    from finewright.lm.trial import try_template

    try:
        try_template(found.source, tokens)
    except ModelError as error:
        yield _problem(found, str(error))


def _problem(found: FoundTemplate, message: str) -> Problem:
    return Problem(level="error", file=found.file, key=found.name, message=message, hint=MEND)


def _text(token: Any) -> str:  # Any: JSON
    content = token.get("content") if isinstance(token, Mapping) else token
    return content if isinstance(content, str) else ""


def _object(path: Path) -> dict[str, Any]:  # Any: JSON
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def unsafe_parts(source: str) -> list[str]:
    """For the jail alone: a line for each part that no template of a conversation needs."""
    environment = ImmutableSandboxedEnvironment(
        extensions=["jinja2.ext.loopcontrols", "jinja2.ext.do"]
    )
    text = source.replace("{% generation %}", "").replace("{% endgeneration %}", "")
    text = text.replace("{%- generation %}", "").replace("{%- endgeneration %}", "")
    text = text.replace("{%- generation -%}", "").replace("{%- endgeneration -%}", "")
    try:
        tree = environment.parse(text)
    except (TemplateError, RecursionError) as error:
        return [f"it is no template: {error}"]
    return list(dict.fromkeys(_parts(tree)))


def _parts(tree: nodes.Template) -> Iterator[str]:
    if next(tree.find_all(_LOADING), None):
        yield "it loads other templates"
    for node in tree.find_all(nodes.Getattr):
        if node.attr.startswith("_") or node.attr in _HIDDEN:
            yield f"it reaches for .{node.attr}"
    for item in tree.find_all(nodes.Getitem):
        if isinstance(item.arg, nodes.Const) and str(item.arg.value).startswith("__"):
            yield f"it reaches for [{item.arg.value!r}]"
    for each in tree.find_all(nodes.Filter):
        if each.name in ("attr", "map") and any(
            _is_hidden(part) for part in each.find_all(nodes.Const)
        ):
            yield f"its filter {each.name} reaches for what is hidden"
    made = {name.name for name in tree.find_all(nodes.Name) if name.ctx in ("store", "param")}
    made |= {macro.name for macro in tree.find_all(nodes.Macro)}
    for call in tree.find_all(nodes.Call):
        name = call.node.name if isinstance(call.node, nodes.Name) else ""
        if name and name not in _GLOBALS and name not in made and name != "caller":
            yield f"it calls {name}(), which no template is offered"


def _is_hidden(part: nodes.Const) -> bool:
    return isinstance(part.value, str) and part.value.startswith("_")
