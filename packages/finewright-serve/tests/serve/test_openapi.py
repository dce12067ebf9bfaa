"""Whatever our OpenAPI document allows, and what it does not, is never the server's mistake."""

from typing import Any

import httpx
import pytest

from serve.serving import Serving

schemathesis = pytest.importorskip("schemathesis")
hypothesis = pytest.importorskip("hypothesis")
GenerationMode = schemathesis.GenerationMode
pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]

ROUTES = (
    *("/healthz", "/readyz", "/metrics", "/v1/models", "/v1/models/{model}"),
    *("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings"),
)
JOB_ROUTES = (
    *("/v1/files", "/v1/files/{file}", "/v1/files/{file}/content", "/v1/fine_tuning/jobs"),
    *("/v1/fine_tuning/jobs/{job}/events", "/v1/fine_tuning/jobs/{job}/cancel"),
)


@pytest.fixture(scope="module")
def schema(serving: Serving) -> Any:
    url = httpx.URL(serving.url).join("/openapi.json")
    document = httpx.get(url, headers=serving.headers).json()
    found = schemathesis.openapi.from_dict(document)
    found.config.update(base_url=str(url.join("/")))
    return found


def test_every_route_stands_in_the_document(schema: Any) -> None:
    assert {*ROUTES, *JOB_ROUTES} <= set(schema.raw_schema["paths"])
    assert httpx.get(f"{schema.get_base_url()}/openapi.json").status_code == 401


def reach_the_model(body: Any) -> None:
    """Of the ids that are drawn none is served, so what lies behind would hardly be reached."""
    if isinstance(body, dict) and isinstance(body.get("model"), str):
        body["model"] = "base"
        body.pop("max_completion_tokens", None)
        for key in {"max_tokens", "max_output_tokens"} & body.keys():
            body[key] = 2


@pytest.mark.parametrize("path", [*ROUTES, *JOB_ROUTES])
def test_nothing_is_a_server_error(schema: Any, serving: Serving, path: str) -> None:
    checks = schemathesis.checks
    seen = set[int]()
    wanted = [
        checks.not_a_server_error,
        schemathesis.specs.openapi.checks.response_schema_conformance,
        schemathesis.specs.openapi.checks.content_type_conformance,
    ]
    for operation in (schema[path][method] for method in schema[path]):
        has_input = bool(operation.body or operation.path_parameters)
        modes = list(GenerationMode) if has_input else [GenerationMode.POSITIVE]
        for mode in modes:

            @hypothesis.settings(
                max_examples=20,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(hypothesis.HealthCheck),
            )
            @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
            def holds(case: Any) -> None:
                reach_the_model(case.body)
                response = case.call(headers=serving.headers, timeout=20)
                seen.add(response.status_code)
                case.validate_response(response, checks=wanted)

            holds()
    if path in ROUTES:
        assert (400 in seen) == ("post" in schema.raw_schema["paths"][path])
