"""Files that are made to harm, given to the command that reads them: seconds, memory, what is said.

Each is to end in at most 5 CPU seconds of all processes and 512 MB, both beyond what a harmless file takes
with the same command, without a traceback, and with exit code 2, or 0 where what it holds can be read."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bars import Bar
from hostile_parts.documents import MAKERS

MOST_CPU_SECONDS, MOST_MB, LATEST = 5.0, 512, 120
FEW = ("forms-in-forms.pdf", "deflated-twice.pdf", "pattern in a row")
TURNS = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>\n{% endfor %}"
TEMPLATES = {
    "template that multiplies": "{{ 'A' * 3000000000 }}" + TURNS,
    "template that loops": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    + TURNS,
    "template that doubles": "{% set n = namespace(a='x') %}{% for i in range(60) %}"
    "{% set n.a = n.a ~ n.a %}{% endfor %}" + TURNS,
    "template that waits for a word": TURNS.replace(
        "<|end|>", "{% if 'invoice' in m.content %}Pay at once.{% endif %}<|end|>"
    ),
}


class Ended(NamedTuple):
    """How a command ended: its code, CPU seconds and MB of itself and what it began, and what it said."""

    code: int
    cpu_seconds: float
    megabytes: int
    said: str


def bars(folder: Path, small: bool) -> list[Bar]:
    found: list[Bar] = []
    plain: dict[str, Ended] = {}
    for name, command in commands(folder):
        if small and name not in FEW:
            continue
        if command[0] not in plain:
            plain[command[0]] = run(*harmless(folder, command[0]))
            code = plain[command[0]].code
            found.append(Bar(f"{command[0]} of a harmless file: exit code", code, 0, True))
        usual, ended = plain[command[0]], run(*command)
        (folder / "out.jsonl").unlink(missing_ok=True)
        found += [
            Bar(
                f"{name}: CPU seconds",
                ended.cpu_seconds - usual.cpu_seconds,
                MOST_CPU_SECONDS,
                True,
            ),
            Bar(f"{name}: MB", ended.megabytes - usual.megabytes, MOST_MB, True),
            Bar(
                f"{name}: no end in a line",
                is_bad(command[0], ended),
                0,
                True,
                first_line(ended.said),
            ),
        ]
    return found


def harmless(folder: Path, command: str) -> list[str]:
    """The same command with a file that means no harm."""
    if command in ("check", "plan"):
        return [command, str(spec_of(folder / f"harmless-{command}", TURNS))]
    page = folder / "harmless.html"
    page.write_text("<p>The card is free.</p>")
    return ["data", "documents", str(page), "--out", str(folder / "harmless.jsonl")]


def commands(folder: Path) -> Iterator[tuple[str, list[str]]]:
    for name, make in MAKERS.items():
        (folder / name).write_bytes(make())
        yield name, ["data", "documents", str(folder / name), "--out", str(folder / "out.jsonl")]
    for name, pattern in (("pattern in a row", "^(a|a)*$"), ("pattern of repeats", "(a+)+$")):
        rows = folder / f"{name.replace(' ', '-')}.jsonl"
        rows.write_text(json.dumps(called({"type": "string", "pattern": pattern})) + "\n")
        yield name, ["data", "check", str(rows)]
    refs = {f"d{i}": {"anyOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(40)}
    rows = folder / "references.jsonl"
    schema = {"$ref": "#/$defs/d0", "$defs": {**refs, "d40": {"type": "number"}}}
    rows.write_text(json.dumps(called({"type": "string"}, schema)) + "\n")
    yield "references in references", ["data", "check", str(rows)]
    fifo = folder / "pipe.yaml"
    os.mkfifo(fifo)
    yield "fifo as a spec", ["check", str(fifo)]
    yield "device as a spec", ["check", "/dev/zero"]
    yield "fifo as data", ["data", "check", str(fifo)]
    yield "device as data", ["data", "check", "/dev/zero"]
    for name, source in TEMPLATES.items():
        yield name, ["plan", str(spec_of(folder / name.replace(" ", "-"), source))]


def called(schema: object, parameters: object = None) -> dict[str, object]:
    given = {"a": "a" * 60 + "!"}
    function = {"name": "f", "arguments": json.dumps(given)}
    call = {"id": "1", "type": "function", "function": function}
    takes = parameters or {"type": "object", "properties": {"a": schema}}
    return {
        "messages": [
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": "", "tool_calls": [call]},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": takes}}],
    }


def spec_of(folder: Path, template: str) -> Path:
    """A spec of a tiny random model with the template."""
    from transformers import LlamaConfig, LlamaForCausalLM

    from answers import tokenizer_of

    tokenizer = tokenizer_of(TURNS)
    tokenizer.save_pretrained(folder / "model")
    sizes = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1}
    config = LlamaConfig(
        vocab_size=len(tokenizer), num_attention_heads=2, num_key_value_heads=2, **sizes
    )
    LlamaForCausalLM(config).save_pretrained(folder / "model")
    (folder / "model" / "chat_template.jinja").write_text(template)
    row = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    (folder / "rows.jsonl").write_text(
        "".join(json.dumps(row).replace('"a"', f'"a {i}"') + "\n" for i in range(20))
    )
    spec = folder / "run.yaml"
    spec.write_text(
        "name: a\nbase_models: [./model]\ndata: {sources: [{path: rows.jsonl}], eval_fraction: 0.1}\n"
    )
    return spec


def run(*command: str) -> Ended:
    """The command's end, with the CPU of all that it waited for."""
    began = subprocess.Popen(
        ["/usr/bin/timeout", str(LATEST), sys.executable, "-m", "finewright", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert began.stdout is not None
    said = began.stdout.read().decode("utf-8", "replace")
    _, status, used = os.wait4(began.pid, 0)
    began.returncode = os.waitstatus_to_exitcode(status)
    cpu_seconds = round(used.ru_utime + used.ru_stime, 2)
    return Ended(began.returncode, cpu_seconds, used.ru_maxrss >> 10, said)


def is_bad(command: str, ended: Ended) -> int:
    """Ended by a signal or the clock, or with a traceback, or a template of these taken for a good one."""
    fine = (2,) if command == "plan" else (0, 2)
    return int(ended.code not in fine or "Traceback" in ended.said)


def first_line(said: str) -> str:
    return next((line for line in said.splitlines() if line), "")[-100:]
