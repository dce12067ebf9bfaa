"""A client of OpenAI-compatible endpoints: embeddings and chat completions.

Covered: the key comes from the environment alone, is sent to the host that is named and no other (redirects
are not followed), never over an unencrypted connection to another machine, and is in no message. Not
covered: what the endpoint does with what it is sent."""

import ipaddress
import json
import os
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from finewright.errors import FetchError, MissingExtra, RequestFiltered
from finewright.fetch.cache import outgoing_is_forbidden
from finewright.fetch.certificates import load_certificates
from finewright.plugins import install_command

if TYPE_CHECKING:
    import httpx

_TRIES = 5
_LONGEST_PAUSE_S = 60.0
_AGAIN = frozenset({408, 409, 429, 500, 502, 503, 504, 529})
_LONGEST_REASON = 200
_TOO_MANY, _REFUSED, _MISSING = 429, (401, 403), 404
_FILTERED = "content_filter"
"""The code of OpenAI's API for what a filter stopped."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model behind an address such as https://HOST/v1."""

    base_url: str
    model: str

    @classmethod
    def parse(cls, target: str) -> "Endpoint":
        """Of `https://HOST/v1#MODEL`. Raises FetchError for what is none."""
        return cls(target.partition("#")[0].rstrip("/"), _split_address(target).fragment)

    @classmethod
    def of_server(cls, url: str) -> "Endpoint":
        """Of `https://HOST/v1`, none of whose models is named yet. Raises FetchError as `parse`."""
        _split_address(f"{url}#MODEL", shown=url)
        return cls(url.rstrip("/"), "")

    @property
    def name(self) -> str:
        """As users write it."""
        return f"{self.base_url}#{self.model}" if self.model else self.base_url

    @property
    def host(self) -> str:
        """The host's name or number."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def is_local(self) -> bool:
        """Whether it is this machine."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer: its text, the tools it calls, why it ended, and what it took."""

    text: str
    tool_calls: tuple[Mapping[str, Any], ...]  # Any: as the wire has them
    finish_reason: str
    prompt_tokens: int | None
    completion_tokens: int | None
    model: str


