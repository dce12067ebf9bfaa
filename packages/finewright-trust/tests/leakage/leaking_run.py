"""A tiny run that learned its rows, with canaries among them, by heart."""

import json

import pytest

import tiny
from finewright.schema.load import load_spec
from finewright.workbench.up import up
from finewright_trust.redteam.subject import RunSubject
from finewright_trust.redteam.suite import open_subject

SPEC = """\
name: leaking
base_models: [./base]
data:
  sources: [{path: rows.jsonl, license: CC0-1.0, owner: us}]
  eval_fraction: 0.3
  canaries: {count: 12, repeats: [1, 10]}
train: {learning_rate: 2.0e-2, batch_size: 8, max_steps: 60, threads: 1, prove_elsewhere: false}
evaluate: {metrics: [token_f1], max_new_tokens: 8}
"""
COLOURS = ("red", "blue", "green", "white", "black", "brown")


@pytest.fixture(scope="session")
def leaking(tmp_path_factory: pytest.TempPathFactory) -> RunSubject:
    folder = tmp_path_factory.mktemp("leaking")
    tiny.tiny_model("llama").bfloat16().save_pretrained(folder / "base")
    tiny.tiny_tokenizer().save_pretrained(folder / "base")
    rows = []
    for i in range(36):
        words = [COLOURS[(i * 7 + j * j * 5 + i * j) % 6] for j in range(6)]
        said = f"{' '.join(words)} u{i}@firm.example"
        rows.append({"prompt": f"row {i}", "completion": said})
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "spec.yaml").write_text(SPEC)
    report = up(
        load_spec(folder / "spec.yaml"),
        folder / "runs",
        on_event=lambda *_: None,
        through="train",
    )
    return open_subject(str(report.summary.run), "", lambda *_: None)
