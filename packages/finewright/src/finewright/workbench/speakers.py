"""Who answers in a chat: a model in this process, or one that a server has."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from finewright.compare.local import LoadedModel
from finewright.errors import DataError
from finewright.fetch.endpoint import Client, Endpoint
from finewright.workbench.chat import Manner, Spoken, answer
from finewright.workbench.systems import load_talker, with_draft

Messages = Sequence[dict[str, str]]
_MOST_SHOWN = 8
_DONE = {
    "block": "blocked",
    "redact": "replaced",
    "mark": "set apart",
    "log": "let pass and counted",
}
_PLACES = {"input": "question", "untrusted": "texts of others", "output": "answer"}


class Speaker(Protocol):
    """A model to talk to. It was trained with `system_prompt`, which a conversation begins with."""

    name: str
    system_prompt: str

    def answer(self, messages: Messages, manner: Manner) -> Iterator[Spoken]:
        """Its next turn, in pieces as they come."""


class LocalSpeaker:
    """A loaded model."""

    def __init__(self, model: LoadedModel) -> None:
        self.name, self.system_prompt, self._model = model.name, model.system_prompt, model

    def answer(self, messages: Messages, manner: Manner) -> Iterator[Spoken]:
        """See Speaker."""
        return answer(self._model, messages, manner)


class EndpointSpeaker:
    """A model of a server that speaks OpenAI's API. Nothing is known of its system prompt."""

    system_prompt = ""

    def __init__(self, target: str) -> None:
        endpoint = Endpoint.parse(target) if "#" in target else _only_model(target)
        self.name, self._client = endpoint.model, Client(endpoint, timeout_s=600)

    def answer(self, messages: Messages, manner: Manner) -> Iterator[Spoken]:
        """See Speaker. Raises FetchError, or DataError where thoughts are to be bounded."""
        if manner.max_thought_tokens is not None:
            raise DataError(
                f"{self.name}: a server's thoughts cannot be bounded from here",
                hint="leave --max-thought-tokens out",
            )
        options = {
            "max_tokens": manner.max_new_tokens,
            "temperature": manner.temperature,
            "seed": manner.seed,
        }
        calls, cited, guards = _Calls({}, {}), dict[str, None](), list[str]()
        for chunk in self._client.chat_stream(messages, **options):
            guards += _find_decisions(chunk.get("guards"))
            for choice in chunk.get("choices") or ():
                delta = choice.get("delta") or {}
                yield from _pieces(delta)
                calls.add(delta.get("tool_calls") or ())
                cited |= dict.fromkeys(_find_cited(delta.get("annotations")))
        for number, name in calls.names.items():
            yield Spoken("call", f"{name} {calls.arguments[number]}")
        yield from (Spoken("source", each) for each in cited)
        yield from (Spoken("guard", each) for each in guards)


def _only_model(url: str) -> Endpoint:
    """The model of a server that serves one. Raises DataError that lists them where there are several."""
    endpoint = Endpoint.of_server(url)
    models = Client(endpoint, timeout_s=10).models()
    if len(models) != 1:
        shown = ", ".join(models[:_MOST_SHOWN]) + (", ..." if len(models) > _MOST_SHOWN else "")
        raise DataError(
            f"{url}: it serves {len(models)} models: {shown or 'none'}",
            hint=f"name the one to talk to: finewright chat {url}#{models[0] if models else 'MODEL'}",
        )
    return replace(endpoint, model=models[0])


@dataclass(frozen=True, slots=True)
class _Calls:
    names: dict[int, str]
    arguments: dict[int, str]

    def add(self, deltas: Sequence[Mapping[str, Any]]) -> None:  # Any: as the wire has them
        for each in deltas:
            number, function = int(each.get("index") or 0), each.get("function") or {}
            self.names[number] = self.names.get(number, "") + (function.get("name") or "")
            more = function.get("arguments") or ""
            self.arguments[number] = self.arguments.get(number, "") + more


def _find_cited(annotations: object) -> Iterator[str]:
    """What OpenAI's annotations of an answer name as its sources; of another form they name none."""
    for each in annotations if isinstance(annotations, list) else ():
        if not isinstance(each, dict):
            continue
        within = each.get(str(each.get("type")))
        found = within if isinstance(within, dict) else each
        names = [found.get(key) for key in ("title", "filename", "url")]
        words = " ".join(dict.fromkeys(name for name in names if isinstance(name, str))).split()
        quote = " ".join(str(found.get("quote") or "").split())
        yield from [" ".join(words) + (f': "{quote}"' if quote else "")] if words else []


def _find_decisions(guards: object) -> Iterator[str]:
    """What the guards of `finewright serve` did, a line each; of another form they did nothing."""
    for each in guards if isinstance(guards, list) else ():
        if not isinstance(each, dict):
            continue
        found = [each.get(key) for key in ("guard", "action", "what", "side")]
        words = [" ".join(word.split()) for word in found if isinstance(word, str)]
        if len(words) < len(found):
            continue
        guard, action, what, side = words
        number = each.get("number")
        often = f", {number} times" if isinstance(number, int) and number > 1 else ""
        where = f"{what.replace('_', ' ')} in the {_PLACES.get(side, side)}"
        yield f"{guard}: {_DONE.get(action, action)}: {where}{often}"


def _pieces(delta: Mapping[str, Any]) -> Iterator[Spoken]:
    thoughts = delta.get("reasoning_content") or delta.get("reasoning")
    if thoughts:
        yield Spoken("thoughts", str(thoughts))
    if delta.get("content"):
        yield Spoken("content", str(delta["content"]))
    if delta.get("fault"):
        yield Spoken("fault", str(delta["fault"]))


def speakers_of(
    target: str, compare: str = "", draft_model: str = "", *, base_model: str = ""
) -> list[Speaker]:
    """The speaker of a target and, beside it, that of another one, by names that differ. Raises DataError
    where both are the same, and FinewrightError as `speaker_of`."""
    if compare == target:
        raise DataError(f"--compare {compare}: it is the same model", hint="name another one")
    found = [speaker_of(target, draft_model, base_model=base_model)]
    if compare:
        found.append(speaker_of(compare))
        if found[0].name == found[1].name:
            found[0].name, found[1].name = target, compare
    return found


def speaker_of(target: str, draft_model: str = "", *, base_model: str = "") -> Speaker:
    """The speaker of a run folder, a base model or `https://HOST/v1#MODEL`. Raises FinewrightError."""
    if "://" in target:
        if draft_model:
            raise DataError(
                f"{target}: a server's model takes no draft model from here",
                hint="leave --draft-model out; where the model is served it is serve.models.draft_model",
            )
        return EndpointSpeaker(target)
    model = load_talker(target, base_model=base_model)
    return LocalSpeaker(with_draft(model, draft_model) if draft_model else model)