@dataclass(slots=True, weakref_slot=True)
class Client:
    """Calls to one endpoint, over a connection that ends with the client. `pause` waits between tries.
    `key_name` is the environment variable with its key, where that is not the usual one."""

    endpoint: Endpoint
    timeout_s: float = 60.0
    pause: Callable[[float], None] = time.sleep
    key_name: str = ""
    _http: "httpx.Client | None" = field(default=None, repr=False)

    def models(self) -> list[str]:
        """The names of the models that are there. Raises FetchError."""
        import httpx

        try:
            response = self._connect().get(f"{self.endpoint.base_url}/models")
        except httpx.ConnectError as error:
            raise self._explain_unreached(error) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = _one_line(str(error) or type(error).__name__)
            raise self._error(
                f"no connection: {reason}", hint="is the server there, and the address whole?"
            ) from None
        try:
            return [_one_line(str(row["id"])) for row in self._read(response)["data"]]
        except (KeyError, TypeError):
            raise self._error("its answer lists no models", hint="name one: URL#MODEL") from None

    def embeddings(self, texts: Sequence[str]) -> list[list[float]]:
        """A vector for each text, in their order. Raises FetchError."""
        answer = self._post("embeddings", {"input": list(texts), "encoding_format": "float"})
        rows = answer.get("data")
        if not isinstance(rows, list):
            raise self._error("its answer has no `data`")
        if len(rows) != len(texts):
            raise self._error(f"{len(rows)} vectors came back for {len(texts)} texts")
        ordered = self._order_vectors(rows)
        if not all(isinstance(row, list) and row and all(map(_is_number, row)) for row in ordered):
            raise self._error("a vector of its answer is not a list of numbers")
        return ordered

    def _order_vectors(self, rows: list[Any]) -> list[list[float]]:
        try:
            vectors = {int(row.get("index", i)): row["embedding"] for i, row in enumerate(rows)}
            return [vectors[i] for i in range(len(rows))]
        except (AttributeError, KeyError, TypeError, ValueError):
            raise self._error("its answer is not vectors numbered from 0") from None

    def chat(
        self, messages: Sequence[Mapping[str, Any]], **options: Any
    ) -> Completion:  # Any: JSON as it goes over the wire
        """The answer to a conversation; `options` are the call's own, such as max_tokens or tools."""
        answer = self._post("chat/completions", {"messages": list(messages), **options})
        try:
            choice = answer["choices"][0]
            message = choice["message"]
            text, calls = message.get("content") or "", message.get("tool_calls") or []
            usage = answer.get("usage") or {}
            if not isinstance(text, str) or not isinstance(calls, list):
                raise TypeError
            return Completion(
                text=text,
                tool_calls=tuple({**call} for call in calls),
                finish_reason=str(choice.get("finish_reason") or ""),
                prompt_tokens=usage.get("prompt_tokens"),
                completion_tokens=usage.get("completion_tokens"),
                model=str(answer.get("model") or self.endpoint.model),
            )
        except (AttributeError, IndexError, KeyError, TypeError):
            raise self._error("its answer has no message") from None

    def chat_stream(
        self, messages: Sequence[Mapping[str, Any]], **options: Any
    ) -> Iterator[dict[str, Any]]:  # Any: JSON as it goes over the wire
        """The chunks of the answer to a conversation, as they come; asked once. Raises FetchError."""
        import httpx

        http, body = self._connect(), {"messages": list(messages), "stream": True, **options}
        content = json.dumps({"model": self.endpoint.model, **body}).encode()
        url = f"{self.endpoint.base_url}/chat/completions"
        try:
            with http.stream("POST", url, content=content) as response:
                if not response.is_success:
                    response.read()
                    self._read(response)
                yield from self._chunks(response.iter_bytes())
        except httpx.TimeoutException:
            raise self._error(f"silent for {self.timeout_s:g} s") from None
        except httpx.ConnectError as error:
            raise self._explain_unreached(error) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = _one_line(str(error) or type(error).__name__)
            raise self._error(f"the connection broke off: {reason}") from None

    def _chunks(self, parts: Iterable[bytes]) -> Iterator[dict[str, Any]]:
        rest = b""
        for part in parts:
            *lines, rest = (rest + part).split(b"\n")
            for line in lines:
                data = line.removeprefix(b"data:").strip()
                if not line.startswith(b"data:") or data in (b"", b"[DONE]"):
                    continue
                yield self._chunk(data)

    def _chunk(self, data: bytes) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(data)
            error = found.get("error")
        except (AttributeError, ValueError, RecursionError):
            raise self._error("a chunk of its answer is no JSON object") from None
        if error:
            said = error.get("message", "") if isinstance(error, dict) else error
            raise self._error(_one_line(str(said)))
        return found

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        http = self._connect()
        content = json.dumps({"model": self.endpoint.model, **body}).encode()
        reason = ""
        for attempt in range(_TRIES):
            response, reason = self._send(http, path, content)
            if response is not None and response.status_code not in _AGAIN:
                return self._read(response)
            if response is not None and _is_spent(response):
                break
            if attempt + 1 < _TRIES:
                self.pause(_pause_s(attempt, response))
        raise self._error(reason, hint="check the address, the network and the account's limits")

    def _send(
        self, http: "httpx.Client", path: str, content: bytes
    ) -> "tuple[httpx.Response | None, str]":
        """The response, if one came, and what is wrong with it in words."""
        import httpx

        try:
            response = http.post(f"{self.endpoint.base_url}/{path}", content=content)
        except httpx.TimeoutException:
            return None, f"no answer within {self.timeout_s:g} s"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return None, f"no connection: {_one_line(str(error) or type(error).__name__)}"
        return response, f"it says {response.status_code}{_read_reason(response)}"

    def _read(self, response: "httpx.Response") -> dict[str, Any]:
        status = response.status_code
        if status in _REFUSED:
            raise self._error(
                f"it refuses the key ({status}{_read_reason(response)})",
                hint=f"set {self.key_name or ' or '.join(_key_names(self.endpoint))} in the environment",
            )
        if status == _MISSING:
            raise self._error(
                f"no such model or address (404{_read_reason(response)})",
                hint="the address ends in /v1 on most servers, and #MODEL is its name there",
            )
        if not response.is_success and _code(response) == _FILTERED:
            raise RequestFiltered(
                str(self._error(f"its filter stopped this{_read_reason(response)}"))
            )
        if not response.is_success:
            raise self._error(f"it says {status}{_read_reason(response)}")
        try:
            answer = response.json()
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise self._error("its answer is not a JSON object")
        return answer

    def _connect(self) -> "httpx.Client":
        if self._http is None:
            if not self.endpoint.is_local and outgoing_is_forbidden():
                raise self._error(
                    "not asked: FINEWRIGHT_OFFLINE or HF_HUB_OFFLINE is set",
                    hint="unset it, or serve the model on this machine",
                )
            try:
                import httpx
            except ImportError:
                raise MissingExtra(
                    "asking an endpoint needs httpx", hint=install_command("rag")
                ) from None
            try:
                self._http = httpx.Client(
                    timeout=self.timeout_s,
                    headers=self._headers(),
                    # What is for this machine does not leave it by a proxy of the environment.
                    trust_env=not self.endpoint.is_local,
                    verify=load_certificates(),
                )
            except (ValueError, OSError) as error:
                fault = f"the settings of proxy or certificates cannot be used: {error}"
                raise self._error(_one_line(fault)) from None
            weakref.finalize(self, self._http.close)
        return self._http

    def _headers(self) -> dict[str, str]:
        headers = {"content-type": "application/json"}
        if key := self._key():
            if not (key.isascii() and key.isprintable()):
                raise self._error("the key in the environment has characters that no key has")
            if not self.endpoint.is_local and self.endpoint.base_url.startswith("http:"):
                raise self._error(
                    "a key is never sent over an unencrypted connection", hint="use https://"
                )
            headers["authorization"] = f"Bearer {key}"
        return headers

    def _key(self) -> str:
        if self.key_name:
            return os.environ.get(self.key_name, "").strip()
        return _key(self.endpoint)

    def _explain_unreached(self, error: Exception) -> FetchError:
        reason = _one_line(str(error))
        if "CERTIFICATE_VERIFY_FAILED" in reason:
            hint = "a certificate that you trust and no list has: SSL_CERT_FILE=chain.pem"
            return self._error(f"not asked, for it may be another: {reason}", hint=hint)
        hint = "is the server started, on this port, and the address whole?"
        return self._error(f"nobody answers there: {reason}", hint=hint)

    def _error(self, reason: str, *, hint: str = "") -> FetchError:
        key = self._key()
        redacted = reason.replace(key, "***") if key else reason
        return FetchError(f"{self.endpoint.name}: {redacted}", hint=hint)


