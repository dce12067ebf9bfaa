"""What chat templates do, found out in the jail: a template is a program of whoever wrote it.

`render` and `differing` are called there, and this module imports nothing but jinja2. The environment is
transformers' (utils/chat_template_utils.py), so that a template gives the same here."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

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


class _Environment(ImmutableSandboxedEnvironment):
    """jinja2's sandbox, which decides once for each type and attribute: it looks at nothing else."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._is_safe: dict[tuple[type, str], bool] = {}

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        key = type(obj), attr
        if key not in self._is_safe:
            self._is_safe[key] = super().is_safe_attribute(obj, attr, value)
        return self._is_safe[key]


def _environment() -> _Environment:
    extensions: list[str | type[Extension]] = [_Generation, "jinja2.ext.loopcontrols"]
    made = _Environment(trim_blocks=True, lstrip_blocks=True, extensions=extensions)
    made.filters["tojson"] = _json_text
    made.globals.update(raise_exception=_raise, namespace=_Namespace)
    return made


@lru_cache(maxsize=64)
def _compile(source: str) -> Template:
    return _environment().from_string(source)


def render(source: str, variables: dict[str, Any]) -> dict[str, Any]:
    """For the jail alone: the text of a rendering, or the template's complaint and whether it is of a type
    that other arguments may mend."""
    try:
        return {"text": _render(_compile(source), variables)}
    except (TemplateError, TypeError, ValueError, KeyError) as error:
        return {"refused": str(error)[:2000], "is_type": isinstance(error, TypeError)}


def _render(template: Template, variables: Mapping[str, Any]) -> str:
    messages = [_alias_thoughts(message) for message in variables["messages"]]
    return template.render({**variables, "messages": messages})


def _alias_thoughts(message: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in message.items() if value is not None}
    thoughts = next((kept[key] for key in _REASONING if key in kept), None)
    return kept if thoughts is None else {"thinking": thoughts, **kept, _REASONING[0]: thoughts}


# ------------------------------------------------- does the frame depend on what messages say?

_PLAIN = "qzplainwordsqz"
_BEFORE, _AFTER = "some words and ", " and some more"
_LONG = "word " * 1200 + "word"
_TURNS = (4, 6, 8, 10, 12, 14)
"""Turns with the system's; the last is a user's."""
_DAYS = tuple(
    datetime(year, month, 28, tzinfo=UTC) for year in (2024, 2027, 2030) for month in (2, 9)
)
_DAY_MARK = "<day>"
_FORM_AS_DAY = "{% macro strftime_now(format) %}{{ format }}{% endmacro %}\n"
"""In front of a template that asks for the day: its form is written, on every day the same."""
_TOOL = {"type": "function", "function": {"name": "look", "description": "Look.", "parameters": {}}}


class TrialTurns(NamedTuple):
    """How a conversation is put to the template: who says the content, the tools, and the turns in all."""

    roles: tuple[str, ...]
    tools: Any  # Any: JSON
    turns: int = 4


def differing(
    source: str, variables: Mapping[str, Any], words: Sequence[str]
) -> tuple[str, str] | None:
    """For the jail alone: where the template writes anything else than the same frame around another content,
    turn or day, as the end of a sentence (`where a message says 'login'`), and what it writes first there.

    Each of `words`, each text that the template itself holds, and a long text are tried alone and within a
    sentence, of the user and of all roles, with a tool and without.

    Not covered: what depends on two such things at once."""
    template = _compile(_FORM_AS_DAY + source)
    held = list(_find_compared_texts(source))
    # A template that never names the tools writes the same with and without.
    offered = (None, [_TOOL]) if "tools" in source else (None,)
    for roles in (("user",), ("system", "user", "assistant")):
        for tools in offered:
            frame = TrialTurns(roles, tools)
            found = _find_moving_word(template, variables, frame, (*words, *held, _LONG))
            found = found or _find_moving_turn(template, variables, frame)
            if found:
                return found
    return _find_moving_day(source, variables)


def _find_moving_word(
    template: Template, variables: Mapping[str, Any], frame: TrialTurns, words: Sequence[str]
) -> tuple[str, str] | None:
    plain = _try_conversation(template, variables, _PLAIN, frame)
    if plain is None or _PLAIN not in plain:
        return None
    for word in words:
        for content in (word, f"{_BEFORE}{word}{_AFTER}"):
            text = _try_conversation(template, variables, content, frame)
            expected = plain.replace(_PLAIN, content)
            if text is not None and text != expected:
                shown = repr(word) if word != _LONG else f"{len(content):,} characters"
                return f"where a message says {shown}", _difference(text, expected)
    return None


