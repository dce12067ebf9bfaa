"""Questions to one base and its adapters, computed together: each gets the answer that it gets alone."""

import asyncio
import json
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch

import tiny
from answers import test_forced as forced
from finewright.compare.local import LoadedModel
from finewright.errors import DataError, ModelError
from finewright.lm.chat import Chat, Rendered, find_end_of_turn
from finewright.lm.engine.forward import BLOCK
from finewright.lm.engine.ready import draft_guesses
from finewright.lm.engine.requests import AnswerEnd, WrittenTokens
from finewright.lm.engine.schemas import Grammars
from finewright.lm.engine.watermark import Watermark
from finewright.lm.engine.weights import AdapterWeights, LowRankDelta
from finewright.lm.model import LM
from finewright.lm.template import ChatTemplate
from finewright_serve.conformance.engine import EngineConformance, MadeEngine
from finewright_serve.gateway import native
from finewright_serve.gateway.admission import Admission
from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.gateway import Gateway
from finewright_serve.gateway.measures import Measures
from finewright_serve.gateway.native import NativeEngine, NativeModel
from finewright_serve.gateway.prompt_workers import PromptWorkers
from finewright_serve.gateway.question import (
    AnswerForm,
    AnswerPiece,
    GatewayQuestion,
    SamplingWish,
    ServedModel,
    ToolWish,
)
from finewright_serve.gateway.steps import QuestionCaller

pytestmark = pytest.mark.torch

ASKED = ({"role": "user", "content": "the user asks"},)


def lora(seed: int) -> AdapterWeights:
    numbers = torch.Generator().manual_seed(seed)
    a, b = (torch.randn(*shape, generator=numbers) for shape in ((4, 32), (32, 4)))
    return AdapterWeights({"model.layers.0.self_attn.q_proj": LowRankDelta(a, b, 0.5)})


def model(name: str, lm: LM, adapter: AdapterWeights | None = None) -> NativeModel:
    tokenizer = tiny.tiny_tokenizer()
    chat = Chat(tokenizer, find_end_of_turn(tokenizer, []))
    return NativeModel(
        ServedModel(name, "native", context=256), LoadedModel(name, lm, chat), adapter
    )


@pytest.fixture(scope="module")
def engine() -> Iterator[NativeEngine]:
    lm = LM(tiny.tiny_model("llama").requires_grad_(False), {})
    models = [model("base", lm), model("base:a", lm, lora(1)), model("base:b", lm, lora(2))]
    found = NativeEngine(models, max_tokens=40, at_once=8)
    yield found
    asyncio.run(found.close())


class TestNative(EngineConformance):
    model = "base:a"

    @pytest.fixture
    def made(self) -> MadeEngine:
        lm = LM(tiny.tiny_model("llama").requires_grad_(False), {})
        models = [model("base", lm), model("base:a", lm, lora(1))]
        return lambda: NativeEngine(models, max_tokens=40, at_once=8)


async def pieces(engine: NativeEngine, question: GatewayQuestion) -> list[AnswerPiece]:
    return [piece async for piece in engine.answer(question)]


def said(found: list[AnswerPiece], choice: int = 0) -> str:
    return "".join(piece.content for piece in found if piece.choice == choice)


def asked(engine: NativeEngine, *questions: GatewayQuestion) -> list[list[AnswerPiece]]:
    async def together() -> list[list[AnswerPiece]]:
        return await asyncio.gather(*(pieces(engine, each) for each in questions))

    return asyncio.run(together())


def test_answers_that_are_computed_together_are_those_of_each_alone(engine: NativeEngine) -> None:
    warm = SamplingWish(temperature=1.0, seed=7)
    questions = [
        GatewayQuestion(name, ASKED, max_tokens=20, sampling=sampling, num_answers=number)
        for name in ("base", "base:a", "base:b")
        for sampling, number in ((SamplingWish(), 1), (warm, 3))
    ]
    alone = [asked(engine, each)[0] for each in questions]
    together = asked(engine, *questions)
    for number, question in enumerate(questions):
        for choice in range(question.num_answers):
            assert said(together[number], choice) == said(alone[number], choice)
        (usage,) = [piece.usage for piece in together[number] if piece.usage]
        (before,) = [piece.usage for piece in alone[number] if piece.usage]
        assert replace(usage, cached=0) == replace(before, cached=0)
    assert len({said(alone[at]) for at in (0, 2, 4)}) == 3


