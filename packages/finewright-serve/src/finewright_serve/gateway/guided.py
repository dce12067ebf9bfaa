"""What an answer must be, in vLLM's spelling: `structured_outputs`, or the older keys `guided_...`."""

import json
from typing import Annotated

from pydantic import Field, JsonValue, StringConstraints

from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.messages import RequestPart, SchemaObject
from finewright_serve.gateway.question import AnswerForm

_MOST_CHOICES = 1000
_MOST_CHARACTERS = 16 * 1024
"""Of a pattern, a grammar or a choice: they are compiled by hand's length, and a schema has its own bound."""
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=_MOST_CHARACTERS)]
Choices = Annotated[list[Pattern], Field(min_length=1, max_length=_MOST_CHOICES)]


class StructuredOutputs(RequestPart):
    """One of them."""

    json_: Annotated[SchemaObject | None, Field(alias="json")] = None
    json_object: bool | None = None
    regex: Pattern | None = None
    choice: Choices | None = None
    grammar: Pattern | None = None


class GuidedRequest(RequestPart):
    """Keys of a request that say what its answer must be."""

    structured_outputs: StructuredOutputs | None = None
    guided_json: SchemaObject | None = None
    guided_regex: Pattern | None = None
    guided_choice: Choices | None = None
    guided_grammar: Pattern | None = None

    def guided_form(self) -> AnswerForm | None:
        """The form. Raises ApiError where there are two."""
        found = {**_given(self), **_inner(self.structured_outputs)}
        if len(found) > 1:
            what = f"{' and '.join(found)} are given; an answer has one form"
            raise ApiError(f"{next(iter(found))}: {what}", param=next(iter(found)))
        if self.structured_outputs is not None and not _inner(self.structured_outputs):
            what = "structured_outputs: give one of json, json_object, regex, choice and grammar"
            raise ApiError(what, param="structured_outputs")
        return next((_form(name, value) for name, value in found.items()), None)


def _given(request: GuidedRequest) -> dict[str, JsonValue]:
    names = ("guided_json", "guided_regex", "guided_choice", "guided_grammar")
    return {name: value for name in names if (value := getattr(request, name)) is not None}


def _inner(given: StructuredOutputs | None) -> dict[str, JsonValue]:
    if given is None:
        return {}
    fields = given.model_dump(by_alias=True, exclude_none=True)
    return {f"structured_outputs.{name}": value for name, value in fields.items() if value}


def _form(param: str, value: JsonValue) -> AnswerForm:
    kind = param.replace("guided_", "").rpartition(".")[2]
    if kind == "json_object":
        return AnswerForm(param=param)
    if kind == "json":
        assert isinstance(value, dict)
        return AnswerForm(value, param=param)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return AnswerForm(kind=kind, text=text, param=param)  # type: ignore[arg-type] # one of three
