"""A request's body -> its model, bounded in bytes, depth, keys and time, or an error that names the key."""

import asyncio
from collections.abc import Iterable
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.requests import ClientDisconnect, Request

from finewright.schema.aliases import close_choice
from finewright_serve.gateway.errors import CLIENT_LEFT, UNSUPPORTED, ApiError

Body = TypeVar("Body", bound=BaseModel)

_UNKNOWN = "extra_forbidden"
_LONG = 16 * 1024
"""Bytes of a body that others would wait for while it is checked."""
_MOST_KEYS = 40_000
"""Keys of all objects of a body: each that is wrong is a mistake of its own, which takes 5 us in which no
other thread runs. The largest tools and schemas that are taken have fewer, and so has a chat of
19,000 messages of role and content, two keys each."""


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
    if len(content) < _LONG:
        return _validated(value, model)
    return await asyncio.to_thread(_validated, value, model)


def _refuse_many_keys(body: dict[str, object]) -> None:
    """Raise ApiError, which names the value of the body that alone has too many keys."""
    what = f"objects have more than {_MOST_KEYS} keys together"
    num_keys = len(body)
    for name, value in body.items():
        if num_keys > _MOST_KEYS:
            break
        inside = _num_keys(value)
        if inside > _MOST_KEYS:
            param = name[:64]
            raise ApiError(f"{param}: its {what}", param=param, code="invalid_value")
        num_keys += inside
    if num_keys > _MOST_KEYS:
        raise ApiError(f"the body's {what}")


def _num_keys(value: object) -> int:
    """Keys of all objects in the value, counted until there are too many."""
    num_keys, rest = 0, [value]
    while rest and num_keys <= _MOST_KEYS:
        here = rest.pop()
        if isinstance(here, dict):
            num_keys += len(here)
            here = here.values()
        if isinstance(here, Iterable):
            rest += [each for each in here if isinstance(each, dict | list)]
    return num_keys


def _validated(value: dict[str, object], model: type[Body]) -> Body:
    _refuse_many_keys(value)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _explained(error, value, model) from None


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


def _explained(error: ValidationError, body: object, model: type[BaseModel]) -> ApiError:
    """The first mistake, an unknown key before others: one that is misspelled explains those it misses.

    Where a value may be of several types, each that it is not of is a mistake: the one that is deepest in the
    value is of the type that was meant, and of several at one place all are said."""
    mistakes = [
        (_keys(each["loc"], body, is_missing=each["type"] == "missing"), each)
        for each in error.errors(include_url=False, include_context=False)
    ]
    keys, first = next((m for m in mistakes if m[1]["type"] == _UNKNOWN), mistakes[0])
    if first["type"] != _UNKNOWN:
        inside = [m for m in mistakes if m[0][: len(keys)] == keys]
        keys, first = max(inside, key=lambda m: len(m[0]))
    where = ".".join(str(part)[:64] for part in keys)
    if first["type"] == _UNKNOWN:
        meant = close_choice(where, list(model.model_fields)) if len(keys) == 1 else ""
        return ApiError(f"unknown parameter: {where}{meant}", param=where, code="unknown_parameter")
    said = dict.fromkeys(m["msg"].removeprefix("Value error, ") for at, m in mistakes if at == keys)
    what = ", or ".join([next(iter(said)), *(each[0].lower() + each[1:] for each in [*said][1:])])
    code = UNSUPPORTED if first["type"] == UNSUPPORTED else "invalid_value"
    return ApiError(f"{where or 'body'}: {what}", param=where or None, code=code)


def _keys(loc: tuple[int | str, ...], body: object, *, is_missing: bool) -> tuple[int | str, ...]:
    """The place in the body: pydantic's own, without the names of the types that it tried."""
    found, here = list[int | str](), body
    for part in loc:
        is_key = isinstance(here, dict) and part in here
        if is_key or (isinstance(here, list) and isinstance(part, int) and part < len(here)):
            found.append(part)
            here = here[part]  # type: ignore[index] # as the condition says
    return (*found, loc[-1]) if is_missing else tuple(found)