def test_log_probabilities_are_those_of_the_model(engine: NativeEngine) -> None:
    question = GatewayQuestion("base", text=(5, 6, 7), max_tokens=6, num_logprobs=3)
    (found,) = asked(engine, question)
    scores = [score for piece in found for score in piece.scores]
    assert len(scores) == 6
    lm = tiny.tiny_model("llama").eval()
    ids, tokenizer = [5, 6, 7], tiny.tiny_tokenizer()
    for score in scores:
        with torch.no_grad():
            logps = lm(torch.tensor([ids])).logits[0, -1].float().log_softmax(-1)
        token = int(logps.argmax())
        assert score.logp == pytest.approx(float(logps[token]), abs=2e-2)
        assert [o.logp for o in score.others] == sorted(
            (o.logp for o in score.others), reverse=True
        )
        ids.append(token)
    whole = b"".join(score.raw for score in scores)
    assert whole.decode("utf-8", "replace") == tokenizer.decode(ids[3:])


def test_a_bias_and_a_penalty_move_tokens(engine: NativeEngine) -> None:
    plain = GatewayQuestion("base", text=(5, 6, 7), max_tokens=8, num_logprobs=0)
    biased = replace(plain, sampling=SamplingWish(logit_bias={40: 100.0}))
    banned = replace(plain, sampling=SamplingWish(frequency_penalty=2.0, presence_penalty=2.0))
    one, forty, varied = asked(engine, plain, biased, banned)
    assert said(forty) == tiny.tiny_tokenizer().decode([40] * 8)
    tokens = [[s.text for piece in found for s in piece.scores] for found in (one, varied)]
    assert len(set(tokens[1])) >= len(set(tokens[0]))


def test_an_answer_of_a_form_is_json(engine: NativeEngine) -> None:
    schema = {
        "type": "object",
        "properties": {"ok": {"type": "boolean"}},
        "required": ["ok"],
        "additionalProperties": False,
    }
    warm = SamplingWish(temperature=1.0, seed=3)
    question = GatewayQuestion("base:a", ASKED, 60, sampling=warm, form=AnswerForm(schema))
    (found,) = asked(engine, question)
    assert found[-1].finish == "stop"
    assert json.loads(said(found)).keys() == {"ok"}


@pytest.mark.parametrize("asked_as", [{"messages": ASKED}, {"text": (5, 6, 7)}])
def test_an_answer_ends_before_its_stop_and_no_token_is_computed_after_it(
    engine: NativeEngine, asked_as: dict[str, Any]
) -> None:
    warm = SamplingWish(temperature=1.0, seed=5)
    question = GatewayQuestion("base", max_tokens=30, sampling=warm, num_answers=3, **asked_as)
    (free,) = asked(engine, question)
    texts = [said(free, choice) for choice in range(3)]
    stop = texts[0][8:11]
    steps: list[int] = []
    (source,) = engine._sources.values()
    step = source._engine.step
    source._engine.step = lambda: [steps.append(w.answer) or w for w in step()]
    (found,) = asked(engine, replace(question, stops=(stop, "never said")))
    source._engine.step = step
    for choice, text in enumerate(texts):
        is_stopped = stop in text
        assert said(found, choice) == text.split(stop)[0]
        ends = [p.finish for run in (free, found) for p in run if p.finish and p.choice == choice]
        assert ends[1] == ("stop" if is_stopped else ends[0])
        if is_stopped:  # a token has a byte at least
            assert steps.count(choice) <= len(text[: text.find(stop) + len(stop)].encode())
    assert steps.count(0) < 30


