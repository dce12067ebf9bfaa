"""What a model behind an endpoint said is not asked again, though the asking was cut."""

from pathlib import Path

import pytest

from finewright.errors import FetchError
from finewright.fetch.endpoint import Endpoint
from finewright.schema.rows import Row
from finewright.store.answers import AnswersLog
from finewright_bridge.migrate.endpoints import EndpointAnswer, turns
from served import Asked, Reply, answered, served

PROMPTS = [Row(q, ({"role": "user", "content": q},), None, "f", 1) for q in ("a?", "b?", "c?")]


def test_a_cut_asking_goes_on_with_the_prompt_that_had_no_answer(tmp_path: Path) -> None:
    broken = True

    def reply(asked: Asked) -> Reply:
        text = asked.body["messages"][-1]["content"]
        return Reply({"error": "gone"}, 400) if broken and text == "b?" else answered(text.upper())

    path = tmp_path / "asked.jsonl"
    with served(reply) as server:
        endpoint = Endpoint.parse(f"{server.url}#m")
        with pytest.raises(FetchError):
            list(turns(endpoint, PROMPTS, AnswersLog(path, EndpointAnswer)))
        broken = False
        said = list(turns(endpoint, PROMPTS, AnswersLog(path, EndpointAnswer)))
        assert [turn.text for turn in said] == ["A?", "B?", "C?"]
        asked = [call.body["messages"][-1]["content"] for call in server.asked]
        assert asked == ["a?", "b?", "b?", "c?"]
        assert list(turns(endpoint, PROMPTS, AnswersLog(path, EndpointAnswer))) == said
        list(turns(Endpoint(endpoint.base_url, "other"), PROMPTS, AnswersLog(path, EndpointAnswer)))
    assert len(server.asked) == 7
    assert {(turn.model, turn.completion_tokens) for turn in said} == {("m-1", 3)}
