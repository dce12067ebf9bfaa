"""A request's body -> its model, bounded in bytes, depth and time, or an error that names the key."""

import asyncio
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.requests import ClientDisconnect, Request

from finewright.gateway.errors import CLIENT_LEFT, ApiError

Body = TypeVar("Body", bound=BaseModel)

_UNKNOWN = "extra_forbidden"


async def read_body(
    request: Request, model: type[Body], *, most_bytes: int, seconds: float
) -> Body:
    """The body by its model. Nesting deeper than 200 is refused by the parser."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ApiError("the body must be JSON: Content-Type: application/json", status=415)
    content = await _content(request, most_bytes, seconds)
    try:
        value = from_json(content, allow_inf_nan=False, cache_strings=False)
    except (ValueError, RecursionError) as error:
        raise ApiError(f"the body is not readable JSON: {error}") from None
    if not isinstance(value, dict):
        raise ApiError("the body must be a JSON object")
    try:
        return model.model_validate(value, strict=None)
    except ValidationError as error:
        raise _explained(error) from None


async def _content(request: Request, most_bytes: int, seconds: float) -> bytes:
    declared = request.headers.get("content-length", "0")
    too_large = ApiError(f"the body is larger than {most_bytes} bytes", status=413)
    if not declared.isascii() or not declared.isdigit() or int(declared[:12]) > most_bytes:
        raise too_large
    content = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                content += part
                if len(content) > most_bytes:
                    raise too_large
    except TimeoutError:
        raise ApiError(f"the body did not come within {seconds:g} s", status=408) from None
    except ClientDisconnect:
        raise ApiError("the client left", status=CLIENT_LEFT) from None
    return bytes(content)


def _explained(error: ValidationError) -> ApiError:
    """The first mistake, an unknown key before others: one that is misspelled explains those it misses."""
    mistakes = error.errors(include_url=False, include_context=False)
    first = next((m for m in mistakes if m["type"] == _UNKNOWN), mistakes[0])
    where = ".".join(str(part)[:64] for part in first["loc"])
    if first["type"] == _UNKNOWN:
        return ApiError(f"unknown parameter: {where}", param=where, code="unknown_parameter")
    what = first["msg"].removeprefix("Value error, ")
    return ApiError(f"{where or 'body'}: {what}", param=where or None, code="invalid_value")
