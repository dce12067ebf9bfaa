"""Alarms: a line of the log and of the audit, a count in /metrics, and a webhook that no answer waits for."""

import base64
import contextlib
import hashlib
import hmac
import json
import logging
import os
import queue
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from finewright.errors import DataError, FinewrightError
from finewright.fetch.certificates import load_certificates
from finewright_serve.gateway.measures import Measures
from finewright_serve.gateway.question import GatewayQuestion
from finewright_serve.gateway.steps import AnswerRecord, PlainStep, QuestionCaller
from finewright_serve.watch.spec import AlarmsSpec

if TYPE_CHECKING:
    from httpx import Client

    from finewright_serve.audit.log import AuditLog

_LOG = logging.getLogger(__name__)
_AGAIN_SECONDS = (1.0, 5.0, 25.0)
"""Pauses before an alarm is sent once more: a restart of who gets it, and no longer."""
_ANSWER_SECONDS = 5.0
_MOST_WAITING = 100
_APART_SECONDS = 60.0
"""Of two alarms of one kind and key: a guard that fails does so for every question."""
_FEWEST_BYTES = 24
"""Of a secret, as Standard Webhooks have it."""


@dataclass(slots=True)
class Alarms:
    """Where alarms of a server go."""

    audit: "AuditLog | None" = None
    webhook: "Webhook | None" = None
    measures: Measures | None = None
    """Where they are counted, once the server has counters."""
    _rung: dict[tuple[str, str], float] = field(default_factory=dict)

    async def ring(self, kind: str, asker: QuestionCaller, what: str) -> None:
        """Tell everybody, of one kind and key once a minute at most."""
        now = time.monotonic()
        if now - self._rung.get((kind, asker.key), -_APART_SECONDS) < _APART_SECONDS:
            return
        self._rung[kind, asker.key] = now
        _LOG.warning("ALARM %s, key %s: %s", kind, asker.key or "none", what)
        if self.measures is not None:
            self.measures.alarmed(asker.key, kind)
        fields = {"alarm": kind, "key": asker.key, "project": asker.project, "what": what}
        if self.webhook is not None:
            self.webhook.put(fields)
        if self.audit is not None:
            with contextlib.suppress(FinewrightError):  # the log says that it cannot be written
                await self.audit.append({"kind": "alarm", **fields})


class AlarmStep(PlainStep):
    """Rings where a guard failed."""

    def __init__(self, alarms: Alarms) -> None:
        self._alarms = alarms

    async def after(
        self, question: GatewayQuestion, asker: QuestionCaller, record: AnswerRecord
    ) -> None:
        """See AnswerStep."""
        failed = sorted({each.guard for each in record.guards if each.action == "failed"})
        if failed:
            await self._alarms.ring("guard_failed", asker, f"failed: {', '.join(failed)}")


class Webhook:
    """Sends alarms from a thread of its own, each four times at most, signed as Standard Webhooks have it
    (standardwebhooks.com: HMAC-SHA256 of `id.timestamp.body`). An address that is away is said once."""

    def __init__(self, url: str, secret: bytes) -> None:
        self._url, self._secret, self._is_away = url, secret, False
        self._todo: queue.Queue[dict[str, str] | None] = queue.Queue(_MOST_WAITING)
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, name="webhook", daemon=True)
        self._thread.start()

    def put(self, fields: dict[str, str]) -> None:
        """Send it soon; where a hundred wait, not at all."""
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with contextlib.suppress(queue.Full):
            self._todo.put_nowait({"type": f"alarm.{fields['alarm']}", "timestamp": at, **fields})

    def close(self) -> None:
        """Try what is left once."""
        self._ends.set()
        with contextlib.suppress(queue.Full):
            self._todo.put(None, timeout=_ANSWER_SECONDS)
        self._thread.join(timeout=2 * _ANSWER_SECONDS)

    def _run(self) -> None:
        import httpx

        with httpx.Client(timeout=_ANSWER_SECONDS, verify=load_certificates()) as client:
            self._send_all(client)

    def _send_all(self, client: "Client") -> None:
        while (fields := self._todo.get()) is not None:
            body, number = json.dumps(fields).encode(), f"msg_{secrets.token_hex(12)}"
            why = self._send(client, number, body)
            for pause in _AGAIN_SECONDS:
                if not why or self._ends.wait(pause):
                    break
                why = self._send(client, number, body)
            if why and not self._is_away:
                _LOG.error("serve.alarms: the webhook does not take alarms: %s", why)
            self._is_away = bool(why)

    def _send(self, client: "Client", number: str, body: bytes) -> str:
        """Why it was not taken; empty where it was. No word of the response: who sent it may be anybody."""
        import httpx

        at = str(int(time.time()))
        signed = hmac.digest(self._secret, f"{number}.{at}.".encode() + body, hashlib.sha256)
        headers = {
            "content-type": "application/json",
            "webhook-id": number,
            "webhook-timestamp": at,
            "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
        }
        try:
            found = client.post(self._url, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return type(error).__name__
        return "" if found.is_success else f"status {found.status_code}"


def webhook_of(spec: AlarmsSpec) -> Webhook:
    """The webhook of a spec. Raises DataError for a secret that is missing or short."""
    text = os.environ.get(spec.secret_env, "").strip()
    secret = text.encode()
    if text.startswith("whsec_"):
        with contextlib.suppress(ValueError):
            secret = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    if len(secret) < _FEWEST_BYTES:
        has = f"the environment variable {spec.secret_env} has no secret of {_FEWEST_BYTES} bytes"
        raise DataError(
            f"serve.alarms: {has}", hint="make one: echo whsec_$(head -c 32 /dev/urandom | base64)"
        )
    return Webhook(spec.webhook, secret)
