"""A gateway before another finewright, llama.cpp and an embedder: all real, each in its own process."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import openai
import pytest

import tiny
from finewright_serve import models
from finewright_serve.conformance.engine import EngineConformance, MadeEngine
from finewright_serve.local import LocalModels
from finewright_serve.spec import ServedTarget, ServeSpec
from serve.serving import Serving, save_base, started, stop

pytest.importorskip("xllamacpp")
pytestmark = pytest.mark.torch

ASKED = [{"role": "user", "content": "the user asks"}]


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("behind")
    save_base(folder)
    found = started(folder, "./base", sets=("serve.waiting=0", "serve.at_once=1"))
    yield found
    stop(found)


def save_gguf(folder: Path) -> None:
    """The tiny llama as base.gguf, and a LoRA adapter that changes its answers as lora.gguf."""
    import torch
    from peft import LoraConfig, get_peft_model

    from finewright.lm.chat import Chat, find_end_of_turn

    gguf_file = pytest.importorskip("finewright_bridge.export.gguf_file")

    save_base(folder)
    tokenizer = tiny.tiny_tokenizer()
    chat = Chat(tokenizer, find_end_of_turn(tokenizer, []))
    gguf_file.write_model(folder / "base.gguf", folder / "base", chat, "f32", "base")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = LoraConfig(r=4, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
        get_peft_model(tiny.tiny_model("llama"), config).save_pretrained(folder / "adapter")
    gguf_file.write_adapter(folder / "lora.gguf", folder / "adapter", folder / "base", "lora")


@pytest.fixture(scope="module")
def serving(behind: Serving, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("gateway")
    save_gguf(folder)
    remote = {"key_env": "BEHIND_KEY", "also": ["http://127.0.0.1:9/v1"], "at_once": 2}
    gguf = {"threads": 1, "context": 200, "at_once": 2, "adapters": {"lora": "lora.gguf"}}
    models = [
        {"target": f"{behind.url}#base", "id": "far", "remote": remote},
        {"target": "base.gguf", "llamacpp": gguf},
        "wordllama",
    ]
    serve = {"port": 0, "max_tokens": 100, "waiting": 0, "models": models}
    spec = f"name: here\nserve: {json.dumps(serve)}\n"
    found = started(folder, spec=spec, environ={"BEHIND_KEY": behind.key})
    yield found
    stop(found)


class TestRemote(EngineConformance):
    model = "far"

    @pytest.fixture
    def made(self, behind: Serving, monkeypatch: pytest.MonkeyPatch) -> MadeEngine:
        monkeypatch.setenv("BEHIND_KEY", behind.key)
        far = {
            "target": f"{behind.url}#base",
            "id": "far",
            "remote": {"key_env": "BEHIND_KEY", "at_once": 1},
        }
        return engine_of(far)


class TestLlamacpp(EngineConformance):
    model = "base"

    @pytest.fixture
    def made(self, serving: Serving) -> MadeEngine:
        files = {"target": str(serving.folder / "base.gguf")}
        adapters = {"lora": str(serving.folder / "lora.gguf")}
        settings = {"threads": 1, "context": 200, "at_once": 2, "adapters": adapters}
        return engine_of({**files, "llamacpp": settings})


def engine_of(target: dict[str, object]) -> MadeEngine:
    spec = ServeSpec(max_tokens=100)
    beside = models.Serving(spec, LocalModels(spec.max_tokens, spec.at_once))
    return lambda: models.engines_of([ServedTarget.model_validate(target)], beside)[0]


def test_every_model_says_what_answers_for_it(serving: Serving) -> None:
    found = {model.id: model.engine for model in serving.client.models.list().data}
    assert found == {
        "far": "remote",
        "base": "llamacpp",
        "base:lora": "llamacpp",
        "wordllama": "embedder",
    }
    assert serving.client.models.retrieve("far").max_model_len == 256
    assert httpx.get(httpx.URL(serving.url).join("/readyz")).status_code == 200


@pytest.mark.parametrize("more", [{}, {"n": 2, "temperature": 0.7, "seed": 5}])
def test_another_server_s_answer_is_as_it_gives_it(
    serving: Serving, behind: Serving, more: dict[str, object]
) -> None:
    given = {"messages": ASKED, "max_tokens": 12, **more}
    there = behind.client.chat.completions.create(model="base", **given)
    here = serving.client.chat.completions.create(model="far", **given)
    texts = [[c.message.content for c in found.choices] for found in (there, here)]
    assert texts[0] == texts[1]
    assert here.usage == there.usage
    text = behind.client.completions.create(model="base", prompt=[5, 6], max_tokens=4)
    assert serving.client.completions.create(model="far", prompt=[5, 6], max_tokens=4).choices == (
        text.choices
    )


def test_what_the_other_server_refuses_is_refused_in_its_words(serving: Serving) -> None:
    body = {"model": "far", "messages": ASKED, "logit_bias": {"99999": 1}}
    found = httpx.post(f"{serving.url}/chat/completions", json=body, headers=serving.headers)
    assert (found.status_code, "vocabulary" in found.json()["error"]["message"]) == (400, True)


def running(serving: Serving) -> bool:
    text = httpx.get(httpx.URL(serving.url).join("/metrics"), headers=serving.headers).text
    return "finewright_answers_running 0.0" not in text


def test_a_client_that_leaves_ends_the_work_behind(serving: Serving, behind: Serving) -> None:
    body = {"model": "far", "prompt": "the", "max_tokens": 100, "n": 100, "temperature": 1}
    more = {"json": {**body, "stream": True}, "headers": serving.headers}
    with httpx.stream("POST", f"{serving.url}/completions", **more) as response:
        lines = response.iter_lines()
        assert '"text_completion"' in next(lines)
        assert running(behind)
    left = time.monotonic()
    while running(serving) or running(behind):
        assert time.monotonic() < left + 1


def test_an_adapter_answers_beside_its_base(serving: Serving) -> None:
    def answered(model: str) -> str:
        found = serving.client.chat.completions.create(
            model=model, messages=ASKED, max_tokens=16, logprobs=True, top_logprobs=2
        )
        scores = found.choices[0].logprobs.content
        assert 0 < len(scores) <= 16  # llama.cpp gives none of half a character
        assert all(len(score.top_logprobs) == 2 for score in scores)
        return "".join(score.token for score in scores)

    alone, tuned = answered("base"), answered("base:lora")
    assert alone != tuned
    assert (answered("base"), answered("base:lora")) == (alone, tuned)


def test_an_answer_is_held_to_its_schema(serving: Serving) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    found = serving.client.chat.completions.create(
        model="base", messages=ASKED, response_format=form, max_tokens=90, temperature=1, seed=1
    )
    text = found.choices[0].message.content
    assert text.lstrip().startswith("{")
    if found.choices[0].finish_reason == "stop":
        assert isinstance(json.loads(text)["n"], int)


def test_a_name_that_llama_cpp_would_lose_is_refused(serving: Serving) -> None:
    named = [{**ASKED[0], "name": "Ann"}]
    with pytest.raises(openai.BadRequestError, match="has no place for it") as caught:
        serving.client.chat.completions.create(model="base", messages=named, max_tokens=2)
    assert caught.value.param == "messages.0.name"


def test_llama_cpp_is_started_again_where_it_ended(serving: Serving) -> None:
    children = Path(f"/proc/{serving.process.pid}/task/{serving.process.pid}/children")
    (child,) = children.read_text().split()
    os.kill(int(child), signal.SIGKILL)
    found = serving.client.chat.completions.create(model="base", messages=ASKED, max_tokens=2)
    assert found.usage.completion_tokens == 2


def test_vectors_are_those_of_the_embedder(serving: Serving) -> None:
    from finewright.lm.static_words import WordEmbedder

    texts = ["the red door", "blue"]
    found = serving.client.embeddings.create(model="wordllama", input=texts)
    mine = WordEmbedder()
    vectors = [row.embedding for row in found.data]
    np.testing.assert_allclose(vectors, mine.documents(texts), atol=1e-6)
    assert found.usage.prompt_tokens == mine.num_tokens(texts) > 0


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("embeddings", {"model": "base", "input": "x"}, 400, "no vectors"),
        ("embeddings", {"model": "nobody", "input": "x"}, 404, "does not exist"),
        ("embeddings", {"model": "wordllama", "input": [""]}, 400, "empty"),
        ("embeddings", {"model": "wordllama", "input": "x", "dimensions": 3}, 400, "dimensions"),
        ("chat/completions", {"model": "wordllama", "messages": ASKED}, 400, "no answers"),
        ("chat/completions", {"model": "base", "messages": [*ASKED * 99]}, 400, "context"),
    ],
)
def test_what_a_model_cannot_do_is_refused(
    serving: Serving, path: str, body: dict[str, object], status: int, says: str
) -> None:
    found = httpx.post(f"{serving.url}/{path}", json=body, headers=serving.headers, timeout=30)
    assert (found.status_code, says in found.json()["error"]["message"]) == (status, True)
