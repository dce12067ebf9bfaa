"""A Modelfile for Ollama, whose templates are Go's and know roles and contents alone.

What the model's own template writes around each role is found by rendering; the Modelfile is written only
where that alone gives the same text as the template for conversations of several shapes."""

from collections.abc import Sequence
from typing import NamedTuple

from finewright.errors import DataError, ModelError
from finewright.lm.chat import Chat
from finewright_bridge.export.gguf_tokenizer import adds_bos

_HINT = "export with --to gguf: llama.cpp reads the model's own template"
_QUOTES = '"""'


class Around(NamedTuple):
    """What stands before and after a role's content."""

    before: str
    after: str


class Shape(NamedTuple):
    """The template by roles, what an answer begins with, and the system prompt where none is given."""

    roles: dict[str, Around]
    opening: str
    default_system: str


def modelfile(chat: Chat, file: str) -> str:
    """The Modelfile's text. Raises ModelError where Go's template could not say what the model's says."""
    shape = _shape(chat)
    cases = "{{ else if ".join(
        f'eq .Role "{role}" }}}}{_quote(around.before)}{{{{ .Content }}}}{_quote(around.after)}'
        for role, around in shape.roles.items()
    )
    template = f"{{{{- range .Messages }}}}{{{{ if {cases}{{{{ end }}}}{{{{ end }}}}{_quote(shape.opening)}"
    stops = [chat.tokenizer.convert_ids_to_tokens(token) for token in sorted(chat.stop_ids)]
    lines = [f"FROM ./{file}", f"TEMPLATE {_QUOTES}{template}{_QUOTES}"]
    if shape.default_system:
        lines.append(f"SYSTEM {_QUOTES}{shape.default_system}{_QUOTES}")
    lines += [f'PARAMETER stop "{stop}"' for stop in stops]
    lines.append("PARAMETER temperature 0")
    return "\n".join(lines) + "\n"


def _shape(chat: Chat) -> Shape:
    """Raises ModelError where roles and contents alone do not make the template's text."""
    bos = (chat.tokenizer.bos_token or "") if adds_bos(chat.tokenizer) else ""
    try:
        shape = _find_shape(chat, bos)
        is_same = all(
            _render_as_ollama(shape, messages) == _render_prompt(chat, messages, bos)
            for messages in _conversations()
        )
    except (DataError, ValueError):
        is_same = False
    if not is_same or _QUOTES in str(shape):
        raise ModelError(
            "Ollama's templates cannot say what this model's template says", hint=_HINT
        )
    return shape


def _find_shape(chat: Chat, bos: str) -> Shape:
    """From one long conversation, cut at its contents. Raises ValueError where one of them is not there."""
    messages = _turns("system", "user", "assistant", "user")
    whole = chat.render(messages).removeprefix(bos)
    opening = _render_prompt(chat, messages, bos).removeprefix(whole)
    parts = []
    for message in messages:
        before, content, whole = whole.partition(message["content"])
        if not content:
            raise ValueError(message["content"])
        parts.append(before)
    user = Around(_common_end(parts[1], parts[3]).removeprefix(whole), whole)
    roles = {
        "system": Around(parts[0], parts[1].removesuffix(user.before)),
        "user": user,
        "assistant": Around(parts[2].removeprefix(user.after), parts[3].removesuffix(user.before)),
    }
    alone = _render_prompt(chat, _turns("user"), bos)
    head = alone.partition("content 0")[0].removesuffix(user.before)
    system = roles["system"]
    default = head.removeprefix(system.before).removesuffix(system.after) if head else ""
    return Shape(roles, opening, default)


def _common_end(first: str, second: str) -> str:
    """The longest text that both end with."""
    length = 0
    while length < min(len(first), len(second)) and first[-1 - length] == second[-1 - length]:
        length += 1
    return first[len(first) - length :]


def _conversations() -> Sequence[list[dict[str, str]]]:
    shapes = (("user",), ("system", "user"), ("system", "user", "assistant", "user"))
    with_blanks = [{**turn, "content": f"  {turn['content']} \n"} for turn in _turns(*shapes[-1])]
    return [*(_turns(*roles) for roles in shapes), with_blanks]


def _turns(*roles: str) -> list[dict[str, str]]:
    return [{"role": role, "content": f"content {number}"} for number, role in enumerate(roles)]


def _render_prompt(chat: Chat, messages: Sequence[dict[str, str]], bos: str) -> str:
    return chat.prompt(messages).text.removeprefix(bos)  # the file's own setting writes it


def _render_as_ollama(shape: Shape, messages: Sequence[dict[str, str]]) -> str:
    """What Ollama makes of a conversation with this template."""
    given = list(messages)
    if shape.default_system and given[0]["role"] != "system":
        given.insert(0, {"role": "system", "content": shape.default_system})
    turns = (
        f"{shape.roles[turn['role']].before}{turn['content']}{shape.roles[turn['role']].after}"
        for turn in given
    )
    return "".join(turns) + shape.opening


def _quote(text: str) -> str:
    """Text in a Go template: braces begin actions there."""
    return text.replace("{{", '{{ "{{" }}')
