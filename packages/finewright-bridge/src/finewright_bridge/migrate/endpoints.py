"""A model behind an endpoint, which answers prompts one after the other and none of them twice."""

from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import Any

from finewright.fetch.endpoint import Client, Endpoint
from finewright.schema.common import Model
from finewright.schema.rows import Message, Row
from finewright.store.answers import AnswerKey, AnswersLog
from finewright.store.keys import digest

_HOW: dict[str, Any] = {"temperature": 0}  # Any: JSON as it goes over the wire


class EndpointAnswer(Model):
    """What an endpoint's model said, and what it took."""

    text: str
    tool_calls: tuple[dict[str, Any], ...] = ()  # Any: as the wire has them
    model: str
    prompt_tokens: int | None
    completion_tokens: int | None
    milliseconds: float

    @property
    def message(self) -> Message:
        """As a turn of the conversation."""
        calls = {"tool_calls": list(self.tool_calls)} if self.tool_calls else {}
        return {"role": "assistant", "content": self.text, **calls}


def turns(
    endpoint: Endpoint, prompts: Sequence[Row], log: AnswersLog[EndpointAnswer]
) -> Iterator[EndpointAnswer]:
    """The answer to each prompt at temperature 0, out of the log where it is there. Raises FetchError."""
    client = Client(endpoint)
    who = digest(endpoint.base_url, endpoint.model)
    for prompt in prompts:
        tools = {"tools": list(prompt.tools)} if prompt.tools else {}
        key = AnswerKey(who, digest(prompt.messages, tools), digest(_HOW))
        if key not in log:
            started = perf_counter()
            said = client.chat(prompt.messages, **_HOW, **tools)
            turn = EndpointAnswer(
                text=said.text,
                tool_calls=tuple(dict(call) for call in said.tool_calls),
                model=said.model,
                prompt_tokens=said.prompt_tokens,
                completion_tokens=said.completion_tokens,
                milliseconds=round(1000 * (perf_counter() - started), 1),
            )
            log.add([(key, turn)])
        yield log[key]