def test_a_draft_changes_no_answer_of_any_model_of_a_base() -> None:
    base, adapter = LM(tiny.tiny_model("llama").requires_grad_(False), {}), lora(1)
    questions = [
        GatewayQuestion(name, ASKED, max_tokens=40, sampling=SamplingWish(temperature=heat, seed=4))
        for name in ("base", "base:a")
        for heat in (0.0, 0.9)
    ]
    found, computed = [], []
    for draft in (None, draft_guesses(base, 256, tiny.VOCAB)):
        models = [model("base", base), model("base:a", base, adapter)]
        models = [replace(m, loaded=replace(m.loaded, draft=draft)) for m in models]
        engine = NativeEngine(models, max_tokens=40, at_once=8)
        (source,) = engine._sources.values()
        step, steps = source._engine.step, []
        source._engine.step = lambda step=step, steps=steps: steps.append(1) or step()
        found.append([said(asked(engine, each)[0]) for each in questions])
        computed.append(len(steps))
        asyncio.run(engine.close())
    assert found[0] == found[1]
    assert computed[1] < computed[0]


def test_models_come_and_go_while_others_answer() -> None:
    async def run() -> None:
        lm = LM(tiny.tiny_model("llama").requires_grad_(False), {})
        engine = await asyncio.to_thread(NativeEngine, [model("base", lm)], 100, 4)
        long = asyncio.create_task(
            pieces(engine, GatewayQuestion("base", text=(5,), max_tokens=90))
        )
        await asyncio.sleep(0)
        await engine.load(model("base:late", lm, lora(1)))
        assert [each.id for each in engine.models()] == ["base", "base:late"]
        late = engine.answer(GatewayQuestion("base:late", text=(5,), max_tokens=90))
        await anext(late)
        with pytest.raises(ApiError, match="is answering") as caught:
            await engine.unload("base:late")
        assert caught.value.status == 409
        await late.aclose()
        await engine.unload("base:late")
        assert [each.id for each in engine.models()] == ["base"]
        assert said(await long)
        await engine.close()

    asyncio.run(run())


def test_a_question_whose_model_goes_while_it_waits_is_refused() -> None:
    async def run() -> None:
        lm = LM(tiny.tiny_model("llama").requires_grad_(False), {})
        models = [model("base", lm), model("base:a", lm, lora(1))]
        engine = await asyncio.to_thread(NativeEngine, models, 100, 1)
        admission = Admission(4, 20)
        gateway = Gateway([engine], admission, Measures(admission))

        async def whole(name: str) -> list[AnswerPiece]:
            caller = QuestionCaller("", "user", "/")
            question = GatewayQuestion(name, text=(5,), max_tokens=60)
            return [piece async for piece in gateway.answer(question, caller)]

        running, waiting = (asyncio.create_task(whole(name)) for name in ("base", "base:a"))
        while not admission.waiting:
            await asyncio.sleep(0)
        await engine.unload("base:a")
        assert said(await running)
        with pytest.raises(ApiError, match="'base:a' was unloaded") as caught:
            await waiting
        assert (caught.value.status, caught.value.code) == (404, "model_not_found")
        await engine.close()

    asyncio.run(run())


