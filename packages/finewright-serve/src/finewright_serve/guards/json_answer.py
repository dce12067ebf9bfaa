"""A guard of answers that must be JSON of a schema: an answer that is not is found whole.

It needs the whole answer, so a stream holds all of it back. Engines that write by a schema
(`response_format`) need no such guard; it is for those that do not."""

import json
from collections.abc import Sequence
from typing import Any

from finewright.judge.json_schema import JsonSchema
from finewright.schema.common import Model, default
from finewright_serve.guards.guard import Finding, GuardFolder, GuardPlugin, PlainGuard, TextPlace


class JsonAnswerSettings(Model):
    """The schema."""

    json_schema: dict[str, Any] = default({}, "What the answer must be", "any JSON")  # Any: JSON


class JsonAnswer(PlainGuard):
    """The guard."""

    def __init__(self, settings: JsonAnswerSettings, folder: GuardFolder) -> None:
        """Raises SpecError for what is no schema."""
        self._schema = JsonSchema(json.dumps(settings.json_schema))

    def find(self, text: str, place: TextPlace) -> Sequence[Finding]:
        """The whole content, if the schema does not accept it."""
        is_right = not place.is_content or self._schema(text.strip())
        return [] if is_right else [Finding(0, len(text), "no such JSON")]

    def opening(self, text: str) -> int:
        """All of it, until it has ended."""
        return 0


GUARD = GuardPlugin(JsonAnswerSettings, JsonAnswer, {"output": frozenset({"block", "log"})})