def _find_moving_turn(
    template: Template, variables: Mapping[str, Any], frame: TrialTurns
) -> tuple[str, str] | None:
    """Every two turns more must add the same."""
    texts = [
        _try_conversation(template, variables, _PLAIN, frame._replace(turns=n)) for n in _TURNS
    ]
    if any(text is None for text in texts):
        return None
    lengths = [len(text or "") for text in texts]
    steps = [after - before for before, after in pairwise(lengths)]
    odd = next((i for i, step in enumerate(steps) if step != steps[0]), None)
    if odd is None:
        return None
    before, after = texts[odd] or "", texts[odd + 1] or ""
    return f"in a conversation of {_TURNS[odd + 1]} turns", _difference(after, before)


def _find_moving_day(source: str, variables: Mapping[str, Any]) -> tuple[str, str] | None:
    """The day may stand in the frame, and decide nothing."""
    if "strftime_now" not in source:
        return None
    written = [_render_on(day, source, variables) for day in _DAYS]
    pairs = [(day, text) for day, text in zip(_DAYS, written, strict=True) if text is not None]
    if not pairs:
        return None
    first = pairs[0][1]
    for day, text in pairs:
        if text != first:
            return f"on {day:%d %B %Y}", _difference(text, first)
    return None


def _render_on(day: datetime, source: str, variables: Mapping[str, Any]) -> str | None:
    """The text of a conversation on that day, with a mark for each time that it is written."""
    shown: set[str] = set()

    def strftime_now(form: str) -> str:
        shown.add(day.strftime(form))
        return day.strftime(form)

    environment = _environment()
    environment.globals["strftime_now"] = strftime_now
    text = _try_conversation(
        environment.from_string(source), variables, _PLAIN, TrialTurns(("user",), None)
    )
    for each in sorted(shown, key=len, reverse=True):
        text = text and text.replace(each, _DAY_MARK)
    return text


def _try_conversation(
    template: Template, variables: Mapping[str, Any], content: str, frame: TrialTurns
) -> str | None:
    turns = [(("user", "assistant")[i % 2], "uav"[i % 3]) for i in range(frame.turns - 1)]
    turns = [("system", "s"), *turns] if "system" in frame.roles else turns
    said = [
        {"role": role, "content": content if role in frame.roles else text} for role, text in turns
    ]
    given = {**variables, "messages": said, "tools": frame.tools, "add_generation_prompt": True}
    try:
        return _render(template, given)
    except (TemplateError, TypeError, ValueError, KeyError):
        return None


def _difference(text: str, expected: str) -> str:
    pairs = enumerate(zip(text, expected, strict=False))
    at = next((i for i, (a, b) in pairs if a != b), min(len(text), len(expected)))
    return text[at:][:80]


def _find_compared_texts(source: str) -> Iterator[str]:
    """The texts that a template compares with, or looks for: but marks, which templates may read."""
    seen: set[str] = set()
    for node in _environment().parse(source).find_all(nodes.Const):
        text = node.value.strip() if isinstance(node.value, str) else ""
        if text and text not in seen and not _is_mark(text):
            seen.add(text)
            yield text


def _is_mark(text: str) -> bool:
    """Whether it is a tag or a control token, as `</think>`, or a part of one. No word of a language is."""
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
    """Whether a template has what makes much of little: products and powers, `%`, paddings, formats, wide
    ranges, and variables put together and set. Such are rendered in the jail alone.

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
    """Whether a replacement makes texts longer, or that is not known."""
    texts = [each.value for each in args if isinstance(each, nodes.Const)]
    known = len(texts) > 1 and len(texts) == len(args)
    return not known or len(str(texts[1])) > max(1, len(str(texts[0])))


def _doubles(node: nodes.Assign | nodes.AssignBlock, assigned: set[str]) -> bool:
    """Whether variables that are set anywhere are read twice in what is put together, and set."""
    joined = node.find_all((nodes.Add, nodes.Concat)) if isinstance(node, nodes.Assign) else [node]
    return any(
        sum(name.ctx == "load" and name.name in assigned for name in each.find_all(nodes.Name)) > 1
        for each in joined
    )
