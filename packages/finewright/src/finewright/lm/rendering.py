"""What chat templates do, found out in the jail: a template is a program of whoever wrote it.

`render` and `differing` are called there, and this module imports nothing but jinja2. The environment is
transformers' (utils/chat_template_utils.py), so that a template gives the same here."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from jinja2 import Template, TemplateError, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

_REASONING = ("reasoning_content", "thinking", "reasoning")
"""What messages name their thoughts by; templates read the first, gpt-oss's the second."""


class _Generation(Extension):
    """`{% generation %}`, with which some templates mark what an assistant writes."""

    tags = {"generation"}  # noqa: RUF012 - jinja's own form

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Namespace(Namespace):
    def __init__(*args: Any, **given: Any) -> None:
        first, *rest = args
        given = dict(*rest, **given)
        for name in given:
            _refuse_hidden(name)
        Namespace.__init__(first, given)

    def __setitem__(self, name: str, value: Any) -> None:
        _refuse_hidden(name)
        super().__setitem__(name, value)


def _refuse_hidden(name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise TemplateError(f"a namespace cannot have the name {name!r}")


def _raise(message: str) -> None:
    raise TemplateError(message)


def _json_text(
    value: Any,
    ensure_ascii: bool = False,
    indent: Any = None,
    separators: Any = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _environment() -> ImmutableSandboxedEnvironment:
    extensions: list[str | type[Extension]] = [_Generation, "jinja2.ext.loopcontrols"]
    made = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=extensions
    )
    made.filters["tojson"] = _json_text
    made.globals.update(raise_exception=_raise, namespace=_Namespace)
    return made


@lru_cache(maxsize=64)
def _compiled(source: str) -> Template:
    return _environment().from_string(source)


def render(source: str, variables: dict[str, Any]) -> dict[str, Any]:
    """For the jail alone: the text of a rendering, or the template's complaint and whether it is of a type
    that other arguments may mend."""
    try:
        return {"text": _rendered(_compiled(source), variables)}
    except (TemplateError, TypeError, ValueError, KeyError) as error:
        return {"refused": str(error)[:2000], "is_type": isinstance(error, TypeError)}


def _rendered(template: Template, variables: Mapping[str, Any]) -> str:
    messages = [_aliased(message) for message in variables["messages"]]
    return template.render({**variables, "messages": messages})


def _aliased(message: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in message.items() if value is not None}
    thoughts = next((kept[key] for key in _REASONING if key in kept), None)
    return kept if thoughts is None else {"thinking": thoughts, **kept, _REASONING[0]: thoughts}


# ------------------------------------------------- does the frame depend on what messages say?

_PLAIN = "qzplainwordsqz"
_BEFORE, _AFTER = "some words and ", " and some more"
_TOOL = {"type": "function", "function": {"name": "look", "description": "Look.", "parameters": {}}}


def differing(
    source: str, variables: Mapping[str, Any], words: Sequence[str]
) -> tuple[str, str] | None:
    """For the jail alone: the first word for which the template writes anything else than the same frame
    around another content, and what it writes first there. Each is tried alone and within a sentence,
    of the user and of all roles, with a tool and without: `words`, and every text that the template itself
    holds.

    Not covered: what depends on the number of turns, on the day, or on a content's length."""
    template = _compiled(source)
    for roles in (("user",), ("system", "user", "assistant")):
        for tools in (None, [_TOOL]):
            frame = _tried(template, variables, _PLAIN, roles, tools)
            if frame is None or _PLAIN not in frame:
                continue
            for word in (*words, *_held(source)):
                for content in (word, f"{_BEFORE}{word}{_AFTER}"):
                    text = _tried(template, variables, content, roles, tools)
                    expected = frame.replace(_PLAIN, content)
                    if text is not None and text != expected:
                        return word, _difference(text, expected)
    return None


def _tried(
    template: Template,
    variables: Mapping[str, Any],
    content: str,
    roles: Sequence[str],
    tools: Any,
) -> str | None:
    turns = [("system", "s"), ("user", "u"), ("assistant", "a"), ("user", "v")]
    turns = turns if "system" in roles else turns[1:]
    said = [{"role": role, "content": content if role in roles else text} for role, text in turns]
    try:
        return _rendered(
            template, {**variables, "messages": said, "tools": tools, "add_generation_prompt": True}
        )
    except (TemplateError, TypeError, ValueError, KeyError):
        return None


def _difference(text: str, expected: str) -> str:
    pairs = enumerate(zip(text, expected, strict=False))
    at = next((i for i, (a, b) in pairs if a != b), min(len(text), len(expected)))
    return text[at:][:80]


def _held(source: str) -> Iterator[str]:
    """The texts that a template compares with, or looks for: but marks, which templates may read."""
    seen: set[str] = set()
    for node in _environment().parse(source).find_all(nodes.Const):
        text = node.value.strip() if isinstance(node.value, str) else ""
        if text and text not in seen and not _is_mark(text):
            seen.add(text)
            yield text


def _is_mark(text: str) -> bool:
    """Is it a tag or a control token, as `</think>`, or a part of one? No word of a language is."""
    return (not text[0].isalnum() and not text[-1].isalnum()) or any(c in text for c in "<>|[]{}\n")


# ------------------------------------------------------ can it make much of little?

_GROWING_METHODS = frozenset(
    [
        "center",
        "expandtabs",
        "format",
        "format_map",
        "ljust",
        "rjust",
        "to_bytes",
        "zfill",
        "translate",
    ]
)
_GROWING_FILTERS = frozenset(
    ["batch", "center", "format", "indent", "pprint", "slice", "urlize", "wordwrap", "xmlattr"]
)
_GROWING_CALLS = frozenset(["lipsum", "cycler"])
_MOST_RANGE = 1_000


@lru_cache(maxsize=64)
def amplifies(source: str) -> bool:
    """Has a template what makes much of little: products and powers, `%`, paddings, formats, wide ranges,
    and variables put together and set? Such are rendered in the jail alone.

    The rest grow with the conversation, or hide a bomb of other parts from the trial; that is not covered.
    False where it is no template: its rendering says so."""
    try:
        tree = _environment().parse(source)
    except (TemplateError, RecursionError):
        return False
    if next(tree.find_all((nodes.Mul, nodes.Pow)), None):
        return True
    texts = (each.value for each in tree.find_all(nodes.Const) if isinstance(each.value, str))
    if next(tree.find_all(nodes.Mod), None) and any("%" in text for text in texts):
        return True
    if any(map(_grows, tree.find_all((nodes.Call, nodes.Filter)))):
        return True
    set_here: list[nodes.Assign | nodes.AssignBlock] = [*tree.find_all(nodes.Assign)]
    set_here += tree.find_all(nodes.AssignBlock)
    parts = [part for each in set_here for part in (each.target, *each.target.find_all(nodes.Expr))]
    names = {part.name for part in parts if isinstance(part, nodes.Name | nodes.NSRef)}
    return any(_doubles(each, names) for each in set_here)


def _grows(node: nodes.Node) -> bool:
    match node:
        case nodes.Filter():
            return node.name in _GROWING_FILTERS or (
                node.name == "replace" and _is_longer(node.args)
            )
        case nodes.Call(node=nodes.Getattr(attr=name)):
            return name in _GROWING_METHODS or (name == "replace" and _is_longer(node.args))
        case nodes.Call(node=nodes.Name(name="range")):
            numbers = [each.value for each in node.find_all(nodes.Const)]
            return any(isinstance(each, int) and each > _MOST_RANGE for each in numbers)
        case nodes.Call(node=nodes.Name(name=name)):
            return name in _GROWING_CALLS
    return False


def _is_longer(args: Sequence[nodes.Expr]) -> bool:
    """Does a replacement make texts longer, or is that not known?"""
    texts = [each.value for each in args if isinstance(each, nodes.Const)]
    known = len(texts) > 1 and len(texts) == len(args)
    return not known or len(str(texts[1])) > max(1, len(str(texts[0])))


def _doubles(node: nodes.Assign | nodes.AssignBlock, assigned: set[str]) -> bool:
    """Are variables that are set anywhere read twice in what is put together, and set?"""
    joined = node.find_all((nodes.Add, nodes.Concat)) if isinstance(node, nodes.Assign) else [node]
    return any(
        sum(name.ctx == "load" and name.name in assigned for name in each.find_all(nodes.Name)) > 1
        for each in joined
    )
