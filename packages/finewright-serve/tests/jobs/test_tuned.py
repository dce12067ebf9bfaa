"""Results of jobs, loaded and unloaded while clients come and leave."""

import asyncio
import threading
from pathlib import Path

import pytest

import tiny
from finewright.lm.model import LM
from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.native import NativeEngine, NativeModel
from finewright_serve.gateway.question import GatewayQuestion
from finewright_serve.jobs.job import TunedResult
from finewright_serve.jobs.tuned import TunedModels
from gateway.test_native import lora, model

from .conftest import Api

RESULT = TunedResult(
    trained_tokens=1, fingerprint="fp", system_prompt="", context=256, answers=True, results_file="f"
)  # fmt: skip


@pytest.mark.torch
def test_a_client_that_leaves_breaks_no_load_and_no_unload(api: Api) -> None:
    job = api.training.folder.job(api.made()["id"])
    done = {"status": "succeeded", "result": RESULT}
    api.training.folder.change(job.id, lambda state: state.model_copy(update=done))
    name, may_end, begun = job.tuned_model, threading.Event(), threading.Event()
    lm = LM(tiny.tiny_model("llama").requires_grad_(False), {})

    def read(_: Path, name: str) -> NativeModel:
        begun.set()
        assert may_end.wait(20)
        return model(name, lm, lora(1))

    async def answer(tuned: TunedModels) -> int:
        question = GatewayQuestion(name, text=(5,), max_tokens=9)
        return len([piece async for piece in tuned.answer(question)])

    async def run() -> None:
        engine = await asyncio.to_thread(NativeEngine, [model("base", lm)], 100, 4)
        tuned = TunedModels(api.training.folder, lambda: engine, read, at_once=4, most_loaded=1)
        assert [each.id for each in tuned.models()] == [name]
        leaving = asyncio.create_task(answer(tuned))
        await asyncio.to_thread(begun.wait, 20)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        unloading = asyncio.create_task(tuned.unload(name))
        await asyncio.sleep(0.05)
        assert not unloading.done(), "it waits for the load"
        unloading.cancel()
        may_end.set()
        await tuned.close()
        assert [each.id for each in engine.models()] == ["base"]
        assert not tuned.models()
        await engine.load(model(name, lm, lora(1)))
        await engine.close()

    asyncio.run(run())


@pytest.mark.torch
def test_a_result_that_the_engine_does_not_let_go_stays_as_it_is(api: Api) -> None:
    job = api.training.folder.job(api.made()["id"])
    done = {"status": "succeeded", "result": RESULT}
    api.training.folder.change(job.id, lambda state: state.model_copy(update=done))
    name, lm = job.tuned_model, LM(tiny.tiny_model("llama").requires_grad_(False), {})

    async def run() -> None:
        engine = await asyncio.to_thread(NativeEngine, [model("base", lm)], 100, 4)
        read = lambda _, name: model(name, lm, lora(1))  # noqa: E731
        tuned = TunedModels(api.training.folder, lambda: engine, read, at_once=4, most_loaded=1)
        assert tuned.models()
        assert [
            piece async for piece in tuned.answer(GatewayQuestion(name, text=(5,), max_tokens=2))
        ]
        under_way = engine.answer(GatewayQuestion(name, text=(5,), max_tokens=90))
        await anext(under_way)
        with pytest.raises(ApiError, match="is answering"):
            await tuned.unload(name)
        assert [each.id for each in tuned.models()] == [name]
        assert api.training.folder.written(job.id).served
        await under_way.aclose()
        await tuned.unload(name)
        assert not tuned.models()
        await engine.close()

    asyncio.run(run())
