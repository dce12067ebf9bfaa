"""vLLM's keys: what the engine is asked, what another server gets, and what is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.gateway import GatewayLimits
from finewright_serve.gateway.question import AnswerForm, GatewayQuestion, SamplingWish
from finewright_serve.gateway.requests import ChatRequest, CompletionRequest
from finewright_serve.gateway.wire import body_of

CHAT = {"model": "m", "messages": [{"role": "user", "content": "a"}]}
SCHEMA = {"type": "object"}


def question(**more: Any) -> GatewayQuestion:
    return ChatRequest.model_validate(CHAT | more).questions(GatewayLimits())[0]


def test_the_sampling_of_vllm_reaches_the_engine() -> None:
    wish = question(top_k=40, min_p=0.1, repetition_penalty=1.3).sampling
    assert (wish.top_k, wish.min_p, wish.repetition_penalty) == (40, 0.1, 1.3)
    usual = question(top_k=-1).sampling
    assert usual == SamplingWish()
    sent = body_of(question(top_k=40, min_p=0.1, repetition_penalty=1.3), "m", 9)
    assert (sent["top_k"], sent["min_p"], sent["repetition_penalty"]) == (40, 0.1, 1.3)
    assert not {"top_k", "min_p", "repetition_penalty"} & body_of(question(), "m", 9).keys()


FORMS: list[tuple[dict[str, Any], AnswerForm, dict[str, Any]]] = [
    ({"guided_regex": "[ab]"}, AnswerForm(kind="regex", text="[ab]", param="guided_regex"),
     {"structured_outputs": {"regex": "[ab]"}}),
    ({"guided_choice": ["a", "b"]},
     AnswerForm(kind="choice", text='["a", "b"]', param="guided_choice"),
     {"structured_outputs": {"choice": ["a", "b"]}}),
    ({"structured_outputs": {"grammar": 'root ::= "a"'}},
     AnswerForm(kind="grammar", text='root ::= "a"', param="structured_outputs.grammar"),
     {"structured_outputs": {"grammar": 'root ::= "a"'}}),
    ({"structured_outputs": {"json": SCHEMA}},
     AnswerForm(SCHEMA, param="structured_outputs.json"),
     {"response_format": {"type": "json_schema",
                          "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}}),
    ({"structured_outputs": {"json_object": True}},
     AnswerForm(param="structured_outputs.json_object"),
     {"response_format": {"type": "json_object"}}),
]  # fmt: skip


@pytest.mark.parametrize(("given", "form", "sent"), FORMS)
def test_a_form_in_either_spelling_reaches_the_engine_and_other_servers(
    given: dict[str, Any], form: AnswerForm, sent: dict[str, Any]
) -> None:
    asked = question(**given)
    assert asked.form == form
    assert sent.items() <= body_of(asked, "m", 9).items()
    body = {"model": "m", "prompt": "a", **given}
    (text,) = CompletionRequest.model_validate(body).questions(GatewayLimits())
    assert text.form == form
    assert sent.items() <= body_of(text, "m", 9).items()


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"guided_regex": "a", "guided_choice": ["a"]}, "guided_regex"),
        ({"structured_outputs": {"regex": "a", "choice": ["a"]}}, "structured_outputs.regex"),
        ({"structured_outputs": {}}, "structured_outputs"),
        ({"guided_regex": "a", "response_format": {"type": "json_object"}}, "guided_regex"),
    ],
)
def test_an_answer_has_one_form(given: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as error:
        question(**given)
    assert error.value.param == param


@pytest.mark.parametrize(
    "given",
    [
        {"top_k": 1.5}, {"min_p": 2}, {"repetition_penalty": 0}, {"guided_choice": []},
        {"guided_regex": ""}, {"structured_outputs": {"structural_tag": "x"}},
    ],
)  # fmt: skip
def test_what_is_no_value_of_them_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        question(**given)
