"""Official clients at a real server: each call works, or is refused with a reason that is in the docs.

Here are openai's. The others are asked where they are installed, and write the table of the docs:

    FINEWRIGHT_CLIENTS_PYTHON=VENV/bin/python FINEWRIGHT_CLIENTS_NODE=FOLDER/node_modules \\
        FINEWRIGHT_WRITE_CLIENTS=1 pytest packages/finewright-serve/tests/serve/test_clients.py"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from answers import test_forced as forced
from installed import ROOT
from serve.serving import Serving, save_base, started, stop

HERE = Path(__file__).parent
DOCS = ROOT / "docs" / "gateway.md"
HEAD = "| client | calls that work | refused |\n|---|---:|---|\n"
ROW = re.compile(r"^\| (\S+) (\S+) \| (\d+) \| (.+) \|$", re.MULTILINE)
"""A line of the table: client, its version, how many calls work, which are refused and why."""
NUM_OF_OPENAI = 40
REFUSED = {
    "chat, web search": "nothing is searched here",
    "chat, store": "no answers are kept here",
    "completions, echo": "the answer comes alone",
    "responses, previous_response_id": "no answers are kept here",
    "embeddings, token ids": "token ids are not taken",
    "embeddings, dimensions": "vectors are given whole",
    "moderations": "there is no /v1/moderations",
    "images": "there is no /v1/images",
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


def test_every_call_works_or_is_refused_as_the_docs_say(server: Serving) -> None:
    python = os.environ.get("FINEWRIGHT_CLIENTS_PYTHON", sys.executable)
    found = asked([python, str(HERE / "client_calls.py")], server)
    if modules := os.environ.get("FINEWRIGHT_CLIENTS_NODE"):
        environ = {"NODE_PATH": modules}
        found |= asked(["node", str(HERE / "client_calls.mjs")], server, environ)
    assert len(found["openai"]["calls"]) == NUM_OF_OPENAI
    outcomes = {
        client: {call: shown(call, said) for call, said in each["calls"].items()}
        for client, each in found.items()
    }
    wrong = [
        (client, call, said)
        for client, each in outcomes.items()
        for call, said in each.items()
        if not said.startswith(("works", "refused"))
    ]
    assert wrong == []
    cells = {client: cells_of(each) for client, each in outcomes.items()}
    if os.environ.get("FINEWRIGHT_WRITE_CLIENTS"):
        write_table([f"| {c} {found[c]['version']} | {n} | {r} |" for c, (n, r) in cells.items()])
    lines = ROW.findall(DOCS.read_text("utf-8"))
    documented = {client: (num, refused) for client, _, num, refused in lines}
    assert {client: documented.get(client) for client in cells} == cells


def cells_of(outcomes: Mapping[str, str]) -> tuple[str, str]:
    """How many calls of a client work, and those that are refused, each with the reason."""
    refused = [
        f"`{call}`: {said.removeprefix('refused: ')}"
        for call, said in outcomes.items()
        if said != "works"
    ]
    return str(len(outcomes) - len(refused)), "; ".join(refused) or "-"


def asked(argv: list[str], server: Serving, environ: Mapping[str, str] = {}) -> dict[str, Any]:
    """What a script of calls found."""
    argv = [*argv, server.url, server.key, "base", "wordllama"]
    environ = {**os.environ, **environ}
    done = subprocess.run(
        argv, capture_output=True, text=True, check=True, timeout=300, env=environ
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def shown(call: str, said: str) -> str:
    """An outcome as the table has it: a refusal by the reason that is expected of it, and by no other."""
    reason = REFUSED.get(call)
    if reason is None or said == "works":
        return said if reason is None and said == "works" else f"unexpected: {said}"
    is_refused = said.startswith("refused: ") and reason in said
    return f"refused: {reason}" if is_refused else f"unexpected: {said}"


def write_table(lines: list[str]) -> None:
    """Put the lines in the place of those that the docs have."""
    head, rest = DOCS.read_text("utf-8").split(HEAD)
    rest = ROW.sub("", rest).lstrip("\n")
    DOCS.write_text(f"{head}{HEAD}{chr(10).join(lines)}\n\n{rest}", "utf-8")
