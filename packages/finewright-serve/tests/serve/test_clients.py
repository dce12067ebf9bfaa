"""Official clients at a real server: each call works, or is refused with a reason that is in the docs."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from answers import test_forced as forced
from installed import ROOT
from serve.serving import Serving, save_base, started, stop

REFUSED = {
    "openai: chat, web search": "nothing is searched here",
    "openai: chat, store": "no answers are kept here",
    "openai: completions, echo": "the answer comes alone",
    "openai: responses, previous_response_id": "no answers are kept here",
    "openai: embeddings, token ids": "token ids are not taken",
    "openai: embeddings, dimensions": "vectors are given whole",
    "openai: moderations": "there is no /v1/moderations",
    "openai: images": "there is no /v1/images",
    "langchain_openai: embed_query of token ids": "token ids are not taken",
}
"""Calls that are refused, and what the refusal says."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("clients")
    save_base(folder)
    config = folder / "base" / "config.json"
    room = {"max_position_embeddings": 2048}  # rotary positions have no weights
    config.write_text(json.dumps(json.loads(config.read_text()) | room))
    forced.chat_of("qwen2_5").tokenizer.save_pretrained(folder / "base")  # whose template has tools
    found = started(folder, "./base", "wordllama", sets=("serve.max_tokens=300",))
    yield found
    stop(found)


def test_every_call_works_or_is_refused_with_a_reason(server: Serving) -> None:
    script = Path(__file__).with_name("client_calls.py")
    python = os.environ.get("FINEWRIGHT_CLIENTS_PYTHON", sys.executable)
    argv = [python, str(script), server.url, server.key, "base", "wordllama"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=300)
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    assert sum(name.startswith("openai: ") for name in found) == 40
    wrong = {
        name: said
        for name, said in found.items()
        if said != "works"
        and not (said.startswith("refused: ") and REFUSED.get(name, "\0") in said)
    }
    assert wrong == {}, json.dumps(wrong, indent=1)
    assert [name for name in REFUSED if found.get(name) == "works"] == []


def test_the_reasons_stand_in_the_docs() -> None:
    docs = (ROOT / "docs" / "gateway.md").read_text(encoding="utf-8")
    assert [reason for reason in REFUSED.values() if reason.partition(" /v1")[0] not in docs] == []