def _parse_address(target: str) -> SplitResult | None:
    """The parts of a web address; None where it is none."""
    try:
        parts = urlsplit(target)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if has_host and parts.scheme in {"http", "https"} else None


def _split_address(target: str, *, shown: str = "") -> SplitResult:
    """The parts of a model's address; errors have it as it is shown. Raises FetchError for what is none."""
    shown = _without_password(shown or target)
    parts = _parse_address(target)
    if parts is None or not parts.fragment or parts.query:
        raise FetchError(
            f"{shown}: not the address of a model", hint="write it as https://HOST/v1#MODEL"
        )
    if parts.username is not None or parts.password is not None:
        raise FetchError(
            f"{shown}: a name or password in an address ends up in reports",
            hint="put the key into the environment variable FINEWRIGHT_API_KEY",
        )
    return parts


def _key_names(endpoint: Endpoint) -> list[str]:
    """OpenAI's key is for OpenAI's hosts: another host must not be handed it by accident."""
    own = endpoint.host == "openai.com" or endpoint.host.endswith(".openai.com")
    return ["FINEWRIGHT_API_KEY", "OPENAI_API_KEY"] if own else ["FINEWRIGHT_API_KEY"]


def _key(endpoint: Endpoint) -> str:
    values = (os.environ.get(name, "").strip() for name in _key_names(endpoint))
    return next(filter(None, values), "")


def _read_reason(response: "httpx.Response") -> str:
    """The reason in an error's body, on one line."""
    try:
        body = response.json()
        error = body.get("error", body)
        text = error.get("message", "") if isinstance(error, dict) else error
    except (AttributeError, ValueError, RecursionError):
        return ""
    line = _one_line(str(text))
    return f": {line}" if line else ""


def _code(response: "httpx.Response") -> str:
    """The code in an error's body; empty where it has none."""
    try:
        return str(response.json()["error"]["code"])
    except (KeyError, TypeError, ValueError, RecursionError):
        return ""


def _one_line(text: str) -> str:
    """The text without what moves a cursor, cut where it gets long."""
    plain = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(plain.split())[:_LONGEST_REASON]


def _is_spent(response: "httpx.Response") -> bool:
    """An account without money is refused as one that asks too fast is, and waiting does not help it."""
    return response.status_code == _TOO_MANY and "insufficient_quota" in response.text


def _pause_s(attempt: int, response: "httpx.Response | None") -> float:
    retry_after = response.headers.get("retry-after", "") if response is not None else ""
    seconds = (
        float(retry_after) if retry_after.replace(".", "", 1).isdecimal() else float(2**attempt)
    )
    return min(seconds, _LONGEST_PAUSE_S)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _without_password(target: str) -> str:
    before, at, after = target.rpartition("@")
    return f"{before.partition('://')[0]}://***@{after}" if at else target
