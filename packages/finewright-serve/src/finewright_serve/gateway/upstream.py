"""One address of another OpenAI-compatible server: asked over kept connections, left alone while it is down.

Covered: redirects are not followed, the key goes to the address of the operator's spec and to no other, and
is in no message. Not covered: what that server does with what it is sent."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from finewright.fetch.certificates import load_certificates
from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.wire import broken, one_line

if TYPE_CHECKING:
    import httpx

_CONNECT_SECONDS = 5.0
_HEALTH_SECONDS = 3.0
_FRESH_SECONDS = 2.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 30.0
_OK, _TOO_MANY, _OVERLOADED = 200, 429, 503
_REFUSED = frozenset({401, 403})
_OTHER_MAY_DO = frozenset({404, 408, 409, 425, 500, 502, 503, 504, 529})
_LONGEST_ERROR = 64 * 1024


class UpstreamDown(Exception):  # noqa: N818 - reads as a claim where it is raised
    """This address gives no answer, and another may: nothing of an answer had come."""

    def __init__(self, why: str, status: int = _OVERLOADED) -> None:
        super().__init__(why)
        self.status = status


@dataclass(slots=True)
class Upstream:
    """`url` ends in /v1 on most servers. `timeout` is the longest silence in seconds. Not for two loops."""

    url: str
    key: str = ""
    timeout: float = 120.0
    is_local: bool = False
    running: int = 0
    _num_failed: int = 0
    _down_until: float = 0.0
    _seen_at: float = -1e9
    _http: "httpx.AsyncClient" = field(init=False, repr=False)

    def __post_init__(self) -> None:
        import httpx

        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(self.timeout, connect=_CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=256),
            headers={"Authorization": f"Bearer {self.key}"} if self.key else {},
            # What is for this machine does not leave it by a proxy of the environment.
            trust_env=not self.is_local,
            verify=load_certificates() if self.url.startswith("https:") else False,
        )

    @property
    def rank(self) -> tuple[float, int]:
        """Which address to ask first: one that is up, with the fewest answers under way."""
        is_down = self._down_until > time.monotonic()
        return (self._down_until if is_down else 0.0, self.running)

    @asynccontextmanager
    async def response_to(
        self, path: str, body: Mapping[str, Any]
    ) -> AsyncIterator["httpx.Response"]:
        """The response, not yet read. Raises UpstreamDown, or ApiError for what no other address would do."""
        import httpx

        self.running += 1
        try:
            async with self._http.stream("POST", f"{self.url}/{path}", json=body) as response:
                if response.status_code != _OK:
                    raise await self._refusal(response)
                yield response
        except (httpx.ReadTimeout, httpx.WriteTimeout):
            what = f"the model's server was silent for {self.timeout:g} s"
            raise ApiError(what, status=504, code="timeout") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._failed(type(error).__name__) from None
        finally:
            self.running -= 1

    async def is_up(self) -> bool:
        """Does it list its models? Known for 2 s, so that nobody can make us ask more often."""
        import httpx

        now = time.monotonic()
        if now - self._seen_at > _FRESH_SECONDS:
            self._seen_at = now
            try:
                found = await self._http.get(f"{self.url}/models", timeout=_HEALTH_SECONDS)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                self._failed(type(error).__name__)
                return False
            if found.status_code == _OK:
                self.answered()
            else:
                self._failed(f"it says {found.status_code}")
        return self._down_until <= time.monotonic()

    def answered(self) -> None:
        """It is up."""
        self._num_failed, self._down_until, self._seen_at = 0, 0.0, time.monotonic()

    async def close(self) -> None:
        """End its connections."""
        await self._http.aclose()

    def _failed(self, why: str, status: int = _OVERLOADED) -> UpstreamDown:
        pause = min(_FIRST_PAUSE_SECONDS * 2**self._num_failed, _LONGEST_PAUSE_SECONDS)
        self._num_failed = min(self._num_failed + 1, 10)
        self._down_until = time.monotonic() + pause
        return UpstreamDown(why, status)

    async def _refusal(self, response: "httpx.Response") -> Exception:
        status, said = response.status_code, await self._said(response)
        if status == _TOO_MANY:
            return UpstreamDown(said or "it has too many requests", _TOO_MANY)
        if status in _OTHER_MAY_DO:
            return self._failed(f"it says {status}{said and ': '}{said}")
        if status in _REFUSED:
            return broken("it refuses the key that this server has")
        if status // 100 == 4:  # noqa: PLR2004 - HTTP's own number
            return ApiError(said or f"the model's server says {status}", status=status)
        return broken(f"it says {status}")

    async def _said(self, response: "httpx.Response") -> str:
        import json

        content = b""
        async for part in response.aiter_bytes():
            content += part
            if len(content) > _LONGEST_ERROR:
                return ""
        try:
            found = json.loads(content)
            error = found.get("error", found)
            text = error.get("message", "") if isinstance(error, dict) else error
        except (AttributeError, ValueError, RecursionError):
            return ""
        line = one_line(str(text))
        return line.replace(self.key, "***") if self.key else line


async def any_up(upstreams: list[Upstream]) -> bool:
    """Is one of them up?"""
    return any(await asyncio.gather(*(each.is_up() for each in upstreams)))