@pytest.mark.parametrize("error", [None, DataError("in use")])
def test_nobody_is_answered_by_an_adapter_that_is_being_taken_away(
    error: DataError | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        lm = LM(tiny.tiny_model("llama").requires_grad_(False), {})
        models = [model("base", lm), model("base:a", lm, lora(1))]
        engine = await asyncio.to_thread(NativeEngine, models, 100, 4)
        begun, goes_on = asyncio.Event(), asyncio.Event()
        (source,) = engine._sources.values()
        unload = source.unload

        async def slow(key: str) -> None:
            begun.set()
            await goes_on.wait()
            if error:
                raise error
            await unload(key)

        monkeypatch.setattr(source, "unload", slow)
        going = asyncio.create_task(engine.unload("base:a"))
        await begun.wait()
        question = GatewayQuestion("base:a", text=(5,), max_tokens=3)
        with pytest.raises(ApiError, match="was unloaded"):
            await pieces(engine, question)
        goes_on.set()
        if error:  # it is there as before
            with pytest.raises(ApiError, match="in use"):
                await going
            assert said(await pieces(engine, question))
        else:
            await going
        await engine.close()

    asyncio.run(run())


def test_an_adapter_that_fits_no_model_leaves_no_thread_and_no_cache() -> None:
    base, other = (LM(tiny.tiny_model("llama").requires_grad_(False), {}) for _ in range(2))
    (fits,) = lora(1).linears.values()
    misfit = AdapterWeights({"model.layers.99.mlp": fits})
    engine = NativeEngine([model("base", base)], 40, 4)

    def num_threads() -> int:
        return sum(thread.name == "generation" for thread in threading.enumerate())

    before = num_threads()

    async def run() -> None:
        for lm in (base, other):
            with pytest.raises(ModelError):
                await engine.load(model("late", lm, misfit))
        assert [*engine._sources] == [id(base)]
        assert num_threads() == before
        assert said(await pieces(engine, GatewayQuestion("base", text=(5,), max_tokens=9)))
        await engine.close()

    asyncio.run(run())


def test_a_model_that_is_prepared_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    is_free, prepare = threading.Event(), native.token_source

    def slow(*given: Any, **more: Any) -> Any:
        assert is_free.wait(20)
        return prepare(*given, **more)

    async def run() -> None:
        base, other = (LM(tiny.tiny_model("llama").requires_grad_(False), {}) for _ in range(2))
        engine = await asyncio.to_thread(NativeEngine, [model("base", base)], 100, 4)
        monkeypatch.setattr(native, "token_source", slow)
        loading = asyncio.create_task(engine.load(model("other", other)))
        await asyncio.sleep(0)
        assert said(await pieces(engine, GatewayQuestion("base", text=(5,), max_tokens=9)))
        is_free.set()
        await loading
        assert said(await pieces(engine, GatewayQuestion("other", text=(5,), max_tokens=9)))
        await engine.close()

    asyncio.run(run())


def test_nobody_cancels_a_switch_half_way() -> None:
    async def left(switch: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(switch)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def run() -> None:
        lm = LM(tiny.tiny_model("llama").requires_grad_(False), {})
        engine = await asyncio.to_thread(NativeEngine, [model("base", lm)], 100, 4)
        await left(engine.load(model("base:a", lm, lora(1))))
        await engine.load(model("base:b", lm, lora(2)))
        assert [each.id for each in engine.models()] == ["base", "base:a", "base:b"]
        await left(engine.unload("base:a"))
        await engine.load(model("base:a", lm, lora(1)))
        assert said(await pieces(engine, GatewayQuestion("base:a", text=(5,), max_tokens=9)))
        await engine.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("question", "says"),
    [
        (
            GatewayQuestion("base", text=(5,) * 250, max_tokens=20),
            "250 tokens, and the answer may have 20",
        ),
        (GatewayQuestion("base", text=(5,) * 300), "300 tokens; this model reads"),
        (
            GatewayQuestion("base", text=(5, 999)),
            r"prompt: token 999 is beyond the vocabulary of \d+",
        ),
        (
            GatewayQuestion("base", text=(5,), sampling=SamplingWish(logit_bias={999: 1.0})),
            r"logit_bias: token 999 is beyond the vocabulary of \d+",
        ),
        (GatewayQuestion("base", ASKED, form=AnswerForm({"const": 1, "type": "string"})), "json"),
    ],
)
def test_what_cannot_be_answered_is_refused(
    engine: NativeEngine, question: GatewayQuestion, says: str
) -> None:
    with pytest.raises(ApiError, match=says) as caught:
        asked(engine, question)
    assert caught.value.status == 400
    assert said(asked(engine, GatewayQuestion("base", text=(5,), max_tokens=3))[0])


ABOVE = {"type": "integer", "minimum": 5, "maximum": 3}


@pytest.mark.parametrize(
    ("part", "code", "says"),
    [
        ({"type": "string", "pattern": "(["}, "invalid_value", "a.pattern: '([' is no regular"),
        ({"type": "string", "pattern": "(?=x)y"}, "unsupported_parameter", "a.pattern: "),
        ({"enum": []}, "invalid_value", "a.enum: it is empty"),
        (ABOVE, "invalid_value", "a: no value satisfies minimum 5 with maximum 3"),
        (False, "invalid_value", "a: it is false"),
        (
            {
                "type": "object",
                "properties": {"required": True, "b": {"enum": []}},
                "required": ["b"],
            },
            "invalid_value",
            "a.properties.b.enum",
        ),
        ({"type": "integer", "enum": ["x"]}, "invalid_value", "a: no value satisfies it"),
        ({"not": {}}, "unsupported_parameter", "a.not: "),
    ],
)
def test_a_schema_that_is_wrong_is_no_limit_of_ours(
    engine: NativeEngine, part: object, code: str, says: str
) -> None:
    schema = {"type": "object", "properties": {"a": part}, "required": ["a"]}
    with pytest.raises(ApiError) as caught:
        asked(engine, GatewayQuestion("base", ASKED, form=AnswerForm(schema)))
    assert (caught.value.param, caught.value.code) == ("response_format", code)
    assert f"$.properties.{says}" in str(caught.value)


def test_caches_that_are_not_written_yet_are_not_given_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A quarter of 400 blocks, then one of the 300 that are left."""
    lms = [LM(tiny.tiny_model("llama").requires_grad_(False), {}) for _ in range(2)]
    monkeypatch.setattr("finewright.lm.runtime.free_bytes", lambda: 400 * lms[0].block_bytes)
    found = NativeEngine([model(f"m{i}", lm) for i, lm in enumerate(lms)], 40, at_once=64)
    rooms = [source.room // BLOCK + 1 for source in found._sources.values()]
    asyncio.run(found.close())
    assert rooms == [100, 75]


@pytest.mark.parametrize("choice", ["required", "weather"])
def test_a_call_is_forced_whatever_the_model_would_write(choice: str) -> None:
    lm = LM(tiny.tiny_model("llama").requires_grad_(False), {})
    loaded = LoadedModel("base", lm, forced.chat_of("qwen2_5"))
    served = ServedModel("base", "native", context=2048)
    engine = NativeEngine([NativeModel(served, loaded)], max_tokens=300, at_once=1)
    question = GatewayQuestion("base", ASKED, tools=ToolWish((forced.TOOLS[0],), choice))
    plain = replace(question, tools=ToolWish((forced.TOOLS[0],)), max_tokens=20)
    found, free = asked(engine, question, plain)
    asyncio.run(engine.close())
    calls = found[-1].calls
    assert 1 <= len(calls) <= (8 if choice == "required" else 1)
    assert (found[-1].finish, said(found)) == ("tool_calls", "")
    for call in calls:
        arguments = json.loads(call.arguments)
        assert call.name == "weather"
        assert arguments.keys() == {"city", "days"}
        assert arguments["city"] in ("Rome", "Bonn")
    assert not free[-1].calls
    in_parts = [
        "".join(
            part.arguments for piece in found for part in piece.call_parts if part.number == number
        )
        for number in range(len(calls))
    ]
    assert [json.loads(each) for each in in_parts] == [json.loads(call.arguments) for call in calls]
    assert found[-1].num_in_parts == len(calls)
    assert sum(bool(piece.call_parts) for piece in found) > len(calls)  # as they were written


def test_the_end_of_a_call_that_cannot_be_read_is_never_given() -> None:
    """The tags around it do not close."""
    chat = forced.chat_of("qwen2_5")
    text = '<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}, "more": x'
    ids = chat.tokenizer(text, add_special_tokens=False)["input_ids"]
    question = GatewayQuestion("base", ASKED, tools=ToolWish((forced.TOOLS[0],)))
    (writing,) = native._writings(chat, question, "")
    found = [writing.piece(WrittenTokens(0, 0, (token,))) for token in ids]
    last = writing.last(WrittenTokens(0, 0, (), end=AnswerEnd("stop")))
    parts = [part for piece in (*found, last) if piece for part in piece.call_parts]
    assert "".join(part.arguments for part in parts) == '{"city": "Rome"'
    assert (last.calls, last.num_in_parts, bool(last.fault)) == ((), 0, True)


def test_a_call_that_cannot_be_forced_is_refused_with_the_reason(engine: NativeEngine) -> None:
    question = GatewayQuestion("base", ASKED, tools=ToolWish((forced.TOOLS[0],), "required"))
    with pytest.raises(ApiError, match="tool") as caught:
        asked(engine, question)
    assert caught.value.status == 400


@pytest.mark.parametrize("speaks", [True, False])
def test_a_name_is_written_or_refused(speaks: bool) -> None:
    lm = LM(tiny.tiny_model("llama").requires_grad_(False), {})
    made = model("base", lm)
    if speaks:
        named = "(message['name'] ~ ': ' if message['name'] else '') + message['content']"
        template = tiny.TEMPLATES["chatml"].replace("message['content']", named)
        made.loaded.chat.tokenizer.chat_template = template
    engine = NativeEngine([made], max_tokens=10, at_once=1)
    question = GatewayQuestion("base", ({**ASKED[0], "name": "user"},), max_tokens=3)
    if speaks:
        plain, found = asked(engine, replace(question, messages=ASKED), question)
        assert found[-1].usage.prompt > plain[-1].usage.prompt
    else:
        with pytest.raises(ApiError, match="has no place for it") as caught:
            asked(engine, question)
        assert caught.value.param == "messages.0.name"
    asyncio.run(engine.close())


def test_tools_that_the_template_has_no_words_for_are_named(engine: NativeEngine) -> None:
    question = GatewayQuestion("base", ASKED, tools=ToolWish((forced.TOOLS[0],)))
    with pytest.raises(ApiError, match="tools: the chat template leaves out the tools") as caught:
        asked(engine, question)
    assert caught.value.param == "tools"


def test_a_long_conversation_with_tools_is_rendered_a_few_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A rendering for each call and each result would take seconds for a hundred of them."""
    renderings, text = [], ChatTemplate.text

    def counted(*given: Any, **more: Any) -> str:
        renderings.append(1)
        return text(*given, **more)

    chat, messages = forced.chat_of("qwen2_5"), [dict(ASKED[0])]
    for number in range(50):
        function = {"name": "weather", "arguments": {"city": "Rome"}}
        call = {"id": f"c{number}", "type": "function", "function": function}
        messages += [
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"c{number}", "content": f"sun {number}"},
        ]
    chat.whole_prompt(messages)
    monkeypatch.setattr(ChatTemplate, "text", counted)
    assert "sun 49" in chat.whole_prompt(messages).text
    assert len(renderings) <= 3


