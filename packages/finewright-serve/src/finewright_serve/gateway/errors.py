"""Errors as OpenAI's API has them: a status, and an object with message, type, param and code."""

from collections.abc import Mapping
from typing import Any

from finewright.errors import FinewrightError

_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error"}
_FROM = 500
UNSUPPORTED, INVALID = "unsupported_parameter", "invalid_value"
CLIENT_LEFT = 499
"""nginx's "client closed request": nobody gets it, and /metrics counts it."""


class ApiError(FinewrightError):
    """What a client is told. `param` names the key that is wrong; `retry_after` is in seconds."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        code: str | None = None,
        param: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.param, self.retry_after = status, code, param, retry_after

    def renamed(self, names: Mapping[str, str]) -> "ApiError":
        """The same error, of a route that calls some keys otherwise."""
        first, dot, rest = (self.param or "").partition(".")
        if first not in names:
            return self
        given, param = f"{first}{dot}{rest}", f"{names[first]}{dot}{rest}"
        text = str(self)
        text = param + text.removeprefix(given) if text.startswith(f"{given}:") else text
        return ApiError(
            text, status=self.status, code=self.code, param=param, retry_after=self.retry_after
        )

    @property
    def headers(self) -> dict[str, str]:
        """When to come again, and how to prove who one is."""
        if self.status == 401:  # noqa: PLR2004 - HTTP's own number
            return {"WWW-Authenticate": "Bearer"}
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}

    @property
    def body(self) -> dict[str, Any]:
        """The object that is sent."""
        return error_body(str(self), status=self.status, code=self.code, param=self.param)


def error_body(
    message: str, *, status: int, code: str | None = None, param: str | None = None
) -> dict[str, Any]:
    """OpenAI's error object."""
    usual = "server_error" if status >= _FROM else "invalid_request_error"
    kind = "rate_limit_error" if status == 429 else _TYPES.get(status, usual)  # noqa: PLR2004 - as above
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def unsupported(param: str, why: str) -> ApiError:
    """Of a parameter that is known and cannot be honoured: it is refused, never ignored."""
    return ApiError(f"{param}: {why}", param=param, code=UNSUPPORTED)
