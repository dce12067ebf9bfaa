"""The OpenAPI document of the routes, made from the models that their bodies are read by: no second
description that could drift."""

import re
from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from finewright_serve.gateway.connected import EventStream, WhileConnected

Work = Callable[[Request], Awaitable[Response | EventStream]]
_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
_JSON, _EVENTS = "application/json", "text/event-stream"
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}


class ReadRoute(Route):
    """A GET that `work` answers; `media` is what it answers with."""

    def __init__(self, path: str, work: Work, sentence: str, media: str = _JSON) -> None:
        super().__init__(path, work, methods=["GET"])
        self.sentence, self.media, self.body = sentence, (media,), None


class PostedRoute(Route):
    """A POST with a JSON body, whose work is given up where its client leaves."""

    def __init__(
        self, path: str, work: Work, sentence: str, body: type[BaseModel] | None = None,
        *, streams: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(path, WhileConnected(work), methods=["POST"])
        self.sentence, self.body = sentence, body
        self.media = (_JSON, _EVENTS) if streams else (_JSON,)


def openapi_of(routes: Sequence[BaseRoute], open_paths: frozenset[str]) -> dict[str, Any]:
    """The document. Those of the routes that are no `ReadRoute` or `PostedRoute` stand in it by their path
    alone; `open_paths` need no key."""
    bodies = {r.body for r in routes if isinstance(r, PostedRoute) and r.body is not None}
    _, schemas = models_json_schema(
        [(body, "validation") for body in sorted(bodies, key=lambda body: body.__name__)],
        ref_template="#/components/schemas/{model}",
    )
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        if isinstance(route, Route):
            for method in sorted((route.methods or set()) - {"HEAD"}):
                path = _PARAMETER.sub(r"{\1}", route.path)
                found = _operation(route, method)
                paths.setdefault(path, {})[method.lower()] = found | (
                    {"security": []} if route.path in open_paths else {}
                )
    return {
        "openapi": "3.1.0",
        "info": {"title": "finewright", "version": version("finewright")},
        "paths": paths,
        "components": {
            "schemas": {**schemas.get("$defs", {}), "Error": _ERROR},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"key": []}],
    }


def _operation(route: Route, method: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": f"{method.lower()} {route.path}",
        "responses": {"default": _response("An error.", {_JSON: _ref("Error")})},
    }
    if isinstance(route, ReadRoute | PostedRoute):
        found["summary"] = route.sentence
        found["responses"]["200"] = _response("The answer.", {kind: {} for kind in route.media})
        if route.body is not None:
            content = {_JSON: {"schema": _ref(route.body.__name__)["schema"]}}
            found["requestBody"] = {"required": True, "content": content}
    if names := _PARAMETER.findall(route.path):
        found["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in names
        ]
    return found


def _response(description: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": content}


def _ref(name: str) -> dict[str, Any]:
    return {"schema": {"$ref": f"#/components/schemas/{name}"}}