def test_no_step_waits_for_a_grammar(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of 4,000 keys takes more than a second: others' answers go on meanwhile."""
    compiled, compile_one = list[str](), Grammars._compile

    def noting(grammars: Grammars, grammar: Any, salt: str) -> Any:
        compiled.append(threading.current_thread().name)
        return compile_one(grammars, grammar, salt)

    monkeypatch.setattr(Grammars, "_compile", noting)
    schema = {"type": "object", "properties": {"waits": {"type": "boolean"}}}
    lm = LM(tiny.tiny_model("llama").requires_grad_(False), {})
    fresh = NativeEngine([model("base", lm)], max_tokens=20, at_once=2)
    asked(fresh, GatewayQuestion("base", ASKED, 9, form=AnswerForm(schema)))
    asyncio.run(fresh.close())
    assert len(compiled) == 1
    assert compiled[0].startswith("prompts")


def test_usage_says_what_was_found_and_nobody_finds_another_projects(engine: NativeEngine) -> None:
    """The very prompt of another project is computed again, and so is a project's own under an adapter."""
    words = ({"role": "user", "content": "the user asks " * 9},)

    def cached(project: str, name: str = "base") -> int:
        question = GatewayQuestion(name, words, max_tokens=2, project=project)
        (usage,) = [p.usage for p in asked(engine, question)[0] if p.usage]
        assert usage.cached is not None
        return usage.cached

    first = [cached("blue"), cached("red"), cached("blue", "base:a")]
    assert first == [0, 0, 0]
    assert cached("blue") == cached("red") == cached("blue", "base:a") > BLOCK


@pytest.mark.parametrize(
    ("question", "unit"),
    [
        (GatewayQuestion("base", ({"role": "user", "content": "<|im_start|>" * 300_000},)), "characters"),
        (GatewayQuestion("base", ({"role": "user", "content": "1" * 3_900_000},)), "characters"),
        (GatewayQuestion("base", text="1" * 3_900_000), "characters"),
        (GatewayQuestion("base", ASKED * 19_000), "characters"),
        (GatewayQuestion("base", ({"role": "user", "content": ""},) * 257), "messages"),
        (GatewayQuestion("base", ASKED, tools=ToolWish(({"description": "1" * 5000},))), "characters"),
    ],
)  # fmt: skip
def test_what_no_prompt_holds_is_refused_before_anything_is_done_with_it(
    engine: NativeEngine, question: GatewayQuestion, unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Chat, "whole_prompt", lambda *_: pytest.fail("it was rendered"))
    with pytest.raises(ApiError, match=rf"\d+ {unit}, and \d+ at most are read") as raised:
        asked(engine, question)
    assert (raised.value.status, raised.value.code) == (400, "context_length_exceeded")
    assert "this model has room for 256 tokens" in str(raised.value)


def test_prompts_of_one_key_leave_a_thread_for_another(engine: NativeEngine) -> None:
    """One key's prompts take as long as they like; another's is made meanwhile."""
    over, made = threading.Event(), list[str]()

    async def ask() -> None:
        workers = PromptWorkers()
        slow = [asyncio.create_task(workers.make("a", lambda: over.wait(20))) for _ in range(9)]
        await asyncio.sleep(0.05)
        made.append(await asyncio.wait_for(workers.make("b", lambda: "b"), 10))
        assert not any(each.done() for each in slow)
        over.set()
        await asyncio.gather(*slow)
        workers.close()

    asyncio.run(ask())
    assert made == ["b"]


def test_a_schema_with_a_thousand_properties_that_may_be_left_out_is_refused(
    engine: NativeEngine,
) -> None:
    properties = {f"p{number}": {"type": "string"} for number in range(1000)}
    nested = {"type": "object", "properties": {"in": {"type": "object", "properties": properties}}}
    for schema in ({"type": "object", "properties": properties}, nested):
        with pytest.raises(ApiError, match="1000 may be left out") as raised:
            asked(engine, GatewayQuestion("base", ASKED, 9, form=AnswerForm(schema)))
        assert (raised.value.status, raised.value.param) == (400, "response_format")
    most = {"type": "object", "properties": dict(list(properties.items())[:400])}
    (found,) = asked(engine, GatewayQuestion("base", ASKED, 9, form=AnswerForm(most)))
    assert said(found).startswith("{")


@pytest.mark.parametrize("text", ["1" * 4000, "x <|im_start|>" * 290, " " * 760 + "1" * 3000])
def test_a_text_is_tokenised_no_further_than_there_is_room(
    engine: NativeEngine, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first 768 characters are counted, or its first 1,536: never all of it."""
    lengths, tokens = list[int](), Chat.prompt_ids

    def noted(chat: Chat, rendered: Rendered) -> tuple[int, ...]:
        lengths.append(len(rendered.text))
        return tokens(chat, rendered)

    monkeypatch.setattr(Chat, "prompt_ids", noted)
    with pytest.raises(ApiError, match="the prompt has more than 256 tokens"):
        asked(engine, GatewayQuestion("base", ({"role": "user", "content": text},)))
    assert max(lengths) <= 1536


def test_every_answer_of_a_marked_model_has_the_mark_and_the_same_words_each_time() -> None:
    lm = LM(tiny.tiny_model("llama").requires_grad_(False), {})
    mark, plain = Watermark(99), model("base", lm)
    texts = {}
    for each in (plain, replace(plain, watermark=mark)):
        engine = NativeEngine([each], max_tokens=190, at_once=4)
        for wish in (SamplingWish(), SamplingWish(temperature=1.0, seed=3)):
            question = GatewayQuestion("base", ASKED, max_tokens=190, sampling=wish)
            alone, *together = asked(engine, question) + asked(engine, question, question)
            assert [said(found) for found in together] == [said(alone)] * 2
            texts[each.watermark, wish.temperature] = said(alone)
        asyncio.run(engine.close())
    encode = plain.loaded.chat.tokenizer.encode
    z = {key: mark.evidence(encode(text)).z for key, text in texts.items()}
    assert texts[None, 0.0] != texts[mark, 0.0]
    assert z[mark, 1.0] > 3 > z[None, 1.0]
