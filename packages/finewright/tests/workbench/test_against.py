"""`evaluate RUN --against BASE` asks the base as the run is asked, and says where it cannot."""

import json
from pathlib import Path

import pytest

import tiny
from families.families import HERE
from finewright.schema.load import load_spec
from finewright.workbench.evaluate import evaluate, spec_of
from finewright.workbench.systems import load_system, switches_of
from finewright.workbench.up import up

pytestmark = pytest.mark.torch

SPEC = """\
name: quiet
base_models: [./llama]
chat_template: {enable_thinking: false}
data: {sources: [{path: rows.jsonl, license: CC0-1.0, owner: us}], eval_fraction: 0.2}
train: {max_steps: 1, batch_size: 2, threads: 1, adapter: {type: lora, r: 2}, prove_elsewhere: false}
evaluate: {max_new_tokens: 2, compare_with: []}
"""


def test_a_base_is_asked_with_the_switches_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tokenizer = tiny.tiny_tokenizer()
    for name, template in (("plain", tokenizer.chat_template), ("llama", None)):
        tokenizer.chat_template = template or (HERE / "templates/qwen3.jinja").read_text()
        tiny.tiny_model("llama").save_pretrained(name)
        tokenizer.save_pretrained(name)
    rows = [{"prompt": f"Q{i}", "completion": "A" * i} for i in range(1, 20)]
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("spec.yaml").write_text(SPEC)
    run = up(load_spec(Path("spec.yaml")), Path("runs"), on_event=lambda *_: None).summary.run

    switches = switches_of(run)
    assert switches == {"enable_thinking": False}
    assert switches_of("./llama") == {}
    question = [{"role": "user", "content": "Q"}]
    asked = load_system("./llama", switches=switches)
    assert asked.chat.render(question, ask=True).endswith("<think>\n\n</think>\n\n")
    assert asked.chat.encode_prompt(question) == load_system(run).chat.encode_prompt(question)
    assert (asked.dropped, load_system("./llama").chat.options) == ((), {})

    spec = spec_of(["rows.jsonl"], ["exact_match"], {}, max_new_tokens=2, seed=0)
    report = evaluate([run, "./llama", "./plain"], spec, Path("samples.jsonl"))
    told = [problem.message for problem in report.problems if "switch" in problem.message]
    assert told == [
        f"./plain is asked without the switch enable_thinking of {run}: its chat template has none of"
        " the name"
    ]
