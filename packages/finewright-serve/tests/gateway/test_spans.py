"""A span of every answer, without a word of it."""

import asyncio

import pytest

from finewright.errors import DataError
from finewright_serve.gateway.question import GatewayQuestion, TokenUsage
from finewright_serve.gateway.spans import AnswerSpans, exporting
from finewright_serve.gateway.steps import AnswerRecord, QuestionCaller

pytest.importorskip("opentelemetry.sdk")
WORDS = "the words of a client"


@pytest.mark.parametrize(
    ("outcome", "is_error"), [("done", False), ("cut", False), ("timeout", True)]
)
def test_a_span_says_what_an_answer_took_and_nothing_of_it(outcome: str, is_error: bool) -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    step = AnswerSpans(provider.get_tracer("test"))
    question = GatewayQuestion("m", ({"role": "user", "content": WORDS},), max_tokens=9)
    record = AnswerRecord(outcome, TokenUsage(5, 3), 1.5)
    asyncio.run(step.after(question, QuestionCaller("k", "user", "/v1/chat/completions"), record))
    (span,) = exporter.get_finished_spans()
    assert span.name == "chat m"
    assert (span.end_time - span.start_time) / 1e9 == pytest.approx(1.5)
    given = dict(span.attributes)
    assert (given["gen_ai.usage.input_tokens"], given["gen_ai.usage.output_tokens"]) == (5, 3)
    assert given["gen_ai.request.max_tokens"] == 9
    assert ("error.type" in given) == is_error == (not span.status.is_unset)
    assert WORDS not in span.to_json()


def test_an_exporter_that_is_not_there_is_named() -> None:
    with pytest.raises(DataError, match="no exporter named 'pigeon'"):
        exporting("pigeon")
    exporting("console").shutdown()
