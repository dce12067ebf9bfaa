"""What /metrics tells Prometheus."""

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from finewright_serve.gateway.admission import Admission
from finewright_serve.gateway.steps import AnswerRecord

_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class Measures:
    """Counters of one server, in a registry of its own."""

    def __init__(self, admission: Admission) -> None:
        self._registry = CollectorRegistry()
        made: Any = {"registry": self._registry, "namespace": "finewright"}
        self._requests = Counter(
            "http_requests", "Requests by route and status.", ("route", "status"), **made
        )
        self._answers = Counter(
            "answers", "Answers by model and how they ended.", ("model", "outcome"), **made
        )
        self._tokens = Counter("tokens", "Tokens read and written.", ("model", "kind"), **made)
        self._limited = Counter(
            "limited", "Requests beyond a limit, by key and limit.", ("key", "limit"), **made
        )
        self._first = Histogram(
            "first_piece_seconds", "Until the first piece.", ("model",), buckets=_SECONDS, **made
        )
        self._whole = Histogram(
            "answer_seconds", "Until the last piece.", ("model",), buckets=_SECONDS, **made
        )
        self._guards = Counter(
            "guard_decisions",
            "What guards found, by what they did.",
            ("guard", "side", "action"),
            **made,
        )
        self._alarms = Counter("alarms", "Alarms by key and kind.", ("key", "kind"), **made)
        running = Gauge("answers_running", "Answers being given.", **made)
        running.set_function(lambda: admission.running)
        waiting = Gauge("questions_waiting", "Questions that wait for a slot.", **made)
        waiting.set_function(lambda: admission.waiting)

    def requested(self, route: str, status: int) -> None:
        """A request was answered, whatever with."""
        self._requests.labels(route, str(status)).inc()

    def limited(self, key: str, limit: str) -> None:
        """A key asked for more than its limit, or for what could not be counted."""
        self._limited.labels(key, limit).inc()

    def alarmed(self, key: str, kind: str) -> None:
        """An alarm rang."""
        self._alarms.labels(key, kind).inc()

    def begun(self, model: str, seconds: float) -> None:
        """The first piece came."""
        self._first.labels(model).observe(seconds)

    def ended(self, model: str, record: AnswerRecord) -> None:
        """An answer ended. A model that there is not is not a label: clients could fill the memory."""
        if record.outcome == "model_not_found":
            model = "unknown"
        self._answers.labels(model, record.outcome).inc()
        self._whole.labels(model).observe(record.seconds)
        for each in record.guards:
            self._guards.labels(each.guard, each.side, each.action).inc(each.number)
        self._tokens.labels(model, "prompt").inc(record.usage.prompt)
        self._tokens.labels(model, "answer").inc(record.usage.answer)

    def text(self) -> bytes:
        """All of it, in Prometheus' text form."""
        return bytes(generate_latest(self._registry))
