"""OpenTelemetry's spans of answers, by its conventions for generative models: who was asked, how, and what it
took. Never what was said. https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/"""

import time
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from finewright.errors import DataError, MissingExtra
from finewright.plugins import install_command
from finewright_serve.gateway.question import GatewayQuestion
from finewright_serve.gateway.steps import AnswerRecord, PlainStep, QuestionCaller

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

_GROUP = "opentelemetry_traces_exporter"


class AnswerSpans(PlainStep):
    """A step that makes a span of every answer when it has ended. It has no parent: a client's own trace is
    not carried on."""

    def __init__(self, tracer: "Tracer") -> None:
        self._tracer = tracer

    async def after(
        self, question: GatewayQuestion, asker: QuestionCaller, record: AnswerRecord
    ) -> None:
        """One span, from the question to the last piece."""
        from opentelemetry.trace import SpanKind, Status, StatusCode

        end = time.time_ns()
        operation = "text_completion" if question.messages is None else "chat"
        attributes: dict[str, str | int | float] = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": "finewright",
            "gen_ai.request.model": question.model,
            "gen_ai.request.temperature": question.sampling.temperature,
            "gen_ai.request.top_p": question.sampling.top_p,
            "gen_ai.usage.input_tokens": record.usage.prompt,
            "gen_ai.usage.output_tokens": record.usage.answer,
            "http.route": asker.route,
            "finewright.outcome": record.outcome,
        }
        if question.max_tokens is not None:
            attributes["gen_ai.request.max_tokens"] = question.max_tokens
        if question.num_answers > 1:
            attributes["gen_ai.request.choice.count"] = question.num_answers
        if record.outcome not in ("done", "cut"):
            attributes["error.type"] = record.outcome
        span = self._tracer.start_span(
            f"{operation} {question.model}",
            kind=SpanKind.SERVER,
            start_time=end - int(record.seconds * 1e9),
            attributes=attributes,
        )
        if "error.type" in attributes:
            span.set_status(Status(StatusCode.ERROR))
        span.end(end)


def exporting(exporter: str) -> "TracerProvider":
    """A provider whose spans go to an installed exporter, set by OpenTelemetry's environment variables.

    Raises MissingExtra without OpenTelemetry, DataError for an exporter that is not installed."""
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise MissingExtra(
            "spans need OpenTelemetry", hint=install_command("serve[telemetry]")
        ) from None
    found = [each for each in entry_points(group=_GROUP) if each.name == exporter]
    if not found:
        known = ", ".join(sorted(each.name for each in entry_points(group=_GROUP)))
        raise DataError(
            f"serve.spans: no exporter named {exporter!r} is installed",
            hint=f"installed: {known}; or pip install opentelemetry-exporter-otlp-proto-http",
        )
    provider = TracerProvider(resource=Resource.create({"service.name": "finewright"}))
    provider.add_span_processor(BatchSpanProcessor(found[0].load()()))
    return provider
