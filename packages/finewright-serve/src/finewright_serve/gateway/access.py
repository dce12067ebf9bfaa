"""What the server's log says of requests: one line for each that was not answered as it was meant, by its id.
Never what was asked or answered, and nothing that a client could make a line of its own with."""

import logging
from contextvars import ContextVar
from typing import NamedTuple

REQUEST: ContextVar[str] = ContextVar("REQUEST", default="no request")
"""The id of the request that is being answered; clients get it as x-request-id."""

_LOG = logging.getLogger(__name__)
_REFUSED, _BROKEN = 400, 500
_BUSY = frozenset({503, 504})
"""What an overloaded server answers: no fault of its own."""


class AnsweredRequest(NamedTuple):
    """A request and how it ended: `code` is that of its error, `key` the id of the key that it brought.
    `broken` is the status that an error after the first event of a stream would have had, 0 without one.
    `client` is the address that the connection came from."""

    method: str
    route: str
    status: int
    code: str
    key: str
    seconds: float
    broken: int = 0
    client: str = ""

    @property
    def level(self) -> int:
        """At which level it is written."""
        if self.status < _REFUSED and not self.broken:
            return logging.DEBUG
        if _REFUSED <= self.status < _BROKEN:
            return logging.INFO
        status = self.broken or self.status
        return logging.WARNING if status in _BUSY else logging.ERROR


def log_request(number: str, request: AnsweredRequest) -> None:
    """Write the line."""
    _LOG.log(
        request.level,
        "%s %s %s: %d%s, key %s, from %s, %.0f ms",
        number,
        request.method,
        request.route,
        request.status,
        f" {request.code}" if request.code else "",
        request.key or "none",
        request.client or "nowhere",
        request.seconds * 1000,
    )
