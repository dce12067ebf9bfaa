"""A tiny model, trained for six steps by `up`: a run of its own."""

import json
from pathlib import Path

import tiny
from finewright.schema.load import load_spec
from finewright.workbench.up import up

SPEC = """\
name: tiny
base_models: [{base}]
data: {{sources: [{{path: rows.jsonl, license: CC0-1.0, owner: us}}], eval_fraction: 0.25}}
train:
  adapter: {adapter}
  learning_rate: 1.0e-2
  batch_size: 4
  max_steps: 6
  threads: 1
  prove_elsewhere: false
evaluate: {{metrics: [token_f1], max_new_tokens: 8}}
"""
WORDS = ("red", "blue", "green", "white")


def nothing(*_: object) -> None:
    pass


def trained(folder: Path, adapter: str, base: str = "./base") -> Path:
    if not (folder / base).exists():
        tiny.tiny_model("llama").bfloat16().save_pretrained(folder / "base")
        tiny.tiny_tokenizer().save_pretrained(folder / "base")
    rows = ({"prompt": f"the {WORDS[i % 4]} {i}", "completion": WORDS[i % 4]} for i in range(16))
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "spec.yaml").write_text(SPEC.format(adapter=adapter, base=base))
    report = up(load_spec(folder / "spec.yaml"), folder / "runs", on_event=nothing, through="train")
    return Path(report.summary.run)
